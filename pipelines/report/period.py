"""Which days a report covers, and which days it compares them with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from pipelines.errors import ChorusCallsError

DEFAULT_DAYS: Final = 28
"""Whole weeks, so that each weekday counts as often as in the period before."""

_LONGEST_BY_DAY: Final = 62
_LONGEST_BY_WEEK: Final = 400


@dataclass(frozen=True)
class Period:
    """Consecutive UTC days."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    def before(self) -> Period:
        """Return the period of equal length that ends on the day before."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1))

    @property
    def unit(self) -> str:
        """The unit of time in charts of this period: `day`, `week` or `month`."""
        if self.days <= _LONGEST_BY_DAY:
            return "day"
        return "week" if self.days <= _LONGEST_BY_WEEK else "month"

    def steps(self) -> list[date]:
        """Return the first day of each day, week (from Monday) or month that the period overlaps."""
        found = [_start(self.unit, self.first)]
        while (following := _next(self.unit, found[-1])) <= self.last:
            found.append(following)
        return found

    @property
    def is_whole(self) -> bool:
        """Whether the first and the last of these steps are entirely in the period."""
        steps = self.steps()
        return steps[0] == self.first and _next(self.unit, steps[-1]) == self.last + timedelta(days=1)


def choose_period(first: date | None, last: date | None, known: Period) -> Period:
    """Return the days a report covers: those asked for, limited to the days with known calls.

    Args:
        first: The first day asked for; None makes the period 28 days long.
        last: The last day asked for; None takes the day of the newest call.
        known: The days from the first call to the newest one.

    Raises:
        ChorusCallsError: The first day is after the last (exit code 2), or all days are outside the known ones.
    """
    if first and last and first > last:
        message = f"--from {first} is after --to {last}."
        raise ChorusCallsError(message, exit_code=2)
    if (first and first > known.last) or (last and last < known.first):
        message = f"There are no calls in this period: the lake has calls from {known.first} to {known.last}."
        raise ChorusCallsError(message)
    end = min(last or known.last, known.last)
    reach = min(DEFAULT_DAYS - 1, (end - known.first).days)
    return Period(max(first or end - timedelta(days=reach), known.first), end)


def _start(unit: str, day: date) -> date:
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == "month" else day


def _next(unit: str, day: date) -> date:
    if unit == "month":
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days=7 if unit == "week" else 1)
