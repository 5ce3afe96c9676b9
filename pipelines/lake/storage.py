"""The interface between the lake and what stores its files.

`local.py` implements it on a local folder. An object store could too: nothing here needs a folder to be renamed, a file
to be appended to, or a lock to outlive its holder.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from pipelines.errors import ChorusCallsError


class SwapConflictError(Exception):
    """A file changed between being read and being swapped; nothing was written."""


class LakeBusyError(ChorusCallsError):
    """Another process holds a lock of the lake."""


@dataclass(frozen=True)
class StoredFile:
    """A file of the lake: its path below the root, with `/` as separator, and its size in bytes."""

    path: str
    size: int


class Storage(Protocol):
    """Files by their path below the lake's root."""

    def address(self, path: str = "") -> str:
        """Return how readers outside name a file: an absolute path or a URL."""

    def list(self, prefix: str) -> list[StoredFile]:
        """Return every finished file below a folder, sorted by path; an empty list if the folder is missing."""

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names of the folders in a folder, sorted; an empty list if it is missing."""

    def unfinished(self) -> Sequence[str]:
        """Return the paths of files that are being written, or whose writer was killed; no reader sees them."""

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes, None if it is missing."""

    def read(self, path: str) -> bytes | None:
        """Return a file's whole content, None if it is missing."""

    def open_input(self, path: str) -> pa.NativeFile:
        """Open a file for random access; raises FileNotFoundError if it is missing."""

    def create(self, path: str, *, read_only: bool = False) -> AbstractContextManager[pa.NativeFile]:
        """Yield a stream for a file that appears whole and durable when the block ends without an error.

        A file already at the path is replaced atomically.
        """

    def swap(self, path: str, data: bytes, expected: bytes | None) -> None:
        """Replace a small file atomically and durably, if it still holds what was expected (None: no file).

        Raises:
            SwapConflictError: The file holds something else.
        """

    def link(self, source: str, target: str) -> bool:
        """Make the target a link to the source's content, replacing it; return whether anything changed."""

    def is_linked(self, source: str, target: str) -> bool:
        """Return whether the target is a link to the source's content, as `link` makes it."""

    def delete(self, path: str) -> None:
        """Remove a file, if it exists, and the folders that it leaves empty."""

    def lock(self, name: str, *, shared: bool = False, wait: float | None = None) -> AbstractContextManager[None]:
        """Hold one of the lake's locks for a block. A process that dies releases its locks.

        Args:
            name: One of the names in `pipelines.lake.locks`, which says in which order they are taken.
            shared: Several may hold it shared at once, but none together with an exclusive holder.
            wait: Seconds to wait at most; None waits without limit.

        Raises:
            LakeBusyError: Another process holds it for longer than that.
        """
