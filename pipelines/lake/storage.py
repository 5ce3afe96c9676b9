"""The few things the lake asks of whatever holds its files.

A local folder is one answer (`local.py`); an object store can be another, since nothing here needs a rename of a
folder, an append or a lock file that outlives its holder.
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
    """A file of the lake: its path below the root, with `/` between the parts, and its size in bytes."""

    path: str
    size: int


class Storage(Protocol):
    """Files by their path below the lake's root."""

    def address(self, path: str = "") -> str:
        """Return how readers outside name a file: an absolute path or a URL."""

    def list(self, prefix: str) -> list[StoredFile]:
        """Return every finished file below a folder, sorted by path; an empty list where the folder is not there."""

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names of the folders in a folder, sorted; an empty list where it is not there."""

    def unfinished(self) -> Sequence[str]:
        """Return the paths of files that are being written, or whose writer died; nobody reads them."""

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes, None where it is not there."""

    def read(self, path: str) -> bytes | None:
        """Return a file's whole content, None where it is not there."""

    def open_input(self, path: str) -> pa.NativeFile:
        """Open a file for random access; raises FileNotFoundError where it is not there."""

    def create(self, path: str, *, read_only: bool = False) -> AbstractContextManager[pa.NativeFile]:
        """Give a stream to write a file to, which appears whole and durable when the block ends without an error.

        A file already at the path is replaced in one step.
        """

    def swap(self, path: str, data: bytes, expected: bytes | None) -> None:
        """Replace a small file in one durable step, if it still holds what was expected (None: is not there).

        Raises:
            SwapConflictError: The file holds something else by now.
        """

    def link(self, source: str, target: str) -> bool:
        """Let the target name the source's content too, replacing what it named; say whether anything changed."""

    def is_linked(self, source: str, target: str) -> bool:
        """Say whether the target names the source's content, as `link` leaves it."""

    def delete(self, path: str) -> None:
        """Remove a file, if it is there, and the folders that it leaves empty."""

    def lock(self, name: str, *, shared: bool = False, wait: float | None = None) -> AbstractContextManager[None]:
        """Hold one of the lake's locks for a block. The lock of a dead process is no obstacle.

        Args:
            name: sync, lake, publish or swap; who takes several takes them in this order.
            shared: Several may hold it so at once, but not beside one who does not share it.
            wait: Seconds to wait for it at most; None waits for as long as it takes.

        Raises:
            LakeBusyError: Somebody else holds it for longer than that.
        """
