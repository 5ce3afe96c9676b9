"""A version of a day is the fingerprint of its inputs, of all of them and of nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from pipelines.dictionary import TABLES
from pipelines.lake import layout
from pipelines.lake.state import Landed, LandedDay, LandedFile, Manifest, PublishedDay, TableSettings
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
