"""Lost state comes back row by row, and what others are about to change is not taken for damage."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from pipelines.doctor import examine as examining
from pipelines.doctor.inspection import read_subject
from pipelines.doctor.repair import _once, _RawFile
from pipelines.lake import layout, raw, state
from pipelines.lake.maintenance import compaction
from pipelines.lake.versions import read_audit
from pipelines.settings import load_settings
from pipelines.simulator import SimulatedApi
from tests.doctor.test_examine import cut, link, spoil, uncount
from tests.support.simulated import KEY, small_world

LOST = {
    "landed.json": [layout.LANDED],
    "manifest": [layout.MANIFEST],
    "both": [layout.LANDED, layout.MANIFEST],
    "lake.json": [layout.LAKE],
    "all state but the key": [layout.LANDED, layout.MANIFEST, layout.LAKE, layout.SCAN, layout.SCANS],
}
TOLD_BY_LANDING = {"first_landed_at", "landed_at", "version_count"}


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize("how", ["lost", "corrupt"])
@pytest.mark.parametrize("name", LOST)
def test_lost_state_comes_back(patient, name, how):
    rows, landed, manifest = patient.rows(), patient.landed, patient.manifest
    for path in LOST[name]:
        spoil(path)(patient) if how == "corrupt" else (patient.lake / path).unlink()
    assert patient.repair()
    assert patient.landed == landed
    assert patient.manifest.days.keys() == manifest.days.keys()
    assert {day: known.version for day, known in patient.manifest.days.items()} == {
        day: known.version for day, known in manifest.days.items()
    }
    assert patient.manifest.generation == manifest.generation + (layout.MANIFEST in LOST[name])
    aside = sorted(path.name for path in patient.lake.rglob("*.broken-*"))
    assert len(aside) == (len(LOST[name]) if how == "corrupt" else 0)
    before = patient.snapshot()
    assert patient.repair() == []
    assert patient.snapshot() == before
    assert patient("build")[0] == 0
    assert patient("sync", "--full")[0] == 0
    assert patient.examine() == []
    assert patient.rows() == rows


def test_a_repair_deletes_no_file_beside_the_raw_files(patient):
    landed, beside = patient.landed, patient.raw()[0].with_suffix(".parquet.bak")
    shutil.copy(patient.raw()[0], beside)
    (patient.lake / layout.LANDED).unlink()
    assert patient.repair()
    aside = patient.lake / "state/broken" / beside.relative_to(patient.lake)
    assert aside.read_bytes() == patient.raw()[0].read_bytes()
    assert patient.landed == landed


@pytest.mark.slow
def test_days_without_a_complete_version_wait_for_a_build(patient):
    rows, day = patient.rows(), max(patient.manifest.days)
    shutil.rmtree(patient.lake / layout.day_folder(day))
    (patient.lake / layout.MANIFEST).unlink()
    done = patient.repair()
    assert any("1 days wait for `chorus-calls build`" in line for line in done)
    assert day not in patient.manifest.days
    assert patient("build")[0] == 0
    assert (patient.examine(), patient.rows()) == ([], rows)


@pytest.mark.slow
def test_a_day_that_was_published_as_it_was_stays_so_where_the_manifest_is_lost(patient):
    day = max(patient.manifest.days)
    version = patient.manifest.days[day].version
    kept = state.load_landed(patient.storage)
    kept.value.days[day].digest = "0"  # something landed since
    state.commit(patient.storage, kept)
    (patient.lake / layout.MANIFEST).unlink()
    patient.repair()
    assert patient.manifest.days[day].version == version
    assert patient.examine() == []


def without_landing(rows):
    return {
        day: {
            table: [{name: value for name, value in row.items() if name not in TOLD_BY_LANDING} for row in found]
            for table, found in tables.items()
        }
        for day, tables in rows.items()
    }


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("how", ["gone", "cut"])
def test_calls_of_a_lost_raw_file_are_fetched_again(patient, how):
    rows = patient.rows()
    lost = max(patient.raw(), key=lambda path: path.stat().st_size)
    held = lost.read_bytes()
    lost.unlink() if how == "gone" else cut(lost)
    assert patient.repair()
    assert patient.repair() == []
    if how == "cut":  # what is left of it is kept
        kept = patient.lake / "state/broken" / lost.relative_to(patient.lake)
        assert kept.read_bytes() == held[:-20]
    # A repair lets the next sync read everything, also one that is not asked to.
    assert patient.sync()["scan"]["mode"] == "full"
    assert patient.examine() == []
    assert without_landing(patient.rows()) == without_landing(rows)


@pytest.fixture
def merged(patient, monkeypatch):
    """Merge the files of each day that has two, as a sync does with many small ones; what had landed before."""
    landed, kept = patient.landed, state.load_landed(patient.storage)
    monkeypatch.setattr(compaction, "MANY", 2)
    assert compaction.compact(patient.storage, kept)
    assert patient.landed != landed
    return landed


@pytest.mark.slow
@pytest.mark.usefixtures("merged")
def test_files_that_were_merged_are_no_damage_and_count_once(patient):
    rows, landed = patient.rows(), patient.landed
    assert len(patient.raw()) > sum(len(day.calls) for day in landed.days.values())
    assert patient.examine() == []
    for _ in range(2):  # with the files that were merged beside, and without
        (patient.lake / layout.LANDED).unlink()
        assert patient.repair()
        assert patient.landed == landed
        assert len(patient.raw()) == sum(len(day.calls) for day in landed.days.values())
    assert (patient.examine(), patient.rows()) == ([], rows)


def test_a_file_of_a_process_that_died_while_merging_does_not_count_twice(patient, merged):
    (patient.lake / layout.LANDED).write_bytes(msgspec.json.encode(merged))
    (patient.lake / layout.LANDED).chmod(0o640)
    assert patient.examine() == []
    (patient.lake / layout.LANDED).unlink()
    patient.repair()
    assert {day: known.digest for day, known in patient.landed.days.items()} == {
        day: known.digest for day, known in merged.days.items()
    }
    assert sum(file.rows for day in patient.landed.days.values() for file in day.calls.values()) == sum(
        file.rows for day in merged.days.values() for file in day.calls.values()
    )


@pytest.mark.parametrize(
    ("there", "kept"),
    [
        ({"a": "a", "b": "b"}, "ab"),
        ({"a": "a", "b": "b", "M": "ab"}, "M"),
        ({"M": "abc", "N": "abcd", "d": "d"}, "N"),
        ({"a": "a", "M": "abc", "N": "bcd"}, "aN"),
        ({"M": "abc", "N": "bcd"}, "MN"),
        ({"a": "a", "d": "d", "M": "abc", "N": "bcd"}, "aN"),
    ],
)
def test_everything_that_landed_counts_once_where_that_can_be(there, kept):
    files = {
        (name, raw.CALLS): _RawFile(state.LandedFile(rows=1, bytes=1), frozenset(of)) for name, of in there.items()
    }
    assert sorted(name for name, _ in _once(files)) == sorted(kept)


def test_a_repair_does_not_wait_for_other_programs(patient, monkeypatch):
    monkeypatch.setattr("pipelines.doctor.repair._WAIT_SECONDS", 0.0)
    (patient.lake / layout.MANIFEST).unlink()
    before = patient.snapshot()
    for lock in ("sync", "lake"):
        with patient.storage.lock(lock, shared=True):
            code, _, err = patient("doctor", "--repair")
        assert (code, "Another process is working" in err) == (1, True)
    assert {path: files for path, files in patient.snapshot().items() if not path.endswith(".lock")} == {
        path: files for path, files in before.items() if not path.endswith(".lock")
    }


@pytest.mark.slow
def test_a_version_that_was_refused_is_not_published(patient):
    day = max(patient.manifest.days)
    version = patient.version()
    audit = version / layout.AUDIT
    audit.chmod(0o640)
    audit.write_text(audit.read_text().replace('"passed": true', '"passed": false', 1))
    audit.chmod(0o440)
    assert not read_audit(patient.storage, day, version.name).passed
    (patient.lake / layout.MANIFEST).unlink()
    patient.repair()
    assert day not in patient.manifest.days
    (finding,) = patient.examine()
    assert (finding["check"], finding["day"]) == ("day_refused", str(day))


@pytest.mark.slow
def test_files_of_a_sync_that_is_under_way_are_its_own(patient):
    uncount(patient)
    with patient.storage.lock("sync"):
        assert patient.examine() == []
    assert [finding["check"] for finding in patient.examine()] == ["raw_uncounted"]


@pytest.mark.slow
def test_what_a_commit_moves_between_two_reads_is_no_damage(patient, monkeypatch):
    """Show the doctor a lake as it was before a sync and a build, and then as it is."""
    old = read_subject(load_settings())
    path = patient.lake / layout.LANDED
    landed = path.read_text()
    kept = patient.manifest
    later = small_world(calls=40, days=3)
    later.advance(hours=8)
    with SimulatedApi(later, key=KEY) as api:
        monkeypatch.setenv("CHORUS_API_URL", api.url)
        assert patient("sync", "--full")[0] == 0
    monkeypatch.setenv("CHORUS_API_URL", patient.api.url)
    assert (path.read_text() == landed, patient.manifest.generation > kept.generation) == (False, True)
    reads = iter([old])
    monkeypatch.setattr(examining, "read_subject", lambda settings: next(reads, None) or read_subject(settings))
    seen = [finding for check in examining._AREAS for finding in check(old).findings]
    assert {finding.check for finding in seen} == {"link_old"}
    assert patient.examine() == []


@pytest.mark.slow
def test_links_and_catalog_are_left_out_while_another_program_publishes(patient, monkeypatch):
    monkeypatch.setattr("pipelines.doctor.inspection._PUBLISH_WAIT_SECONDS", 0.0)
    link(patient).unlink()
    (patient.lake / layout.CATALOG).unlink()
    patient.version().joinpath("calls.parquet").unlink()
    with patient.storage.lock("publish"):
        assert {finding["check"] for finding in patient.examine()} == {"table_missing"}
        assert "being published" in patient("doctor")[1]
