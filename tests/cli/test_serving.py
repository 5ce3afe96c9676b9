"""The commands that read the catalog: query, status, catalog, transcript."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from pathlib import Path

import pytest

from pipelines.cli.main import main
from pipelines.lake import state
from pipelines.lake.versions import CheckRecord, fingerprint, write_audit
from pipelines.serve.catalog import open_catalog
from tests.support.small_lake import SETTINGS, SmallLake, at

MONDAY = date(2026, 1, 5)
TUESDAY = date(2026, 1, 6)


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallLake:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_LAKE", "lake")
    lake = SmallLake(tmp_path / "lake")
    lake.land(MONDAY, calls=3, rejected=1, size=1_500)
    rows = [{"call_id": f"c{n}", "cost": n / 4, "created_at": at(f"2026-01-05 1{n}:00")} for n in range(2)]
    lake.publish(MONDAY, {"calls": rows})
    return lake


@pytest.fixture
def catalog(lake: SmallLake, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["catalog"]) == 0
    capsys.readouterr()
    return Path(lake.storage.address("chorus.duckdb"))


@pytest.mark.slow
def test_query_prints_a_table(catalog, capsys):
    assert catalog.exists()
    assert main(["query", "SELECT call_date, call_id, cost, created_at, summary FROM calls ORDER BY call_id"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["call_date", "call_id", "cost", "created_at", "summary"]
    assert lines[2].split() == ["2026-01-05", "c1", "0.25", "2026-01-05T11:00:00Z"]


def test_query_prints_csv(catalog, capsys):
    assert catalog.exists()
    sql = "SELECT 'a, \"b\"\nc' AS text, NULL AS nothing, sum(cost) AS cost, 1.50 AS price FROM calls"
    assert main(["query", "--csv", sql]) == 0
    out = capsys.readouterr().out
    assert list(csv.reader(io.StringIO(out))) == [
        ["text", "nothing", "cost", "price"],
        ['a, "b"\nc', "", "0.25", "1.5"],
    ]


def test_query_prints_json_that_a_strict_reader_takes(catalog, capsys):
    assert catalog.exists()
    sql = """SELECT call_id, call_id, created_at, call_date, 1.25 AS price, sum(1) OVER () AS n, 'NaN'::DOUBLE AS nan,
        [created_at] AS list, {'a': 1.5} AS object, TIMESTAMP '2026-01-05 10:00' AS local FROM calls LIMIT 1"""
    assert main(["query", "--json", sql]) == 0

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(capsys.readouterr().out, parse_constant=refuse) == [
        {
            "call_id": "c0",
            "call_id_2": "c0",
            "created_at": "2026-01-05T10:00:00Z",
            "call_date": "2026-01-05",
            "price": 1.25,
            "n": 2,
            "nan": None,
            "list": ["2026-01-05T10:00:00Z"],
            "object": {"a": 1.5},
            "local": "2026-01-05T10:00:00",
        }
    ]


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT nope FROM calls", '"nope" not found'),
        ("DROP VIEW calls", "read-only"),
        ("SELECT CAST(call_id AS INTEGER) FROM calls", "Could not convert"),
        ("", "no statement"),
    ],
)
def test_query_says_in_two_lines_what_is_wrong_with_the_sql(catalog, capsys, sql, said):
    assert catalog.exists()
    assert main(["query", sql]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert said in streams.err
    assert len(streams.err.splitlines()) <= 2


def test_query_says_what_to_run_where_there_is_no_catalog(lake, capsys):
    assert main(["query", "FROM calls"]) == 1
    streams = capsys.readouterr()
    assert "chorus-calls sync" in streams.err
    assert not Path(lake.storage.address("chorus.duckdb")).exists()


@pytest.mark.slow
def test_query_says_what_to_run_where_the_lake_was_moved(catalog, capsys, monkeypatch):
    moved = catalog.parent.rename(catalog.parent.with_name("moved"))
    monkeypatch.setenv("CHORUS_LAKE", str(moved))
    assert main(["query", "FROM calls"]) == 1
    assert "chorus-calls catalog" in capsys.readouterr().err
    assert main(["catalog"]) == 0
    assert main(["query", "--csv", "SELECT count(*) AS n FROM calls"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["n", "2"]


def test_query_takes_one_form_of_output(catalog, capsys):
    assert catalog.exists()
    assert main(["query", "--csv", "--json", "SELECT 1"]) == 2
    assert "--csv" in capsys.readouterr().err


def test_catalog_makes_one_to_hand_out_and_leaves_other_files_alone(lake, capsys):
    assert main(["catalog", "--marts-only", "metrics.duckdb"]) == 0
    assert "1 days" in capsys.readouterr().out
    with open_catalog(Path("metrics.duckdb")) as connection:
        assert connection.execute("SELECT count(*) FROM _tables WHERE kind = 'core'").fetchall() == [(0,)]
    Path("notes.txt").write_text("mine")
    assert main(["catalog", "--marts-only", "notes.txt"]) == 1
    assert "notes.txt" in capsys.readouterr().err
    assert Path("notes.txt").read_text() == "mine"
    assert not Path(lake.storage.address("chorus.duckdb")).exists()


def test_status_shows_what_landed_what_is_published_and_what_waits(lake, capsys):
    lake.land(TUESDAY, rejected=1)
    lake.scans(
        {"started_at": at("2026-01-05 12:00"), "mode": "full", "complete": True, "ending": "end"},
        {"started_at": at("2026-01-06 12:00"), "mode": "incremental", "complete": False, "ending": "limited"},
    )
    before = lake.digest()
    assert main(["status", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["landed"] == {"days": 2, "first": "2026-01-05", "last": "2026-01-06"}
    assert shown["published"] == {"days": 1, "first": "2026-01-05", "last": "2026-01-05"}
    assert (shown["landed_versions"], shown["rejected_items"], shown["raw_bytes"]) == (4, 2, 3_200)
    assert (shown["rows"]["calls"], shown["stale"], shown["refused"]) == (2, ["2026-01-06"], {})
    assert shown["newest_call_at"] == "2026-01-05T11:00:00Z"
    assert (shown["last_scan"]["complete"], shown["last_scan"]["ending"]) == (False, "limited")
    assert shown["last_full_scan"]["started_at"] == "2026-01-05T12:00:00Z"
    assert main(["status"]) == 0
    streams = capsys.readouterr()
    for words in ("2026-01-06", "incomplete (limited)", "2026-01-05 12:00:00, full, complete", "2 items"):
        assert words in streams.out
    assert "chorus-calls build" in streams.err
    assert lake.digest() == before


def test_status_names_the_checks_that_refused_a_day(lake, capsys):
    lake.land(TUESDAY)
    version = fingerprint(state.load_landed(lake.storage).value, TUESDAY, SETTINGS)
    lake.write(TUESDAY, version, {})
    write_audit(lake.storage, TUESDAY, version, 1, [CheckRecord("keys_unique", "calls", passed=False, rows=2)])
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["refused"] == {"2026-01-06": ["keys_unique"]}
    assert main(["status"]) == 0
    assert "2026-01-06 (keys_unique)" in capsys.readouterr().out


def test_status_of_a_lake_that_is_not_there_makes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_LAKE", "none")
    assert main(["status"]) == 0
    assert "chorus-calls sync" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


ESCAPE = "\x1b[2J"


@pytest.fixture
def talks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> SmallLake:
    """A call that was handed over, one without a transcript, one in which nothing was said; all of them catalogued."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_LAKE", "lake")
    talks = SmallLake(tmp_path / "lake")
    call = {
        "call_id": "call", "agent_id": "0b3e7a52-6c1f", "direction": "inbound", "customer_number": "+1********23",
        "started_at": at("2026-01-05 10:00"), "outcome": "completed", "duration_seconds": 65.0, "cost": 0.25,
        "message_count": 2, "summary": f"Wants {ESCAPE}a refund. ",
    }  # fmt: skip
    leg = {
        "leg_id": "leg", "call_id": "call", "transfer_type": "warm_briefing", "transfer_outcome": "success",
        "customer_number": "+1********01", "seconds_to_transfer": 65.0, "duration_seconds": 30.0,
    }  # fmt: skip
    said = [
        ("call", None, 0, "agent", "Hello, " + "how may I help you today? " * 6),
        ("call", None, 1, "customer", f"I want{ESCAPE} a refund"),
        ("call", "leg", 0, "agent", "A customer wants a refund"),
        ("call", "leg", 1, "customer", None),
    ]
    keys = ("call_id", "leg_id", "turn_index", "speaker", "content")
    quiet = [{"call_id": "none", "outcome": "no_answer"}, {"call_id": "empty", "outcome": "busy", "message_count": 0}]
    lost = {"leg_id": "lost", "call_id": "never landed", "transfer_outcome": "failed"}
    talks.publish(MONDAY, {
        "calls": [call, *quiet],
        "transfer_legs": [leg, lost],
        "transcript_turns": [dict(zip(keys, row, strict=True)) for row in said],
    })  # fmt: skip
    assert main(["catalog"]) == 0
    capsys.readouterr()
    return talks


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["transcript", *words])
    return code, *capsys.readouterr()


