"""Every ratio of the marts, defined once: marts, checks, the catalog's macros and the documentation derive from it.

A ratio is never averaged or summed. Its numerator and denominator are additive columns of the same table, so at any
coarser grain it is sum(numerator) / sum(denominator).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pipelines.dictionary.columns import MONEY_PER_MINUTE, SECONDS, SHARE, Additivity, Column, ColumnType, Table


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of additive columns: `factor * numerator / (sum of denominator)`, null for a zero or null denominator.

    Attributes:
        name: Name of the ratio's column.
        numerator: Column of the numerator.
        denominator: Columns that are added to give the denominator.
        tables: Marts that have the ratio, with its numerator and denominator.
        description: Meaning, for a reader of dashboards.
        unit: Unit of the result.
        factor: Converts the quotient into that unit (60: per second to per minute).
    """

    name: str
    numerator: str
    denominator: tuple[str, ...]
    tables: tuple[str, ...]
    description: str
    unit: str = SHARE
    factor: float = 1.0

    @property
    def components(self) -> tuple[str, ...]:
        """Its columns, each once, the numerator first."""
        return (self.numerator, *(name for name in self.denominator if name != self.numerator))

    @property
    def formula(self) -> str:
        """Its formula over the columns of one row."""
        return self._formula("{}")

    @property
    def rollup(self) -> str:
        """Its formula over any group of rows."""
        return self._formula("sum({})")

    def _formula(self, term: str) -> str:
        below = " + ".join(term.format(name) for name in self.denominator)
        below = f"({below})" if len(self.denominator) > 1 else below
        factor = "" if self.factor == 1 else f"{self.factor:g} * "
        return f"{factor}{term.format(self.numerator)} / {below}"

    @property
    def column(self) -> Column:
        """The column that its marts have."""
        return Column(
            self.name,
            ColumnType.NUMBER,
            self.description,
            unit=self.unit,
            formula=self.formula,
            additivity=Additivity.NON_ADDITIVE,
        )


_CALLS = ("call_metrics_daily",)
_TRANSFERS = ("transfer_metrics_daily",)

_ALL = (
    Ratio(
        "cost_per_minute",
        "cost_rated",
        ("seconds_rated",),
        _CALLS + _TRANSFERS,
        "Cost of one minute, over the rows that have both a cost and a duration above zero.",
        unit=MONEY_PER_MINUTE,
        factor=60.0,
    ),
    Ratio(
        "average_duration_seconds",
        "duration_seconds",
        ("duration_calls",),
        _CALLS,
        "Average duration of the connected calls whose duration is known.",
        unit=SECONDS,
    ),
    Ratio("connect_rate", "connected_calls", ("calls",), _CALLS, "Share of calls that reached a person."),
    Ratio(
        "completion_rate",
        "completed_calls",
        ("terminal_calls",),
        _CALLS,
        "Share of the calls that are over whose outcome is completed.",
    ),
    Ratio(
        "transfer_rate",
        "transferred_calls",
        ("connected_calls",),
        _CALLS,
        "Share of connected calls in which a transfer was attempted.",
    ),
    Ratio(
        "transfer_rate_all",
        "transferred_calls",
        ("calls",),
        _CALLS,
        "Share of all calls, connected or not, in which a transfer was attempted.",
    ),
    Ratio(
        "containment_rate",
        "contained_calls",
        ("connected_terminal_calls",),
        _CALLS,
        "Share of the connected calls that are over which the agent handled without a transfer.",
    ),
    Ratio(
        "short_call_rate",
        "short_calls",
        ("connected_calls",),
        _CALLS,
        "Share of connected calls that lasted less than 10 seconds.",
    ),
    Ratio(
        "agent_word_share",
        "agent_words",
        ("agent_words", "user_words"),
        _CALLS,
        "Share of the words of agent and customer that the agent spoke. It is not a share of talk time.",
    ),
    Ratio(
        "transfer_success_rate",
        "successful_legs",
        ("successful_legs", "failed_legs"),
        _TRANSFERS,
        "Share of the legs with the result success or failed that succeeded. Pending and unknown legs are left out.",
    ),
    Ratio(
        "average_leg_seconds",
        "duration_seconds",
        ("duration_legs",),
        _TRANSFERS,
        "Average duration of the transfer legs whose duration is known.",
        unit=SECONDS,
    ),
)

RATIOS: Mapping[str, Ratio] = MappingProxyType({ratio.name: ratio for ratio in _ALL})
"""Every ratio by its name, in the order of the marts' columns."""


def ratio_columns(table: str, *names: str) -> tuple[Column, ...]:
    """Return the columns of the named ratios for a mart.

    Raises:
        ValueError: A ratio does not list that mart among its tables.
    """
    for name in names:
        if table not in RATIOS[name].tables:
            message = f"ratio {name} is not defined for {table}"
            raise ValueError(message)
    return tuple(RATIOS[name].column for name in names)


def ratios_of(table: Table) -> tuple[Ratio, ...]:
    """Return the ratios of a mart, in the order of its columns; none for other tables."""
    return tuple(RATIOS[name] for name in table.names if name in RATIOS and table.name in RATIOS[name].tables)
