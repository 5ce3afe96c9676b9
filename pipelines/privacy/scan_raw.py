"""Scan raw for what is listed as erased: which files hold any of it, and how much.

The ids of an erased customer's calls are added to the list, and identify child items and nested copies. So raw is
scanned until nothing new is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import ChorusCallsError
from pipelines.json_source import payload_hash
from pipelines.lake import layout, raw
from pipelines.lake.state import Landed
from pipelines.lake.storage import Storage
from pipelines.privacy.search import SearchTerms
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
        calls: Ids of the erased calls.
        children: Those of them that are child items.
        versions: How many landed versions they have.
        legs: Call and id of the legs removed from other customers' calls.
        items: How many rejected items are erased.
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
        """Ids of the legs removed from other customers' calls."""
        return {leg_id for call_id, leg_id in self.legs if leg_id is not None and leg_id != call_id}


class KeptRow(NamedTuple):
    """What stays of a row: its payload, None if it has none."""

    payload: str | None


class RawFilter:
    """Decide what stays of each row of raw, and record what does not."""

    def __init__(self, suppressed: SuppressionList, terms: SearchTerms) -> None:
        self.matches = Matches()
        self._suppressed = suppressed
        self._terms = terms

    def row(self, kind: str, call_id: str, payload: str | None) -> KeptRow | None:
        """Return what stays of a row of raw, None if nothing does."""
        if kind == raw.REJECTED:
            return KeptRow(payload) if payload is None or self._keeps_rejected(payload) else None
        item = (payload or "").encode()
        identifiers = read_identifiers(item) if payload is not None else Identifiers()
        if self._suppressed.covers_call(call_id) or is_erased(self._suppressed, identifiers):
            self._note_call(call_id, identifiers)
            return None
        unwanted = [leg for leg in identifiers.legs if is_erased_leg(self._suppressed, leg, identifiers)]
        if not unwanted:
            return KeptRow(payload)
        for leg in unwanted:
            self._note_leg(call_id, leg, identifiers)
        return KeptRow(without_legs(item, lambda leg: is_erased_leg(self._suppressed, leg, identifiers)).decode())

    def _keeps_rejected(self, payload: str) -> bool:
        item = payload.encode()
        identifiers = read_identifiers(item)
        erased = is_erased(self._suppressed, identifiers)
        if not erased and not is_erased_rejected_item(self._suppressed, item) and not self._terms.find(payload):
            return True
        self.matches.items += 1
        self._suppressed.add_item(payload_hash(item))
        if erased:
            self._note(identifiers)
        return False

    def _note_call(self, call_id: str, identifiers: Identifiers) -> None:
        self.matches.calls.add(call_id)
        self.matches.versions += 1
        if identifiers.parents:
            self.matches.children.add(call_id)
        self._suppressed.add_call(call_id)
        self._note(identifiers)

    def _note_leg(self, call_id: str, leg: Leg, identifiers: Identifiers) -> None:
        self.matches.legs.add((call_id, leg.leg_id))
        cover_leg(self._suppressed, leg, identifiers)
        if leg.number is not None and self._suppressed.covers_number(leg.number):
            self.matches.sent.add(leg.number)

    def _note(self, identifiers: Identifiers) -> None:
        for call_id in identifiers.call_ids:
            self._suppressed.add_call(call_id)
        numbers = (*identifiers.numbers, *(leg.number for leg in identifiers.legs if leg.number is not None))
        self.matches.sent.update(filter(self._suppressed.covers_number, numbers))


def scan_raw(storage: Storage, landed: Landed, suppressed: SuppressionList, terms: SearchTerms) -> Matches:
    """Scan raw until nothing new is found; add what is found to the list and to the search terms.

    Raises:
        ChorusCallsError: A file cannot be read.
    """
    while True:
        additions = suppressed.additions
        raw_filter = RawFilter(suppressed, terms)
        for day, kind, name, _ in raw.landed_files(landed):
            path = layout.raw_file(kind, day, name)
            try:
                if not _stays_whole(storage, path, kind, raw_filter):
                    raw_filter.matches.files.add((day, kind, name))
            except (FileNotFoundError, pa.ArrowInvalid) as error:
                message = (
                    f"{storage.address(path)} cannot be read. Nothing was erased. Run `chorus-calls doctor`, then run "
                    "this again."
                )
                raise ChorusCallsError(message) from error
        terms.add_ids(raw_filter.matches.calls | raw_filter.matches.leg_ids)
        terms.add_numbers(raw_filter.matches.sent)
        if suppressed.additions == additions:
            return raw_filter.matches


def _stays_whole(storage: Storage, path: str, kind: str, raw_filter: RawFilter) -> bool:
    """Filter every row of a raw file; return whether all of them stay as they are."""
    changed = 0
    with storage.open_input(path) as source:
        rows = pq.ParquetFile(source)
        for batch in rows.iter_batches(batch_size=raw.ROW_GROUP, columns=["call_id", "payload"]):
            for call_id, payload in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                changed += raw_filter.row(kind, call_id, payload) != (payload,)
    return not changed
