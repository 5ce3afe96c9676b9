"""`chorus-calls transcript`: what a person sees, and what a program gets."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from pipelines.cli.main import main
from tests.support.small_lake import SmallLake, at

pytestmark = pytest.mark.matrix(quick=1)

MONDAY = date(2026, 1, 5)
ESCAPE = "\x1b[2J"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> SmallLake:
    """A call that was handed over, one without a transcript, one in which nothing was said; all of them catalogued."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHORUS_LAKE", "lake")
    lake = SmallLake(tmp_path / "lake")
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
    lake.publish(MONDAY, {
        "calls": [call, *quiet],
        "transfer_legs": [leg, lost],
        "transcript_turns": [dict(zip(keys, row, strict=True)) for row in said],
    })  # fmt: skip
    assert main(["catalog"]) == 0
    capsys.readouterr()
    return lake


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["transcript", *words])
    return code, *capsys.readouterr()


@pytest.mark.slow
@pytest.mark.usefixtures("lake")
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


@pytest.mark.usefixtures("lake")
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


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(("call_id", "word"), [("none", "gave no transcript"), ("empty", "Nothing was said")])
def test_a_call_without_words_says_so(capsys, call_id, word):
    code, out, err = run(capsys, call_id)
    assert code == 0
    assert f"id {call_id}" in out
    assert "of unknown length, cost unknown" in out
    assert word in err


@pytest.mark.slow
@pytest.mark.usefixtures("lake")
def test_a_call_that_is_known_by_a_leg_alone_is_shown_so(capsys):
    code, out, _ = run(capsys, "lost")
    assert code == 0
    assert "Call never landed itself is not in the lake" in out
    assert "→ transfer: failed" in out


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize("call_id", ["unknown", "", "call' OR true --", "\x1b[31m"])
def test_an_unknown_id_is_reported_in_a_sentence(capsys, call_id):
    code, out, err = run(capsys, call_id)
    assert (code, out) == (1, "")
    assert err.startswith(f"There is no call {call_id!r} in ")
    assert "chorus-calls status" in err


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


def test_missing_files_are_reported(lake, capsys):
    for file in Path(lake.storage.address("days")).rglob("transfer_legs.parquet"):
        file.unlink()
    code, out, err = run(capsys, "call")
    assert (code, out) == (1, "")
    assert "chorus-calls catalog" in err
    assert "Traceback" not in err
