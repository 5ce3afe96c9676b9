"""From CHORUS_PII=raw to mask: numbers and recordings leave the tables for good, however the change is made."""

from __future__ import annotations

import json

import pytest

from pipelines.lake.local import LocalStorage
from tests.support.crash_lake import KILLED, ReferenceRun, crash_lake
from tests.support.erasure_account import texts_of
from tests.support.faulty_disk import Fault, FaultyDisk
from tests.support.lake_contents import Readers

pytestmark = pytest.mark.slow

NUMBER, RECORDING = "+15550100123", "https://recordings.example/one.mp3"
DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
ACCEPT = ("build", "--accept-settings")


def call(day, **fields):
    item = {
        "id": f"call-{day}",
        "organizationId": "organisation",
        "status": "completed",
        "customerNumber": NUMBER,
        "recordingUrl": RECORDING,
        "createdAt": f"{day}T10:00:00Z",
        "transferCalls": [
            {"id": f"leg-{day}", "customerNumber": NUMBER, "recordingUrl": RECORDING, "durationSeconds": 5},
            {"id": "odd", "customerNumber": [NUMBER]},  # a bad value, which is kept as it was sent
        ],
        "cost": 2,
        **fields,
    }
    return json.dumps(item).encode()


@pytest.fixture
def lake(program, serve, monkeypatch):
    """A lake that was built with raw numbers, some days twice, whose settings are to mask from now on."""
    monkeypatch.setenv("CHORUS_PII", "raw")
    for cost in (2, 1):
        serve(items=[call(DAYS[0], direction="inbound", cost=cost), *map(call, DAYS[1:])])
        program.sync("--full")
    monkeypatch.setenv("CHORUS_PII", "mask")
    return program


def unmasked(lake):
    """Return where a number or a recording is, beside raw."""
    return {
        place
        for place, _, text in texts_of(lake.lake)
        if not place.startswith("raw/") and (NUMBER in text or RECORDING in text or NUMBER[1:] in text)
    }


def is_noted(lake):
    return json.loads((lake.lake / "state/lake.json").read_bytes())["unmasked_versions"]


def versions(lake):
    return sum(1 for _ in lake.lake.glob("days/*/*"))


def test_nothing_unmasked_is_left_once_the_settings_are_accepted(lake):
    assert (versions(lake), len(unmasked(lake)) > 8, is_noted(lake)) == (5, True, False)
    assert lake(*ACCEPT)[0] == 0
    assert unmasked(lake) == set()
    assert (versions(lake), is_noted(lake)) == (3, False)
    assert lake("doctor")[0] == 0


def test_versions_are_kept_for_their_readers_otherwise(lake, monkeypatch):
    monkeypatch.setenv("CHORUS_PII", "raw")
    monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
    assert lake(*ACCEPT)[0] == 0
    assert (versions(lake), is_noted(lake)) == (8, False)


def test_a_build_that_is_running_has_its_versions_until_it_ends(lake):
    storage = LocalStorage(lake.lake)
    with storage.lock("lake", shared=True):
        assert lake(*ACCEPT)[0] == 0
        assert is_noted(lake)
        assert unmasked(lake)
    code, out, _ = lake("doctor")
    assert (code, "built with CHORUS_PII=raw" in out) == (1, True)
    assert lake("build")[0] == 0
    assert (unmasked(lake), is_noted(lake)) == (set(), False)


def test_days_that_wait_for_a_build_are_reported_and_masked_later(lake):
    assert lake(*ACCEPT, "--from", DAYS[1])[0] == 0
    assert is_noted(lake)
    assert {place.split("/")[1:2] == [f"call_date={DAYS[0]}"] for place in unmasked(lake)} == {True}, unmasked(lake)
    code, out, _ = lake("doctor")
    assert (code, "built with CHORUS_PII=raw" in out) == (1, True)
    lake.sync()
    assert (unmasked(lake), is_noted(lake)) == (set(), False)


def test_going_back_to_raw_takes_the_note_away(lake, monkeypatch):
    assert lake(*ACCEPT, "--from", DAYS[1])[0] == 0
    monkeypatch.setenv("CHORUS_PII", "raw")
    assert lake(*ACCEPT, "--from", DAYS[2])[0] == 0
    assert not is_noted(lake)
    before = versions(lake)
    assert lake("build")[0] == 0
    assert versions(lake) >= before


def test_the_change_may_be_killed_at_every_step(tmp_path, monkeypatch):
    monkeypatch.setenv("CHORUS_PII", "raw")
    with crash_lake(tmp_path) as lake, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORUS_KEEP_VERSIONS_HOURS", "24")
        assert lake.run("sync --full").code == 0  # which leaves a version that is published no more
        lake.keep()
        before = set(lake.lake.glob("days/*/*"))
        patch.setenv("CHORUS_PII", "mask")
        known = ReferenceRun(lake, " ".join(ACCEPT), repaired_by=" ".join(ACCEPT))
        assert not before.intersection(lake.lake.glob("days/*/*"))
        for point in known.sample(Fault.KILL):
            known.restore()
            readers = Readers(lake.lake)
            readers.observe()
            assert lake.run(known.command, FaultyDisk(Fault.KILL, point)).code == KILLED
            readers.observe()
            assert all(state in known.states for state in readers.generations.values()), known.steps[point]
            assert known.repaired() == known.content, known.steps[point]
