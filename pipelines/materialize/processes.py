"""Build versions of many days in several processes, including this one.

Consecutive days are best built by one process, since the leg index of a day serves the next day too. So each process
has its own run of consecutive days, and takes over half of the longest remaining run when its own is done. The next
batch starts as soon as the last day of the present one is taken: no process waits for the others.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from datetime import date
from functools import partial

from pipelines.flatten.settings import FlattenSettings
from pipelines.lake.publish import Build
from pipelines.lake.state import Landed
from pipelines.lake.storage import Storage
from pipelines.lake.versions import Audit
from pipelines.materialize.day import VersionBuilder

_MIN_DAYS_PER_PROCESS = 2
"""Starting a process takes as long as building a day."""
_QUEUED_DAYS = 2
"""Days queued for another process, so that it does not wait while this one builds."""

Day = tuple[date, str]
"""A day and its version."""


def build_versions(
    storage: Storage, settings: FlattenSettings, batches: Sequence[Mapping[date, Build]], landed: Landed
) -> Iterator[tuple[date, Audit | Exception]]:
    """Build and check the versions of days, in parallel where there are several.

    Yields:
        Each day with its audit, or with the error that it failed with, about batch by batch.

    Raises:
        BrokenProcessPool: A process died.
    """
    work = WorkQueue(
        [[(day, build.version) for day, build in sorted(batch.items())] for batch in batches], _processors()
    )
    builder = VersionBuilder(storage, settings, landed)
    waiting: dict[Future[Audit], tuple[int, date]] = {}
    with ExitStack() as workers:
        pools = [workers.enter_context(_worker(storage, settings, landed)) for _ in range(1, work.processes)]

        def hand_out(number: int) -> None:
            if (after := work.take(number)) is not None:
                waiting[pools[number - 1].submit(_build, *after)] = (number, after[0])

        for number in [*range(1, work.processes)] * _QUEUED_DAYS:
            hand_out(number)
        while (own := work.take(0)) is not None or waiting:
            if own is not None:
                yield own[0], _outcome(partial(builder.build, *own))
                done = {future for future in waiting if future.done()}
            else:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                number, day = waiting.pop(future)
                hand_out(number)
                yield day, _outcome(future.result)


def _outcome(build: Callable[[], Audit]) -> Audit | Exception:
    """Return the audit of a day, or the error it failed with: other days are still built."""
    try:
        return build()
    except BrokenProcessPool:
        raise
    except Exception as error:  # noqa: BLE001 - reported once the other days are built
        return error


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkQueue:
    """The days that no process has taken yet, batch after batch.

    Args:
        batches: Days in calendar order, in the order in which batches are built.
        processors: How many days can be built at a time.

    Attributes:
        processes: How many processes are worth starting, including this one.
    """

    def __init__(self, batches: Sequence[Sequence[Day]], processors: int) -> None:
        self.processes = max(1, min(processors, sum(map(len, batches)) // _MIN_DAYS_PER_PROCESS))
        self._batches = deque(days for days in batches if days)
        self._runs: list[deque[Day]] = [deque() for _ in range(self.processes)]

    def take(self, number: int) -> Day | None:
        """Take the next day of a process's run; an empty run first takes over the later half of the longest one."""
        if self._batches and not any(self._runs):
            self._deal(self._batches.popleft())
        mine = self._runs[number]
        if not mine:
            longest = max(self._runs, key=len)
            mine.extendleft([longest.pop() for _ in range((len(longest) + 1) // 2)])
        return mine.popleft() if mine else None

    def _deal(self, days: Sequence[Day]) -> None:
        """Split consecutive days into runs of about equal length, one for each process."""
        for number, run in enumerate(self._runs):
            run.extend(days[len(days) * number // self.processes : len(days) * (number + 1) // self.processes])


@contextmanager
def _worker(storage: Storage, settings: FlattenSettings, landed: Landed) -> Iterator[ProcessPoolExecutor]:
    """Start one process that builds days; when the block ends, it ends too, and days it has not begun are dropped."""
    # polars is not safe to fork; a spawned process shares nothing.
    pool = ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), initializer=_start, initargs=(storage, settings, landed)
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_builder: VersionBuilder | None = None
"""The builder of a worker process, made once when it starts."""


def _start(storage: Storage, settings: FlattenSettings, landed: Landed) -> None:
    global _builder  # noqa: PLW0603 - a pool's initializer has no other place for what it makes
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _builder = VersionBuilder(storage, settings, landed)


def _end_with_parent() -> None:
    """End this process when its parent is killed: it would wait for its next day for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _build(day: date, version: str) -> Audit:
    if _builder is None:
        message = "the worker process was not started"
        raise RuntimeError(message)
    return _builder.build(day, version)
