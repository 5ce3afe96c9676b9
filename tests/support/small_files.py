"""Raw files landed one by one, and all that readers of raw are told of them: for tests of merging."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.dictionary.schemas import raw_schema
from pipelines.lake import raw, state
from pipelines.lake.maintenance.compaction import compact
from pipelines.lake.state import LandedDay
from tests.support.extraction import raw_rows

DAY = date(2026, 3, 10)
FIRST = datetime(2026, 3, 11, 8, tzinfo=UTC)
IDS = ["a", "b", "ca", "é", "𝄞"]


def land(storage, name, *versions, day=DAY, kind=raw.CALLS):
    """Land versions (call id, hour, payload or None) as one file of a day."""
    rows = [
        {
            "call_id": call_id,
            "landed_at": FIRST + timedelta(hours=hour),
            "sync_id": name,
            "payload_hash": None if payload is None else f"hash of {payload}",
            "deleted": payload is None,
            "payload": payload,
        }
        for call_id, hour, payload in versions
    ]
    kept = state.load_landed(storage)
    file = raw.write_versions(storage, kind, day, pa.Table.from_pylist(rows, schema=raw_schema()), name)
    raw.count(kept.value.days.setdefault(day, LandedDay()), kind, name, file)
    state.commit(storage, kept)


def land_many(storage, number, *, day=DAY, first=0):
    """Land one call in so many files, a version in each."""
    for hour in range(first, first + number):
        land(storage, f"2026031{hour // 24 + 1}T{hour % 24:02d}0000000000Z-5f", ("a", hour, f"version {hour}"), day=day)


def compacted(storage):
    return compact(storage, state.load_landed(storage))


def files(storage, day=DAY, kind=raw.CALLS):
    """The names of the files that count of a day."""
    return sorted(raw.counted(state.load_landed(storage).value.days[day], kind))


def seen(storage):
    """All that readers of raw can be told of a day."""
    landed = state.load_landed(storage).value.days[DAY]
    rejected = raw.known_versions(storage, DAY, landed, raw.REJECTED).rows()
    return {
        "newest": [
            [row for part in raw.read_day(storage, DAY, landed, chunk) for row in part.to_pylist()] for chunk in (2, 99)
        ],
        "known": raw.known_versions(storage, DAY, landed).rows(),
        "payloads": raw.payloads(storage, DAY, landed, IDS),
        "rejected": sorted(rejected, key=repr),
        "rejected rows": sorted(raw.read_rejected(storage, DAY, landed).to_pylist(), key=repr),
        "versions": sorted((row for kind in ("calls", "rejected") for row in raw_rows(storage, kind)), key=repr),
        "digest": landed.digest,
    }


def digest_of_landed_names(storage, kinds=(raw.CALLS, raw.REJECTED)):
    """The digest that counting gives for the names under which a day's rows have landed."""
    names = [
        (origin, kind)
        for kind in kinds
        for name in files(storage, kind=kind)
        for origin in raw.landed_names(
            pq.read_schema(storage.root / f"raw/{kind}/call_date={DAY}/{name}.parquet"), name
        )
    ]
    counted = LandedDay()
    for name, kind in sorted(names):
        raw.count(counted, kind, name, state.LandedFile(1, 1))
    return counted.digest
