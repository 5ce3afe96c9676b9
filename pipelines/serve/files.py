"""Replacing a file that another library writes by its path."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PRIVATE_FOLDER: Final = 0o750
_PRIVATE_FILE: Final = 0o640


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Give a path beside the target to write to; the file there takes the target's place when the block ends well.

    What a killed process left beside the target is removed, so only one process at a time may replace a target.
    """
    target.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    _remove_leftovers(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        temporary.chmod(_PRIVATE_FILE)
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    finally:
        _remove_leftovers(target)


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files of this target, and the logs that DuckDB keeps beside them while it writes."""
    for file in target.parent.glob(f".{target.name}.*.tmp*"):
        file.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle of a folder to sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
