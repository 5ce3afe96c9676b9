"""`chorus-calls forget`, from the API to the last byte of the lake."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tests.support.erasure_account import (
    ANYWHERE,
    GONE,
    MENTIONING,
    NUMBER,
    SPELLINGS,
    encoded,
    everything,
    item,
    leg,
    traces,
    without_the_person,
)

pytestmark = pytest.mark.usefixtures("account")

ITEMS = everything()
OF_LANDING = {"landed_at", "first_landed_at", "version_count"}


def forget(program, *words):
    code, out, err = program("forget", *words, "--json")
    assert code == 0, err
    return json.loads(out)


def plain(rows):
    """Rows without when and how often they landed."""
    return {
        day: {
            table: sorted(({n: v for n, v in row.items() if n not in OF_LANDING} for row in listed), key=repr)
            for table, listed in tables.items()
        }
        for day, tables in rows.items()
    }


def test_a_customer_is_nowhere_afterwards(program):
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


@pytest.mark.slow
def test_the_lake_is_that_of_an_account_without_the_customer(program, serve, tmp_path, monkeypatch):
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
    assert plain(after) == plain(program.rows())


@pytest.mark.slow
@pytest.mark.parametrize("order", ["newest", "oldest", "shuffled"])
@pytest.mark.parametrize("options", [[], ["--full"]])
def test_no_later_sync_brings_anything_back(program, serve, order, options):
    forget(program, "--number", NUMBER)
    rows, files = program.rows(), program.files()
    serve(items=encoded(ITEMS), order=order)
    for _ in range(2):
        report = program.sync(*options)
        assert report["scan"]["complete"]
        assert (report["scan"]["calls_new"], report["scan"]["calls_changed"], report["scan"]["calls_deleted"]) == (
            0,
            0,
            0,
        )
    assert report["scan"]["calls_seen"] == len(ITEMS)
    assert (program.rows(), program.files()) == (rows, files)
    assert unwanted(program) == set()


def unwanted(program):
    """Return where the customer still is, beside what others said."""
    return {
        trace
        for trace in traces(program.lake)
        if trace[1] not in ("summary", "extractions", "content", "value") and '"mentions"' not in trace[2]
    }


@pytest.mark.slow
def test_a_number_that_nobody_has_is_reported_and_not_listed(program):
    before = program.files()
    code, out, err = program("forget", "--number", "+15550100777")
    assert (code, out) == (1, "")
    assert "No call of this lake has the number +1********77." in err
    assert "5550100777" not in err
    assert program.files() == before
    assert not (program.lake / "state/erased.json").exists()


@pytest.mark.slow
def test_a_number_can_be_kept_out_before_it_calls(program, serve):
    assert forget(program, "--number", "+15550100777", "--list-anyway")["calls"] == 0
    rows = program.rows()
    new = item("new", "2026-03-07T13:00:00Z", customerNumber="+1 555 010 0777", transferCalls=[leg("new-leg")])
    serve(items=encoded([*ITEMS, new]))
    program.sync("--full")
    assert program.rows() == rows


def test_an_id_that_no_call_has_is_reported(program):
    code, out, err = program("forget", "--call-id", "nobody")
    assert (code, out) == (1, "")
    assert "No call of this lake has that id." in err


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("number", ["(555) 010-0123", "15550100123", "anonymous", "sip:+15550100123@example.com", ""])
def test_a_number_without_a_country_code_is_wrong_usage(program, number):
    code, out, err = program("forget", "--number", number)
    assert (code, out) == (2, "")
    assert "country code, such as +15550100123" in err


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize("words", [[], ["--number", NUMBER, "--call-id", "x"], ["--listed", "--call-id", "x"]])
def test_just_one_has_to_be_said(program, words):
    assert program("forget", *words)[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize("number", SPELLINGS)
def test_a_number_is_one_however_it_is_spelled(program, number):
    forget(program, "--number", number)
    assert unwanted(program) == set()


@pytest.mark.slow
def test_a_call_goes_with_its_copies_and_children(program):
    report = forget(program, "--call-id", "call-of-person-second")
    assert (report["calls"], report["child_calls"], report["legs"]) == (2, 1, 1)
    ids = {row["call_id"] for tables in program.rows().values() for row in tables["calls"]}
    assert ids.isdisjoint({"call-of-person-second", "late-child-of-second"})
    assert "call-of-person-first" in ids
    legs = {row["leg_id"] for tables in program.rows().values() for row in tables["transfer_legs"]}
    assert "call-of-person-second" not in legs
    assert "leg-of-copies" in legs
    program.assert_tables_are_the_oracles()
    rows = program.rows()
    program.sync("--full")
    assert program.rows() == rows


@pytest.mark.slow
def test_a_leg_alone_can_be_named(program):
    report = forget(program, "--call-id", "nested-in-first")
    assert (report["calls"], report["legs"]) == (0, 1)
    rows = program.rows()
    assert "nested-in-first" not in repr(rows)
    program.sync("--full")
    assert program.rows() == rows


@pytest.mark.slow
def test_what_is_said_names_nobody(program):
    code, out, err = program("forget", "--number", NUMBER)
    assert code == 0
    assert not ANYWHERE.search(out + err)
    assert not any(name in out + err for name in GONE)
    assert "Erased: 9 calls in 9 versions, 5 child calls, 4 legs in calls of others, 3 rejected items." in out
    assert "found nowhere outside of what others said or typed." in out
    assert "In 1 call of others there is a mention, which was not changed:" in out
    assert "$.transcript[0].content" in out


@pytest.mark.slow
def test_forgetting_twice_says_that_nothing_is_left(program):
    forget(program, "--number", NUMBER)
    files = program.files()
    code, out, _ = program("forget", "--number", NUMBER)
    assert code == 0
    assert "Nothing of it was left in the lake." in out
    assert "found nowhere" in out
    assert program.files() == files
