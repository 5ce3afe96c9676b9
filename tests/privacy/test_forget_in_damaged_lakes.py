"""Forgetting in lakes that are not as they usually are: refused days, merged files, a backup, nothing at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date

import pytest

from pipelines.lake.maintenance import compaction
from pipelines.materialize import day as build_day
from tests.support.erasure_account import GONE, NUMBER, encoded, everything, item, traces

pytestmark = pytest.mark.slow

ITEMS = everything()


def unwanted(program):
    return {trace for trace in traces(program.lake) if trace[0].startswith("raw") and '"mentions"' not in trace[2]}


def landed(program):
    return json.loads((program.lake / "state/landed.json").read_bytes())["days"]


def test_an_empty_lake_has_nobody_to_forget(program):
    code, out, err = program("forget", "--number", NUMBER)
    assert (code, out) == (1, "")
    assert "nothing has landed. Run `chorus-calls sync`." in err
    assert not program.lake.exists()


def test_a_lake_of_nobody_else_is_empty_afterwards(program, serve):
    serve(items=encoded([item("only", "2026-03-01T10:00:00Z", customerNumber=NUMBER)]))
    program.sync("--full")
    code, out, _ = program("forget", "--number", NUMBER)
    assert code == 0
    assert "1 day now without calls" in out
    assert [path for path in program.files() if path.endswith(".parquet")] == []
    assert program("query", "--csv", "SELECT count(*) AS calls FROM calls")[1].split() == ["calls", "0"]
    assert program.sync("--full")["scan"]["complete"]
    assert program("doctor")[0] == 0


@pytest.mark.usefixtures("account")
def test_a_day_that_fails_its_checks_is_taken_from_readers(program, monkeypatch):
    judged = build_day.audit

    def audit(tables):
        found = judged(tables)
        bad = tables.day == date(2026, 3, 4)
        return [replace(found[0], passed=False, detail="all wrong"), *found[1:]] if bad else found

    monkeypatch.setattr(build_day, "audit", audit)
    code, out, err = program("forget", "--number", NUMBER)
    assert code == 1
    assert "2026-03-04 did not pass its checks" in err
    assert "Readers no longer have these days" in err
    assert "found nowhere" in out
    assert date(2026, 3, 4) not in program.rows()
    assert traces(program.lake) == {trace for trace in traces(program.lake) if '"mentions"' in trace[2]}
    monkeypatch.undo()


@pytest.mark.usefixtures("account")
def test_a_day_that_cannot_be_built_is_taken_from_readers_and_comes_back(program, monkeypatch):
    def fail(*_):
        message = "no"
        raise ValueError(message)

    with monkeypatch.context() as patch:
        patch.setattr(build_day.CoreBuilder, "build", fail)
        code, _, err = program("forget", "--number", NUMBER)
    assert code == 1
    assert "2026-03-02 could not be built: ValueError: no." in err
    assert set(program.rows()) == {date(2026, 3, 1)}
    assert program("build")[0] == 0
    program.assert_tables_are_the_oracles()
    assert unwanted(program) == set()


def test_merged_files_and_those_they_were_made_of_are_rewritten(program, serve):
    for number in range(compaction.MANY):
        early = [{**one, "cost": number} if one.get("id") in ("stays", "copies") else one for one in ITEMS]
        api = serve(items=encoded(early))
        program.sync("--full", "--no-build")
        api.stop()
    (merged,) = landed(program)["2026-03-02"]["calls"]
    assert "-compact-" in merged
    program("build")
    assert program("forget", "--number", NUMBER)[0] == 0
    assert unwanted(program) == set()
    assert {name.split("-")[1] for name in landed(program)["2026-03-02"]["calls"]} == {"rewritten"}
    program.assert_tables_are_the_oracles()
    (row,) = [row for row in program.rows()[date(2026, 3, 2)]["calls"] if row["call_id"] == "stays"]
    assert row["version_count"] == compaction.MANY


@pytest.mark.usefixtures("account")
def test_a_landing_log_made_again_from_raw_is_the_same(program):
    program("forget", "--number", NUMBER)
    before = landed(program)
    assert program("doctor")[0] == 0
    (program.lake / "state/landed.json").unlink()
    program("doctor", "--repair")
    assert landed(program) == before


@pytest.mark.usefixtures("account")
def test_the_list_laid_over_a_backup_does_it_again(program, made):
    program("forget", "--number", NUMBER)
    rows, listed = program.rows(), (program.lake / "state/erased.json").read_bytes()
    assert not any(name.encode() in listed for name in GONE)
    shutil.rmtree(program.lake)
    shutil.copytree(made, program.lake)
    (program.lake / "state/erased.json").write_bytes(listed)
    program("catalog")
    code, out, _ = program("forget", "--listed")
    assert code == 0
    assert "Erased: 9 calls" in out
    assert unwanted(program) == set()
    assert program.rows() == rows


@pytest.mark.usefixtures("account")
def test_other_settings_than_the_lakes_change_nothing(program, monkeypatch):
    before = program.files()
    monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
    assert program("forget", "--number", NUMBER)[0] == 2
    assert program.files() == before


@pytest.mark.usefixtures("account")
def test_numbers_in_the_tables_go_too(program, monkeypatch):
    monkeypatch.setenv("CHORUS_PII", "raw")
    program("build", "--accept-settings")
    assert program("forget", "--number", NUMBER)[0] == 0
    assert {column for place, column, _ in traces(program.lake) if "raw/" not in place} <= {
        "summary",
        "extractions",
        "content",
        "value",
    }


def test_a_number_without_its_country_code_is_found_and_reported(program, serve):
    calls = [
        item("plain", "2026-03-01T10:00:00Z", customerNumber=NUMBER),
        item("call-of-digits", "2026-03-01T11:00:00Z", customerNumber="15550100123"),
    ]
    serve(items=encoded(calls))
    program.sync("--full")
    code, out, err = program("forget", "--number", NUMBER)
    assert code == 1
    assert "Found where it must not be" in out
    assert "$.customerNumber" in out
    assert "erased by --call-id" in err
    code, out, err = program("forget", "--call-id", "call-of-digits")
    assert code == 0, out + err
    code, out, _ = program("forget", "--number", NUMBER)
    assert (code, "found nowhere" in out) == (0, True)


@pytest.mark.usefixtures("account")
def test_a_file_that_cannot_be_searched_is_reported(program):
    broken = program.lake / "state/aside/broken.parquet"
    broken.parent.mkdir()
    broken.write_bytes(b"no Parquet")
    code, out, err = program("forget", "--number", NUMBER)
    assert code == 1
    assert "Cannot be read, so it was not searched: state/aside/broken.parquet" in out
    assert "1 file of the lake cannot be read" in err
    broken.unlink()
    assert program("forget", "--number", NUMBER)[0] == 0


@pytest.mark.usefixtures("account")
def test_a_damaged_raw_file_is_reported_before_anything_is_changed(program):
    raw = next(program.lake.glob("raw/calls/call_date=2026-03-04/*.parquet"))
    raw.unlink()  # it is linked to the lake that other tests are given
    raw.write_bytes(b"no Parquet")
    code, out, err = program("forget", "--number", NUMBER)
    assert (code, out) == (1, "")
    assert f"{raw} cannot be read. Nothing was erased. Run `chorus-calls doctor`" in err
    assert not (program.lake / "state/erased.json").exists()


@pytest.mark.usefixtures("account")
def test_without_its_list_a_lake_takes_in_nothing_more(program):
    program("forget", "--number", NUMBER)
    rows = program.rows()
    (program.lake / "state/erased.json").unlink()
    code, _, err = program("sync", "--full")
    assert code == 1
    assert "erased.json is missing, though calls were erased" in err
    assert "erased.json is missing, though calls were erased" in program("doctor")[1]
    assert program("forget", "--list-anyway", "--number", NUMBER)[0] == 0
    program.sync("--full")
    # An item that is no call was known by its hash alone.
    assert [text for _, _, text in unwanted(program)] == ['{"note": "please call +15550100123 back"}']
    assert program("forget", "--number", NUMBER)[0] == 0
    assert unwanted(program) == set()
    assert program.rows().keys() == rows.keys()
