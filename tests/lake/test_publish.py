"""The one commit point: what is published, what is refused, and that no day ever goes back."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from pipelines.dictionary import TABLES
from pipelines.lake import layout, state
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
    """The version that the day's inputs give now."""
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
