"""The data quality checks that a day must pass to be published, over the files that were really written.

They do not know where tables are stored or who runs them: a caller passes `DayTables` and gets a result of each check.
"""

from __future__ import annotations

from pipelines.quality.check import Check, CheckResult, DayTables
from pipelines.quality.cross_table_checks import (
    find_item_count_mismatches,
    find_leg_count_mismatches,
    find_message_count_mismatches,
    find_orphan_attributes,
    find_orphan_legs,
    find_orphan_turns,
    find_total_mismatches,
)
from pipelines.quality.row_checks import (
    find_duplicate_keys,
    find_invalid_numbers,
    find_null_keys,
    find_ratio_mismatches,
    find_schema_mismatches,
)

__all__ = ["CHECKS", "CHECKS_VERSION", "Check", "CheckResult", "DayTables", "audit"]

CHECKS_VERSION = 2
"""Increased whenever a check is added or changes its result, so that refused days are checked again."""

CHECKS = (
    Check(
        "columns_as_documented",
        "calls",
        "Every table has exactly the columns and types of the data dictionary.",
        find_schema_mismatches,
    ),
    Check(
        "unique_keys",
        "calls",
        "No two rows of a table have the same key, where two nulls are equal, and rows are sorted by it.",
        find_duplicate_keys,
    ),
    Check("no_null_keys", "calls", "Key columns that identify a row are never null.", find_null_keys),
    Check(
        "calls_as_landed",
        "calls",
        "Every landed call of the day is one row, and so is every rejected item.",
        find_item_count_mismatches,
    ),
    Check(
        "messages_as_counted",
        "transcript_turns",
        "Every transcript has as many messages as the message_count of its call or leg.",
        find_message_count_mismatches,
    ),
    Check(
        "legs_as_counted",
        "transfer_legs",
        "Every call has as many legs as its transfer_leg_count.",
        find_leg_count_mismatches,
    ),
    Check(
        "turns_have_calls",
        "transcript_turns",
        "Every message belongs to a call or a transfer leg.",
        find_orphan_turns,
    ),
    Check(
        "legs_have_calls",
        "transfer_legs",
        "The call of every leg exists, or the leg says that it was not found.",
        find_orphan_legs,
    ),
    Check("attributes_have_calls", "call_attributes", "Every attribute belongs to a call.", find_orphan_attributes),
    Check(
        "possible_numbers",
        "call_metrics_daily",
        "Counts and measures of calls, legs and marts are finite and not negative.",
        find_invalid_numbers,
    ),
    Check(
        "mart_totals",
        "call_metrics_daily",
        "The totals of each mart equal those of its calls or legs.",
        find_total_mismatches,
    ),
    Check(
        "mart_ratios",
        "call_metrics_daily",
        "Each ratio is its numerator over its denominator, and null if there is no finite quotient.",
        find_ratio_mismatches,
    ),
)
"""Every check, in the order in which they run."""


def audit(tables: DayTables) -> list[CheckResult]:
    """Run every check on one day.

    Returns:
        One result per check, in the order of `CHECKS`; the day may be published if all have passed.

    Raises:
        Exception: Any error of reading the tables, such as a missing file or column.
    """
    return [check.run(tables) for check in CHECKS]