@pytest.mark.matrix(quick=1)
@pytest.mark.slow
@pytest.mark.usefixtures("talks")
@pytest.mark.parametrize("call_id", ["call", "leg"])
def test_a_conversation_reads_like_a_chat(capsys, call_id):
    code, out, err = run(capsys, call_id)
    assert (code, err) == (0, "")
    assert [line.rstrip() for line in out.splitlines()] == [
        "inbound call of 0b3e7a52 with +1********23, 2026-01-05 10:00 UTC,",
        "completed, 1:05 min long, cost 0.2500; id call",
        "",
        "Wants \ufffd[2Ja refund.",
        "",
        "      agent Hello, how may I help you today? how may I help you today? how may I help you today?",
        "            how may I help you today? how may I help you today? how may I help you today?",
        "   customer I want\ufffd[2J a refund",
        "          → transfer (warm_briefing) to +1********01 after 1:05 min: success, 0:30 min long",
        "    │ agent A customer wants a refund",
        "│ colleague …",
    ]


@pytest.mark.matrix(quick=1)
@pytest.mark.usefixtures("talks")
def test_a_program_gets_the_call_and_its_lines(capsys):
    code, out, err = run(capsys, "call", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["call"]["started_at"] == "2026-01-05T10:00:00Z"
    assert found["call"]["summary"] == f"Wants {ESCAPE}a refund. "
    assert [(line["position"], line["leg_id"], line["speaker"]) for line in found["lines"]] == [
        (1, None, "agent"),
        (2, None, "customer"),
        (3, "leg", "transfer"),
        (4, "leg", "agent"),
        (5, "leg", "customer"),
    ]


@pytest.mark.matrix(quick=1)
@pytest.mark.usefixtures("talks")
@pytest.mark.parametrize(("call_id", "word"), [("none", "gave no transcript"), ("empty", "Nothing was said")])
def test_a_call_without_words_says_so(capsys, call_id, word):
    code, out, err = run(capsys, call_id)
    assert code == 0
    assert f"id {call_id}" in out
    assert "of unknown length, cost unknown" in out
    assert word in err


@pytest.mark.matrix(quick=1)
@pytest.mark.slow
@pytest.mark.usefixtures("talks")
def test_a_call_that_is_known_by_a_leg_alone_is_shown_so(capsys):
    code, out, _ = run(capsys, "lost")
    assert code == 0
    assert "Call never landed itself is not in the lake" in out
    assert "→ transfer: failed" in out


@pytest.mark.matrix(quick=1)
@pytest.mark.usefixtures("talks")
@pytest.mark.parametrize("call_id", ["unknown", "", "call' OR true --", "\x1b[31m"])
def test_an_unknown_id_is_reported_in_a_sentence(capsys, call_id):
    code, out, err = run(capsys, call_id)
    assert (code, out) == (1, "")
    assert err.startswith(f"There is no call {call_id!r} in ")
    assert "chorus-calls status" in err


@pytest.mark.matrix(quick=1)
def test_a_lake_without_calls_knows_no_call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_LAKE", "lake")
    code, out, err = run(capsys, "call")
    assert (code, out) == (1, "")
    assert "There is no catalog" in err
    assert main(["catalog"]) == 0
    capsys.readouterr()
    code, out, err = run(capsys, "call")
    assert (code, out) == (1, "")
    assert "There is no call 'call'" in err


@pytest.mark.matrix(quick=1)
def test_missing_files_are_reported(talks, capsys):
    for file in Path(talks.storage.address("days")).rglob("transfer_legs.parquet"):
        file.unlink()
    code, out, err = run(capsys, "call")
    assert (code, out) == (1, "")
    assert "chorus-calls catalog" in err
    assert "Traceback" not in err
