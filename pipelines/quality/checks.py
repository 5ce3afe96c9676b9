"""The checks that stand between a day that was written and a day that is published."""

from __future__ import annotations

from pipelines.quality.check import Check, DayTables, Verdict
from pipelines.quality.cross_table_checks import (
    find_lost_attributes,
    find_lost_legs,
    find_lost_turns,
    find_uneven_items,
    find_uneven_legs,
    find_uneven_messages,
    find_wrong_totals,
)
from pipelines.quality.row_checks import (
    find_impossible_numbers,
    find_null_keys,
    find_repeated_keys,
    find_wrong_columns,
    find_wrong_ratios,
)

CHECKS_VERSION = 2
"""Raised whenever a check is added or judges differently, so that refused days can be judged again."""

CHECKS = (
    Check(
        "columns_as_documented",
        "calls",
        "Every table has exactly the columns and types of the data dictionary.",
        find_wrong_columns,
    ),
    Check(
        "unique_keys",
        "calls",
        "No two rows of a table have the same key, nulls alike, and rows are sorted by it.",
        find_repeated_keys,
    ),
    Check("no_null_keys", "calls", "Key columns that name a row are never null.", find_null_keys),
    Check(
        "calls_as_landed",
        "calls",
        "Every landed call of the day is one row, and so is every item that was rejected.",
        find_uneven_items,
    ),
    Check(
        "messages_as_counted",
        "transcript_turns",
        "Every transcript has as many messages as its call or leg counts.",
        find_uneven_messages,
    ),
    Check("legs_as_counted", "transfer_legs", "Every call has as many legs as it counts.", find_uneven_legs),
    Check(
        "turns_have_calls",
        "transcript_turns",
        "Every message belongs to a call or a transfer leg.",
        find_lost_turns,
    ),
    Check(
        "legs_have_calls",
        "transfer_legs",
        "Every leg's call is there, or the leg says that it was not found.",
        find_lost_legs,
    ),
    Check("attributes_have_calls", "call_attributes", "Every attribute belongs to a call.", find_lost_attributes),
    Check(
        "possible_numbers",
        "call_metrics_daily",
        "Counts and measures are finite and not below zero, in calls, legs and marts.",
        find_impossible_numbers,
    ),
    Check(
        "mart_totals",
        "call_metrics_daily",
        "Each mart adds up to the calls or legs it is about.",
        find_wrong_totals,
    ),
    Check(
        "mart_ratios",
        "call_metrics_daily",
        "Each ratio is its numerator over its denominator, and null where there is no quotient.",
        find_wrong_ratios,
    ),
)
"""Every check, in the order in which they run."""


def audit(tables: DayTables) -> list[Verdict]:
    """Judge one day by every check.

    Args:
        tables: The day as it was written.

    Returns:
        One verdict per check, in the order of `CHECKS`; the day may be published if all have passed.

    Raises:
        Exception: Whatever reading the tables raises, a missing file or column among them.
    """
    return [check.verdict(tables) for check in CHECKS]
