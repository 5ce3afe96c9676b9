"""What the next catalog copies from the present one: the rows of days that are still published in the same version.

Reading the marts and the columns of some thousand days takes seconds, during which no other process can publish,
and nearly all of it is as before. The present catalog is used only if this program made it from this lake, and only for
days that it shows in the published version with as many rows; in any doubt everything is read from the files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import duckdb

from pipelines import __version__
from pipelines.dictionary import MARTS, TABLES, Table
from pipelines.lake.state import Manifest, PublishedDay
from pipelines.serve import ddl

PREVIOUS: Final = "before"
"""The name under which the present catalog is attached while the next one is written."""
_FORMAT: Final = 1
"""Raised by one when the same files give other rows of marts in a catalog."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Reused:
    """What is copied from the present catalog.

    Attributes:
        days: Each day whose rows are copied, with its tables whose files lack columns, as `_days` has it.
        dropped: The other days of the present catalog.
    """

    days: Mapping[date, str | None]
    dropped: frozenset[date]

    def rows_of(self, mart: Table) -> str:
        """Return a query over the rows of a mart that are copied."""
        rows = f"SELECT {ddl.names(mart.all_columns)} FROM {PREVIOUS}.{ddl.name(mart.name)}"  # noqa: S608 - own names
        if not self.dropped:
            return rows
        days = ", ".join(f"DATE {ddl.literal(str(day))}" for day in sorted(self.dropped))
        return f"{rows} WHERE call_date NOT IN ({days})"


def signature(address: str, currency: str) -> str:
    """Return a hash of all that a catalog depends on except the published files and the lake's state."""
    columns = [(name, [(column.name, str(column.type)) for column in table.columns]) for name, table in TABLES.items()]
    text = repr((_FORMAT, __version__, address, currency, columns))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def reusable(connection: duckdb.DuckDBPyConnection, path: str, manifest: Manifest, expected: str) -> Reused | None:
    """Attach the present catalog and return what the next one can copy from it; None if it cannot be used.

    Raises:
        duckdb.Error: It does not exist or cannot be read.
    """
    connection.execute(f"ATTACH {ddl.literal(path)} AS {PREVIOUS} (READ_ONLY)")
    if connection.execute(f"SELECT signature FROM {PREVIOUS}._lake").fetchall() != [(expected,)]:  # noqa: S608 - own names
        return None
    shown = connection.execute(
        f"SELECT call_date, version, epoch_us(published_at), lacking FROM {PREVIOUS}._days"  # noqa: S608 - own names
    ).fetchall()
    days = {
        day: lacking
        for day, version, moment, lacking in shown
        if (published := manifest.days.get(day)) and (version, moment) == (published.version, _moment(published))
    }
    found = Reused(days, frozenset(row[0] for row in shown) - days.keys())
    return found if all(_is_whole(connection, found, manifest, mart) for mart in MARTS) else None


def _moment(published: PublishedDay) -> int:
    return (published.published_at - _EPOCH) // timedelta(microseconds=1)


def _is_whole(connection: duckdb.DuckDBPyConnection, found: Reused, manifest: Manifest, mart: str) -> bool:
    """Return whether a mart has as many rows of each day as were published; the file may have been changed."""
    counted = connection.execute(
        f"SELECT call_date, count(*) FROM {PREVIOUS}.{ddl.name(mart)} GROUP BY call_date"  # noqa: S608 - own names
    ).fetchall()
    rows: dict[date, int] = dict(counted)
    return all(rows.get(day, 0) == manifest.days[day].rows.get(mart) for day in found.days) and (
        rows.keys() <= found.days.keys() | found.dropped
    )
