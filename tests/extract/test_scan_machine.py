"""Whatever happens to a list while it is scanned: what is called complete has been seen completely.

Hypothesis plays the API, the network and the power supply: calls come, go and move between any two answers, answers are
empty, short or lost, and a scan is dropped and resumes from its checkpoint. The scan is the real decision.
"""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipelines.extract.scan.ordered import OrderedScan, Phase
from pipelines.extract.scan.state import Checkpoint, Ending
from pipelines.extract.scan.unordered import UnorderedScan
from tests.support.changing_list import FIRST, MIXED, NEWEST, OLDEST, SHUFFLED, ChangingList, Reading
from tests.support.examples import examples

PLACES = st.floats(0, 1)
COUNTS = st.sampled_from([1, 2, 3, 5, 9, 11, 30, 200])
VAIN = {Ending.NOT_JOINED, Ending.REPEATED}
CHANGES = st.sampled_from(["insert", "insert at the newest end", "insert at the oldest end", "delete", "move"])


class ScanMachine(RuleBasedStateMachine):
    """A scan of a list, and all that can happen to both."""

    @initialize(
        seed=st.integers(0, 2**32),
        size=st.sampled_from([0, 1, 9, 25, 60, 150, 300]),
        order=st.sampled_from([NEWEST, NEWEST, OLDEST, OLDEST, MIXED, SHUFFLED]),
        width=st.sampled_from([20, 20, 40, 8]),
        ties=st.sampled_from([1, 1, 3, 12]),
        loose=st.booleans(),
        incremental=st.booleans(),
        workers=st.sampled_from([1, 3, 8]),
    )
    def begin(self, *, seed, size, order, width, ties, loose, incremental, workers):
        self.random = Random(seed)
        self.listed = ChangingList(self.random, size, order, width, ties, loose)
        self.workers = workers
        self.until = None
        if incremental and order in {NEWEST, OLDEST} and size:
            self.until = self.listed.entries[size // 2].created
        self.saved: tuple[Checkpoint, set[str]] | None
        self.start()

    def start(self, scan=None):
        """Begin a reading with nothing known."""
        self.listed.watch()
        self.asked = self.listed.requests
        self.narrowest = self.listed.width
        self.saved = None
        oldest = self.listed.order == OLDEST and self.until is not None
        scan = scan or OrderedScan(until=self.until, phase=Phase.SEEK if oldest else Phase.WALK)
        self.reading = Reading(self.listed, scan, workers=self.workers)
        self.before: set[str] = set()

    def change(self, kind, place, count):
        size = len(self.listed.entries)
        at = int(place * size)
        if kind == "insert":
            self.listed.insert(at, count)
        elif kind.startswith("insert at"):
            self.listed.insert(size if "newest" in kind else 0, count)
        elif kind == "delete":
            self.listed.delete(at, count)
        elif self.until is None or (self.listed.entries[at:] and self.listed.entries[at].created >= self.until):
            # An incremental scan stops where calls are old, which a page of old ones at the newest end looks like.
            self.listed.move(at, count)

    @rule(kind=CHANGES, place=PLACES, count=COUNTS, ask=st.integers(0, 3))
    def happens(self, kind, place, count, ask):
        """Change the list; a few of the pages that are on their way are answered afterwards."""
        self.change(kind, place, count)
        for _ in range(ask):
            if not self.reading.over:
                self.reading.ask()

    @rule(kinds=st.lists(CHANGES, max_size=3), often=st.sampled_from([0.2, 0.5, 1]), pages=st.integers(1, 12))
    def reads(self, kinds, often, pages):
        """Some pages are read while the list changes a little all the time."""
        for _ in range(pages):
            if self.reading.over:
                break
            self.reading.step()
            if kinds and self.random.random() < often:
                self.change(self.random.choice(kinds), self.random.random(), self.random.choice([1, 1, 1, 4]))
        self.judge()

    @rule(faults=st.lists(st.sampled_from(["empty", "short"]), min_size=1, max_size=2))
    def lapses(self, faults):
        """Fewer in a row than it takes to show the end of a list."""
        self.listed.faults = faults

    @rule()
    def loses_answers(self):
        self.reading.lose()

    @precondition(lambda self: self.listed.order in {NEWEST, OLDEST})
    @rule(width=st.sampled_from([20, 8, 13]))
    def clamps(self, width):
        self.listed.width = width
        self.narrowest = min(width, self.narrowest)

    @rule(again=st.booleans())
    def saves_and_crashes(self, again):
        """Save a checkpoint; or end the process and resume from the saved checkpoint."""
        scan = self.reading.scan
        if not again:
            saved = scan.take_checkpoint(Checkpoint(FIRST, head=self.reading.head))
            if saved and not self.until:
                self.saved = saved, self.before | self.reading.run
            return
        if self.saved is None or self.reading.over:
            self.start()
            return
        checkpoint, self.before = self.saved
        known = {*checkpoint.head, *checkpoint.tail}
        self.reading = Reading(self.listed, OrderedScan.resume(checkpoint), workers=self.workers, known=known)
        self.reading.head = checkpoint.head

    def judge(self):
        """Nothing that stayed is missing from a complete scan; each is followed by another one."""
        scan = self.reading.scan
        if isinstance(scan, OrderedScan) and (scan.ending in VAIN or scan.needs_unordered):
            self.start(UnorderedScan())
        elif scan.ending is None:
            assert self.listed.requests - self.asked < 2_000
        else:
            # Where calls came and others went, the number of those seen proves nothing of a list without order.
            if scan.ending.complete and not (isinstance(scan, UnorderedScan) and self.listed.came and self.listed.went):
                assert not self.missing(), (scan.ending, self.missing())
            self.start()

    def missing(self):
        here = {entry.name for entry in self.listed.entries if self.until is None or entry.created >= self.until}
        # What moves to a head that is read at the end hides below as many that are known and move there later.
        hidden = set(self.listed.moved[: -min(self.narrowest // 2, 10)]) if self.listed.order == NEWEST else set()
        return here & self.listed.stayed - hidden - self.reading.run - self.reading.known - self.before

    def finish(self):
        """Read to the end, in one way or the other."""
        while True:
            reading = self.reading
            reading.finish()
            self.judge()
            if not isinstance(self.reading.scan, UnorderedScan) or isinstance(reading.scan, UnorderedScan):
                return reading

    def teardown(self):
        """At last nothing happens any more: the scan ends, and one more sees exactly what is listed."""
        if not hasattr(self, "listed"):
            return
        self.listed.faults = []
        self.finish()
        self.until = None
        self.start()
        last = self.finish()
        assert last.scan.ending in {Ending.END, Ending.SETTLED}, last.scan.ending
        assert last.run == self.listed.names


TestScanMachine = ScanMachine.TestCase
TestScanMachine.settings = settings(max_examples=examples(1000), stateful_step_count=12)
