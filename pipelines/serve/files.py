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
    """Yield a path next to the target to write to; the file there replaces the target when the block succeeds.

    It is in a folder that only its owner can open, since the other library decides on the file's permissions. What a
    killed process left next to the target is removed, so only one process at a time may replace a target.
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
    """Write a whole file in the place of an existing one."""
    with replaced_file(target) as temporary, disk.create(temporary) as stream:
        stream.write(content)


def leftovers(target: Path) -> list[Path]:
    """Return the folders in which a replacement of the target is being written, or was when its writer was killed."""
    return sorted(target.parent.glob(f".{target.name}.*.tmp"))


def remove_leftovers(target: Path) -> None:
    """Remove unfinished files of this target, and the logs that DuckDB writes next to them."""
    for folder in leftovers(target):
        for file in folder.glob("*"):
            disk.remove(file)
        disk.remove_folder(folder)
