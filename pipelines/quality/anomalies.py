"""Anomaly checks: compare a day with the days before it. They warn, and never keep a day from being published.

A data quality check finds faults of this program. An anomaly check finds what may be right but is rarely intended: an
unknown status word, missing calls, a sudden price change. With too little history it passes and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median

from pipelines.quality import thresholds


@dataclass(frozen=True)
class DayMetrics:
    """The metrics of one day that the checks read, over all its root calls that are not deleted.

    A field with the name of a column of call_metrics_daily is the sum of that column.

    Attributes:
        cost_missing_calls: Number of calls whose cost is not known.
        cost_rated: Cost of the calls that have both a cost and a duration; None if there are none.
        unknown_words: Number of status words of calls and transfers that no outcome map contains.
        is_over: Whether the day has ended, in UTC.
    """

    calls: int = 0
    cost_missing_calls: int = 0
    cost_rated: float | None = None
    seconds_rated: float | None = None
    unknown_words: int = 0
    is_over: bool = True

    @property
    def cost_per_minute(self) -> float | None:
        """Cost of one minute, None with less than MIN_MINUTES."""
        if self.cost_rated is None or (self.seconds_rated or 0) < 60 * thresholds.MIN_MINUTES:
            return None
        return 60 * self.cost_rated / (self.seconds_rated or 1)

    @property
    def cost_missing_share(self) -> float | None:
        """Share of the calls whose cost is not known, None with less than MIN_CALLS."""
        return self.cost_missing_calls / self.calls if self.calls >= thresholds.MIN_CALLS else None


History = Mapping[date, DayMetrics]
"""The published days; a day that it lacks had no calls."""


@dataclass(frozen=True)
class AnomalyResult:
    """The result of an anomaly check.

    Attributes:
        passed: Whether the metrics are normal, or cannot be compared.
        description: Why, in one sentence, without a value of a row.
        metrics: The numbers behind it, by their names for people.
    """

    passed: bool
    description: str
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AnomalyCheck:
    """A check of each day.

    Attributes:
        name: What is true if it passes.
        evaluate: Returns the result for a day, given its metrics and those of other days.
    """

    name: str
    table: str
    description: str
    evaluate: Callable[[date, DayMetrics, History], AnomalyResult]


def _check_outcome_words(_: date, observed: DayMetrics, __: History) -> AnomalyResult:
    count = observed.unknown_words
    description = "Every status is in the outcome maps."
    if count:
        description = (
            f"{count} status words of calls or transfers are in no outcome map; data_issues lists them as "
            "unknown_value."
        )
    return AnomalyResult(passed=not count, description=description, metrics={"unknown words": count})


def _check_missing_cost_share(day: date, observed: DayMetrics, history: History) -> AnomalyResult:
    def compare(share: float, before: Sequence[float]) -> tuple[bool, str]:
        normal = median(before)
        is_normal = share <= normal + thresholds.MISSING_COST_SHARE_RISE
        return is_normal, f"the median of {len(before)} days before is {normal:.1%}"

    before = [known.cost_missing_share for known in _days_before(day, history)]
    return _compare(
        observed.cost_missing_share, before, compare, "{:.1%} of the calls have no cost", "share without cost"
    )


def _check_cost_per_minute(day: date, observed: DayMetrics, history: History) -> AnomalyResult:
    def compare(price: float, before: Sequence[float]) -> tuple[bool, str]:
        low, high = min(before), max(before)
        tolerance = thresholds.COST_PER_MINUTE_TOLERANCE
        is_normal = low * (1 - tolerance) <= price <= high * (1 + tolerance)
        return is_normal, f"in {len(before)} days before it was {low:.4f} to {high:.4f}"

    before = [known.cost_per_minute for known in _days_before(day, history)]
    return _compare(observed.cost_per_minute, before, compare, "A minute cost {:.4f}", "cost per minute")


def _compare(
    value: float | None,
    before: Sequence[float | None],
    compare: Callable[[float, Sequence[float]], tuple[bool, str]],
    sentence: str,
    name: str,
) -> AnomalyResult:
    """Compare a value with those of the days before, if both are known well enough."""
    known = [other for other in before if other is not None]
    if value is None:
        return AnomalyResult(passed=True, description="Too few calls to compare.")
    is_normal, comparison = True, f"only {len(known)} of the days before can be used, too few for a comparison"
    if len(known) >= thresholds.MIN_HISTORY_DAYS:
        is_normal, comparison = compare(value, known)
    return AnomalyResult(
        passed=is_normal, description=f"{sentence.format(value)}; {comparison}.", metrics={name: value}
    )


def _days_before(day: date, history: History) -> list[DayMetrics]:
    days = (day - timedelta(days=back) for back in range(1, thresholds.HISTORY_DAYS + 1))
    return [history[before] for before in days if before in history]


def _check_call_volume(day: date, observed: DayMetrics, history: History) -> AnomalyResult:
    metrics: dict[str, float] = {"calls": observed.calls}
    if not observed.is_over:
        return AnomalyResult(passed=True, description="The day is not over.", metrics=metrics)
    first = min(history, default=day)
    weekdays = [day - timedelta(weeks=back) for back in range(1, thresholds.WEEKS + 1)]
    # A weekday without calls counts as 0, unless it is before the first known day.
    before = [history[other].calls if other in history else 0 for other in weekdays if other >= first]
    if len(before) < thresholds.MIN_WEEKS:
        description = f"{observed.calls} calls; only {len(before)} such weekdays before, too few for a comparison."
        return AnomalyResult(passed=True, description=description, metrics=metrics)
    normal = median(before)
    is_low = normal >= thresholds.MIN_CALLS and observed.calls < thresholds.MIN_CALL_VOLUME_SHARE * normal
    description = f"{observed.calls} calls; the median of this weekday over {len(before)} weeks is {normal:g}."
    return AnomalyResult(passed=not is_low, description=description, metrics={**metrics, "median": normal})


DAILY_ANOMALY_CHECKS = (
    AnomalyCheck(
        "outcome_values_known",
        "data_issues",
        "Every status word of calls and transfers is in the outcome maps.",
        _check_outcome_words,
    ),
    AnomalyCheck(
        "missing_cost_share_normal",
        "call_metrics_daily",
        f"The share of calls without a cost is at most {thresholds.MISSING_COST_SHARE_RISE:.0%} of the calls above its "
        f"median of the {thresholds.HISTORY_DAYS} days before.",
        _check_missing_cost_share,
    ),
    AnomalyCheck(
        "cost_per_minute_normal",
        "call_metrics_daily",
        f"The cost per minute is within its range of the {thresholds.HISTORY_DAYS} days before, plus or minus "
        f"{thresholds.COST_PER_MINUTE_TOLERANCE:.0%}.",
        _check_cost_per_minute,
    ),
    AnomalyCheck(
        "call_volume_normal",
        "call_metrics_daily",
        f"The day has at least {thresholds.MIN_CALL_VOLUME_SHARE:.0%} of the median calls of its weekday "
        f"in the {thresholds.WEEKS} weeks before. Checked once the day is over.",
        _check_call_volume,
    ),
)
"""Every anomaly check of a day, in display order."""


def check_recent_call_volume(history: History, today: date, waiting: Collection[date] = ()) -> AnomalyResult:
    """Check the call volume of recent days, also of days without any call, for which nothing is built.

    Args:
        history: The published days.
        today: The present day, which is not over.
        waiting: Days with landed calls that are not published yet; they are not checked.
    """
    days = [today - timedelta(days=back) for back in range(thresholds.RECENT_DAYS, 0, -1)]
    low = [
        day
        for day in days
        if day not in waiting and not _check_call_volume(day, history.get(day, DayMetrics()), history).passed
    ]
    description = "No recent day has far fewer calls than its weekday."
    if low:
        description = f"Far fewer calls than on the same weekday before: {', '.join(map(str, low))}."
    return AnomalyResult(passed=not low, description=description, metrics={"days": len(low)})


def check_rejected_items(by_day: Mapping[date, int], today: date) -> AnomalyResult:
    """Check that no item was rejected recently, given the number of rejected items by the day on which they landed."""
    count = sum(items for day, items in by_day.items() if (today - day).days < thresholds.RECENT_DAYS)
    description = "No item was rejected recently."
    if count:
        description = (
            f"{count} items that landed in the last {thresholds.RECENT_DAYS} days could not be assigned to a day; "
            "data_issues lists them as rejected_item."
        )
    return AnomalyResult(passed=not count, description=description, metrics={"rejected items": count})


def check_full_scan(last: tuple[datetime, bool] | None) -> AnomalyResult:
    """Check that the last full scan, given as its start and whether it is complete, saw every page."""
    if last is None:
        return AnomalyResult(passed=True, description="There was no full scan yet.")
    started, complete = last
    description = f"The full scan of {started:%Y-%m-%d %H:%M} UTC saw every page."
    if not complete:
        description = (
            f"The full scan of {started:%Y-%m-%d %H:%M} UTC did not see every page, so late changes and deletions of "
            "old calls are not known. The next full scan resumes where it ended."
        )
    return AnomalyResult(passed=complete, description=description)
