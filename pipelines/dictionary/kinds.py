"""Short ways to write the kinds of column the tables are made of, so that a table reads as a list of meanings."""

from __future__ import annotations

from pipelines.dictionary.model import Additivity, Column, ColumnType, Personal

SECONDS = "seconds"
MONEY = "money"
MONEY_PER_MINUTE = "money per minute"
SHARE = "share"


def text(
    name: str,
    description: str,
    *,
    nullable: bool = True,
    personal: Personal = Personal.NONE,
    low_cardinality: bool = False,
    formula: str = "",
) -> Column:
    """Text whose values are mostly different from row to row."""
    return Column(
        name,
        ColumnType.TEXT,
        description,
        formula=formula,
        personal=personal,
        nullable=nullable,
        low_cardinality=low_cardinality,
    )


def word(
    name: str,
    description: str,
    *,
    nullable: bool = True,
    personal: Personal = Personal.NONE,
    formula: str = "",
) -> Column:
    """Text whose values come from a short list, or stand in many rows each."""
    return text(name, description, nullable=nullable, personal=personal, low_cardinality=True, formula=formula)


def flag(name: str, description: str, *, formula: str = "") -> Column:
    """Yes or no, never null."""
    return Column(name, ColumnType.FLAG, description, formula=formula, nullable=False)


def position(name: str, description: str, *, nullable: bool = False) -> Column:
    """A whole number that places a row, and is not to be summed."""
    return Column(name, ColumnType.INTEGER, description, nullable=nullable, low_cardinality=True)


def count(name: str, description: str, *, unit: str, formula: str = "", nullable: bool = False) -> Column:
    """How many there are: 0 where there is none, null (if it can be) where that is not known."""
    return Column(
        name,
        ColumnType.INTEGER,
        description,
        unit=unit,
        formula=formula,
        nullable=nullable,
        additivity=Additivity.ADDITIVE,
        low_cardinality=True,
    )


def measure(
    name: str, description: str, *, unit: str, formula: str = "", additivity: Additivity = Additivity.ADDITIVE
) -> Column:
    """A measured quantity, null where it is not known."""
    return Column(name, ColumnType.NUMBER, description, unit=unit, formula=formula, additivity=additivity)


def instant(name: str, description: str, *, nullable: bool = True) -> Column:
    """A point in time, in UTC with microseconds."""
    return Column(name, ColumnType.INSTANT, description, nullable=nullable)
