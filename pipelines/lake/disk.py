"""Every change that the lake makes to a disk: one function a change, and nothing else writes.

What a crash, a full disk or a missing permission does to the lake depends on where between these calls it strikes, so
they are in one place, where each of them can be made to fail.
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
    """Make one folder, if it is not there, for owner and group."""
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def make_secret_folder(folder: Path) -> None:
    """Make one folder for its owner only."""
    folder.mkdir(mode=0o700)


def create(path: Path) -> pa.NativeFile:
    """Open a new file for writing, which only its owner can read until it is protected otherwise."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SECRET_FILE))
    return pa.OSFile(str(path), "wb")


def open_lock(path: Path) -> IO[bytes]:
    """Open the file of a lock, which need not be there yet."""
    return os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE_FILE), "r+b")


def sync(path: Path) -> None:
    """Make a file's content durable."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def protect(path: Path, mode: int) -> None:
    """Set who may read and write a file."""
    path.chmod(mode)


def rename(source: Path, target: Path) -> None:
    """Let a file take a name, also one that another file has, in one step."""
    source.replace(target)


def link(source: Path, target: Path) -> None:
    """Give a file one more name; raises OSError where file systems have no links, and where the name is taken."""
    target.hardlink_to(source)


def copy(source: Path, target: Path) -> None:
    """Copy a file with its mode and time to a name that is free; nobody else can read it meanwhile."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SECRET_FILE))
    shutil.copyfile(source, target)
    sync(target)
    shutil.copystat(source, target)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    path.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder; raises OSError where something is in it."""
    folder.rmdir()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    if os.name == "nt":  # Windows has no handle of a folder to sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
