"""What nobody needs any more is removed, what must not be kept at once, and nothing that a reader may still need."""

from __future__ import annotations

import os
import shutil
from datetime import date, timedelta

import pytest

from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.lake.maintenance.expire_versions import Expired, drop_versions, expire
from pipelines.lake.maintenance.reconcile import Reconciled, reconcile
from pipelines.lake.publish import Build, drop_plan, publish, read_plan, write_plan
from pipelines.lake.versions import CheckRecord, damaged_days, fingerprint, write_audit
from tests.support.faulty_disk import Fault, FaultyDisk, KilledError
from tests.support.small_lake import SETTINGS, RememberingCatalog, SmallLake

DAY = date(2026, 3, 11)
A_DAY = timedelta(days=1)
NOW = timedelta()
OLD = "e" * 24


@pytest.fixture
def lake(tmp_path):
    """A lake with one published day."""
    made = SmallLake(tmp_path / "lake")
    made.land(DAY)
    version = current(made)
    made.write(DAY, version, {})
    write_audit(made.storage, DAY, version, 1, [])
    publish(made.storage, SETTINGS, {DAY: Build(version, None)}, RememberingCatalog())
    with made.storage.lock("sync"), made.storage.lock("lake"):  # so that the files of the locks are there
        return made


def current(lake, day=DAY):
    return fingerprint(state.load_landed(lake.storage).value, day, SETTINGS)


def put(lake, path, data=b"data"):
    with lake.storage.create(path) as stream:
        stream.write(data)


def is_there(lake, version):
    return bool(lake.storage.list(layout.version_folder(DAY, version)))


def test_a_half_built_version_goes_without_a_publication_once_it_is_old(lake):
    lake.write(DAY, OLD, {})
    assert expire(lake.storage, A_DAY) == Expired()
    assert list(lake.manifest.unreferenced) == [layout.version_folder(DAY, OLD)]
    generation = lake.manifest.generation
    before = lake.digest()
    assert expire(lake.storage, A_DAY) == Expired()
    assert lake.digest() == before
    assert expire(lake.storage, NOW) == Expired(versions=1)
    assert not is_there(lake, OLD)
    assert lake.manifest.unreferenced == {}
    assert lake.manifest.generation == generation


def test_a_version_without_a_file_goes_too(lake):
    folder = lake.storage.root / layout.version_folder(DAY, OLD)
    folder.mkdir()
    assert expire(lake.storage, NOW) == Expired(versions=1)
    assert not folder.exists()
    assert expire(lake.storage, NOW) == Expired()


def test_a_refused_version_stays_while_it_is_what_the_inputs_give(lake):
    lake.land(DAY)
    refused = current(lake)
    lake.write(DAY, refused, {})
    write_audit(lake.storage, DAY, refused, 1, [CheckRecord("keys", "calls", passed=False)])
    assert expire(lake.storage, NOW) == Expired()
    lake.land(DAY)
    assert expire(lake.storage, NOW) == Expired(versions=1)


def test_a_replaced_version_that_the_inputs_give_again_stays(lake):
    published = lake.manifest.days[DAY].version
    lake.write(DAY, OLD, {})
    write_audit(lake.storage, DAY, OLD, 1, [])
    publish(lake.storage, SETTINGS, {DAY: Build(OLD, published)}, RememberingCatalog())
    assert published == current(lake)
    assert expire(lake.storage, NOW) == Expired()
    assert is_there(lake, published)


def test_a_version_in_the_plan_of_a_run_stays(lake):
    lake.write(DAY, OLD, {})
    write_plan(lake.storage, "run", {DAY: Build(OLD, None)})
    assert expire(lake.storage, NOW) == Expired()
    drop_plan(lake.storage, "run")
    assert expire(lake.storage, NOW) == Expired(versions=1)


@pytest.mark.parametrize(("name", "shared"), [("sync", False), ("lake", True)])
def test_nothing_is_removed_while_a_sync_or_build_runs(lake, name, shared):
    lake.write(DAY, OLD, {})
    put(lake, layout.raw_file("calls", DAY, "half"))
    before = lake.digest()
    with lake.storage.lock(name, shared=shared):
        assert expire(lake.storage, NOW) == Expired()
    assert lake.digest() == before
    assert expire(lake.storage, NOW) == Expired(versions=1, raw_files=1)


