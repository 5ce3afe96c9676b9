"""Building versions of many days in several processes at once, of which this one is one.

Days that follow each other are best built by one process, since a day's index serves the day after it. So each process
has its own run of a batch of days, and takes half of what another still has before it once its own is built. The next
batch is begun as soon as the last day of this one is taken: no process waits for the others.
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

from pipelines.lake.publish import Build
from pipelines.lake.state import Landed
from pipelines.lake.versions import Audit
from pipelines.materialize.day import VersionBuilder
from pipelines.workspace import Workbench

_WORTH = 2
"""Days there must be for each process: starting one takes as long as building a day."""
_AHEAD = 2
"""Days that another process is given before it has built them, so that it need not wait while this one builds."""

Day = tuple[date, str]
"""A day and its version."""


def build_versions(
    bench: Workbench, batches: Sequence[Mapping[date, Build]], landed: Landed
) -> Iterator[tuple[date, Audit | Exception]]:
    """Build and check the versions of days, side by side where there are several.

    Args:
        bench: The lake, and what shapes its tables.
        batches: The versions, those to be built first before the others.
        landed: What had landed when they were planned.

    Yields:
        Each day with what its checks found, or with what went wrong, as soon as it is known here: about batch by batch.

    Raises:
        BrokenProcessPool: A process died.
    """
    work = Work([[(day, build.version) for day, build in sorted(batch.items())] for batch in batches], _processors())
    bench = Workbench(bench.storage, bench.shape)  # of a workspace the others need no more
    builder = VersionBuilder(bench, landed)
    waiting: dict[Future[Audit], tuple[int, date]] = {}
    with ExitStack() as workers:
        pools = [workers.enter_context(_other_process(bench, landed)) for _ in range(1, work.processes)]

        def hand_out(number: int) -> None:
            if (after := work.take(number)) is not None:
                waiting[pools[number - 1].submit(_build, *after)] = (number, after[0])

        for number in [*range(1, work.processes)] * _AHEAD:
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
    """Return what building a day gave, or how it failed: a failure of one day is none of the others."""
    try:
        return build()
    except BrokenProcessPool:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told once the other days are built
        return error


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Work:
    """The days that are still to be taken, batch after batch.

    Args:
        batches: Days in their order, those to be built first before the others.
        processors: How many days can be built at a time.

    Attributes:
        processes: How many processes it is worth, this one among them.
    """

    def __init__(self, batches: Sequence[Sequence[Day]], processors: int) -> None:
        self.processes = max(1, min(processors, sum(map(len, batches)) // _WORTH))
        self._batches = deque(days for days in batches if days)
        self._runs: list[deque[Day]] = [deque() for _ in range(self.processes)]

    def take(self, number: int) -> Day | None:
        """Take the next day of a process's run, or where it has none, of the later half of the longest one."""
        if self._batches and not any(self._runs):
            self._deal(self._batches.popleft())
        mine = self._runs[number]
        if not mine:
            longest = max(self._runs, key=len)
            mine.extendleft([longest.pop() for _ in range((len(longest) + 1) // 2)])
        return mine.popleft() if mine else None

    def _deal(self, days: Sequence[Day]) -> None:
        """Cut days, in their order, into a run of about the same length for each process."""
        for number, run in enumerate(self._runs):
            run.extend(days[len(days) * number // self.processes : len(days) * (number + 1) // self.processes])


@contextmanager
def _other_process(bench: Workbench, landed: Landed) -> Iterator[ProcessPoolExecutor]:
    """Give one process that builds days, and let it end, without what it has not begun, when the block does."""
    # polars is not safe to fork, and a process that is spawned shares nothing that it could spoil.
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_open, initargs=(bench, landed))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_builder: VersionBuilder | None = None
"""What a process started here builds with, made once when it starts."""


def _open(bench: Workbench, landed: Landed) -> None:
    global _builder  # noqa: PLW0603 - such a process has no other place to keep what its initializer made
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _builder = VersionBuilder(bench, landed)


def _end_with_parent() -> None:
    """End this process when the one that started it is killed: it would wait for its next day for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _build(day: date, version: str) -> Audit:
    if _builder is None:
        message = "the process was not opened"
        raise RuntimeError(message)
    return _builder.build(day, version)
