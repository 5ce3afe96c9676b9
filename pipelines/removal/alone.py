"""Working on a lake alone: what is rewritten or removed must not be read, or used again, by who works beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pipelines.lake.storage import LakeBusyError, Storage


@contextmanager
def alone(storage: Storage, say: Callable[[str], None]) -> Iterator[None]:
    """Wait until no sync and no build is at work, and keep others from beginning for a block.

    Args:
        storage: The lake's files.
        say: Told what is waited for, where it has to be.
    """
    with ExitStack() as locks:
        for name, who in (("sync", "a sync"), ("lake", "builds")):
            try:
                locks.enter_context(storage.lock(name, wait=0))
            except LakeBusyError:
                say(f"Waiting for {who} at work on this lake to end.")
                locks.enter_context(storage.lock(name))
        yield
