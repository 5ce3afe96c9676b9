"""Tables of a day that are made in a moment, and raw read in a moment, for tests of how programs meet in a lake."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from pipelines.dictionary import CORE_TABLES, MARTS
from pipelines.lake import layout, raw
from pipelines.lake.state import Landed, LandedDay
from pipelines.lake.storage import Storage
from pipelines.lake.versions import Audit, VerdictRecord, write_audit

BAD = "bad"
"""What a call says that lets the checks of its day fail."""


class SmallBuilder:
    """Stands for VersionBuilder: reads raw as it does, writes what each call says, and fails a day with a bad call."""

    def __init__(self, storage: Storage, _: object, landed: Landed) -> None:
        self._storage = storage
        self._landed = landed.days

    def build(self, day: date, version: str) -> Audit:
        self.core(day, version)
        marts(self._storage, day, version)
        return audit(self._storage, day, version)

    def core(self, day: date, version: str) -> None:
        """Write the core tables; like the product's they need raw of the day before too."""
        before = day - timedelta(days=1)
        _landed_calls(self._storage, before, self._landed.get(before))
        calls = _landed_calls(self._storage, day, self._landed.get(day))
        for table in CORE_TABLES:
            _write(self._storage, day, version, table, calls if table == "calls" else {})


def marts(storage: Storage, day: date, version: str) -> None:
    """Write the marts of a version whose core tables are written."""
    assert calls_of(storage, day, version)
    for table in MARTS:
        _write(storage, day, version, table, {})


def audit(storage: Storage, day: date, version: str) -> Audit:
    """Judge a version that is written."""
    calls = calls_of(storage, day, version)
    tables: Any = SimpleNamespace(rows=lambda table: len(calls) if table == "calls" else 0)
    verdict = VerdictRecord("words", "calls", passed=BAD not in calls.values())
    return write_audit(storage, day, version, 1, [verdict], tables=tables)


def calls_of(storage: Storage, day: date, version: str) -> dict[str, str]:
    """Return what the calls of a version say."""
    with storage.open_input(layout.table_file(day, version, "calls")) as file:
        found: dict[str, str] = json.loads(file.read())
    return found


def _write(storage: Storage, day: date, version: str, table: str, calls: Mapping[str, str]) -> None:
    with storage.create(layout.table_file(day, version, table), read_only=True) as stream:
        stream.write(json.dumps({"table": table} if table != "calls" else calls).encode())


def _landed_calls(storage: Storage, day: date, landed: LandedDay | None) -> dict[str, str]:
    rows = _raw_rows(storage, day, landed)
    return {call_id: json.loads(payload)["summary"] for _, call_id, _, payload in rows}


def _raw_rows(storage: Storage, day: date, landed: LandedDay | None) -> list[tuple[datetime, str, str, str]]:
    """Read what counts of a day: moment, call, hash and payload of each version, the newest last."""
    rows: list[tuple[datetime, str, str, str]] = []
    for name in sorted(landed.calls) if landed else []:
        path = layout.raw_file(raw.CALLS, day, name)
        with storage.open_input(path):  # it has to be there, though what it holds is known once it was read
            rows += _raw_file(storage.address(path))
    return sorted(rows)


@lru_cache(maxsize=1000)
def _raw_file(path: str) -> list[tuple[datetime, str, str, str]]:
    columns = ["landed_at", "call_id", "payload_hash", "payload"]
    return [tuple(row.values()) for row in pq.read_table(path, columns=columns).to_pylist()]


def known_versions(storage: Storage, day: date, landed: LandedDay | None, kind: str = raw.CALLS) -> pl.DataFrame:
    """Stands for raw's function of that name, which takes long for a few rows."""
    newest = {row[1]: row for row in _raw_rows(storage, day, landed)} if kind == raw.CALLS else {}
    columns = {"call_id": list(newest), "payload_hash": [row[2] for row in newest.values()]}
    return pl.DataFrame({**columns, "deleted": [False] * len(newest)})


def payloads(storage: Storage, day: date, landed: LandedDay, call_ids: Sequence[str]) -> dict[str, str]:
    """Stands for raw's function of that name."""
    return {row[1]: row[3] for row in _raw_rows(storage, day, landed) if row[1] in call_ids}
