"""What a page is made of. The sections fill it with words and figures, the template turns it into HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

Text = str | Markup


@dataclass(frozen=True)
class Part:
    """A stretch of a bar.

    Attributes:
        width: In percent of the widest bar.
        colour: Number of its colour on the page, from 1.
    """

    width: float
    colour: int = 1


@dataclass(frozen=True)
class Cell:
    """A figure of a table, with a bar beside it where it is drawn.

    Attributes:
        text: What stands there.
        bar: The bar's parts from left to right; none draws nothing.
    """

    text: Text
    bar: Sequence[Part] = ()


@dataclass(frozen=True)
class Table:
    """Figures in rows.

    Attributes:
        caption: What they are, for who hears the page.
        columns: Headings; the first is that of the rows' names.
        rows: The name of each row, then its cells.
        legend: What the colours of its bars mean: colour and words.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[Text, Sequence[Cell]]]
    legend: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Picture:
    """A chart in two widths, with its figures beside it.

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
        name: What it is.
        value: The figure.
        change: Its change against the period before; empty where that cannot be said.
        verdict: `better` or `worse` where one can say so, else empty.
        note: What it is exactly.
    """

    name: str
    value: Text
    change: str = ""
    verdict: str = ""
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A titled picture or table, or a few key figures.

    Attributes:
        title: What it is about.
        subtitle: What is measured, and in what.
        tiles: Key figures above it.
        picture: The chart; None where there is none.
        legend: What the chart's colours mean: colour and words.
        table: The figures.
        note: What to bear in mind.
        empty: Why there is nothing to show; empty where there is.
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
        title: Its heading.
        lead: What it says, in a sentence or two.
        figures: What it shows.
    """

    anchor: str
    title: str
    lead: str
    figures: Sequence[Figure] = field(default_factory=tuple)


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: Of the document.
        heading: Above it all.
        period: The days, in words.
        compared: What they are compared with, or why with nothing.
        lead: The news, in a few sentences.
        warnings: What makes the figures preliminary or incomplete.
        tiles: The key figures.
        sections: The rest.
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
