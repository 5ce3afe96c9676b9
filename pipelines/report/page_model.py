"""The parts of a page. The sections fill them with words and figures, the template renders them as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

Text = str | Markup


@dataclass(frozen=True)
class Part:
    """A segment of a bar.

    Attributes:
        width: In percent of the widest bar.
        colour: Number of its colour on the page, from 1.
    """

    width: float
    colour: int = 1


@dataclass(frozen=True)
class Cell:
    """A cell of a table, with an optional bar.

    Attributes:
        bar: The bar's segments from left to right.
    """

    text: Text
    bar: Sequence[Part] = ()


@dataclass(frozen=True)
class Table:
    """A table of figures.

    Attributes:
        caption: What they are, for screen readers.
        columns: Headings; the first is that of the rows' names.
        rows: The name of each row and its cells.
        legend: What the colours of its bars mean: colour and words.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[Text, Sequence[Cell]]]
    legend: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Picture:
    """A chart in two widths.

    Attributes:
        wide: SVG for screens and paper.
        narrow: SVG for phones.
        alternative: What the chart shows, in words.
    """

    wide: Markup
    narrow: Markup
    alternative: str


@dataclass(frozen=True)
class Tile:
    """A key figure.

    Attributes:
        change: Its change from the period before; empty if unknown.
        rating: `better` or `worse`, or empty if neither.
        note: Its exact definition.
    """

    name: str
    value: Text
    change: str = ""
    rating: str = ""
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A titled chart or table, or a few key figures.

    Attributes:
        subtitle: What is measured, and in what.
        legend: What the chart's colours mean: colour and words.
        note: A caveat.
        empty: Why there is nothing to show, if so.
    """

    title: str
    subtitle: str = ""
    tiles: Sequence[Tile] = ()
    picture: Picture | None = None
    legend: Sequence[tuple[str, str]] = ()
    table: Table | None = None
    note: str = ""
    empty: str = ""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        anchor: Its name in links.
        lead: Its summary in a sentence or two.
    """

    anchor: str
    title: str
    lead: str
    figures: Sequence[Figure] = field(default_factory=tuple)


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        period: The days, in words.
        compared: What they are compared with, or why with nothing.
        lead: The summary in a few sentences.
        warnings: Why figures are preliminary or incomplete.
        made: When and from what it was made.
    """

    title: str
    heading: str
    period: str
    compared: str
    lead: str
    warnings: Sequence[str]
    tiles: Sequence[Tile]
    sections: Sequence[Section]
    made: str
