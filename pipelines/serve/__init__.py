"""Serving: the DuckDB catalog that analysts and BI tools open, and what the command line shows of the lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.serve.query import LakeConnection

__all__ = ["open_lake"]


def open_lake(path: str | Path | None = None) -> LakeConnection:
    """Open the catalog for reading. It is opened again whenever it was replaced, so it can stay open for any time.

    Args:
        path: The catalog's file, or the lake's folder; None takes CHORUS_CATALOG and CHORUS_LAKE from the environment,
            or from `.env` in the working folder.

    Returns:
        A connection whose `lake.sql("FROM calls")` gives DuckDB's relations, with `.pl()`, `.df()`, `.arrow()` and so
        on.

    Raises:
        ChorusCallsError: There is no catalog, or it cannot be read.
    """
    # Imported here, since every import from this package would load DuckDB otherwise.
    from pipelines.serve.query import LakeConnection  # noqa: PLC0415
    from pipelines.settings import load_settings  # noqa: PLC0415

    if path is None:
        return LakeConnection(load_settings().catalog_path)
    given = Path(path)
    return LakeConnection(given / "chorus.duckdb" if given.is_dir() else given)
