"""The one commit point: what is published or refused, and the repair of what a crash between two steps left."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.dictionary import TABLES
from pipelines.lake import layout, state
from pipelines.lake.maintenance.reconcile import Reconciled, reconcile
from pipelines.lake.publish import Build, publish
from pipelines.lake.versions import CheckRecord, fingerprint, write_audit
from tests.support.small_lake import SETTINGS, RememberingCatalog, SmallLake

DAY = date(2026, 3, 10)
NEXT = DAY + timedelta(days=1)
REFUSED = CheckRecord("keys", "calls", passed=False, rows=1, detail="a call twice")


@pytest.fixture
def lake(tmp_path):
    made = SmallLake(tmp_path / "lake")
    made.land(DAY)
    made.land(NEXT)
    with made.storage.lock("publish"), made.storage.lock("swap"):  # so that the files of the locks are there
        return made


@pytest.fixture
def catalog():
    return RememberingCatalog()


def current(lake, day=DAY):
    """Return the version that the day's inputs give now."""
    return fingerprint(state.load_landed(lake.storage).value, day, SETTINGS)


def built(lake, day=DAY, version=None, *verdicts, calls=1):
    """Build a version of a day, whose checks found this; returns its name."""
    version = version or current(lake, day)
    lake.write(day, version, {"calls": [{"call_id": f"c{number}"} for number in range(calls)]})
    write_audit(lake.storage, day, version, 1, verdicts)
    return version


def publish_(lake, catalog, builds):
    return publish(lake.storage, SETTINGS, {day: Build(*build) for day, build in builds.items()}, catalog)


def linked(lake, day=DAY):
    return {table: lake.storage.root / layout.link_file(day, table) for table in TABLES}


def test_days_are_published_in_one_step(lake, catalog):
    first, second = built(lake, DAY, calls=3), built(lake, NEXT)
    result = publish_(lake, catalog, {NEXT: (second, None), DAY: (first, None)})
    assert (result.published, result.already, result.superseded, result.refused) == ([DAY, NEXT], [], [], {})
    manifest = lake.manifest
    assert manifest.generation == 1
    assert catalog.generations == [1]
    assert {day: published.version for day, published in manifest.days.items()} == {DAY: first, NEXT: second}
    assert manifest.days[DAY].rows == {**dict.fromkeys(TABLES, 0), "calls": 3}
    assert manifest.unreferenced == {}
    for table, path in linked(lake).items():
        assert path.samefile(lake.storage.root / layout.table_file(DAY, first, table))
        assert manifest.days[DAY].bytes[table] == path.stat().st_size


def test_what_is_published_already_is_left_alone(lake, catalog):
    version = built(lake)
    publish_(lake, catalog, {DAY: (version, None)})
    before = lake.digest()
    result = publish_(lake, catalog, {DAY: (version, version)})
    assert (result.published, result.already) == ([], [DAY])
    assert lake.digest() == before
    assert catalog.generations == [1]


def test_no_days_touch_nothing(lake, catalog):
    before = lake.digest()
    assert publish_(lake, catalog, {}).published == []
    assert lake.digest() == before
    assert catalog.generations == []


def test_a_new_version_replaces_the_old_one_which_stays_for_readers(lake, catalog):
    old = built(lake)
    publish_(lake, catalog, {DAY: (old, None)})
    lake.land(DAY)
    new = built(lake, calls=2)
    assert publish_(lake, catalog, {DAY: (new, old)}).published == [DAY]
    manifest = lake.manifest
    assert (manifest.generation, manifest.days[DAY].version) == (2, new)
    assert list(manifest.unreferenced) == [layout.version_folder(DAY, old)]
    assert lake.storage.size(layout.table_file(DAY, old, "calls")) is not None
    assert linked(lake)["calls"].samefile(lake.storage.root / layout.table_file(DAY, new, "calls"))


def test_a_slow_build_takes_no_day_back(lake, catalog):
    slow = built(lake)
    lake.land(DAY)
    quick = built(lake, calls=2)
    publish_(lake, catalog, {DAY: (quick, None)})
    result = publish_(lake, catalog, {DAY: (slow, None)})
    assert (result.published, result.superseded) == ([], [DAY])
    assert lake.manifest.days[DAY].version == quick
    assert catalog.generations == [1]


