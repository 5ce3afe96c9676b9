"""A version of a day is the fingerprint of all its inputs, and its table files are found by id without reading them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.dictionary import CORE_TABLES, TABLES
from pipelines.dictionary.schemas import arrow_schema
from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import Landed, LandedDay, LandedFile, Manifest, PublishedDay, TableSettings
from pipelines.lake.tables import write_table
from pipelines.lake.versions import CheckRecord, fingerprint, read_audit, settings_digest, stale_days, write_audit
from tests.support.small_lake import SETTINGS, SmallLake

DAY = date(2026, 3, 10)
ONE_DAY = timedelta(days=1)


def landed(**digests):
    """Landed days by their distance from DAY: `landed(d0="x")` is DAY, `d1` the day after, `b1` the day before."""
    days = {DAY + int(name[1:]) * ONE_DAY * (-1 if name[0] == "b" else 1): digests[name] for name in digests}
    return Landed(days={day: LandedDay(digest=digest) for day, digest in days.items()})


BASE = landed(d0="x", b1="y")


@pytest.mark.parametrize(
    "other",
    [
        landed(d0="x2", b1="y"),
        landed(d0="x", b1="y2"),
        landed(d0="x"),
        landed(b1="y"),
        landed(d0="y", b1="x"),
    ],
)
def test_what_landed_of_the_day_and_the_day_before_makes_another_version(other):
    assert fingerprint(other, DAY, SETTINGS) != fingerprint(BASE, DAY, SETTINGS)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("timezone", "Asia/Kolkata"), ("pii", "raw"), ("pii_key_check", "f" * 16), ("outcomes", "own")],
)
def test_each_setting_that_shapes_tables_makes_another_version(setting, value):
    other = msgspec.structs.replace(SETTINGS, **{setting: value})
    assert set(SETTINGS.shaping) == {"timezone", "pii", "pii_key_check", "outcomes"}
    assert fingerprint(BASE, DAY, other) != fingerprint(BASE, DAY, SETTINGS)


def test_versions_and_settings_digests_are_those_of_lakes_that_exist():
    """Pinned: another value would rebuild every day of every lake."""
    settings = TableSettings("Europe/Berlin", "mask", "0123456789abcdef", "fedcba9876543210", table_version=1)
    assert fingerprint(landed(d0="d" * 32, b1="e" * 32), DAY, settings) == "325f20482568212fa1e4a19c"
    assert settings_digest(settings) == "0f7f85d0809a"


def test_a_newer_table_version_makes_another_version():
    assert fingerprint(BASE, DAY, msgspec.structs.replace(SETTINGS, table_version=2)) != fingerprint(
        BASE, DAY, SETTINGS
    )


def test_nothing_else_does():
    moved_on = landed(d0="x", b1="y", d1="z", b2="w")
    moved_on.newest_landed_at = datetime(2026, 3, 20, tzinfo=UTC)
    moved_on.days[DAY].calls["file"] = LandedFile(rows=5, bytes=100)
    assert fingerprint(moved_on, DAY, SETTINGS) == fingerprint(BASE, DAY, SETTINGS)


def test_stale_is_what_is_published_in_another_version_or_not_at_all():
    state, manifest = landed(d0="x", d1="y", d3="z"), Manifest()
    assert stale_days(state, manifest, SETTINGS) == [DAY, DAY + ONE_DAY, DAY + 3 * ONE_DAY]
    for day in state.days:
        manifest.days[day] = PublishedDay(
            version=fingerprint(state, day, SETTINGS), published_at=datetime(2026, 3, 20, tzinfo=UTC), rows={}, bytes={}
        )
    assert stale_days(state, manifest, SETTINGS) == []
    state.days[DAY].digest = "x2"
    assert stale_days(state, manifest, SETTINGS) == [DAY, DAY + ONE_DAY]
    assert stale_days(state, manifest, msgspec.structs.replace(SETTINGS, table_version=2)) == sorted(state.days)


@pytest.fixture
def lake(tmp_path):
    made = SmallLake(tmp_path / "lake")
    made.write(DAY, "v1", {"calls": [{"call_id": "a"}, {"call_id": "b"}]})
    return made


def test_a_version_is_complete_once_its_audit_is_written(lake):
    assert read_audit(lake.storage, DAY, "v1") is None
    verdicts = [CheckRecord("keys", "calls", passed=True), CheckRecord("sums", "calls", passed=False, rows=1)]
    written = write_audit(lake.storage, DAY, "v1", 3, verdicts)
    assert read_audit(lake.storage, DAY, "v1") == written
    assert written.checks_version == 3
    assert written.rows == {**dict.fromkeys(TABLES, 0), "calls": 2}
    assert not written.passed
    assert written.failed == verdicts[1:]


def test_an_audit_is_that_of_lakes_that_exist(lake):
    record = {"check": "keys", "table": "calls", "passed": False, "rows": 2, "detail": "two"}
    write_audit(lake.storage, DAY, "v1", 3, [CheckRecord("keys", "calls", passed=False, rows=2, detail="two")])
    written = json.loads(lake.storage.read(f"{layout.version_folder(DAY, 'v1')}/{layout.AUDIT}"))
    assert set(written) == {"checks_version", "bytes", "rows", "verdicts"}
    assert written["verdicts"] == [record]


@pytest.mark.parametrize("harm", ["missing", "shorter"])
def test_a_version_whose_files_are_not_as_written_is_not_complete(lake, harm):
    write_audit(lake.storage, DAY, "v1", 1, [])
    path = lake.storage.root / layout.table_file(DAY, "v1", "transfer_legs")
    data = path.read_bytes()
    path.unlink()
    if harm == "shorter":
        path.write_bytes(data[:-1])
    assert read_audit(lake.storage, DAY, "v1") is None


def test_an_audit_of_missing_files_is_refused(lake):
    (lake.storage.root / layout.table_file(DAY, "v1", "call_volume_hourly")).unlink()
    with pytest.raises(FileNotFoundError):
        write_audit(lake.storage, DAY, "v1", 1, [])


VERSION = "0" * 24
LOOKED_UP = [*((table, "call_id") for table in CORE_TABLES), ("transfer_legs", "leg_id")]
_PROBED = "SELECT bloom_filter_excludes FROM parquet_bloom_probe($1, $2, $3)"


def written(folder: Path, table: str, column: str, *parts: list[str]) -> Path:
    """Write a file with some ids, a row group each list; the other columns are null."""
    storage, schema = LocalStorage(folder), arrow_schema(table)
    with write_table(storage, DAY, VERSION, table) as writer:
        for part in parts:
            rows = [{column: value} for value in part]
            writer.write(pa.Table.from_pylist(rows, schema=schema))
    return Path(storage.address(layout.table_file(DAY, VERSION, table)))


def excluded(path: Path, column: str, value: str) -> list[bool]:
    """Say of each row group whether its filter leaves it out where the value is looked for."""
    return [left_out for (left_out,) in duckdb.execute(_PROBED, [str(path), column, value]).fetchall()]


@pytest.mark.parametrize(("table", "column"), LOOKED_UP)
def test_an_id_is_looked_for_only_where_it_can_be(tmp_path, table, column):
    ids = [[f"a{n}" for n in range(300)], [f"b{n}" for n in range(200) for _ in range(3)]]
    path = written(tmp_path, table, column, *ids)
    for group, values in enumerate(ids):
        assert not any(excluded(path, column, value)[group] for value in values[::20])
    in_vain = [not left_out for n in range(50) for left_out in excluded(path, column, f"c{n}")]
    assert len(in_vain) == 100
    assert sum(in_vain) < 10


def test_a_filter_is_as_large_as_its_ids_ask_for(tmp_path):
    sizes = [written(tmp_path / str(n), "data_issues", "call_id", ["a"] * n).stat().st_size for n in (1, 5_000)]
    assert sizes[1] - sizes[0] < 500


def test_a_file_without_rows_has_the_columns(tmp_path):
    path = written(tmp_path, "calls", "call_id")
    assert pq.read_table(path).schema.equals(arrow_schema("calls"), check_metadata=True)
    assert pq.read_metadata(path).num_rows == 0
