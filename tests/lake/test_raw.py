"""Every version of every call, in any number of files: read back newest first, a chunk at a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dictionary.schemas import raw_schema
from pipelines.lake import raw
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import LandedDay

DAY = date(2026, 3, 10)
FIRST = datetime(2026, 3, 11, 8, tzinfo=UTC)


def at(hours):
    return FIRST + timedelta(hours=hours)


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


def write(storage, landed, name, *versions, kind=raw.CALLS):
    """Land versions (call id, hour, payload; None: deleted, raw.MOVED: moved) as one file of the day."""
    rows = [
        {
            "call_id": call_id,
            "landed_at": at(hours),
            "sync_id": "test",
            "payload_hash": payload if payload == raw.MOVED else f"hash of {payload}",
            "deleted": payload in {None, raw.MOVED},
            "payload": None if payload == raw.MOVED else payload,
        }
        for call_id, hours, payload in versions
    ]
    file = raw.write_versions(storage, kind, DAY, pa.Table.from_pylist(rows, schema=raw_schema()), name)
    raw.add_file(landed, kind, name, file)
    return file


def read(storage, landed, chunk=100):
    return [row for part in raw.read_day(storage, DAY, landed, chunk=chunk) for row in part.to_pylist()]


def test_the_newest_version_wins_whatever_file_it_is_in(storage):
    landed = LandedDay()
    write(storage, landed, "z", ("b", 1, "b1"), ("a", 1, "a1"))
    write(storage, landed, "a", ("a", 3, "a3"), ("c", 3, "c3"))
    write(storage, landed, "m", ("a", 2, "a2"), ("b", 2, "b2"))
    rows = read(storage, landed)
    assert [(row["call_id"], row["payload"]) for row in rows] == [("a", "a3"), ("b", "b2"), ("c", "c3")]
    assert [row["version_count"] for row in rows] == [3, 2, 1]
    assert [(row["first_landed_at"], row["landed_at"]) for row in rows] == [
        (at(1), at(3)), (at(1), at(2)), (at(3), at(3))
    ]  # fmt: skip
    assert {row["deleted_at"] for row in rows} == {None}


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_chunks_come_in_the_order_of_ids(storage, chunk, monkeypatch):
    monkeypatch.setattr(raw, "ROW_GROUP", 3)
    landed = LandedDay()
    for number in range(3):
        ids = [f"call{at:02d}" for at in range(number, 20, 3)]
        write(storage, landed, f"file{number}", *[(call_id, number, f"{call_id} v{number}") for call_id in ids])
    write(storage, landed, "later", *[(f"call{at:02d}", 9, f"call{at:02d} v9") for at in range(0, 20, 4)])
    parts = list(raw.read_day(storage, DAY, landed, chunk=chunk))
    assert all(part.num_rows <= chunk for part in parts)
    rows = [row for part in parts for row in part.to_pylist()]
    assert [row["call_id"] for row in rows] == [f"call{at:02d}" for at in range(20)]
    assert [row["payload"] for row in rows] == [f"call{at:02d} v{9 if at % 4 == 0 else at % 3}" for at in range(20)]


def test_a_deletion_keeps_the_newest_payload(storage):
    landed = LandedDay()
    write(storage, landed, "one", ("a", 1, "a1"), ("b", 1, "b1"))
    write(storage, landed, "two", ("a", 2, None), ("b", 2, None))
    write(storage, landed, "three", ("b", 3, "b3"))
    first, second = read(storage, landed)
    assert (first["payload"], first["landed_at"], first["deleted_at"], first["version_count"]) == (
        "a1",
        at(1),
        at(2),
        1,
    )
    assert (second["payload"], second["landed_at"], second["deleted_at"]) == ("b3", at(3), None)
    assert (second["first_landed_at"], second["version_count"]) == (at(1), 2)


def test_files_that_are_not_counted_are_as_good_as_not_there(storage):
    landed, never_committed = LandedDay(), LandedDay()
    write(storage, landed, "one", ("a", 1, "a1"))
    write(storage, never_committed, "two", ("a", 2, "a2"), ("b", 2, "b2"))
    assert [row["payload"] for row in read(storage, landed)] == ["a1"]
    assert raw.known_versions(storage, DAY, landed)["call_id"].to_list() == ["a"]


def test_a_day_without_anything(storage):
    for landed in (None, LandedDay()):
        assert read(storage, landed) == []
        assert raw.read_rejected(storage, DAY, landed).num_rows == 0
        assert raw.known_versions(storage, DAY, landed).is_empty()


@pytest.mark.parametrize("chunk", [1, 100])
def test_a_call_that_moved_away_is_no_call_of_the_day_until_it_comes_back(storage, chunk):
    landed = LandedDay()
    write(storage, landed, "one", ("a", 1, "a1"), ("b", 1, "b1"), ("c", 1, "c1"))
    write(storage, landed, "two", ("a", 2, raw.MOVED), ("b", 2, None), ("c", 2, raw.MOVED))
    assert [(row["call_id"], row["deleted_at"]) for row in read(storage, landed, chunk)] == [("b", at(2))]
    write(storage, landed, "three", ("a", 3, "a3"), ("b", 3, raw.MOVED), ("c", 3, None))
    rows = read(storage, landed, chunk)
    assert [(row["call_id"], row["payload"], row["deleted_at"]) for row in rows] == [
        ("a", "a3", None), ("c", "c1", at(3))
    ]  # fmt: skip
    assert (rows[0]["version_count"], rows[0]["first_landed_at"]) == (2, at(1))


def test_a_day_whose_calls_have_all_moved_away_has_none(storage):
    landed = LandedDay()
    write(storage, landed, "one", ("a", 1, "a1"))
    write(storage, landed, "two", ("a", 2, raw.MOVED))
    assert read(storage, landed) == []


def test_known_versions_are_the_newest_of_each_call(storage):
    landed = LandedDay()
    write(storage, landed, "one", ("a", 1, "a1"), ("b", 1, "b1"))
    write(storage, landed, "two", ("a", 2, None), ("b", 3, "b3"))
    known = raw.known_versions(storage, DAY, landed)
    assert known.rows() == [("a", "hash of None", at(2), True), ("b", "hash of b3", at(3), False)]


def test_payloads_of_some_calls(storage):
    landed = LandedDay()
    write(storage, landed, "one", ("a", 1, "a1"), ("b", 1, "b1"), ("c", 1, None))
    write(storage, landed, "two", ("a", 2, "a2"), ("b", 2, None))
    assert raw.payloads(storage, DAY, landed, ["a", "b", "c", "d", "a"]) == {"a": "a2", "b": "b1"}


def test_rejected_items_are_kept_apart_and_each_counts(storage):
    landed = LandedDay()
    write(storage, landed, "one", ("a", 1, "a1"))
    write(storage, landed, "two", (None, 2, "[]"), (None, 2, "7"), ("x", 2, '{"id":"x"}'), kind=raw.REJECTED)
    assert [row["payload"] for row in read(storage, landed)] == ["a1"]
    rejected = raw.read_rejected(storage, DAY, landed).to_pylist()
    assert sorted((row["call_id"] or "", row["payload"]) for row in rejected) == [
        ("", "7"), ("", "[]"), ("x", '{"id":"x"}')
    ]  # fmt: skip
    assert len(raw.known_versions(storage, DAY, landed, raw.REJECTED)) == 3


def test_a_file_is_sorted_and_says_what_it_holds(storage):
    landed = LandedDay()
    file = write(storage, landed, "one", ("b", 1, "b1"), ("a", 2, "a2"), ("a", 1, "a1"))
    path = storage.root / "raw/calls/call_date=2026-03-10/one.parquet"
    assert (file.rows, file.bytes) == (3, path.stat().st_size)
    assert pq.read_schema(path).names == raw_schema().names
    rows = pl.read_parquet(path, hive_partitioning=False).select("call_id", "landed_at").rows()
    assert rows == [("a", at(1)), ("a", at(2)), ("b", at(1))]


def test_the_digest_tells_every_state_of_a_day_from_every_other(storage):
    landed, digests = LandedDay(), [""]
    write(storage, landed, "one", ("a", 1, "a1"))
    digests.append(landed.digest)
    write(storage, landed, "two", ("a", 2, "a2"))
    digests.append(landed.digest)
    write(storage, landed, "two", (None, 2, "7"), kind=raw.REJECTED)
    digests.append(landed.digest)
    assert len(set(digests)) == 4
    other = LandedDay()
    write(storage, other, "one", ("a", 1, "a1"))
    assert other.digest == digests[1]
