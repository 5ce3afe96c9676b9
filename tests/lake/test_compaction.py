"""Merged raw files hold what the small ones held, and an interruption at any step costs no version of any call."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.lake import raw, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance import compaction
from pipelines.lake.maintenance.compaction import compact
from pipelines.lake.maintenance.expire_versions import expire
from pipelines.lake.versions import fingerprint, stale_days
from pipelines.materialize.day import VersionBuilder, plan_builds
from pipelines.materialize.days import build_days, days_to_build
from tests.support.examples import examples
from tests.support.extraction import call
from tests.support.generated_calls import histories
from tests.support.lakes import build, lake_of, place, published_rows, workspace
from tests.support.lakes import land as land_payloads
from tests.support.small_lake import (
    DAY,
    FIRST,
    IDS,
    SETTINGS,
    compacted,
    digest_of_landed_names,
    files,
    land,
    land_many,
    seen,
)


@pytest.fixture
def storage(tmp_path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


VERSIONS = st.lists(
    st.tuples(st.sampled_from(IDS), st.integers(0, 4), st.none() | st.text(max_size=3)), min_size=1, max_size=5
)
REJECTED = st.lists(
    st.tuples(st.none() | st.sampled_from(IDS), st.integers(0, 4), st.text(max_size=3)), min_size=1, max_size=3
)


@settings(max_examples=examples(30))
@given(
    received=st.tuples(
        st.lists(VERSIONS, min_size=1, max_size=6), st.lists(REJECTED, max_size=3), st.lists(VERSIONS, max_size=3)
    ),
    many=st.integers(2, 4),
    budget=st.sampled_from([1, compaction.BUDGET]),
)
def test_readers_see_the_same_before_and_after(tmp_path_factory, received, many, budget):
    calls, rejected, more = received
    storage = LocalStorage(tmp_path_factory.mktemp("lake"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "MANY", many)
        patch.setattr(compaction, "BUDGET", budget)
        patch.setattr(raw, "ROW_GROUP", 3)
        for number, versions in enumerate(calls):
            land(storage, f"{number}-x", *versions)
        for number, versions in enumerate(rejected):
            land(storage, f"{number}-x", *versions, kind=raw.REJECTED)
        for hour in range(2):
            before, digest = seen(storage), digest_of_landed_names(storage)
            expected = [(DAY, kind) for kind in (raw.CALLS, raw.REJECTED) if len(files(storage, kind=kind)) >= many]
            assert sorted(compacted(storage)) == expected
            assert seen(storage) == before
            assert digest_of_landed_names(storage) == digest
            assert budget == 1 or all(len(files(storage, kind=kind)) == 1 for _, kind in expected)
            for number, versions in enumerate(more):
                land(storage, f"{7 + hour}{number}-x", *versions)


@settings(max_examples=examples(8))
@given(history=histories(), number=st.integers(2, 5))
def test_tables_are_the_same_and_no_day_turns_stale(history, number):
    with lake_of(history, files=number) as lake, pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "MANY", 2)
        before = build(lake, history.days)
        landed = state.load_landed(lake.storage).value
        compacted(lake.storage)
        after = state.load_landed(lake.storage).value
        expire(lake.storage, timedelta(days=1))
        assert all(fingerprint(landed, day, SETTINGS) == fingerprint(after, day, SETTINGS) for day in history.days)
        for file in lake.storage.list("days"):
            lake.storage.delete(file.path)
        assert build(lake, history.days) == before


@pytest.fixture
def lake(tmp_path):
    """A lake with two built days of one call each, of which eight versions have landed."""
    opened = workspace(tmp_path / "lake")
    for number in range(8):
        landed_at = FIRST + timedelta(hours=number)
        sent = [call(f"call-{day}", createdAt=f"2026-03-{day}T10:00:00Z", summary=f"{number}") for day in (10, 11)]
        land_payloads(opened, place((item.decode() for item in sent), landed_at), name=f"{number}-x")
    build_days(opened, days_to_build(opened))
    return opened


@pytest.mark.slow
def test_a_published_day_stays_published(lake):
    landed = state.load_landed(lake.storage)
    assert len(compact(lake.storage, landed)) == 2
    assert days_to_build(lake) == []
    assert stale_days(landed.value, state.load_manifest(lake.storage).value, lake.table_settings) == []
    assert [row["version_count"] for row in published_rows(lake, DAY)["calls"]] == [8]


def test_a_build_that_has_planned_before_still_finds_its_files(lake):
    rows = published_rows(lake, DAY)
    planned = state.load_landed(lake.storage).value
    assert compacted(lake.storage)
    [build] = plan_builds(lake, [DAY], state.Manifest(), planned).values()
    for file in lake.storage.list(f"days/call_date={DAY}"):
        lake.storage.delete(file.path)
    assert VersionBuilder(lake.storage, lake.flatten_settings, planned).build(DAY, build.version).passed
    assert published_rows(lake, DAY) == rows


def test_few_files_stay_as_they_are(storage):
    land_many(storage, compaction.MANY - 1)
    before = storage.list("")
    assert compacted(storage) == []
    assert storage.list("") == before


def test_the_merged_file_takes_the_place_of_the_small_ones_in_the_order_of_names(storage):
    land_many(storage, 8)
    assert compacted(storage) == [(DAY, raw.CALLS)]
    [merged] = files(storage)
    assert merged.startswith("20260311T070000000000Z-compact-")
    land_many(storage, 1, first=8)
    assert files(storage) == [merged, "20260311T080000000000Z-5f"]
    assert compacted(storage) == []


def test_large_files_are_left_alone(storage, monkeypatch):
    land(storage, "20260311T005959000000Z-5f", *[(f"large {number}", 0, "x") for number in range(300)])
    [large] = files(storage)
    monkeypatch.setattr(compaction, "SMALL", state.load_landed(storage).value.days[DAY].calls[large].bytes)
    land_many(storage, 8, first=1)
    compacted(storage)
    assert len(files(storage)) == 2
    assert large in files(storage)


def test_only_so_much_is_merged_at_once_and_the_newest_files_first(storage, monkeypatch):
    land_many(storage, 12)
    oldest = files(storage)[:9]
    nbytes = raw.read_file(storage, raw.CALLS, DAY, oldest[0]).nbytes
    monkeypatch.setattr(compaction, "BUDGET", int(3.5 * nbytes))
    compacted(storage)
    assert files(storage)[:-1] == oldest
    monkeypatch.setattr(compaction, "BUDGET", 1)
    before = seen(storage)
    for left in (9, 8, 7, 7):
        compacted(storage)
        assert len(files(storage)) == left
    assert seen(storage) == before


def test_the_days_with_the_most_files_come_first(storage, monkeypatch):
    monkeypatch.setattr(compaction, "DAYS_AT_ONCE", 2)
    days = [DAY + timedelta(days=number) for number in range(3)]
    for day, number in zip(days, (8, 10, 9), strict=True):
        land_many(storage, number, day=day)
    assert compacted(storage) == [(days[1], raw.CALLS), (days[2], raw.CALLS)]
    assert compacted(storage) == [(days[0], raw.CALLS)]
    assert compacted(storage) == []


class DiedError(BaseException):
    """Stands for a process that ends between two steps."""


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize("step", ["nothing written", "first day written", "all written", "committed"])
def test_a_process_that_dies_at_any_step_loses_nothing(storage, monkeypatch, step):
    for day in (DAY, DAY + timedelta(days=1)):
        land_many(storage, 9, day=day)
    before = seen(storage)
    written, real_write, real_commit = [], raw.write_versions, state.commit

    def write(*args, **options):
        if len(written) == ["nothing written", "first day written", "all written", "committed"].index(step):
            raise DiedError
        written.append(args)
        return real_write(*args, **options)

    def commit(*args):
        if step == "committed":
            real_commit(*args)
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(raw, "write_versions", write)
        patch.setattr(state, "commit", commit)
        with pytest.raises(DiedError):
            compacted(storage)
    assert len(files(storage)) == (1 if step == "committed" else 9)
    assert seen(storage) == before
    expire(storage, timedelta(days=1))
    assert seen(storage) == before
    counted = sum(len(day.calls) for day in state.load_landed(storage).value.days.values())
    assert len(storage.list("raw")) == counted
    compacted(storage)
    assert len(files(storage)) == 1
    assert seen(storage) == before


def test_a_day_that_cannot_be_merged_stays_as_it_is_and_the_others_are_merged(storage, caplog):
    days = [DAY, DAY + timedelta(days=1)]
    for day in days:
        land_many(storage, 8, day=day)
    path = storage.root / f"raw/calls/call_date={days[0]}/{files(storage)[3]}.parquet"
    path.write_bytes(b"no Parquet")
    with caplog.at_level(logging.WARNING):
        assert compacted(storage) == [(days[1], raw.CALLS)]
    assert str(days[0]) in caplog.text
    assert [len(files(storage, day)) for day in days] == [8, 1]


def test_a_full_disk_changes_nothing(storage, monkeypatch, caplog):
    land_many(storage, 8)
    before = seen(storage)

    def swap(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "swap", swap)
    with caplog.at_level(logging.WARNING):
        assert compacted(storage) == []
    assert "No space left" in caplog.text
    assert len(files(storage)) == 8
    assert seen(storage) == before
