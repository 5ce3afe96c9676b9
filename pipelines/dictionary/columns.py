"""The building blocks of the data dictionary: tables, columns, kinds of column, and columns that tables share.

Only the standard library is imported here, so that every part of the program can read the dictionary without waiting
for a data library that it does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypedDict, Unpack


class ColumnType(StrEnum):
    """The types a column can have; the value is the name shown to people."""

    TEXT = "text"
    INTEGER = "int64"
    NUMBER = "float64"
    FLAG = "boolean"
    INSTANT = "timestamp (UTC)"
    LOCAL_TIME = "timestamp (local)"
    DATE = "date"

    @property
    def sql(self) -> str:
        """The name of the type in DuckDB's SQL."""
        return _SQL_TYPES[self]


_SQL_TYPES: Mapping[ColumnType, str] = MappingProxyType(
    {
        ColumnType.TEXT: "VARCHAR",
        ColumnType.INTEGER: "BIGINT",
        ColumnType.NUMBER: "DOUBLE",
        ColumnType.FLAG: "BOOLEAN",
        ColumnType.INSTANT: "TIMESTAMP WITH TIME ZONE",
        ColumnType.LOCAL_TIME: "TIMESTAMP",
        ColumnType.DATE: "DATE",
    }
)


class Personal(StrEnum):
    """What a column reveals about a person."""

    NONE = "none"
    LINKABLE = "linkable"
    DIRECT = "direct identifier"
    RECORDING = "recording"
    FREE_TEXT = "free text"

    @property
    def is_content(self) -> bool:
        """Whether the values themselves are personal, not only keys that identify a person elsewhere."""
        return self not in (Personal.NONE, Personal.LINKABLE)


class Additivity(StrEnum):
    """How the values of a measure may be aggregated over rows."""

    ADDITIVE = "additive"
    SEMI_ADDITIVE = "semi-additive"
    NON_ADDITIVE = "non-additive"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: Name in files, catalog and documentation.
        type: Type of its values.
        description: Meaning, in one or two sentences for a reader of dashboards.
        unit: Unit of its values (empty if there is none); "money" is in the account's currency.
        formula: How it is calculated from other columns (empty if it is as sent).
        personal: What it reveals about a person.
        nullable: Whether it may be null ("not known").
        additivity: How it may be summed; None if it is not a measure.
        low_cardinality: Whether its values repeat often enough for Parquet's dictionary encoding to save space.
        signed: Whether it may be negative: a whole number that is as the API states it, or the sum of such numbers.
    """

    name: str
    type: ColumnType
    description: str
    unit: str = ""
    formula: str = ""
    personal: Personal = Personal.NONE
    nullable: bool = True
    additivity: Additivity | None = None
    low_cardinality: bool = False
    signed: bool = False

    @property
    def comment(self) -> str:
        """Its meaning, unit, formula, additivity and class of personal data in one plain text, for catalogs."""
        notes = {
            "Unit": self.unit,
            "Formula": self.formula,
            "Additivity": self.additivity,
            "Personal data": self.personal if self.personal is not Personal.NONE else "",
        }
        return " ".join([self.description, *(f"{title}: {note}." for title, note in notes.items() if note)])


CALL_DATE = Column(
    name="call_date",
    type=ColumnType.DATE,
    description=(
        "Day of the call in UTC: the date of its createdAt, or of its startedAt if createdAt is unusable. It comes "
        "from the path of the file."
    ),
    nullable=False,
    low_cardinality=True,
)
"""The column that every table gets from the path of its files (`call_date=2026-01-31`); no file contains it."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the lake.

    Attributes:
        name: Name in paths, catalog and documentation.
        title: Name for people.
        description: What it is for, in a few sentences.
        grain: What one row is.
        key: Columns that are unique together within one call_date (nulls count as equal); empty if there is no key.
        columns: Columns of its files, in their order.
        order: Columns its files are sorted by, if not by the key.
    """

    name: str
    title: str
    description: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    order: tuple[str, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns in its files, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def sort_by(self) -> tuple[str, ...]:
        """Columns its files are sorted by, nulls first."""
        return self.order or self.key

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The columns that a reader of the lake sees: call_date, then those of the files."""
        return (CALL_DATE, *self.columns)

    @property
    def low_cardinality(self) -> tuple[str, ...]:
        """Names of the columns in its files that Parquet should dictionary-encode."""
        return tuple(column.name for column in self.columns if column.low_cardinality)

    @property
    def comment(self) -> str:
        """Its purpose and its grain in one plain text, for catalogs."""
        return f"{self.description} Grain: {self.grain}."

    def column(self, name: str) -> Column:
        """Return the column of that name, call_date included.

        Raises:
            KeyError: The table has no such column.
        """
        for column in self.all_columns:
            if column.name == name:
                return column
        message = f"table {self.name} has no column {name}"
        raise KeyError(message)


