"""Files of state are replaced whole and never by an older program; one lake has one account, settings and key."""

from __future__ import annotations

import json
import stat
from datetime import UTC, date, datetime

import msgspec
import pytest

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.lake.identity import (
    SettingsDifferError,
    add_organisations,
    check_value,
    local_pii_key,
    require_same_settings,
)
from pipelines.lake.local import LocalStorage
from pipelines.lake.publish import Build, drop_plan, read_plan, write_plan
from pipelines.lake.state import BrokenStateError, LakeRecord, Landed, LandedDay, LandedFile, PublishedDay
from pipelines.lake.storage import SwapConflictError
from tests.support.small_lake import SETTINGS

DAY = date(2026, 3, 10)


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


def test_an_empty_lake_has_landed_and_published_nothing(storage):
    assert state.load_landed(storage).value.days == {}
    manifest = state.load_manifest(storage).value
    assert (manifest.generation, manifest.days, manifest.unreferenced) == (0, {}, {})
    assert storage.list("") == []


def test_what_is_committed_is_read_back(storage):
    kept = state.load_landed(storage)
    kept.value.newest_landed_at = datetime(2026, 3, 11, 8, 0, 0, 1, tzinfo=UTC)
    kept.value.days[DAY] = LandedDay(digest="d", calls={"file": LandedFile(rows=1, bytes=2)})
    state.commit(storage, kept)
    assert state.load_landed(storage).value == kept.value


def test_the_manifest_is_the_json_that_readers_are_promised(storage):
    kept = state.load_manifest(storage)
    moment = datetime(2026, 3, 11, 8, tzinfo=UTC)
    kept.value.days[DAY] = PublishedDay(version="v", published_at=moment, rows={"calls": 1}, bytes={"calls": 2})
    kept.value.generation, kept.value.committed_at = 1, moment
    kept.value.unreferenced["days/call_date=2026-03-10/u"] = moment
    state.commit(storage, kept)
    published = b'"2026-03-10": {\n   "bytes": {\n    "calls": 2\n   },\n   "published_at": "2026-03-11T08:00:00Z",'
    assert published in storage.read(layout.MANIFEST)
    assert {b'"format": 1', b'"generation": 1'} <= {
        line.strip(b" ,") for line in storage.read(layout.MANIFEST).splitlines()
    }


def test_of_two_writers_the_later_one_is_stopped(storage):
    first, second = state.load_landed(storage), state.load_landed(storage)
    first.value.days[DAY] = LandedDay(digest="first")
    state.commit(storage, first)
    second.value.days[DAY] = LandedDay(digest="second")
    with pytest.raises(SwapConflictError):
        state.commit(storage, second)
    assert state.load_landed(storage).value.days[DAY].digest == "first"
    first.value.days[DAY].digest = "first again"
    state.commit(storage, first)


def test_the_manifest_keeps_its_keys(storage):
    manifest = state.load_manifest(storage)
    manifest.value.days[DAY] = PublishedDay("v", datetime(2026, 3, 11, 8, tzinfo=UTC), {}, {}, settings_digest="d")
    state.commit(storage, manifest)
    written = json.loads(storage.read(layout.MANIFEST))["days"]["2026-03-10"]
    assert written == {"version": "v", "published_at": "2026-03-11T08:00:00Z", "rows": {}, "bytes": {}, "shaping": "d"}


def test_an_update_starts_over_when_another_writer_commits_in_between(storage):
    seen = []

    def add(landed):
        seen.append(landed)
        if len(seen) == 1:  # another writer commits between this read and its swap
            storage.swap(layout.LANDED, b'{"days": {"2026-03-11": {"digest": "other"}}}', None)
        days = {**(landed.days if landed else {}), DAY: LandedDay(digest="own")}
        return Landed(days=days)

    value = state.update(storage, layout.LANDED, Landed, add)
    assert {day.isoformat(): known.digest for day, known in value.days.items()} == {
        "2026-03-10": "own",
        "2026-03-11": "other",
    }
    assert state.load_landed(storage).value == value
    assert [landed is None for landed in seen] == [True, False]


def test_an_update_that_changes_nothing_writes_nothing(storage):
    assert state.update(storage, layout.LANDED, Landed, lambda _: None) is None
    assert storage.read(layout.LANDED) is None
    as_a_newer_program_writes_it = b'{"days": {}, "more": 1}'
    storage.swap(layout.LANDED, as_a_newer_program_writes_it, None)
    assert state.update(storage, layout.LANDED, Landed, lambda landed: Landed(days=landed.days)) == Landed()
    assert storage.read(layout.LANDED) == as_a_newer_program_writes_it


