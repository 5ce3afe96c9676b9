"""Whatever goes wrong while raw files are merged costs no version of any call."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from pipelines.lake import raw, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.expire_versions import expire
from tests.support.small_lake import DAY, compacted, files, land_many, seen


class DiedError(BaseException):
    """Stands for a process that ends between two steps."""


@pytest.fixture
def storage(tmp_path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


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
