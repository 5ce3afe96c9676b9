"""Store the lake in a local folder."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import portalocker
import pyarrow as pa

from pipelines.lake import disk, layout
from pipelines.lake.locks import SWAP
from pipelines.lake.storage import LakeBusyError, StoredFile, SwapConflictError

_TEMPORARY = ".tmp"
"""The folder of unfinished files, which globs and dataset readers skip."""
_OWN_TEMPORARY = (layout.RAW, layout.DAYS, "state")
"""Folders with their own `.tmp`, since each may be a separate file system; the rest of the lake uses the last one."""
_LOCK_POLL_SECONDS = 0.05


class LocalStorage:
    """Files below one folder, readable by their owner and group only."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._address = str(self.root)

    def _path(self, path: str) -> Path:
        return self.root / path

    def address(self, path: str = "") -> str:
        """Return the absolute path of a file."""
        return f"{self._address}/{path}" if path else self._address

    def list(self, prefix: str) -> list[StoredFile]:
        """Return every finished file below a folder, sorted by path."""
        found = []
        for folder, folders, names in os.walk(self._path(prefix)):
            folders[:] = [name for name in folders if not name.startswith(".")]
            inside = Path(folder).relative_to(self.root)
            for name in names:
                path = (inside / name).as_posix()
                if not name.startswith(".") and (size := self.size(path)) is not None:
                    found.append(StoredFile(path, size))
        return sorted(found, key=lambda file: file.path)

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names of the folders in a folder, sorted."""
        try:
            with os.scandir(self._path(prefix)) as entries:
                return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        except FileNotFoundError:
            return []

    def unfinished(self) -> Sequence[str]:
        """Return the files that are being written, or whose writer was killed."""
        return sorted(
            file.relative_to(self.root).as_posix()
            for folder in _OWN_TEMPORARY
            for file in self._path(folder).joinpath(_TEMPORARY).glob("*")
        )

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes, None if it is missing."""
        try:
            return os.stat(self.address(path)).st_size  # noqa: PTH116 - called for thousands of files, see is_linked
        except FileNotFoundError:
            return None

    def read(self, path: str) -> bytes | None:
        """Return a file's whole content, None if it is missing."""
        try:
            return self._path(path).read_bytes()
        except FileNotFoundError:
            return None

    def open_input(self, path: str) -> pa.NativeFile:
        """Open a file for random access."""
        return pa.OSFile(str(self._path(path)), "rb")

    @contextmanager
    def create(self, path: str, *, read_only: bool = False) -> Iterator[pa.NativeFile]:
        """Write to a temporary name, make it durable, then rename it."""
        target = self._path(path)
        with self._temporary(target) as temporary:
            with disk.create(temporary) as stream:
                yield stream
            finish(temporary, target, read_only=read_only)

    def create_secret(self, path: str, data: bytes) -> bytes:
        """Create a file that only its owner may read, unless it exists; return its content."""
        target = self._path(path)
        with self._temporary(target) as temporary:
            with disk.create(temporary) as stream:
                stream.write(data)
            disk.sync(temporary)
            try:
                disk.link(temporary, target)  # unlike a rename, a link never replaces another writer's file
            except FileExistsError:
                data = target.read_bytes()
            except OSError:  # a file system without links
                disk.rename(temporary, target)
            disk.sync_folder(target.parent)
            disk.remove(temporary)
        return data

    def swap(self, path: str, data: bytes, expected: bytes | None) -> None:
        """Replace a small file if it still holds what was expected."""
        with self.lock(SWAP):
            if self.read(path) != expected:
                raise SwapConflictError(path)
            with self.create(path) as stream:
                stream.write(data)

    def link(self, source: str, target: str) -> bool:
        """Make the target a hard link to the source, or a copy where the file system has no links."""
        if self.is_linked(source, target):
            return False
        origin, goal = self._path(source), self._path(target)
        with self._temporary(goal) as temporary:
            try:
                disk.link(origin, temporary)
            except OSError:  # another file system, or one without links
                disk.copy(origin, temporary)
            make_private_folder(goal.parent)
            disk.rename(temporary, goal)
        disk.sync_folder(goal.parent)
        return True

    def is_linked(self, source: str, target: str) -> bool:
        """Compare inodes, or size and time, which a copy made by `link` keeps."""
        try:
            # Path objects took more than half of the time for tens of thousands of links.
            first, second = os.stat(self.address(source)), os.stat(self.address(target))  # noqa: PTH116
        except FileNotFoundError:
            return False
        return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino) or (
            (first.st_size, first.st_mtime_ns) == (second.st_size, second.st_mtime_ns)
        )

    def delete(self, path: str) -> None:
        """Remove a file and the folders that it leaves empty."""
        target = self._path(path)
        disk.remove(target)
        for folder in target.parents:
            if folder == self.root:
                return
            try:
                disk.remove_folder(folder)
            except OSError:  # not empty
                return

    @contextmanager
    def lock(self, name: str, *, shared: bool = False, wait: float | None = None) -> Iterator[None]:
        """Hold an advisory lock of the operating system, which is released with its process."""
        path = self._path(f"state/locks/{name}.lock")
        make_private_folder(path.parent)
        kind = portalocker.LockFlags.SHARED if shared else portalocker.LockFlags.EXCLUSIVE
        with disk.open_lock(path) as handle:
            if wait is None:
                portalocker.lock(handle, kind)
            elif not _try_lock(handle, kind, wait):
                message = f"Another process is working on the lake {self.root} (lock {name!r}). Try again when it ends."
                raise LakeBusyError(message)
            try:
                yield
            finally:
                portalocker.unlock(handle)

    @contextmanager
    def _temporary(self, target: Path) -> Iterator[Path]:
        """Yield a temporary name on the file system of the target, removed if the block fails."""
        first = target.relative_to(self.root).parts[0]
        folder = self.root / (first if first in _OWN_TEMPORARY else _OWN_TEMPORARY[-1]) / _TEMPORARY
        make_private_folder(folder)
        temporary = folder / f"{target.name}.{secrets.token_hex(6)}"
        try:
            yield temporary
        except BaseException:
            disk.remove(temporary)
            raise


def _try_lock(handle: IO[bytes], kind: portalocker.LockFlags, wait: float) -> bool:
    """Try to take a lock for some seconds; return whether it was taken."""
    until = time.monotonic() + wait
    while True:
        try:
            portalocker.lock(handle, kind | portalocker.LockFlags.NON_BLOCKING)
        except (portalocker.LockException, portalocker.AlreadyLocked):
            if time.monotonic() >= until:
                return False
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return True


def finish(temporary: Path, target: Path, *, read_only: bool = False) -> None:
    """Make a temporary file durable and private, and rename it to its target atomically."""
    disk.sync(temporary)
    disk.protect(temporary, disk.READ_ONLY_FILE if read_only else disk.PRIVATE_FILE)
    make_private_folder(target.parent)
    disk.rename(temporary, target)
    disk.sync_folder(target.parent)


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents, readable by owner and group only."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    disk.make_folder(folder)
    disk.sync_folder(folder.parent)
