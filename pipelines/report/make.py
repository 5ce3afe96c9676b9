"""Making the report's file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from pipelines.errors import ChorusCallsError, disk_trouble
from pipelines.report.figures import Figures, read_figures
from pipelines.report.page import MARK, render
from pipelines.serve.files import replace_file
from pipelines.serve.query import reading

_HEAD: Final = 2_000


@dataclass(frozen=True)
class Report:
    """A report that was made.

    Attributes:
        path: Its file.
        figures: What it says.
        bytes: The file's size.
    """

    path: Path
    figures: Figures
    bytes: int


def make_report(
    catalog: Path,
    target: Path,
    *,
    first: date | None = None,
    last: date | None = None,
    agent: str | None = None,
    timezone: str = "UTC",
) -> Report:
    """Write the report of a period as one HTML file, in the place of an earlier one.

    Args:
        catalog: The catalog's file.
        target: The file to write.
        first: First day; None for 28 days.
        last: Last day; None for the day of the newest call.
        agent: Id of the only agent it is about; None for all.
        timezone: Zone of the local hours, as the tables were built with.

    Raises:
        ChorusCallsError: There is nothing to report on, or the file cannot be written.
    """
    with reading(catalog) as connection:
        figures = read_figures(connection, first, last, agent, timezone)
    page = render(figures, datetime.now(UTC)).encode()
    try:
        _refuse_others(target)
        replace_file(target.absolute(), page)
    except OSError as error:
        message = f"The report cannot be written to {target}: {disk_trouble(error)}"
        raise ChorusCallsError(message) from error
    return Report(target, figures, len(page))


def _refuse_others(target: Path) -> None:
    """Refuse to write over a file that is no report.

    Raises:
        ChorusCallsError: It is one.
    """
    if not target.exists():
        return
    with target.open("rb") as present:
        if MARK.encode() in present.read(_HEAD):
            return
    message = f"{target} is not a report, so it stays as it is. Name another file with --out."
    raise ChorusCallsError(message)
