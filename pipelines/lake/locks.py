"""The locks of a lake, and the order in which they are taken.

A process that holds several locks took them in this order, so no two processes wait for each other:

1. `SYNC`: exclusive. One sync at a time; a second one is refused.
2. `LAKE`: shared by syncs and builds; exclusive for a process that removes or rewrites what those read.
3. `PUBLISH`: exclusive and short. One writer of the manifest, the catalog and the links.
4. `SWAP`: exclusive, inside one compare-and-swap of a state file.

`DEMO` belongs to the demo's folder and is never held together with the others. The operating system releases the locks
of a process that dies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from pipelines.lake.storage import LakeBusyError, Storage

SYNC: Final = "sync"
LAKE: Final = "lake"
PUBLISH: Final = "publish"
SWAP: Final = "swap"
DEMO: Final = "demo"


@contextmanager
def exclusive_access(storage: Storage, notify: Callable[[str], None]) -> Iterator[None]:
    """Hold `SYNC` and `LAKE` exclusively for a block; notify and wait while syncs and builds are running."""
    with ExitStack() as held:
        for name, holder in ((SYNC, "a sync"), (LAKE, "builds")):
            try:
                held.enter_context(storage.lock(name, wait=0))
            except LakeBusyError:
                notify(f"Waiting for {holder} to end. Nothing has been changed yet; Ctrl-C leaves all as it is.")
                held.enter_context(storage.lock(name, wait=math.inf))
        yield


@contextmanager
def try_exclusive_access(storage: Storage, *, wait: float = 0) -> Iterator[None]:
    """Hold `SYNC` and `LAKE` exclusively for a block.

    Args:
        storage: The lake's files.
        wait: Seconds to wait for each of them at most.

    Raises:
        LakeBusyError: A sync or a build is running.
    """
    with storage.lock(SYNC, wait=wait), storage.lock(LAKE, wait=wait):
        yield
