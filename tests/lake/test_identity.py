"""One lake has one account, one set of settings that shape its tables, and one key of its pseudonyms."""

from __future__ import annotations

import json
import stat

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
from pipelines.lake.state import BrokenStateError, LakeRecord
from tests.support.small_lake import SETTINGS

OTHERS = [("timezone", "Asia/Kolkata"), ("pii", "raw"), ("pii_key_check", "f" * 16), ("outcomes", "own")]


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


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
