"""A list that changes while it is read, and a reading of it: extraction's decisions without HTTP, files or threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from pipelines.extract.scan import Scan
from pipelines.extract.scan.ordered import OrderedScan
from pipelines.extract.scan.state import PageSeen

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
NEWEST, OLDEST, MIXED, SHUFFLED = "newest first", "oldest first", "stable, without order", "shuffled at each request"


@dataclass(frozen=True)
class Entry:
    """A call of the list, and when it was created."""

    name: str
    created: datetime


@dataclass
class ChangingList:
    """A list of calls as an API pages through it.

    Attributes:
        order: How it is listed: newest first, oldest first, or in one of two ways that have nothing to do with time.
        width: The most calls that a page has.
        ties: Calls that are created at the same instant.
        loose: Whether those change places from request to request. So many that they fill more than half of the
            narrowest page yet do not: a scan takes it that they keep their order.
        entries: The calls, the newest end last.
        stayed: Those that have been there ever since `watch()`.
        moved: Those that have moved since then, the last one last.
        came: How many have come since then; `went` is how many were taken out.
        faults: What becomes of the next answers: `empty`, `short` or nothing.
    """

    random: Random
    size: int = 0
    order: str = NEWEST
    width: int = 100
    ties: int = 1
    loose: bool = True
    entries: list[Entry] = field(default_factory=list)
    stayed: set[str] = field(default_factory=set)
    moved: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    requests: int = 0
    came: int = 0
    went: int = 0
    made: int = 0

    def __post_init__(self) -> None:
        self.narrowest = self.width
        self.insert(0, self.size)
        self.watch()

    @property
    def names(self) -> set[str]:
        return {entry.name for entry in self.entries}

    def watch(self) -> None:
        """From now on, remember which calls stay."""
        self.stayed = self.names
        self.moved = []
        self.came = self.went = 0

    def insert(self, place: int, count: int) -> None:
        """Add new calls behind so many older ones; they were created between their neighbours."""
        place = min(place, len(self.entries))
        new = []
        for number in range(count):
            self.made += 1
            new.append(Entry(str(self.made), self._between(place, number)))
        self.entries[place:place] = new
        self.came += count

    def _between(self, place: int, number: int) -> datetime:
        if self.order == MIXED:
            return FIRST + timedelta(minutes=self.random.randrange(10_000))
        minutes = timedelta(minutes=number // self.ties + 1)
        if place == len(self.entries):
            return (self.entries[-1].created if self.entries else FIRST) + minutes
        if place == 0:
            return self.entries[0].created - timedelta(minutes=1_000) + minutes
        # To the second, so that calls which come to the same place soon share an instant.
        apart = self.entries[place].created - self.entries[place - 1].created
        return self.entries[place - 1].created + timedelta(seconds=max(apart.total_seconds(), 0) // 2)

    def delete(self, place: int, count: int) -> None:
        """Remove so many neighbours."""
        gone = {entry.name for entry in self.entries[place : place + count]}
        del self.entries[place : place + count]
        self.stayed -= gone
        self.went += len(gone)

    def move(self, place: int, count: int) -> None:
        """Put so many neighbours at the newest end, as where a list goes by the last change; they stay as old."""
        moved = self.entries[place : place + count]
        del self.entries[place : place + count]
        self.random.shuffle(moved)
        self.entries += moved
        self.moved += [entry.name for entry in moved]

    def page(self, offset: int) -> tuple[list[Entry], int]:
        """Answer a request: the calls, and how many there are in all."""
        self.requests += 1
        self.narrowest = min(self.narrowest, self.width)
        fault = self.faults.pop(0) if self.faults else None
        shown = [] if fault == "empty" else self._shown(offset)
        return shown[: max(len(shown) // 3, 1)] if fault == "short" else shown, len(self.entries)

    def _shown(self, offset: int) -> list[Entry]:
        if self.order == SHUFFLED:
            return self.random.sample(self.entries, len(self.entries))[offset : offset + self.width]
        count = len(self.entries)
        first, last = offset, min(offset + self.width, count)
        if self.order == NEWEST:
            first, last = count - last, count - first
        if first >= last or first < 0:
            return []
        begin, end = first, last
        while begin and self.entries[begin - 1].created == self.entries[first].created:
            begin -= 1
        while end < count and self.entries[end].created == self.entries[last - 1].created:
            end += 1
        shown = self._swapped(self.entries[begin:end])[first - begin : last - begin]
        return shown[::-1] if self.order == NEWEST else shown

    def _swapped(self, entries: list[Entry]) -> list[Entry]:
        """Let calls of the same instant change places."""
        if not self.loose or self.order == MIXED:
            return entries
        swapped: list[Entry] = []
        begin = 0
        for place in range(1, len(entries) + 1):
            if place == len(entries) or entries[place].created != entries[begin].created:
                group = entries[begin:place]
                if 1 < len(group) <= self.narrowest // 2:
                    self.random.shuffle(group)
                swapped += group
                begin = place
        return swapped


class Reading:
    """Reads a list as a sync does: several requests at a time, their pages evaluated in order.

    Attributes:
        scan: The decision so far.
        run: What it has accepted; `known` is what it began with besides.
    """

    def __init__(self, listed: ChangingList, scan: Scan, *, workers: int = 1, known: Iterable[str] = ()) -> None:
        self.listed = listed
        self.scan = scan
        self.workers = workers
        self.run: set[str] = set()
        self.known = set(known)
        self.head: list[str] = []
        self._coming: dict[int, tuple[list[Entry], int]] = {}

    @property
    def over(self) -> bool:
        return self.scan.ending is not None

    def ask(self) -> None:
        """Answer one of the requests that are on their way, whichever."""
        wanted = self.scan.next_offsets(self.workers)
        assert wanted[0] == self.scan.offset
        assert len(wanted) <= self.workers
        self._coming = {offset: page for offset, page in self._coming.items() if offset in wanted}
        missing = [offset for offset in wanted if offset not in self._coming]
        if missing:
            offset = self.listed.random.choice(missing)
            self._coming[offset] = self.listed.page(offset)

    def lose(self) -> None:
        """Let what has been answered not arrive; it is asked for again."""
        self._coming.clear()

    @property
    def arrived(self) -> bool:
        """Return whether the page that is next has been answered."""
        return self.scan.offset in self._coming

    def take(self) -> None:
        """Process the next page, which has arrived."""
        offset = self.scan.offset
        entries, total = self._coming.pop(offset)
        keys = tuple(entry.name for entry in entries)
        if self.scan.pages == 0:
            self.head = list(keys)
        unseen = frozenset(keys) - self.run - self.known
        shown = PageSeen(offset, keys, unseen, tuple(entry.created for entry in entries), total)
        self.scan = self.scan.after(shown)
        self.run |= self.scan.accepted

    def step(self) -> None:
        """Let pages arrive until the next one is there, and process it."""
        while not self.arrived:
            self.ask()
        self.take()

    def finish(self, most: int = 10_000) -> None:
        """Read to the end."""
        for _ in range(most):
            if self.over:
                return
            self.step()
        raise AssertionError(most)


NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Reader:
    """Plays pages to a scan and keeps its run, as a sync does."""

    def __init__(self, scan: OrderedScan | None = None, known: range = range(0)) -> None:
        self.scan = scan or OrderedScan()
        self.run = {str(number) for number in known}

    def show(self, numbers, total: int | None = None) -> OrderedScan:
        """Show a page whose calls are known by their place in a newest-first list that was quiet: 0 is the newest."""
        keys = tuple(str(number) for number in numbers)
        times = tuple(NOON - timedelta(minutes=number) for number in numbers)
        unseen = frozenset(key for key in keys if key not in self.run)
        self.scan = self.scan.after(PageSeen(self.scan.offset, keys, unseen, times, total))
        self.run |= self.scan.accepted
        return self.scan
