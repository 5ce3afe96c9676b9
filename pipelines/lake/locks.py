"""Having a lake alone: what is removed or rewritten must not be read, or used again, by who works beside."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from pipelines.lake.storage import LakeBusyError, Storage


@contextmanager
def exclusive_access(storage: Storage, tell: Callable[[str], None]) -> Iterator[None]:
    """Have the lake alone for a block, waiting for whoever is at work.

    Args:
        storage: The lake's files.
        tell: Told what is waited for, where it has to be.
    """
    with _waited_for(storage, "sync", "a sync", tell), _waited_for(storage, "lake", "builds", tell):
        yield


@contextmanager
def _waited_for(storage: Storage, name: str, who: str, tell: Callable[[str], None]) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(storage.lock(name, wait=0))
        except LakeBusyError:
            tell(f"Waiting for {who} to end. Nothing has been changed yet; Ctrl-C leaves all as it is.")
            held.enter_context(storage.lock(name, wait=math.inf))
        yield