def test_a_build_that_inputs_have_overtaken_still_takes_the_place_of_what_it_began_from(lake, catalog):
    old = built(lake)
    publish_(lake, catalog, {DAY: (old, None)})
    lake.land(DAY)
    overtaken = built(lake, calls=2)
    lake.land(DAY)
    assert publish_(lake, catalog, {DAY: (overtaken, old)}).published == [DAY]
    assert lake.manifest.days[DAY].version == overtaken != current(lake)


def test_what_the_inputs_give_now_wins_whatever_it_began_from(lake, catalog):
    publish_(lake, catalog, {DAY: (built(lake, DAY, "f" * 24), None)})
    version = built(lake)
    assert publish_(lake, catalog, {DAY: (version, "somewhere else")}).published == [DAY]


def test_a_day_that_goes_back_to_an_earlier_state_refers_to_its_version_again(lake, catalog):
    version = built(lake)
    other = built(lake, DAY, "f" * 24)
    publish_(lake, catalog, {DAY: (version, None)})
    publish_(lake, catalog, {DAY: (other, version)})
    publish_(lake, catalog, {DAY: (version, other)})
    assert list(lake.manifest.unreferenced) == [layout.version_folder(DAY, other)]


def test_a_failed_check_refuses_its_day_only(lake, catalog):
    old = built(lake)
    publish_(lake, catalog, {DAY: (old, None)})
    lake.land(DAY)
    bad, good = built(lake, DAY, None, REFUSED, calls=2), built(lake, NEXT)
    result = publish_(lake, catalog, {DAY: (bad, old), NEXT: (good, None)})
    assert (result.published, result.refused) == ([NEXT], {DAY: [REFUSED]})
    assert {day: entry.version for day, entry in lake.manifest.days.items()} == {DAY: old, NEXT: good}
    assert linked(lake)["calls"].samefile(lake.storage.root / layout.table_file(DAY, old, "calls"))


def test_where_every_day_is_refused_nothing_moves(lake, catalog):
    bad = built(lake, DAY, None, REFUSED)
    before = lake.digest()
    assert publish_(lake, catalog, {DAY: (bad, None)}).refused == {DAY: [REFUSED]}
    assert lake.digest() == before
    assert catalog.generations == []


def test_a_version_that_is_not_complete_is_never_published(lake, catalog):
    good = built(lake, NEXT)
    lake.write(DAY, current(lake), {})  # no audit
    with pytest.raises(FileNotFoundError):
        publish_(lake, catalog, {NEXT: (good, None), DAY: (current(lake), None)})
    assert lake.manifest.days == {}


def test_a_catalog_that_cannot_be_made_does_not_undo_the_commit(lake, catalog):
    version = built(lake)
    catalog.failing = True
    with pytest.raises(OSError, match="no space left"):
        publish_(lake, catalog, {DAY: (version, None)})
    assert lake.manifest.days[DAY].version == version


def test_nothing_of_a_version_is_ever_written_again(lake, catalog):
    version = built(lake)
    publish_(lake, catalog, {DAY: (version, None)})
    modes = {Path(lake.storage.address(file.path)).stat().st_mode & 0o222 for file in lake.storage.list("days")}
    assert modes == {0}


A_DAY = timedelta(days=1)


@pytest.fixture
def one_day(tmp_path):
    made = SmallLake(tmp_path / "lake")
    made.land(DAY)
    return made


def build(one_day, catalog, calls=1):
    """Build and publish what has landed; returns the version."""
    version = fingerprint(state.load_landed(one_day.storage).value, DAY, SETTINGS)
    one_day.write(DAY, version, {"calls": [{"call_id": f"c{number}"} for number in range(calls)]})
    write_audit(one_day.storage, DAY, version, 1, [])
    published = one_day.manifest.days.get(DAY)
    publish(one_day.storage, SETTINGS, {DAY: Build(version, published.version if published else None)}, catalog)
    return version


def link(one_day, table="calls"):
    return one_day.storage.root / layout.link_file(DAY, table)


def test_nothing_to_do_touches_nothing(one_day, catalog):
    build(one_day, catalog)
    before = one_day.digest()
    times = {path: path.stat().st_mtime_ns for path in one_day.storage.root.rglob("*")}
    assert reconcile(one_day.storage, catalog, A_DAY) == Reconciled()
    assert one_day.digest() == before
    assert {path: path.stat().st_mtime_ns for path in one_day.storage.root.rglob("*")} == times
    assert catalog.generations == [1]


def test_an_empty_lake_gets_a_catalog(one_day, catalog):
    assert reconcile(one_day.storage, catalog, A_DAY) == Reconciled(catalog_made=True)
    assert reconcile(one_day.storage, catalog, A_DAY) == Reconciled()


