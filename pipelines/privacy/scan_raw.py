"""Looking through raw for what is erased: which files hold any of it, and how much of what.

An erased customer's calls are known by their ids from then on, and by those their child items and nested copies. So raw
is looked through until nothing more comes to light.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import ChorusCallsError
from pipelines.extract.landing.items import payload_hash
from pipelines.lake import layout, raw
from pipelines.lake.state import Landed
from pipelines.lake.storage import Storage
from pipelines.privacy.search_terms import SearchTerms
from pipelines.suppression.filter import cover_leg, is_erased, is_erased_leg, is_erased_rejected_item
from pipelines.suppression.identifiers import Identifiers, Leg, read_identifiers, without_legs
from pipelines.suppression.suppression_list import SuppressionList

RawFile = tuple[date, str, str]
"""Day, kind and name of a raw file."""


@dataclass
class Matches:
    """What of raw is erased.

    Attributes:
        files: The files that hold any of it.
        calls: Ids of the calls that go.
        children: Those of them that are child items.
        versions: How many landed versions of them go.
        legs: Call and id of the legs that go from calls of others.
        items: How many items that could not be placed go.
        sent: Erased numbers, as they were sent.
    """

    files: set[RawFile] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    versions: int = 0
    legs: set[tuple[str, str | None]] = field(default_factory=set)
    items: int = 0
    sent: set[str] = field(default_factory=set)

    @property
    def days(self) -> set[date]:
        """The days whose raw files hold any of it."""
        return {day for day, _, _ in self.files}

    @property
    def leg_ids(self) -> set[str]:
        """Ids of the legs that go from calls of others."""
        return {leg_id for call_id, leg_id in self.legs if leg_id is not None and leg_id != call_id}


class KeptRow(NamedTuple):
    """What stays of a row: its payload, None where it has none."""

    payload: str | None


class RawFilter:
    """Says of each row of raw what stays of it, and keeps count of what does not."""

    def __init__(self, erasures: SuppressionList, needles: SearchTerms) -> None:
        self.seen = Matches()
        self._erasures = erasures
        self._needles = needles

    def row(self, kind: str, call_id: str, payload: str | None) -> KeptRow | None:
        """Return what stays of a row of raw, None where nothing does."""
        if kind == raw.REJECTED:
            return KeptRow(payload) if payload is None or self._rejected_stays(payload) else None
        item = (payload or "").encode()
        traces = read_identifiers(item) if payload is not None else Identifiers()
        if self._erasures.covers_call(call_id) or is_erased(self._erasures, traces):
            self._note_call(call_id, traces)
            return None
        unwanted = [leg for leg in traces.legs if is_erased_leg(self._erasures, leg, traces)]
        if not unwanted:
            return KeptRow(payload)
        for leg in unwanted:
            self._note_leg(call_id, leg, traces)
        return KeptRow(without_legs(item, lambda leg: is_erased_leg(self._erasures, leg, traces)).decode())

    def _rejected_stays(self, payload: str) -> bool:
        item = payload.encode()
        traces = read_identifiers(item)
        erased = is_erased(self._erasures, traces)
        if not erased and not is_erased_rejected_item(self._erasures, item) and not self._needles.find(payload):
            return True
        self.seen.items += 1
        self._erasures.add_item(payload_hash(item))
        if erased:
            self._note(traces)
        return False

    def _note_call(self, call_id: str, traces: Identifiers) -> None:
        self.seen.calls.add(call_id)
        self.seen.versions += 1
        if traces.parents:
            self.seen.children.add(call_id)
        self._erasures.add_call(call_id)
        self._note(traces)

    def _note_leg(self, call_id: str, leg: Leg, traces: Identifiers) -> None:
        self.seen.legs.add((call_id, leg.leg_id))
        cover_leg(self._erasures, leg, traces)
        if leg.number is not None and self._erasures.covers_number(leg.number):
            self.seen.sent.add(leg.number)

    def _note(self, traces: Identifiers) -> None:
        for call_id in traces.call_ids:
            self._erasures.add_call(call_id)
        numbers = (*traces.numbers, *(leg.number for leg in traces.legs if leg.number is not None))
        self.seen.sent.update(filter(self._erasures.covers_number, numbers))


def scan_raw(storage: Storage, landed: Landed, erasures: SuppressionList, needles: SearchTerms) -> Matches:
    """Look through raw until nothing more comes to light; what does is covered from then on.

    Raises:
        ChorusCallsError: A file cannot be read.
    """
    while True:
        additions = erasures.additions
        sieve = RawFilter(erasures, needles)
        for file in raw_files(landed):
            try:
                _look_at(storage, file, sieve)
            except (FileNotFoundError, pa.ArrowInvalid) as error:
                path = storage.address(_path(file))
                message = f"{path} cannot be read. Nothing was erased. Run `chorus-calls doctor`, then run this again."
                raise ChorusCallsError(message) from error
        needles.add_ids(sieve.seen.calls | sieve.seen.leg_ids)
        needles.add_numbers(sieve.seen.sent)
        if erasures.additions == additions:
            return sieve.seen


def raw_files(landed: Landed) -> Iterator[RawFile]:
    """Yield every raw file that counts."""
    for day, known in sorted(landed.days.items()):
        for kind in (raw.CALLS, raw.REJECTED):
            for name in sorted(raw.counted(known, kind)):
                yield day, kind, name


def _path(file: RawFile) -> str:
    day, kind, name = file
    return layout.raw_file(kind, day, name)


def _look_at(storage: Storage, file: RawFile, sieve: RawFilter) -> None:
    kind = file[1]
    with storage.open_input(_path(file)) as source:
        rows = pq.ParquetFile(source)
        for batch in rows.iter_batches(batch_size=raw.ROW_GROUP, columns=["call_id", "payload"]):
            for call_id, payload in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                if sieve.row(kind, call_id, payload) != (payload,):
                    sieve.seen.files.add(file)
