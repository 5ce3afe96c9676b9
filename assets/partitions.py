"""Days in Dagster's terms: the daily partitions, ranges of them as tags of a run, and spans of days."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from typing import Final

import dagster as dg
from pydantic_settings import BaseSettings

from pipelines.settings import Settings

# Partitioned checks and backfill policies are used knowingly; each use would warn when the definitions load. Whatever
# has partitions imports this module first.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

RANGE_START: Final = "dagster/asset_partition_range_start"
RANGE_END: Final = "dagster/asset_partition_range_end"
ONE_DAY: Final = "dagster/partition"

SINGLE_RUN: Final = dg.BackfillPolicy.single_run()
"""A range of days is one run: starting a run costs more than building a day."""

WITH_THE_DAY_BEFORE: Final = dg.TimeWindowPartitionMapping(start_offset=-1, allow_nonexistent_upstream_partitions=True)
"""A day is built from what landed of it and of the day before, since a leg may begin after midnight."""


class _StartDate(BaseSettings):
    """CHORUS_START_DATE alone, so that no other setting can keep the definitions from loading."""

    model_config = Settings.model_config

    start_date: date = Settings.model_fields["start_date"]  # type: ignore[assignment]  # the field with its rules


@cache
def daily_partitions() -> dg.DailyPartitionsDefinition:
    """Return the UTC days from CHORUS_START_DATE up to and including today.

    The start is read once, when the definitions load. With one that cannot be used they load with the default; every
    run then fails and says what is wrong with the setting.
    """
    try:
        start = _StartDate().start_date
    except (OSError, ValueError):  # a refused value, or an .env file that cannot be read
        start = Settings.model_fields["start_date"].default
    # Without the offset today would have no partition.
    return dg.DailyPartitionsDefinition(start_date=str(start), timezone="UTC", end_offset=1)


def with_partition(days: Iterable[date]) -> list[date]:
    """Return those of some days that have a partition now; a day later than today gets one when it begins."""
    partitions = daily_partitions()
    last = partitions.get_last_partition_key()
    return [day for day in days if last is not None and partitions.start.date() <= day <= date.fromisoformat(last)]


def range_tags(first: date, last: date) -> dict[str, str]:
    """Return the tags that make a run one of all days from the first to the last."""
    return {RANGE_START: str(first), RANGE_END: str(last)}


def days_of(tags: Mapping[str, str]) -> list[date]:
    """Return the days that a run with these tags works on; none if it has no partitions.

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
    """Put days together into spans without a gap, none of more days than the longest may have.

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