def test_a_catalog_that_lags_is_made(one_day, catalog):
    build(one_day, catalog)
    one_day.land(DAY)
    catalog.failing = True
    with pytest.raises(OSError, match="no space left"):
        build(one_day, catalog, calls=2)
    catalog.failing = False
    done = reconcile(one_day.storage, catalog, A_DAY)
    assert done.catalog_made
    assert done.links_updated > 0
    assert catalog.generations == [1, 2]
    assert reconcile(one_day.storage, catalog, A_DAY) == Reconciled()


def test_links_that_are_missing_or_of_another_version_are_updated(one_day, catalog):
    first = build(one_day, catalog)
    one_day.land(DAY)
    second = build(one_day, catalog, calls=200)
    one_day.storage.link(layout.table_file(DAY, first, "calls"), layout.link_file(DAY, "calls"))
    link(one_day, "transfer_legs").unlink()
    assert reconcile(one_day.storage, catalog, A_DAY) == Reconciled(links_updated=2)
    for table in TABLES:
        assert link(one_day, table).samefile(one_day.storage.root / layout.table_file(DAY, second, table))
    assert reconcile(one_day.storage, catalog, A_DAY) == Reconciled()


def test_a_link_of_the_same_size_as_the_right_one_is_updated_too(one_day, catalog):
    first = build(one_day, catalog)
    one_day.land(DAY)
    second = build(one_day, catalog)
    old, new = (one_day.storage.root / layout.table_file(DAY, version, "calls") for version in (first, second))
    assert old.stat().st_size == new.stat().st_size
    one_day.storage.link(layout.table_file(DAY, first, "calls"), layout.link_file(DAY, "calls"))
    reconcile(one_day.storage, catalog, A_DAY)
    assert link(one_day).samefile(new)


def test_a_version_goes_when_no_reader_can_need_it_any_more(one_day, catalog):
    first = build(one_day, catalog)
    one_day.land(DAY)
    second = build(one_day, catalog, calls=2)
    assert reconcile(one_day.storage, catalog, A_DAY) == Reconciled()
    assert reconcile(one_day.storage, catalog, timedelta()) == Reconciled(versions_removed=1)
    folder = one_day.storage.root / "days" / f"call_date={DAY}"
    assert [path.name for path in folder.iterdir()] == [second]
    assert one_day.manifest.unreferenced == {}
    assert first != second
    assert reconcile(one_day.storage, catalog, timedelta()) == Reconciled()


def test_the_age_is_that_since_it_ceased_to_be_published(one_day, catalog):
    build(one_day, catalog)
    one_day.land(DAY)
    build(one_day, catalog, calls=2)
    kept = state.load_manifest(one_day.storage)
    (folder,) = kept.value.unreferenced
    kept.value.unreferenced[folder] = state.now() - timedelta(hours=25)
    state.commit(one_day.storage, kept)
    assert reconcile(one_day.storage, catalog, timedelta(hours=26)).versions_removed == 0
    assert reconcile(one_day.storage, catalog, timedelta(hours=24)).versions_removed == 1


def test_versions_that_were_half_built_or_refused_go_with_the_next_one(one_day, catalog):
    build(one_day, catalog)
    one_day.write(DAY, "e" * 24, {})  # the build died before its audit
    one_day.write(DAY, "f" * 24, {})
    write_audit(one_day.storage, DAY, "f" * 24, 1, [CheckRecord("keys", "calls", passed=False)])
    one_day.land(DAY)
    version = build(one_day, catalog)
    assert reconcile(one_day.storage, catalog, timedelta()) == Reconciled(versions_removed=3)
    folder = one_day.storage.root / "days" / f"call_date={DAY}"
    assert [path.name for path in folder.iterdir()] == [version]


def test_published_files_that_a_person_removed_are_no_obstacle(one_day, catalog):
    version = build(one_day, catalog)
    for folder in ("days", *TABLES):
        shutil.rmtree(one_day.storage.root / folder)
    assert reconcile(one_day.storage, catalog, A_DAY) == Reconciled()
    one_day.write(DAY, version, {})
    write_audit(one_day.storage, DAY, version, 1, [])
    assert reconcile(one_day.storage, catalog, A_DAY).links_updated == len(TABLES)
    assert link(one_day).samefile(one_day.storage.root / layout.table_file(DAY, version, "calls"))
