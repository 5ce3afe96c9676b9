"""Define what a ratio is: marts, checks, the catalog's macros and the documentation derive from the ratios in `marts`.

A ratio is never averaged or summed. Its numerator and denominator are additive columns of the same table, so at any
coarser grain it is sum(numerator) / sum(denominator).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.dictionary.columns import SHARE, Additivity, Column, ColumnType


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


def ratio_columns(table: str, ratios: Iterable[Ratio]) -> tuple[Column, ...]:
    """Return the columns of ratios for a mart.

    Raises:
        ValueError: A ratio does not list that mart among its tables.
    """
    columns = []
    for ratio in ratios:
        if table not in ratio.tables:
            message = f"ratio {ratio.name} is not defined for {table}"
            raise ValueError(message)
        columns.append(ratio.column)
    return tuple(columns)
