"""How a call ended, from words that every platform chooses for itself."""

from __future__ import annotations

import pytest

from pipelines.errors import SettingsError
from pipelines.flatten.settings import load_outcomes


@pytest.mark.parametrize(
    ("status", "ended_reason", "outcome"),
    [
        ("completed", None, "completed"),
        ("ENDED", "customer-ended-call", "completed"),
        (" In_Progress ", None, "in_progress"),
        ("in-progress", "voicemail", "in_progress"),
        ("ringing", None, "in_progress"),
        ("error", "customer ended call", "failed"),
        ("No-Answer", None, "no_answer"),
        ("cancelled", None, "canceled"),
        # A reason decides if the status says nothing, or only that the call is over.
        ("ended", "voicemail", "voicemail"),
        ("completed", "No_Answer", "no_answer"),
        ("odd", "busy", "busy"),
        (None, "agent hangup", "completed"),
        # If that is not a known word either, the status decides.
        ("ended", "silence-timed-out", "completed"),
        ("odd", "silence-timed-out", "unknown"),
        (None, None, "unknown"),
        ("", "", "unknown"),
    ],
)
def test_outcome(status, ended_reason, outcome):
    assert load_outcomes(None).outcome(status, ended_reason) == outcome


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *[(word, "success") for word in ("completed", "Connected", "bridged", "succeeded", "success", "accepted")],
        *[(word, "failed") for word in ("failed", "declined", "rejected", "no-answer", "busy", "canceled")],
        *[(word, "pending") for word in ("initiated", "queued", "dialing", "ringing", "in_progress", "briefing")],
        ("odd", "unknown"),
        (None, "unknown"),
    ],
)
def test_transfer_outcome(status, outcome):
    assert load_outcomes(None).transfer_outcome(status) == outcome


def write(folder, text):
    path = folder / "outcomes.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_overrides_the_shipped_words(tmp_path):
    shipped = load_outcomes(None)
    path = write(
        tmp_path,
        '[status]\n"Hung-Up" = "completed"\nbusy = "failed"\n[ended_reason]\n"silence timed out" = "no_answer"\n'
        '[transfer_status]\n"warm" = "pending"\n',
    )
    maps = load_outcomes(path)
    assert maps.outcome("hung_up", None) == "completed"
    assert maps.outcome("busy", None) == "failed"
    assert maps.outcome("ended", "Silence-Timed-Out") == "no_answer"
    assert maps.transfer_outcome("WARM") == "pending"
    assert maps.outcome("ringing", None) == "in_progress"
    assert maps.digest != shipped.digest


def test_a_file_that_changes_no_word_is_no_other_setting(tmp_path):
    path = write(tmp_path, '[status]\n"NO-ANSWER" = "no_answer"\n')
    assert load_outcomes(path).digest == load_outcomes(None).digest


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("status = [", ["cannot be read as TOML"]),
        ('[states]\na = "failed"\n', ["[states]"]),
        ('[status]\na = "won"\nb = "failed"\nc = 1\n[transfer_status]\nd = "completed"\n', ['"a"', '"c"', '"d"']),
        ('status = "failed"\n', ["status"]),
        ('[status]\na = ["failed"]\n', ['"a"']),
        ('[status.nested]\na = "failed"\n', ["nested"]),
    ],
)
def test_a_wrong_file_is_named_with_one_line_a_problem(tmp_path, text, problems):
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load_outcomes(path)
    assert refused.value.exit_code == 2
    assert len(refused.value.problems) == len(problems)
    for line, words in zip(refused.value.problems, problems, strict=True):
        assert line.startswith("CHORUS_OUTCOMES: ")
        assert str(path) in line
        assert words in line
        assert "\n" not in line


def test_a_file_that_is_not_utf_8(tmp_path):
    path = tmp_path / "outcomes.toml"
    path.write_bytes(b'[status]\n"caf\xe9" = "failed"\n')
    with pytest.raises(SettingsError, match="cannot be read"):
        load_outcomes(path)
