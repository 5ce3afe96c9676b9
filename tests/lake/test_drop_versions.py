"""What must not be kept goes at once, whatever dies in between, and nothing of other days goes with it."""

from __future__ import annotations

import os
import shutil
from datetime import date, timedelta

import pytest

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.lake.maintenance.expire_versions import drop_versions, expire
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.publish import Build, publish, read_plan, write_plan
from pipelines.lake.versions import CheckRecord, damaged_days, fingerprint, write_audit
from tests.support.faulty_disk import Fault, FaultyDisk, KilledError
from tests.support.small_lake import SETTINGS, RememberingCatalog, SmallLake

DAYS = [date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 12)]
DAY = DAYS[1]
OLD, HALF, REFUSED = "e" * 24, "a" * 24, "b" * 24
A_DAY = timedelta(days=1)


def current(lake, day=DAY):
    return fingerprint(state.load_landed(lake.storage).value, day, SETTINGS)


def build(lake, day, version, *verdicts):
    lake.write(day, version, {"calls": [{"call_id": f"{day} {version[:4]}"}]})
    write_audit(lake.storage, day, version, 1, list(verdicts))


def versions(lake, day=DAY):
    return set(lake.storage.folders(layout.day_folder(day)))


def links(lake):
    return [day for day in DAYS if any(lake.storage.size(layout.link_file(day, table)) for table in TABLES)]


@pytest.fixture
def catalog():
    return RememberingCatalog()


@pytest.fixture
def lake(tmp_path, catalog):
    """Three published days, each with a replaced version, a refused and a half built one, and a run that plans all."""
    made = SmallLake(tmp_path / "lake")
    for day in DAYS:
        made.land(day)
    for day in DAYS:
        build(made, day, OLD)
        publish(made.storage, SETTINGS, {day: Build(OLD, None)}, catalog)
        build(made, day, current(made, day))
        publish(made.storage, SETTINGS, {day: Build(current(made, day), OLD)}, catalog)
        build(made, day, REFUSED, CheckRecord("keys", "calls", passed=False))
        with made.storage.create(layout.table_file(day, HALF, "calls")) as stream:
            stream.write(b"half")
    expire(made.storage, A_DAY)
    write_plan(made.storage, "run", {day: Build(HALF, current(made, day)) for day in DAYS})
    return made


def test_all_versions_go_but_the_published_one(lake, catalog):
    before = lake.manifest
    gone = drop_versions(lake.storage, catalog, {DAY}, keep_published=True)
    assert gone == sorted(layout.version_folder(DAY, version) for version in (OLD, HALF, REFUSED))
    assert versions(lake) == {current(lake)}
    assert (lake.manifest.days, lake.manifest.generation) == (before.days, before.generation)
    assert {layout.day_of(folder.split("/")[1]) for folder in lake.manifest.unreferenced} == {DAYS[0], DAYS[2]}
    assert links(lake) == DAYS
    assert [len(versions(lake, day)) for day in DAYS] == [4, 1, 4]


def test_the_published_version_goes_too(lake, catalog):
    before = lake.manifest
    drop_versions(lake.storage, catalog, {DAY}, keep_published=False)
    assert lake.storage.folders(layout.DAYS) == [layout.day_folder(day).split("/")[1] for day in (DAYS[0], DAYS[2])]
    assert lake.manifest.days == {day: before.days[day] for day in (DAYS[0], DAYS[2])}
    assert lake.manifest.generation == before.generation + 1 == catalog.generations[-1]
    assert links(lake) == [DAYS[0], DAYS[2]]
    assert reconcile(lake.storage, catalog, A_DAY).versions_removed == 0


def test_a_refused_version_of_the_present_inputs_stays_with_the_published_one(lake, catalog):
    published = current(lake)
    lake.land(DAY)
    build(lake, DAY, current(lake), CheckRecord("keys", "calls", passed=False))
    drop_versions(lake.storage, catalog, {DAY}, keep_published=True)
    assert versions(lake) == {published, current(lake)}


