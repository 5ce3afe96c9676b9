"""Every change the lake makes on disk: one function for each, and no other module changes files.

What a crash, a full disk or a missing permission does to the lake depends on where between these calls it happens. In
one place, tests can make each of them fail.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import IO

import pyarrow as pa

PRIVATE_FOLDER = 0o750
PRIVATE_FILE = 0o640
READ_ONLY_FILE = 0o440
SECRET_FILE = 0o600


def make_folder(folder: Path) -> None:
    """Create one folder for owner and group, if it is missing."""
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def make_secret_folder(folder: Path) -> None:
    """Create one folder for its owner only."""
    folder.mkdir(mode=0o700)


def create(path: Path) -> pa.NativeFile:
    """Open a new file for writing, readable by its owner only until `protect` is called."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SECRET_FILE))
    return pa.OSFile(str(path), "wb")


def open_lock(path: Path) -> IO[bytes]:
    """Open the file of a lock, creating it if it is missing."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE_FILE), "r+b")


def sync(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def protect(path: Path, mode: int) -> None:
    """Set who may read and write a file."""
    path.chmod(mode)


def rename(source: Path, target: Path) -> None:
    """Rename a file atomically, replacing a file that has the name."""
    source.replace(target)


def link(source: Path, target: Path) -> None:
    """Create a hard link; raises OSError if the file system has none, or the name is taken."""
    target.hardlink_to(source)


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode and time to a free name; only its owner can read it until it is complete."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SECRET_FILE))
    shutil.copyfile(source, target)
    sync(target)
    shutil.copystat(source, target)


def remove(path: Path) -> None:
    """Remove a file, if it exists."""
    path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove an empty folder; raises OSError if it is not empty."""
    folder.rmdir()


def sync_folder(folder: Path) -> None:
    """Make the entries of a folder durable."""
    if os.name == "nt":  # Windows has no folder handles to sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
