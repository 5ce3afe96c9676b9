"""Names that a person wrote down, for where the API does not tell them: `data/lookups/agents.csv` and its sibling."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Final

from pipelines.lake.names import named

LOOKUPS: Final = Path("data/lookups")
"""The folder of these files, below the working folder."""


class UnusableLookupError(Exception):
    """A file of names that cannot be used; the text is a sentence for whoever wrote it."""


def lookup_file(folder: Path, kind: str) -> Path:
    """Return the file in which the names of a kind are written down."""
    return folder / f"{kind}.csv"


def read_lookup(path: Path) -> dict[str, str] | None:
    """Read names by id from a CSV file with the columns `id` and `name`; it may have others.

    Returns:
        The names; None where there is no such file.

    Raises:
        UnusableLookupError: It cannot be used.
    """
    try:
        rows = csv.DictReader(StringIO(path.read_text("utf-8-sig")), skipinitialspace=True)
        if not {"id", "name"} <= set(rows.fieldnames or ()):
            raise _unusable(path, "it has no columns id and name")
        listed = [named(row["id"] or "", row["name"] or "") for row in rows]
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise _unusable(path, "it is not UTF-8") from None
    except csv.Error as error:
        raise _unusable(path, f"it is no CSV ({error})") from None
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be read") from None
    return {one.id: one.name for one in listed if one and one.name}


def _unusable(path: Path, reason: str) -> UnusableLookupError:
    message = (
        f"{path} is not used: {reason}. It must be a UTF-8 file with commas and a first line that names the columns "
        "id and name."
    )
    return UnusableLookupError(message)
