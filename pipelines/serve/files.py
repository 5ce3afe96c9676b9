"""Replacing a file that another library writes by its path."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.lake import disk
from pipelines.lake.local import finish, make_private_folder


@contextmanager
def replaced_file(target: Path) -> Iterator[Path]:
    """Give a path beside the target to write to; the file there takes the target's place when the block ends well.

    It lies in a folder that only its owner can look into, since the other library decides who can read what it writes.
    What a killed process left beside the target is removed, so only one process at a time may replace a target.
    """
    make_private_folder(target.parent)
    remove_leftovers(target)
    folder = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
    disk.make_secret_folder(folder)
    try:
        yield folder / target.name
        finish(folder / target.name, target)
    finally:
        remove_leftovers(target)


def replace_file(target: Path, content: bytes) -> None:
    """Write a file whole, in the place of the one that is there."""
    with replaced_file(target) as temporary, disk.create(temporary) as stream:
        stream.write(content)


def leftovers(target: Path) -> list[Path]:
    """Return the folders in which the target was, or is, being made anew."""
    return sorted(target.parent.glob(f".{target.name}.*.tmp"))


def remove_leftovers(target: Path) -> None:
    """Remove unfinished files of this target, and the logs that DuckDB keeps beside them while it writes."""
    for folder in leftovers(target):
        for file in folder.glob("*"):
            disk.remove(file)
        disk.remove_folder(folder)
