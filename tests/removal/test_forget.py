"""`chorus-calls forget`, from the API to the last byte of the lake."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tests.support.persons import GONE, MENTIONING, NUMBER, encoded, everything, traces, without_the_person

ITEMS = everything()
TIMES = {"landed_at", "first_landed_at"}


@pytest.fixture
def known(program, serve):
    """A lake of the account, with versions of days that are not published any more."""
    early = [
        {**one, "status": "in_progress"} if one.get("id") in ("stays", "mentions", "after") else one for one in ITEMS
    ]
    first = serve(items=encoded(early[:8]))
    program.sync("--full")
    first.stop()
    second = serve(items=encoded(early))
    program.sync("--full")
    second.stop()
    api = serve(items=encoded(ITEMS))
    program.sync("--full")
    return api


def forget(program, *words):
    code, out, err = program("forget", *words, "--json")
    assert code == 0, err
    return json.loads(out)


def plain(rows):
    """Rows without when they landed."""
    return {
        day: {
            table: sorted(({n: v for n, v in row.items() if n not in TIMES} for row in listed), key=repr)
            for table, listed in tables.items()
        }
        for day, tables in rows.items()
    }


def test_a_customer_is_nowhere_afterwards(program, known):
    assert len(list(program.lake.glob("days/*/*"))) > len(list(program.lake.glob("days/*")))
    assert traces(program.lake)
    report = forget(program, "--number", NUMBER)
    left = traces(program.lake)
    assert {(place.partition("/")[0], column) for place, column, _ in left} == {
        ("raw", "payload"),
        ("calls", "summary"),
        ("calls", "extractions"),
        ("transcript_turns", "content"),
        ("call_attributes", "value"),
        ("days", "summary"),
        ("days", "extractions"),
        ("days", "content"),
        ("days", "value"),
    }
    assert [text for place, _, text in left if place.startswith("raw") and "mentions" not in text] == []
    assert report["found"] == []
    assert {hit["call_id"] for hit in report["mentions"]} == MENTIONING
    assert {(hit["table"], hit["place"]) for hit in report["mentions"]} == {
        ("raw/calls", "$.transcript[0].content"),
        ("raw/calls", "$.analysis.summary"),
        ("raw/calls", "$.analysis.extractions.wife"),
        ("calls", "summary"),
        ("calls", "extractions"),
        ("transcript_turns", "content"),
        ("call_attributes", "value"),
    }
    assert report["calls"] == len(GONE)


def test_the_lake_is_that_of_an_account_without_the_customer(program, known, serve, tmp_path, monkeypatch):
    before = program.rows()
    forget(program, "--number", NUMBER)
    after = program.rows()
    assert before.keys() - after.keys() == {date(2026, 3, 5), date(2026, 3, 6)}
    program.assert_tables_are_the_oracles()
    for day, tables in after.items():
        for row in tables["calls"]:
            if row["call_id"] not in ("stays", "own-leg", "copies"):
                assert row in before[day]["calls"]
    monkeypatch.setenv("CHORUS_LAKE", str(tmp_path / "fresh"))
    kept = without_the_person(ITEMS)
    for items in (kept, kept):
        serve(items=encoded(items))
        program.sync("--full")
    program.lake = tmp_path / "fresh"
    fresh = plain(program.rows())
    for tables in fresh.values():
        for row in tables["calls"]:
            row.pop("version_count")
    mine = plain(after)
    for tables in mine.values():
        for row in tables["calls"]:
            row.pop("version_count")
    assert mine == fresh
