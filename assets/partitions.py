"""How days are told to Dagster: the daily partitions, ranges of them as tags of a run, and spans of days."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

import dagster as dg

from pipelines.settings import load_settings

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
ONE_DAY = "dagster/partition"

DAILY = dg.DailyPartitionsDefinition(start_date=str(load_settings().start_date), timezone="UTC", end_offset=1)
"""UTC days from CHORUS_START_DATE up to and including today: without the offset today would have no partition."""

SINGLE_RUN = dg.BackfillPolicy.single_run()
"""A range of days is one run: starting a run costs more than building a day."""

WITH_THE_DAY_BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, allow_nonexistent_upstream_partitions=True)
"""A day is built from what landed of it and of the day before, since a leg may begin after midnight."""


def with_partition(days: Iterable[date]) -> list[date]:
    """Return those of some days that have a partition now; a day later than today gets one when it begins."""
    last = DAILY.get_last_partition_key()
    return [day for day in days if last is not None and DAILY.start.date() <= day <= date.fromisoformat(last)]


def range_tags(first: date, last: date) -> dict[str, str]:
    """Return the tags that make a run one of all days from the first to the last."""
    return {RANGE_START: str(first), RANGE_END: str(last)}


def days_of(tags: Mapping[str, str]) -> list[date]:
    """Return the days that a run with these tags works on; none where it has no partitions.

    A script may launch a run of `2026-3-1`: Dagster takes that for the day.
    """
    try:
        first, last = (
            datetime.strptime(tags.get(end, tags.get(ONE_DAY, "")), "%Y-%m-%d").date()  # noqa: DTZ007 - a date alone
            for end in (RANGE_START, RANGE_END)
        )
    except ValueError:
        return []
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def spans(days: Iterable[date], longest: int) -> list[tuple[date, date]]:
    """Put days together into spans without a gap.

    Args:
        days: Days in any order.
        longest: The most days of a span.

    Returns:
        First and last day of each span, the newest span first.
    """
    found: list[tuple[date, date]] = []
    for day in sorted(set(days), reverse=True):
        if found and found[-1][0] - day == timedelta(days=1) and (found[-1][1] - day).days < longest:
            found[-1] = (day, found[-1][1])
        else:
            found.append((day, day))
    return found