def test_plans_lose_what_is_purged(lake, catalog):
    staying = Build(current(lake, DAYS[2]), OLD)
    write_plan(lake.storage, "other", {DAY: Build(OLD, None), DAYS[2]: staying})
    drop_versions(lake.storage, catalog, {DAY, DAYS[2]}, keep_published=True)
    assert list(read_plan(lake.storage, "run")) == [DAYS[0]]
    assert read_plan(lake.storage, "other") == {DAYS[2]: staying}


def test_links_of_an_older_version_are_swung_before_it_goes(lake, catalog):
    for table in TABLES:
        lake.storage.link(layout.table_file(DAY, OLD, table), layout.link_file(DAY, table))
    drop_versions(lake.storage, catalog, {DAY}, keep_published=True)
    for table in TABLES:
        assert lake.storage.is_linked(layout.table_file(DAY, current(lake), table), layout.link_file(DAY, table))


def test_a_catalog_that_lags_is_made_before_what_it_shows_goes(lake, catalog):
    catalog.generations = [1]
    since = dict(lake.manifest.unreferenced)
    drop_versions(lake.storage, catalog, {DAY}, keep_published=True)
    assert catalog.generations[-1] == lake.manifest.generation
    assert all(moment > since[folder] for folder, moment in lake.manifest.unreferenced.items())


def test_where_nothing_is_to_go_no_file_is_touched(lake, catalog):
    drop_versions(lake.storage, catalog, DAYS, keep_published=True)
    manifest = lake.storage.root / layout.MANIFEST
    before = lake.digest(), list(catalog.generations), manifest.stat().st_ino
    assert drop_versions(lake.storage, catalog, DAYS, keep_published=True) == []
    assert drop_versions(lake.storage, catalog, {DAY + 9 * A_DAY}, keep_published=False) == []
    assert (lake.digest(), catalog.generations, manifest.stat().st_ino) == before


def test_a_lost_manifest_is_reported(lake, catalog):
    lake.storage.delete(layout.MANIFEST)
    before = lake.digest()
    with pytest.raises(ChorusCallsError, match="doctor --repair"):
        drop_versions(lake.storage, catalog, DAYS, keep_published=True)
    assert lake.digest() == before


def test_a_lake_of_which_nothing_was_ever_published_can_be_purged(tmp_path):
    made = SmallLake(tmp_path / "lake")
    made.write(DAY, HALF, {})
    assert drop_versions(made.storage, RememberingCatalog(), {DAY}, keep_published=True) != []
    assert made.storage.folders(layout.DAYS) == []


@pytest.mark.slow
@pytest.mark.parametrize("keep_published", [True, False])
def test_a_purge_may_be_killed_at_every_step(lake, catalog, keep_published):
    root, kept = lake.storage.root, lake.storage.root.with_name("kept")
    shutil.copytree(root, kept, copy_function=os.link)
    made = list(catalog.generations)
    committed = [lake.manifest.days]

    def content():
        return {
            str(path.relative_to(root)): path.read_bytes() if path.is_file() and path.name != "manifest.json" else b""
            for path in root.rglob("*")
            if ".tmp" not in path.parts and "locks" not in path.parts
        }

    def purge(disk=None):
        with pytest.MonkeyPatch.context() as patch:
            (disk or FaultyDisk()).take_over(patch)
            drop_versions(lake.storage, catalog, {DAYS[0], DAY}, keep_published=keep_published)

    undisturbed = FaultyDisk()
    purge(undisturbed)
    committed.append(lake.manifest.days)
    expected = content(), len(catalog.generations)
    assert len(undisturbed.steps) > 40
    for step in range(len(undisturbed.steps)):
        shutil.rmtree(root)
        shutil.copytree(kept, root, copy_function=os.link)
        catalog.generations = list(made)
        with pytest.raises(KilledError):
            purge(FaultyDisk(Fault.KILL, step))
        assert lake.manifest.days in committed
        assert damaged_days(lake.storage, lake.manifest) == set()
        shown = catalog.generation() == lake.manifest.generation
        assert shown or all(versions(lake, day) > {OLD} for day in DAYS), "what the catalog shows is gone"
        purge()
        assert (content(), len(catalog.generations)) == expected, undisturbed.steps[step]
