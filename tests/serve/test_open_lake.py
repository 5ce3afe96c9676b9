"""A lake that is kept open sees whole commits only, and is opened again when its catalog was replaced or files went."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from pipelines.errors import ChorusCallsError
from pipelines.lake import layout, state
from pipelines.serve import open_lake
from pipelines.serve.catalog import DuckDBCatalog
from tests.support.rewritten_lake import FOLLOWING, RewrittenLake, judge, read_record, watched
from tests.support.small_lake import SmallLake, at

MONDAY = date(2026, 1, 5)
COUNT = "SELECT count(*) FROM calls"


class ReplacedLake(SmallLake):
    """A lake of one day, which is published again and again."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.catalog = DuckDBCatalog(Path(self.storage.address(layout.CATALOG)), self.storage)
        self.versions: list[str] = []

    def replace(self, calls: int) -> None:
        """Publish so many calls, and make the catalog."""
        version = f"{len(self.versions) + 1:024x}"
        rows = [{"call_id": f"c{n}", "created_at": at(f"2026-01-05 1{n}:00")} for n in range(calls)]
        self.versions.append(self.publish(MONDAY, {"calls": rows}, version=version))
        self.catalog.make(self.manifest)

    def remove(self, version: str) -> None:
        """Remove a version, as expiring versions does."""
        shutil.rmtree(self.storage.address(layout.version_folder(MONDAY, version)))


@pytest.fixture
def lake(tmp_path: Path) -> ReplacedLake:
    made = ReplacedLake(tmp_path / "lake")
    made.replace(2)
    return made


@pytest.mark.slow
def test_a_lake_answers_like_a_duckdb_connection(lake):
    with open_lake(lake.catalog.path) as opened:
        calls = opened.sql("SELECT call_id, created_at FROM calls ORDER BY call_id")
        assert calls.fetchall()[0] == ("c0", datetime(2026, 1, 5, 10, tzinfo=UTC))
        assert calls.pl()["call_id"].to_list() == ["c0", "c1"]
        assert calls.pl().schema["created_at"] == pl.Datetime("us", "UTC")
        assert calls.arrow().read_all().num_rows == 2
        assert calls.to_arrow_table().num_rows == pa.table(calls).num_rows == pl.DataFrame(calls).height == 2
        assert calls.columns == ["call_id", "created_at"]
        assert "c1" in repr(calls)
        assert isinstance(calls, duckdb.DuckDBPyRelation)
        assert calls.filter("call_id = 'c1'").limit(5).fetchall()[0][0] == "c1"
        assert opened.table("calls").aggregate("count(*)").fetchall() == [(2,)]
        assert opened.execute("SELECT call_id FROM calls WHERE call_id = ?", ["c1"]).fetchall() == [("c1",)]


def test_a_data_frame_of_the_caller_can_be_named(lake):
    wanted = pl.DataFrame({"call_id": ["c1", "c9"]})
    assert wanted.height == 2
    with open_lake(lake.catalog.path) as opened:
        assert opened.sql("SELECT call_id FROM calls SEMI JOIN wanted USING (call_id)").fetchall() == [("c1",)]


def test_nothing_can_be_changed_through_it(lake):
    with open_lake(lake.catalog.path) as opened:
        with pytest.raises(duckdb.Error, match="read-only"):
            opened.sql("DROP TABLE call_metrics_daily")
        with pytest.raises(ChorusCallsError, match="gives none"):
            opened.sql(" ")


@pytest.mark.slow
def test_the_next_query_sees_a_catalog_that_took_the_place(lake):
    with open_lake(lake.catalog.path) as opened, duckdb.connect(str(lake.catalog.path), read_only=True) as other:
        before = opened.sql(COUNT)
        assert before.fetchall() == other.execute(COUNT).fetchall() == [(2,)]
        lake.replace(3)
        assert opened.sql(COUNT).fetchall() == [(3,)]  # although this process still has the old one open
        assert opened.table("calls").aggregate("count(*)").fetchall() == [(3,)]
        assert before.fetchall() == [(2,)]  # the state at the time of its query


def replace_unnoticed(lake: ReplacedLake, opened, calls: int) -> None:
    """Publish other calls so that an open lake learns of it from a missing file alone."""
    lake.replace(calls)
    opened._opened_file = opened._file()
    lake.remove(lake.versions[-2])


@pytest.mark.slow
def test_a_query_whose_files_are_gone_is_run_on_the_newest_catalog(lake):
    with open_lake(lake.catalog.path) as opened:
        replace_unnoticed(lake, opened, 3)
        assert opened.sql(COUNT).fetchall() == [(3,)]
        replace_unnoticed(lake, opened, 4)
        assert opened.table("calls").filter("true").aggregate("count(*)").fetchall() == [(4,)]
        replace_unnoticed(lake, opened, 5)
        assert opened.sql("FROM calls").pl().height == 5
        replace_unnoticed(lake, opened, 6)
        assert " 6 " in repr(opened.sql(COUNT))


def test_rows_that_were_handed_out_stay_when_their_files_go(lake):
    with open_lake(lake.catalog.path) as opened:
        frame = opened.sql("FROM calls").pl()
        replace_unnoticed(lake, opened, 4)
        assert opened.sql("SELECT count(*) FROM frame").fetchall() == [(frame.height,)] == [(2,)]


