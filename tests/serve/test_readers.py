"""Readers never see what no commit ever was, while days are rewritten as fast as possible and old versions removed.

`make readers` does the same at length, with large files.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from pipelines.lake import state
from tests.support.rewritten_lake import FOLLOWING, RewrittenLake, judge, read_record, watched

READS = 30
WAYS = (*FOLLOWING, "polars glob, open_days", "duckdb glob, unchanged")
LONG = timedelta(hours=1)


@pytest.fixture
def lake(tmp_path):
    """A lake whose first versions have been unreferenced for longer than they are kept."""
    made = RewrittenLake(tmp_path, days=3, size=20_000, keep=LONG)
    for _ in range(3):
        made.rewrite()
    kept = state.load_manifest(made.storage)
    kept.value.unreferenced = dict.fromkeys(kept.value.unreferenced, state.now() - 2 * LONG)
    state.commit(made.storage, kept)
    return made


@pytest.mark.slow
def test_readers_see_whole_commits_and_nothing_else(lake):
    old = len(state.load_manifest(lake.storage).value.unreferenced)
    tallies = watched(lake, dict.fromkeys(WAYS, READS))
    assert {(tally.way, tally.failures, *tally.examples) for tally in tallies} == {(way, 0) for way in WAYS}
    assert {tally.reads for tally in tallies} == {READS}
    assert lake.versions_removed >= old > 0


def observed(tmp_path, commits, generation, change):
    """Judge one read that saw a commit, but for a change."""
    seen = json.loads(json.dumps(commits[2]))
    change(seen)
    file = tmp_path / "seen.jsonl"
    file.write_text(json.dumps({"generation": generation, "seen": seen, "retries": 0, "seconds": 0.1}) + "\n")
    found = judge("duckdb manifest", 1, file, commits)
    return found.errors, found.impossible, found.mixtures


def test_the_judge_reports_what_is_wrong(tmp_path):
    lake = RewrittenLake(tmp_path, days=2, size=20_000, keep=LONG)
    lake.rewrite()
    lake.rewrite()
    commits = read_record(lake.record)
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
