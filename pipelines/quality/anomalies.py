"""What deserves a look and keeps no day from being published: days that differ from those before them.

A check of `checks` finds faults of this program. A warning finds what may be right, but is rarely meant: a new status
word, calls that stay away, a price that jumped. With too little to go by, nothing is unusual, and the finding says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median

from pipelines.quality import thresholds


@dataclass(frozen=True)
class DayMetrics:
    """What warnings know of one day, over all its root calls that are not deleted.

    Attributes:
        calls: How many calls.
        cost_missing_calls: Those whose cost is not known.
        cost_rated: Cost of the calls that have both a cost and a duration; None where there are none.
        seconds_rated: Their duration.
        unknown_words: Status words of calls and transfers that are in no map.
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
        """Cost of a minute, None where too few minutes were billed to tell."""
        if self.cost_rated is None or (self.seconds_rated or 0) < 60 * thresholds.MIN_MINUTES:
            return None
        return 60 * self.cost_rated / (self.seconds_rated or 1)

    @property
    def cost_missing_share(self) -> float | None:
        """Share of the calls whose cost is not known, None where there are too few to tell."""
        return self.cost_missing_calls / self.calls if self.calls >= thresholds.MIN_CALLS else None


History = Mapping[date, DayMetrics]
"""The published days that are at hand; one that is not there had no calls."""


@dataclass(frozen=True)
class AnomalyResult:
    """What a warning has to say: whether all is as usual, why, and the figures behind that. Never a value of a row."""

    passed: bool
    description: str
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class AnomalyCheck:
    """A question that is asked of each day.

    Attributes:
        name: What is the case where nothing is unusual.
        table: The table that it speaks of.
        description: The rule in one sentence.
        evaluate: Answers it for a day, given its figures and those of other days.
    """

    name: str
    table: str
    description: str
    evaluate: Callable[[date, DayMetrics, History], AnomalyResult]


def _outcome_words(_: date, figures: DayMetrics, __: History) -> AnomalyResult:
    count = figures.unknown_words
    if not count:
        return AnomalyResult(
            passed=True, description="Every status is in the outcome maps.", metrics={"unknown words": 0}
        )
    words = (
        f"{count} status words of calls or transfers are in no outcome map; data_issues lists them as unknown_value."
    )
    return AnomalyResult(passed=False, description=words, metrics={"unknown words": count})


def _cost_missing(day: date, figures: DayMetrics, history: History) -> AnomalyResult:
    share = figures.cost_missing_share
    before = [known.cost_missing_share for known in _before(day, history)]
    return _against(share, before, _cost_missing_unusual, "{:.1%} of the calls have no cost", "share without cost")


def _cost_missing_unusual(share: float, before: Sequence[float]) -> tuple[bool, str]:
    usually = median(before)
    return (
        share > usually + thresholds.MISSING_COST_SHARE_RISE,
        f"the median of {len(before)} days before is {usually:.1%}",
    )


def _cost_per_minute(day: date, figures: DayMetrics, history: History) -> AnomalyResult:
    before = [known.cost_per_minute for known in _before(day, history)]
    return _against(figures.cost_per_minute, before, _price_unusual, "A minute cost {:.4f}", "cost per minute")


def _price_unusual(price: float, before: Sequence[float]) -> tuple[bool, str]:
    low, high = min(before), max(before)
    apart = thresholds.COST_PER_MINUTE_TOLERANCE
    outside = price < low * (1 - apart) or price > high * (1 + apart)
    return outside, f"in {len(before)} days before it was {low:.4f} to {high:.4f}"


def _against(
    value: float | None,
    before: Sequence[float | None],
    is_unusual: Callable[[float, Sequence[float]], tuple[bool, str]],
    says: str,
    name: str,
) -> AnomalyResult:
    known = [other for other in before if other is not None]
    if value is None:
        return AnomalyResult(passed=True, description="Too few calls to judge.")
    if len(known) < thresholds.MIN_HISTORY_DAYS:
        words = f"{says.format(value)}; only {len(known)} of the days before can be compared, too few to judge."
        return AnomalyResult(passed=True, description=words, metrics={name: value})
    unusual, comparison = is_unusual(value, known)
    return AnomalyResult(passed=not unusual, description=f"{says.format(value)}; {comparison}.", metrics={name: value})


def _before(day: date, history: History) -> list[DayMetrics]:
    days = (day - timedelta(days=back) for back in range(1, thresholds.HISTORY_DAYS + 1))
    return [history[before] for before in days if before in history]


