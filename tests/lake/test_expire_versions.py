"""What nobody needs any more goes, and nothing that somebody may still need."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from pipelines.dictionary import TABLES
from pipelines.lake import layout, state
from pipelines.lake.maintenance.expire_versions import Expired, expire
from pipelines.lake.maintenance.reconcile import Reconciled, reconcile
from pipelines.lake.publish import Build, drop_plan, publish, write_plan
from pipelines.lake.versions import CheckRecord, fingerprint, write_audit
from tests.support.small_lake import SETTINGS, RememberingCatalog, SmallLake

DAY = date(2026, 3, 10)
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
