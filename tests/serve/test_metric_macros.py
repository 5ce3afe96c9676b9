"""Macros of metrics: each is described with an example that runs, and is right at its edges."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from pipelines.lake import state
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from pipelines.serve.macros import MACROS
from tests.support.frames import call
from tests.support.lakes import workspace
from tests.support.small_lake import SmallLake, at

DAY = date(2026, 3, 2)
WITH_GRAIN = [macro.name for macro in MACROS if macro.parameters == ("grain",)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    """The catalog of a lake without a call."""
    opened = workspace(tmp_path_factory.mktemp("empty"))
    opened.catalog.make(state.Manifest())
    return opened.catalog.path


def ask(path: Path, sql: str, **settings: str) -> list[tuple]:
    with open_catalog(path) as connection:
        for name, value in settings.items():
            connection.execute(f"SET {name} = '{value}'")
        return connection.execute(sql).fetchall()


def catalog_of(folder: Path, *calls: dict) -> Path:
    """Return the catalog of a lake with these rows of calls, each on the day on which it was created."""
    lake = SmallLake(folder)
    days = {row["created_at"].date() for row in calls}
    for day in sorted(days):
        lake.land(day)
        lake.publish(day, {"calls": [row for row in calls if row["created_at"].date() == day]})
    catalog = DuckDBCatalog(folder / "chorus.duckdb", lake.storage)
    catalog.make(lake.manifest)
    return catalog.path


def inbound(call_id: str, when: str, key: str | None = "key_1", **known: object) -> dict:
    return call(call_id, created_at=at(when), customer_key=key, **known)


NEWEST = inbound("newest", "2026-03-20 00:00", None)
"""A call that lets every day up to the 19th less the days asked for be old enough."""


@pytest.mark.matrix(quick=3)
def test_macros_with_a_grain_are_those_that_were_meant():
    assert {"call_metrics", "transfer_metrics", "duration_percentiles"} <= set(WITH_GRAIN)


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("macro", WITH_GRAIN)
@pytest.mark.parametrize("grain", ["day", "WEEK", " Month "])
def test_a_grain_may_be_written_in_any_case_and_gives_no_row_of_an_empty_lake(empty, macro, grain):
    assert ask(empty, f"FROM {macro}('{grain}')") == []


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("macro", WITH_GRAIN)
@pytest.mark.parametrize(("grain", "said"), [("'year'", "year"), ("''", ""), ("NULL", "NULL"), ("7", "7")])
def test_an_unknown_grain_is_refused_even_where_there_is_no_row(empty, macro, grain, said):
    sentence = f"{macro}: the grain must be 'day', 'week' or 'month', not {said}$"
    with pytest.raises(duckdb.InvalidInputException, match=sentence):
        ask(empty, f"FROM {macro}({grain})")


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("days", ["0", "-1", "0.5", "1.5", "NULL", "'soon'"])
def test_only_whole_days_are_a_time_to_call_again_in(empty, days):
    sentence = f"repeat_callers: days must be a whole number of at least 1, not {days}".replace("'", "")
    with pytest.raises(duckdb.InvalidInputException, match=sentence):
        ask(empty, f"FROM repeat_callers({days})")


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("days", ["1", "7.0", "'30'", "1e9"])
def test_no_caller_of_an_empty_lake_calls_again(empty, days):
    assert ask(empty, f"FROM repeat_callers({days})") == []


REPEATS = "SELECT call_date, caller_calls, repeat_calls, repeat_caller_rate FROM repeat_callers(7) ORDER BY call_date"


@pytest.mark.matrix(quick=3)
@pytest.mark.slow
def test_who_calls_again_within_the_time_to_the_microsecond_is_a_repeat_caller(tmp_path):
    exactly = at("2026-03-09 10:00")
    calls = (inbound("a", "2026-03-02 10:00"), inbound("b", "2026-03-09 10:00"))
    assert ask(catalog_of(tmp_path / "in", *calls, NEWEST), REPEATS)[0] == (DAY, 1, 1, 1.0)
    late = calls[1] | {"created_at": exactly + timedelta(microseconds=1)}
    assert ask(catalog_of(tmp_path / "out", calls[0], late, NEWEST), REPEATS)[0] == (DAY, 1, 0, 0.0)


@pytest.mark.matrix(quick=3)
@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        {"organization_id": "org_2"},
        {"customer_key": "key_2"},
        {"direction": "outbound"},
        {"direction": None},
        {"is_root": False},
        {"deleted_at": at("2026-03-19 12:00")},
    ],
    ids=lambda known: "-".join(map(str, known.values())),
)
def test_a_call_of_another_kind_is_no_repetition(tmp_path, other):
    again = inbound("b", "2026-03-03 10:00") | other
    path = catalog_of(tmp_path, inbound("a", "2026-03-02 10:00"), again, NEWEST)
    assert ask(path, REPEATS)[0] == (DAY, 1, 0, 0.0)


@pytest.mark.matrix(quick=3)
@pytest.mark.slow
def test_whichever_agent_answers_and_also_without_an_organisation_it_is_a_repetition(tmp_path):
    calls = (
        inbound("a", "2026-03-02 10:00", organization_id=None),
        inbound("b", "2026-03-03 10:00", organization_id=None, agent_id="agent_2"),
        inbound("c", "2026-03-02 11:00", None, organization_id=None),
        inbound("d", "2026-03-02 12:00", None, organization_id=None),
    )
    path = catalog_of(tmp_path, *calls, NEWEST)
    asked = "SELECT agent_id, anonymous_calls, caller_calls, repeat_calls FROM repeat_callers(7)"
    assert ask(path, f"{asked} WHERE call_date = '{DAY}'") == [("agent_1", 2, 1, 1)]


@pytest.mark.matrix(quick=3)
@pytest.mark.slow
@pytest.mark.parametrize(("newest", "known"), [("2026-03-09 23:59", False), ("2026-03-10 00:00", True)])
def test_days_too_recent_to_know_are_null_and_left_out_of_sums(tmp_path, newest, known):
    old, young = inbound("a", "2026-02-01 10:00"), inbound("b", "2026-03-02 10:00")
    path = catalog_of(tmp_path, old, young, inbound("newest", newest, None, direction="outbound"))
    assert ask(path, REPEATS)[1] == (DAY, *((1, 0, 0.0) if known else (None, None, None)))
    sums = "SELECT sum(caller_calls), sum(repeat_calls) FROM repeat_callers(7)"
    assert ask(path, sums, TimeZone="Asia/Tokyo") == [(1 + known, 0)]


@pytest.mark.matrix(quick=3)
@pytest.mark.slow
def test_a_day_with_unknown_callers_alone_has_no_rate(tmp_path):
    path = catalog_of(tmp_path, inbound("a", "2026-03-02 10:00", None), NEWEST)
    assert ask(path, REPEATS)[0] == (DAY, 0, 0, None)


@pytest.mark.matrix(quick=3)
def test_percentiles_are_between_neighbours_and_null_where_nobody_was_reached(tmp_path):
    lengths = (10.0, 20.0, 40.0)
    calls = [call(f"c{length}", created_at=at("2026-03-02 10:00"), duration_seconds=length) for length in lengths]
    calls += [
        call("busy", created_at=at("2026-03-02 11:00"), outcome="busy", duration_seconds=99.0),
        call("gone", created_at=at("2026-03-02 11:00"), duration_seconds=99.0, deleted_at=at("2026-03-03 10:00")),
        call("leg", created_at=at("2026-03-02 11:00"), duration_seconds=99.0, is_root=False),
        call("none", created_at=at("2026-03-03 11:00"), outcome="no_answer", duration_seconds=0.0),
    ]
    found = ask(catalog_of(tmp_path, *calls), "FROM duration_percentiles('day') ORDER BY period_start")
    assert found[0] == (DAY, "org_1", "agent_1", 3, 20.0, pytest.approx(36.0), pytest.approx(38.0), pytest.approx(39.6))
    assert found[1:] == [(date(2026, 3, 3), "org_1", "agent_1", 0, None, None, None, None)]


@pytest.mark.matrix(quick=3)
@pytest.mark.slow
def test_peaks_see_calls_of_the_evening_before_and_none_that_only_touch(tmp_path):
    def lasting(call_id: str, start: str, end: str, **known: object) -> dict:
        return call(call_id, created_at=at(start), ended_at=at(end), **known)

    calls = (
        lasting("a", "2026-03-02 23:00", "2026-03-03 01:00"),
        lasting("b", "2026-03-02 23:30", "2026-03-03 00:30", agent_id="agent_2"),
        lasting("c", "2026-03-03 01:00", "2026-03-03 02:00"),
        lasting("d", "2026-03-03 01:30", "2026-03-03 01:30"),
        lasting("e", "2026-03-03 01:30", "2026-03-03 01:45", deleted_at=at("2026-03-03 02:00")),
        lasting("f", "2026-03-04 12:00", "2026-03-04 13:00"),
        lasting("g", "2026-03-04 13:00", "2026-03-04 14:00"),
        lasting("h", "2026-03-05 12:00", "2026-03-05 12:00", outcome="busy"),
        lasting("i", "2026-03-06 23:00", "2026-03-07 00:10"),
        lasting("j", "2026-03-06 23:50", "2026-03-07 00:10"),
        lasting("k", "2026-03-06 23:59", "2026-03-07 00:30", started_at=at("2026-03-07 00:20")),
    )
    path = catalog_of(tmp_path, *calls)
    daily = "SELECT day(period_start), peak_calls FROM concurrency_peaks('day') ORDER BY period_start"
    assert ask(path, daily, TimeZone="Asia/Tokyo") == [(2, 2), (3, 2), (4, 1), (5, 0), (6, 2), (7, 2)]
    assert ask(path, "FROM concurrency_peaks('month')") == [(date(2026, 3, 1), 2)]


@pytest.mark.matrix(quick=3)
def test_a_ratio_too_large_to_be_a_number_is_null_as_in_the_marts(empty):
    assert ask(empty, "SELECT cost_per_minute(1e308, 1e-3)") == [(None,)]


COMMENTS = "SELECT function_name, comment FROM duckdb_functions() WHERE database_name = 'chorus'"


def test_every_macro_says_what_it_is_for_and_shows_an_example(empty):
    expected = {macro.name: f"{macro.description} Example: {macro.example}" for macro in MACROS}
    assert dict(ask(empty, COMMENTS)) == expected


@pytest.mark.matrix(quick=4)
@pytest.mark.parametrize("macro", MACROS, ids=lambda macro: macro.name)
def test_the_example_of_a_macro_runs(macro, example, empty):
    assert f"{macro.name}(" in macro.example
    ask(example.catalog.path, macro.example)
    ask(empty, macro.example)


def test_a_catalog_to_hand_out_has_the_macros_that_need_no_calls(example, tmp_path):
    target = tmp_path / "metrics.duckdb"
    example.catalog.export_marts(state.Manifest(), target)
    names = {name for name, _ in ask(target, COMMENTS.replace("chorus", "metrics"))}
    assert names == {macro.name for macro in MACROS if not macro.reads_calls}