def _calls(day: date, figures: DayMetrics, history: History) -> AnomalyResult:
    if not figures.is_over:
        return AnomalyResult(passed=True, description="The day is not over.", metrics={"calls": figures.calls})
    first = min(history, default=day)
    weekdays = [day - timedelta(weeks=back) for back in range(1, thresholds.WEEKS + 1)]
    # A weekday without calls counts as none, unless it lies before anything that is known.
    before = [history[other].calls if other in history else 0 for other in weekdays if other >= first]
    if len(before) < thresholds.MIN_WEEKS:
        words = f"{figures.calls} calls; only {len(before)} of the same weekday before, too few to judge."
        return AnomalyResult(passed=True, description=words, metrics={"calls": figures.calls})
    usually = median(before)
    unusual = usually >= thresholds.MIN_CALLS and figures.calls < thresholds.MIN_CALL_VOLUME_SHARE * usually
    words = f"{figures.calls} calls; the median of this weekday, {len(before)} weeks back, is {usually:g}."
    return AnomalyResult(passed=not unusual, description=words, metrics={"calls": figures.calls, "usually": usually})


DAILY_ANOMALY_CHECKS = (
    AnomalyCheck(
        "outcome_values_known",
        "data_issues",
        "Every status word of calls and transfers is in the outcome maps.",
        _outcome_words,
    ),
    AnomalyCheck(
        "missing_cost_share_normal",
        "call_metrics_daily",
        f"The share of calls without a cost is at most {thresholds.MISSING_COST_SHARE_RISE:.0%} of the calls above its "
        f"median in the {thresholds.HISTORY_DAYS} days before.",
        _cost_missing,
    ),
    AnomalyCheck(
        "cost_per_minute_normal",
        "call_metrics_daily",
        f"The cost per minute lies within what it was in the {thresholds.HISTORY_DAYS} days before, give or take "
        f"{thresholds.COST_PER_MINUTE_TOLERANCE:.0%}.",
        _cost_per_minute,
    ),
    AnomalyCheck(
        "call_volume_normal",
        "call_metrics_daily",
        f"The day has at least {thresholds.MIN_CALL_VOLUME_SHARE:.0%} of the median calls of its weekday "
        f"in the {thresholds.WEEKS} weeks before. Judged once the day is over.",
        _calls,
    ),
)
"""Every warning about a day, in the order in which they are shown."""


def check_recent_call_volume(history: History, today: date, waiting: Collection[date] = ()) -> AnomalyResult:
    """Look for days that ended lately with far fewer calls than their weekday, or none: nothing is built of the latter.

    Args:
        history: What is published.
        today: The present day, which is not over.
        waiting: Days of which more has landed than is published.
    """
    days = [today - timedelta(days=back) for back in range(thresholds.RECENT_DAYS, 0, -1)]
    known = [day for day in days if day not in waiting]
    quiet = [day for day in known if not _calls(day, history.get(day, DayMetrics()), history).passed]
    if not quiet:
        return AnomalyResult(
            passed=True, description="No recent day has far fewer calls than its weekday.", metrics={"days": 0}
        )
    words = f"Far fewer calls than on the same weekday before: {', '.join(map(str, quiet))}."
    return AnomalyResult(passed=False, description=words, metrics={"days": len(quiet)})


def check_rejected_items(by_day: Mapping[date, int], today: date) -> AnomalyResult:
    """Look for items that came lately and could not be placed, by the day on which they came."""
    count = sum(items for day, items in by_day.items() if (today - day).days < thresholds.RECENT_DAYS)
    if not count:
        return AnomalyResult(passed=True, description="No item was rejected lately.", metrics={"rejected items": 0})
    words = (
        f"{count} items that came in the last {thresholds.RECENT_DAYS} days are no calls that can be placed; "
        "data_issues lists them as rejected_item."
    )
    return AnomalyResult(passed=False, description=words, metrics={"rejected items": count})


def check_full_scan(last: tuple[datetime, bool] | None) -> AnomalyResult:
    """Ask whether the last full scan, given by its start, saw every page."""
    if last is None:
        return AnomalyResult(passed=True, description="There was no full scan yet.")
    started, complete = last
    if complete:
        return AnomalyResult(passed=True, description=f"The full scan of {started:%Y-%m-%d %H:%M} UTC saw every page.")
    words = (
        f"The full scan of {started:%Y-%m-%d %H:%M} UTC did not see every page: late changes to old calls, and deleted "
        "ones, are not known. The next one goes on where it ended."
    )
    return AnomalyResult(passed=False, description=words)