@pytest.mark.slow
def test_files_that_stay_missing_are_reported_after_one_more_try(lake, monkeypatch):
    tries = []
    with open_lake(lake.catalog.path) as opened:
        lake.remove(lake.versions[-1])
        reopen = opened._reopen

        def counted():
            tries.append(1)
            return reopen()

        monkeypatch.setattr(opened, "_reopen", counted)
        with pytest.raises(ChorusCallsError, match=r"No files found.*\n.*chorus-calls catalog"):
            opened.sql(COUNT)
        assert len(tries) == 1


def test_wrong_sql_is_not_run_twice(lake, monkeypatch):
    with open_lake(lake.catalog.path) as opened:
        monkeypatch.setattr(opened, "_reopen", lambda: pytest.fail("opened again"))
        with pytest.raises(duckdb.BinderException, match="no_such_column"):
            opened.sql("SELECT no_such_column FROM calls")


def test_a_lake_without_a_catalog_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_LAKE", "lake")
    with pytest.raises(ChorusCallsError, match=r"no catalog at .*lake/chorus.duckdb.*chorus-calls sync"):
        open_lake()
    (tmp_path / "words.txt").write_text("no catalog")
    with pytest.raises(ChorusCallsError, match=r"words.txt cannot be read"):
        open_lake("words.txt")


@pytest.mark.slow
def test_a_catalog_that_was_removed_is_read_on_until_its_files_are_gone(lake):
    with open_lake(lake.catalog.path) as opened:
        lake.catalog.path.unlink()
        assert opened.sql(COUNT).fetchall() == [(2,)]
        lake.remove(lake.versions[-1])
        with pytest.raises(ChorusCallsError, match="There is no catalog"):
            opened.sql(COUNT)
        lake.replace(5)
        assert opened.sql(COUNT).fetchall() == [(5,)]


@pytest.mark.slow
def test_the_lake_of_the_settings_is_opened_or_the_one_that_is_named(lake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_LAKE", "lake")
    for path in (None, "lake", str(lake.catalog.path)):
        with open_lake(path) as opened:
            assert opened.sql(COUNT).fetchall() == [(2,)]
    with pytest.raises(ChorusCallsError, match="closed"):
        opened.sql(COUNT)


def test_importing_it_loads_no_data_library():
    code = (
        "import sys; from pipelines.serve import open_lake; "
        "print(*sorted({'duckdb', 'pyarrow', 'polars', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


READS = 30
WAYS = (*FOLLOWING, "polars glob, open_days", "duckdb glob, unchanged")
LONG = timedelta(hours=1)


@pytest.fixture
def rewritten_lake(tmp_path):
    """A lake whose first versions have been unreferenced for longer than they are kept."""
    made = RewrittenLake(tmp_path, days=3, size=20_000, keep=LONG)
    for _ in range(3):
        made.rewrite()
    kept = state.load_manifest(made.storage)
    kept.value.unreferenced = dict.fromkeys(kept.value.unreferenced, state.now() - 2 * LONG)
    state.commit(made.storage, kept)
    return made


@pytest.mark.slow
def test_readers_see_whole_commits_and_nothing_else(rewritten_lake):
    old = len(state.load_manifest(rewritten_lake.storage).value.unreferenced)
    tallies = watched(rewritten_lake, dict.fromkeys(WAYS, READS))
    assert {(tally.way, tally.failures, *tally.examples) for tally in tallies} == {(way, 0) for way in WAYS}
    assert {tally.reads for tally in tallies} == {READS}
    assert rewritten_lake.versions_removed >= old > 0


def observed(tmp_path, commits, generation, change):
    """Judge one read that saw a commit, but for a change."""
    seen = json.loads(json.dumps(commits[2]))
    change(seen)
    file = tmp_path / "seen.jsonl"
    file.write_text(json.dumps({"generation": generation, "seen": seen, "retries": 0, "seconds": 0.1}) + "\n")
    found = judge("duckdb manifest", 1, file, commits)
    return found.errors, found.impossible, found.mixtures


def test_the_judge_reports_what_is_wrong(tmp_path):
    rewritten_lake = RewrittenLake(tmp_path, days=2, size=20_000, keep=LONG)
    rewritten_lake.rewrite()
    rewritten_lake.rewrite()
    commits = read_record(rewritten_lake.record)
    day = next(day for day, facts in commits[2]["calls"].items() if facts != commits[1]["calls"][day])

    def doubled(seen):
        seen["calls"][day][0] *= 2

    def as_before(seen):
        seen["calls"][day] = commits[1]["calls"][day]

    assert observed(tmp_path, commits, 2, lambda _: None) == (0, 0, 0)
    assert observed(tmp_path, commits, 2, doubled) == (0, 1, 0)
    assert observed(tmp_path, commits, 2, lambda seen: seen["calls"].pop(day)) == (0, 1, 0)
    assert observed(tmp_path, commits, 2, lambda seen: seen.pop("calls")) == (0, 1, 0)
    assert observed(tmp_path, commits, 2, as_before) == (
        0,
        0,
        1,
    )
    assert observed(tmp_path, commits, 1, lambda _: None) == (0, 0, 1)
    assert judge("duckdb manifest", 5, tmp_path / "never-read.jsonl", commits).errors == 5