def test_raw_files_that_do_not_count_go(lake):
    for kind in ("calls", "rejected"):
        put(lake, layout.raw_file(kind, DAY, "half"))
    assert expire(lake.storage, A_DAY) == Expired(raw_files=2)
    assert lake.storage.list("raw") == []


def test_raw_files_stay_where_it_is_not_known_which_of_them_count(lake):
    put(lake, layout.raw_file("calls", DAY, "file"))
    lake.storage.delete(layout.LANDED)
    assert expire(lake.storage, NOW) == Expired()
    assert lake.storage.list("raw")


def test_unfinished_files_of_dead_writers_go(lake):
    for folder in ("raw", "days", "state"):
        left = lake.storage.root / folder / ".tmp" / "file.0123"
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_bytes(b"half")
    with lake.storage.lock("lake", shared=True), lake.storage.create("days/x/file"):
        assert expire(lake.storage, NOW) == Expired()
    assert expire(lake.storage, NOW) == Expired(unfinished=3)
    assert lake.storage.unfinished() == []


def test_links_of_days_that_are_not_published_go(lake):
    version = lake.manifest.days[DAY].version
    other = DAY + A_DAY
    lake.storage.link(layout.table_file(DAY, version, "calls"), layout.link_file(other, "calls"))
    catalog = RememberingCatalog([1])
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled(links_removed=1)
    assert lake.storage.folders("calls") == [f"call_date={DAY}"]


def test_a_lost_manifest_takes_nothing_from_readers(lake):
    catalog = RememberingCatalog([1])
    lake.storage.delete(layout.MANIFEST)
    before = lake.digest()
    assert reconcile(lake.storage, catalog, NOW) == Reconciled()
    assert lake.digest() == before
    assert catalog.generations == [1]
    publish(lake.storage, SETTINGS, {DAY: Build(current(lake), None)}, catalog)
    assert lake.manifest.generation == 2
    assert catalog.generations == [1, 2]
    assert all(lake.storage.size(layout.link_file(DAY, table)) is not None for table in TABLES)


DAYS = [date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 12)]
HALF, REFUSED = "a" * 24, "b" * 24


def build(three_days, day, version, *verdicts):
    three_days.write(day, version, {"calls": [{"call_id": f"{day} {version[:4]}"}]})
    write_audit(three_days.storage, day, version, 1, list(verdicts))


def versions(three_days, day=DAY):
    return set(three_days.storage.folders(layout.day_folder(day)))


def links(three_days):
    return [day for day in DAYS if any(three_days.storage.size(layout.link_file(day, table)) for table in TABLES)]


@pytest.fixture
def catalog():
    return RememberingCatalog()


@pytest.fixture
def three_days(tmp_path, catalog):
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


def test_all_versions_go_but_the_published_one(three_days, catalog):
    before = three_days.manifest
    gone = drop_versions(three_days.storage, catalog, {DAY}, keep_published=True)
    assert gone == sorted(layout.version_folder(DAY, version) for version in (OLD, HALF, REFUSED))
    assert versions(three_days) == {current(three_days)}
    assert (three_days.manifest.days, three_days.manifest.generation) == (before.days, before.generation)
    assert {layout.day_of(folder.split("/")[1]) for folder in three_days.manifest.unreferenced} == {DAYS[0], DAYS[2]}
    assert links(three_days) == DAYS
    assert [len(versions(three_days, day)) for day in DAYS] == [4, 1, 4]


def test_the_published_version_goes_too(three_days, catalog):
    before = three_days.manifest
    drop_versions(three_days.storage, catalog, {DAY}, keep_published=False)
    assert three_days.storage.folders(layout.DAYS) == [
        layout.day_folder(day).split("/")[1] for day in (DAYS[0], DAYS[2])
    ]
    assert three_days.manifest.days == {day: before.days[day] for day in (DAYS[0], DAYS[2])}
    assert three_days.manifest.generation == before.generation + 1 == catalog.generations[-1]
    assert links(three_days) == [DAYS[0], DAYS[2]]
    assert reconcile(three_days.storage, catalog, A_DAY).versions_removed == 0


def test_a_refused_version_of_the_present_inputs_stays_with_the_published_one(three_days, catalog):
    published = current(three_days)
    three_days.land(DAY)
    build(three_days, DAY, current(three_days), CheckRecord("keys", "calls", passed=False))
    drop_versions(three_days.storage, catalog, {DAY}, keep_published=True)
    assert versions(three_days) == {published, current(three_days)}