SECONDS = "seconds"
MONEY = "money"
MONEY_PER_MINUTE = "money per minute"
SHARE = "share"


class _Options(TypedDict, total=False):
    unit: str
    formula: str
    personal: Personal
    nullable: bool
    additivity: Additivity
    low_cardinality: bool
    signed: bool


def text(name: str, description: str, **options: Unpack[_Options]) -> Column:
    """Define a text column whose values mostly differ from row to row."""
    return Column(name, ColumnType.TEXT, description, **options)


def word(name: str, description: str, **options: Unpack[_Options]) -> Column:
    """Define a text column whose values come from a short list, or repeat in many rows."""
    return replace(text(name, description, **options), low_cardinality=True)


def flag(name: str, description: str, *, formula: str = "") -> Column:
    """Define a column of yes or no, never null."""
    return Column(name, ColumnType.FLAG, description, formula=formula, nullable=False)


def position(name: str, description: str, *, nullable: bool = False) -> Column:
    """Define a whole number that orders rows and is never summed."""
    return Column(name, ColumnType.INTEGER, description, nullable=nullable, low_cardinality=True)


def count(name: str, description: str, **options: Unpack[_Options]) -> Column:
    """Define a count: 0 if there is none, null (if nullable) if not known."""
    defaults: _Options = {"nullable": False, "additivity": Additivity.ADDITIVE, "low_cardinality": True}
    return Column(name, ColumnType.INTEGER, description, **(defaults | options))


def measure(name: str, description: str, **options: Unpack[_Options]) -> Column:
    """Define a measured quantity, null if not known."""
    defaults: _Options = {"additivity": Additivity.ADDITIVE}
    return Column(name, ColumnType.NUMBER, description, **(defaults | options))


def instant(name: str, description: str, *, nullable: bool = True) -> Column:
    """Define a point in time, in UTC with microseconds."""
    return Column(name, ColumnType.INSTANT, description, nullable=nullable)


ORGANIZATION_ID = word("organization_id", "Organisation that the call belongs to, as the API names it.")
AGENT_ID = word("agent_id", "Voice agent that handled the call, as the API names it.")
PHONE_NUMBER_ID = word(
    "phone_number_id",
    "The organisation's phone number that was used, as the API names it.",
)
DIRECTION = word("direction", "Who called whom, as sent, such as inbound (the customer called) or outbound.")
PROVIDER = word("provider", "Telephony provider that carried the call, as sent, such as twilio or sip.")
TRANSFER_TYPE = word("transfer_type", "Kind of transfer, as sent, such as warm_briefing.")

CUSTOMER_KEY = word(
    "customer_key",
    "Stable pseudonym of the customer's number: the same number always has the same key, and the key does not reveal "
    "the number. Null if the number cannot be normalised.",
    personal=Personal.LINKABLE,
    formula="first 32 hex digits of HMAC-SHA256(CHORUS_PII_KEY, number in E.164)",
)

COST_PER_MINUTE = measure(
    "cost_per_minute",
    "Cost of one minute. Null if the cost is not known or the duration is not above zero. Never average it over rows: "
    "divide the sums, as the marts do.",
    unit=MONEY_PER_MINUTE,
    formula="60 * cost / duration_seconds",
    additivity=Additivity.NON_ADDITIVE,
)
