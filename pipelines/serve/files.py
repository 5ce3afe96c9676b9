"""Replacing a file that another library writes by its path."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.lake.local import finish, make_private_folder


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Give a path beside the target to write to; the file there takes the target's place when the block ends well.

    What a killed process left beside the target is removed, so only one process at a time may replace a target.
    """
    make_private_folder(target.parent)
    _remove_leftovers(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        finish(temporary, target)
    finally:
        _remove_leftovers(target)


def _remove_leftovers(target: Path) -> None:
    """Remove temporary files of this target, and the logs that DuckDB keeps beside them while it writes."""
    for file in target.parent.glob(f".{target.name}.*.tmp*"):
        file.unlink(missing_ok=True)