def test_plans_lose_what_is_purged(three_days, catalog):
    staying = Build(current(three_days, DAYS[2]), OLD)
    write_plan(three_days.storage, "other", {DAY: Build(OLD, None), DAYS[2]: staying})
    drop_versions(three_days.storage, catalog, {DAY, DAYS[2]}, keep_published=True)
    assert list(read_plan(three_days.storage, "run")) == [DAYS[0]]
    assert read_plan(three_days.storage, "other") == {DAYS[2]: staying}


def test_links_of_an_older_version_are_updated_before_it_is_removed(three_days, catalog):
    for table in TABLES:
        three_days.storage.link(layout.table_file(DAY, OLD, table), layout.link_file(DAY, table))
    drop_versions(three_days.storage, catalog, {DAY}, keep_published=True)
    for table in TABLES:
        assert three_days.storage.is_linked(
            layout.table_file(DAY, current(three_days), table), layout.link_file(DAY, table)
        )


def test_a_catalog_that_lags_is_made_before_what_it_shows_goes(three_days, catalog):
    catalog.generations = [1]
    since = dict(three_days.manifest.unreferenced)
    drop_versions(three_days.storage, catalog, {DAY}, keep_published=True)
    assert catalog.generations[-1] == three_days.manifest.generation
    assert all(moment > since[folder] for folder, moment in three_days.manifest.unreferenced.items())


def test_where_nothing_is_to_go_no_file_is_touched(three_days, catalog):
    drop_versions(three_days.storage, catalog, DAYS, keep_published=True)
    manifest = three_days.storage.root / layout.MANIFEST
    before = three_days.digest(), list(catalog.generations), manifest.stat().st_ino
    assert drop_versions(three_days.storage, catalog, DAYS, keep_published=True) == []
    assert drop_versions(three_days.storage, catalog, {DAY + 9 * A_DAY}, keep_published=False) == []
    assert (three_days.digest(), catalog.generations, manifest.stat().st_ino) == before


def test_a_lost_manifest_is_reported(three_days, catalog):
    three_days.storage.delete(layout.MANIFEST)
    before = three_days.digest()
    with pytest.raises(ChorusCallsError, match="doctor --repair"):
        drop_versions(three_days.storage, catalog, DAYS, keep_published=True)
    assert three_days.digest() == before


def test_a_lake_of_which_nothing_was_ever_published_can_be_purged(tmp_path):
    made = SmallLake(tmp_path / "lake")
    made.write(DAY, HALF, {})
    assert drop_versions(made.storage, RememberingCatalog(), {DAY}, keep_published=True) != []
    assert made.storage.folders(layout.DAYS) == []


@pytest.mark.slow
@pytest.mark.parametrize("keep_published", [True, False])
def test_a_purge_may_be_killed_at_every_step(three_days, catalog, keep_published):
    root, kept = three_days.storage.root, three_days.storage.root.with_name("kept")
    shutil.copytree(root, kept, copy_function=os.link)
    made = list(catalog.generations)
    committed = [three_days.manifest.days]

    def content():
        return {
            str(path.relative_to(root)): path.read_bytes() if path.is_file() and path.name != "manifest.json" else b""
            for path in root.rglob("*")
            if ".tmp" not in path.parts and "locks" not in path.parts
        }

    def purge(disk=None):
        with pytest.MonkeyPatch.context() as patch:
            (disk or FaultyDisk()).take_over(patch)
            drop_versions(three_days.storage, catalog, {DAYS[0], DAY}, keep_published=keep_published)

    undisturbed = FaultyDisk()
    purge(undisturbed)
    committed.append(three_days.manifest.days)
    expected = content(), len(catalog.generations)
    assert len(undisturbed.steps) > 40
    for step in range(len(undisturbed.steps)):
        shutil.rmtree(root)
        shutil.copytree(kept, root, copy_function=os.link)
        catalog.generations = list(made)
        with pytest.raises(KilledError):
            purge(FaultyDisk(Fault.KILL, step))
        assert three_days.manifest.days in committed
        assert damaged_days(three_days.storage, three_days.manifest) == set()
        shown = catalog.generation() == three_days.manifest.generation
        assert shown or all(versions(three_days, day) > {OLD} for day in DAYS), "what the catalog shows is gone"
        purge()
        assert (content(), len(catalog.generations)) == expected, undisturbed.steps[step]
