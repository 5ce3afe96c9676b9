"""The lake in a folder of this machine."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import portalocker
import pyarrow as pa

from pipelines.lake.storage import LakeBusyError, StoredFile, SwapConflictError

_PRIVATE_FOLDER = 0o750
_PRIVATE_FILE = 0o640
_READ_ONLY_FILE = 0o440


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
        for folder, _, names in os.walk(self._path(prefix)):
            for name in names:
                if not name.startswith("."):
                    file = Path(folder, name)
                    found.append(StoredFile(file.relative_to(self.root).as_posix(), file.stat().st_size))
        return sorted(found, key=lambda file: file.path)

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes, None where it is not there."""
        try:
            return self._path(path).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, path: str) -> bytes | None:
        """Return a file's whole content, None where it is not there."""
        try:
            return self._path(path).read_bytes()
        except FileNotFoundError:
            return None

    def open_input(self, path: str) -> pa.NativeFile:
        """Open a file for random access."""
        return pa.OSFile(str(self._path(path)), "rb")

    @contextmanager
    def create(self, path: str, *, read_only: bool = False) -> Iterator[pa.NativeFile]:
        """Write to a hidden temporary name, make it durable, then rename it."""
        target = self._path(path)
        temporary = _temporary(target)
        try:
            with pa.OSFile(str(temporary), "wb") as stream:
                yield stream
            finish(temporary, target, read_only=read_only)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def swap(self, path: str, data: bytes, expected: bytes | None) -> None:
        """Replace a small file if it still holds what was expected."""
        with self.lock("swap"):
            if self.read(path) != expected:
                raise SwapConflictError(path)
            with self.create(path) as stream:
                stream.write(data)

    def link(self, source: str, target: str) -> bool:
        """Make the target a hard link of the source, a copy where links are not to be had."""
        if self.is_linked(source, target):
            return False
        origin, goal = self._path(source), self._path(target)
        temporary = _temporary(goal)
        try:
            try:
                temporary.hardlink_to(origin)
            except OSError:  # another file system, or one without links
                shutil.copy2(origin, temporary)
            temporary.replace(goal)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(goal.parent)
        return True

    def is_linked(self, source: str, target: str) -> bool:
        """Tell a link, or a copy made by `link`, which keeps size and time, from a file of another version."""
        try:
            first, second = self._path(source).stat(), self._path(target).stat()
        except FileNotFoundError:
            return False
        return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino) or (
            (first.st_size, first.st_mtime_ns) == (second.st_size, second.st_mtime_ns)
        )

    def delete(self, path: str) -> None:
        """Remove a file and the folders that it leaves empty."""
        target = self._path(path)
        target.unlink(missing_ok=True)
        for folder in target.parents:
            if folder == self.root:
                return
            try:
                folder.rmdir()
            except OSError:  # not empty: others still lie there
                return

    @contextmanager
    def lock(self, name: str, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
        """Hold an advisory lock of the operating system, which ends with its process."""
        path = self._path(f"state/locks/{name}.lock")
        make_private_folder(path.parent)
        flags = portalocker.LockFlags.SHARED if shared else portalocker.LockFlags.EXCLUSIVE
        if not wait:
            flags |= portalocker.LockFlags.NON_BLOCKING
        with path.open("a+") as handle:
            with suppress(PermissionError):
                path.chmod(_PRIVATE_FILE)
            try:
                portalocker.lock(handle, flags)
            except (portalocker.LockException, portalocker.AlreadyLocked) as error:
                message = f"Another process is working on the lake {self.root} (lock {name!r}). Try again when it ends."
                raise LakeBusyError(message) from error
            try:
                yield
            finally:
                portalocker.unlock(handle)


def _temporary(target: Path) -> Path:
    """A name that no glob for Parquet finds and no dataset reader takes for data."""
    make_private_folder(target.parent)
    return target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")


def finish(temporary: Path, target: Path, *, read_only: bool = False) -> None:
    """Make a file written under a temporary name durable and private, and let it take its place in one step."""
    with temporary.open("rb") as handle:
        os.fsync(handle.fileno())
    temporary.chmod(_READ_ONLY_FILE if read_only else _PRIVATE_FILE)
    temporary.replace(target)
    _sync_folder(target.parent)


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are not there, readable by owner and group only."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle of a folder to sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
