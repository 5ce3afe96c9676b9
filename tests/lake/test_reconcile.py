"""Whatever a crash between two steps left behind is repaired; where there is nothing to repair, no file is touched."""

from __future__ import annotations

import shutil
from datetime import date, timedelta

import pytest

from pipelines.dictionary import TABLES
from pipelines.lake import layout, state
from pipelines.lake.maintenance.reconcile import Reconciled, reconcile
from pipelines.lake.publish import Build, publish
from pipelines.lake.versions import CheckRecord, fingerprint, write_audit
from tests.support.small_lake import SETTINGS, RememberingCatalog, SmallLake

DAY = date(2026, 3, 10)
A_DAY = timedelta(days=1)


@pytest.fixture
def catalog():
    return RememberingCatalog()


@pytest.fixture
def lake(tmp_path):
    made = SmallLake(tmp_path / "lake")
    made.land(DAY)
    return made


def build(lake, catalog, calls=1):
    """Build and publish what has landed; returns the version."""
    version = fingerprint(state.load_landed(lake.storage).value, DAY, SETTINGS)
    lake.write(DAY, version, {"calls": [{"call_id": f"c{number}"} for number in range(calls)]})
    write_audit(lake.storage, DAY, version, 1, [])
    published = lake.manifest.days.get(DAY)
    publish(lake.storage, SETTINGS, {DAY: Build(version, published.version if published else None)}, catalog)
    return version


def link(lake, table="calls"):
    return lake.storage.root / layout.link_file(DAY, table)


def test_nothing_to_do_touches_nothing(lake, catalog):
    build(lake, catalog)
    before = lake.digest()
    times = {path: path.stat().st_mtime_ns for path in lake.storage.root.rglob("*")}
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled()
    assert lake.digest() == before
    assert {path: path.stat().st_mtime_ns for path in lake.storage.root.rglob("*")} == times
    assert catalog.generations == [1]


def test_an_empty_lake_gets_a_catalog(lake, catalog):
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled(catalog_made=True)
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled()


def test_a_catalog_that_lags_is_made(lake, catalog):
    build(lake, catalog)
    lake.land(DAY)
    catalog.failing = True
    with pytest.raises(OSError, match="no space left"):
        build(lake, catalog, calls=2)
    catalog.failing = False
    done = reconcile(lake.storage, catalog, A_DAY)
    assert done.catalog_made
    assert done.links_updated > 0
    assert catalog.generations == [1, 2]
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled()


def test_links_that_are_missing_or_of_another_version_are_swung(lake, catalog):
    first = build(lake, catalog)
    lake.land(DAY)
    second = build(lake, catalog, calls=200)
    lake.storage.link(layout.table_file(DAY, first, "calls"), layout.link_file(DAY, "calls"))
    link(lake, "transfer_legs").unlink()
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled(links_updated=2)
    for table in TABLES:
        assert link(lake, table).samefile(lake.storage.root / layout.table_file(DAY, second, table))
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled()


def test_a_link_of_the_same_size_as_the_right_one_is_swung_too(lake, catalog):
    first = build(lake, catalog)
    lake.land(DAY)
    second = build(lake, catalog)
    old, new = (lake.storage.root / layout.table_file(DAY, version, "calls") for version in (first, second))
    assert old.stat().st_size == new.stat().st_size
    lake.storage.link(layout.table_file(DAY, first, "calls"), layout.link_file(DAY, "calls"))
    reconcile(lake.storage, catalog, A_DAY)
    assert link(lake).samefile(new)


def test_a_version_goes_when_no_reader_can_need_it_any_more(lake, catalog):
    first = build(lake, catalog)
    lake.land(DAY)
    second = build(lake, catalog, calls=2)
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled()
    assert reconcile(lake.storage, catalog, timedelta()) == Reconciled(versions_removed=1)
    folder = lake.storage.root / "days" / f"call_date={DAY}"
    assert [path.name for path in folder.iterdir()] == [second]
    assert lake.manifest.unreferenced == {}
    assert first != second
    assert reconcile(lake.storage, catalog, timedelta()) == Reconciled()


def test_the_age_is_that_since_it_ceased_to_be_published(lake, catalog):
    build(lake, catalog)
    lake.land(DAY)
    build(lake, catalog, calls=2)
    kept = state.load_manifest(lake.storage)
    (folder,) = kept.value.unreferenced
    kept.value.unreferenced[folder] = state.now() - timedelta(hours=25)
    state.commit(lake.storage, kept)
    assert reconcile(lake.storage, catalog, timedelta(hours=26)).versions_removed == 0
    assert reconcile(lake.storage, catalog, timedelta(hours=24)).versions_removed == 1


def test_versions_that_were_half_built_or_refused_go_with_the_next_one(lake, catalog):
    build(lake, catalog)
    lake.write(DAY, "e" * 24, {})  # the build died before its audit
    lake.write(DAY, "f" * 24, {})
    write_audit(lake.storage, DAY, "f" * 24, 1, [CheckRecord("keys", "calls", passed=False)])
    lake.land(DAY)
    version = build(lake, catalog)
    assert reconcile(lake.storage, catalog, timedelta()) == Reconciled(versions_removed=3)
    folder = lake.storage.root / "days" / f"call_date={DAY}"
    assert [path.name for path in folder.iterdir()] == [version]


def test_published_files_that_a_person_removed_are_no_obstacle(lake, catalog):
    version = build(lake, catalog)
    for folder in ("days", *TABLES):
        shutil.rmtree(lake.storage.root / folder)
    assert reconcile(lake.storage, catalog, A_DAY) == Reconciled()
    lake.write(DAY, version, {})
    write_audit(lake.storage, DAY, version, 1, [])
    assert reconcile(lake.storage, catalog, A_DAY).links_updated == len(TABLES)
    assert link(lake).samefile(lake.storage.root / layout.table_file(DAY, version, "calls"))