@pytest.mark.parametrize("load", [state.load_landed, state.load_manifest])
def test_a_newer_format_is_refused(storage, load):
    path = load(storage).path
    storage.swap(path, b'{"format": 2, "days": "in another shape"}', None)
    with pytest.raises(ChorusCallsError, match=r"format 2.*Upgrade chorus-calls"):
        load(storage)


def test_fields_of_a_newer_program_in_the_same_format_do_no_harm(storage):
    storage.swap(layout.MANIFEST, b'{"format": 1, "generation": 7, "more": true}', None)
    assert state.load_manifest(storage).value.generation == 7


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"generation": "seven"}', b"\xff"])
def test_a_file_that_cannot_be_read_is_named(storage, text):
    storage.swap(layout.MANIFEST, text, None)
    with pytest.raises(ChorusCallsError, match=r"manifest\.json cannot be read"):
        state.load_manifest(storage)


def test_a_runs_plan_is_kept_until_it_is_dropped(storage):
    plan = {DAY: Build(version="v", base=None), date(2026, 3, 11): Build(version="w", base="u")}
    write_plan(storage, "run", plan)
    assert read_plan(storage, "run") == plan
    assert read_plan(storage, "another") is None
    drop_plan(storage, "run")
    drop_plan(storage, "run")
    assert read_plan(storage, "run") is None


OTHERS = [("timezone", "Asia/Kolkata"), ("pii", "raw"), ("pii_key_check", "f" * 16), ("outcomes", "own")]


def other(setting, value):
    return msgspec.structs.replace(SETTINGS, **{setting: value})


def record(storage):
    return state.read(storage, layout.LAKE, LakeRecord).value


def test_lake_json_keeps_its_form_and_one_that_lacks_a_setting_is_refused(storage):
    require_same_settings(storage, SETTINGS)
    written = json.loads(storage.read(layout.LAKE))
    assert written["shaping"] == {"timezone": "UTC", "pii": "mask", "pii_key_check": "0" * 16, "outcomes": "shipped"}
    assert written["table_version"] == 1
    del written["shaping"]["pii"]
    storage.swap(layout.LAKE, json.dumps(written).encode(), storage.read(layout.LAKE))
    with pytest.raises(BrokenStateError, match=r"lake\.json cannot be read"):
        record(storage)


def test_the_first_writer_gives_a_lake_its_settings(storage):
    require_same_settings(storage, SETTINGS)
    assert record(storage).settings == SETTINGS
    before = storage.read(layout.LAKE)
    require_same_settings(storage, SETTINGS)
    assert storage.read(layout.LAKE) == before


@pytest.mark.parametrize(("setting", "value"), OTHERS)
def test_other_settings_stop_a_writer_until_they_are_accepted(storage, setting, value):
    require_same_settings(storage, SETTINGS)
    with pytest.raises(SettingsDifferError, match=setting) as refused:
        require_same_settings(storage, other(setting, value))
    assert refused.value.exit_code == 2
    assert "--accept-settings" in refused.value.message
    assert record(storage).settings == SETTINGS
    require_same_settings(storage, other(setting, value), accept=True)
    require_same_settings(storage, other(setting, value))
    with pytest.raises(SettingsDifferError):
        require_same_settings(storage, SETTINGS)


def test_an_older_program_stops_and_a_newer_one_goes_on(storage):
    require_same_settings(storage, msgspec.structs.replace(SETTINGS, table_version=2))
    with pytest.raises(SettingsDifferError, match="table version"):
        require_same_settings(storage, SETTINGS)
    require_same_settings(storage, msgspec.structs.replace(SETTINGS, table_version=3))
    assert record(storage).table_version == 3


def test_a_lake_holds_one_account(storage):
    require_same_settings(storage, SETTINGS)
    add_organisations(storage, ["o1"])
    add_organisations(storage, ["o1"])
    with pytest.raises(ChorusCallsError, match="One lake holds one account"):
        add_organisations(storage, ["o1", "o2"])
    assert record(storage).organisations == ["o1"]
    add_organisations(storage, [])


def test_organisations_need_a_lake(storage):
    with pytest.raises(ChorusCallsError, match="no identity"):
        add_organisations(storage, ["o1"])


def test_the_key_is_made_once_and_is_its_owners_alone(storage):
    key = local_pii_key(storage)
    assert len(key) >= 32
    assert local_pii_key(storage) == key
    assert stat.S_IMODE((storage.root / layout.PII_KEY).stat().st_mode) == 0o600
    assert check_value(key) != check_value(b"another key")
    assert key.decode() not in check_value(key)
