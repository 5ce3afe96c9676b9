"""Serving: the DuckDB catalog that analysts and BI tools open, and what the command line shows of the lake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.serve.notebook import OpenLake

__all__ = ["open_lake"]


def open_lake(path: str | Path | None = None) -> OpenLake:
    """Open the catalog for reading, for as long as one likes: it is opened anew where it was replaced.

    Args:
        path: The catalog's file, or the lake's folder; None takes what CHORUS_CATALOG and CHORUS_LAKE, or `.env` in the
            working folder, say.

    Returns:
        What answers `lake.sql("FROM calls")` as a DuckDB connection does, with `.pl()`, `.df()`, `.arrow()` and so on.

    Raises:
        ChorusCallsError: There is no catalog, or it cannot be read.
    """
    # Imported here, since whoever imports a neighbour of this module would wait for DuckDB otherwise.
    from pipelines.serve.notebook import OpenLake  # noqa: PLC0415
    from pipelines.settings import load_settings  # noqa: PLC0415

    if path is None:
        return OpenLake(load_settings().catalog_path)
    given = Path(path)
    return OpenLake(given / "chorus.duckdb" if given.is_dir() else given)
