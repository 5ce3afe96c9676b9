"""Values of columns: measures, times, customers' numbers, word counts and outcomes, as single values in Python."""

from __future__ import annotations

import hashlib
import hmac
import random
import sys
from datetime import UTC, datetime

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import api_values
from pipelines.api_values import parse_instant
from pipelines.errors import SettingsError
from pipelines.flatten import settings as flatten_settings
from pipelines.flatten import turns
from pipelines.flatten.columns import cost_per_minute, instants, measures, seconds_between
from pipelines.flatten.settings import Customers, load_outcomes
from pipelines.flatten.turns import word_counts
from tests.support.examples import examples


def noted(function, values):
    notes = []
    column = function(values, lambda *note: notes.append(note[:2]))
    return column.to_pylist(), notes


@pytest.mark.parametrize(
    ("values", "numbers", "bad"),
    [
        ([1.5, None, 0.0], [1.5, None, 0.0], []),
        (["1.50", " +3 ", ".5", "5.", "1e2", "\n7\t", None], [1.5, 3.0, 0.5, 5.0, 100.0, 7.0, None], []),
        ([1.5, "2", None], [1.5, 2.0, None], []),
        ([-1.0, 2.0], [None, 2.0], [0]),
        (["-1", "-0", "2"], [None, 0.0, 2.0], [0]),
        ([float("nan"), float("inf"), 1.0], [None, None, 1.0], [0, 1]),
        (["1e999", "NaN", "Infinity", "nan", "inf"], [None] * 5, [0, 1, 2, 3, 4]),
        (["", " ", "abc", "1,5", "1_000", "0x10", "\u0661", "1 2", "e5", "."], [None] * 10, list(range(10))),
        ([], [], []),
        ([None, None], [None, None], []),
    ],
)
def test_measures(values, numbers, bad):
    found, notes = noted(measures, values)
    assert found == numbers
    assert sorted(notes) == [(position, "invalid_value") for position in bad]


@pytest.mark.parametrize(
    ("text", "moment", "kind"),
    [
        ("2026-03-10T12:00:00Z", datetime(2026, 3, 10, 12, tzinfo=UTC), None),
        ("2026-03-10T12:00:00.123456+05:30", datetime(2026, 3, 10, 6, 30, 0, 123456, tzinfo=UTC), None),
        ("2026-03-11T00:00:00.1234567Z", datetime(2026, 3, 11, 0, 0, 0, 123456, tzinfo=UTC), None),
        ("20260310T235959Z", datetime(2026, 3, 10, 23, 59, 59, tzinfo=UTC), None),
        (" 2026-03-10 12:00:00Z ", datetime(2026, 3, 10, 12, tzinfo=UTC), None),
        ("2026-03-10T12:00:00", datetime(2026, 3, 10, 12, tzinfo=UTC), "inconsistent"),
        ("2026-03-10", datetime(2026, 3, 10, tzinfo=UTC), "inconsistent"),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC), None),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), None),
        ("0001-01-01T00:00:00+14:00", None, "invalid_value"),
        ("9999-12-31T23:59:59-14:00", None, "invalid_value"),
        ("0000-12-31T12:00:00-23:00", None, "invalid_value"),
        ("soon", None, "invalid_value"),
        ("", None, "invalid_value"),
        ("2026-02-30T00:00:00Z", None, "invalid_value"),
    ],
)
def test_instants(text, moment, kind):
    clean = "2026-01-01T00:00:00Z"
    found, notes = noted(instants, [clean, text, None, clean])
    assert found == [datetime(2026, 1, 1, tzinfo=UTC), moment, None, datetime(2026, 1, 1, tzinfo=UTC)]
    assert notes == ([(1, kind)] if kind else [])
    assert noted(instants, [text])[0] == [moment]


def _spellings() -> st.SearchStrategy[str]:
    days = ["2026-03-10", "20260310", "2026-W11-2", "0001-01-01", "9999-12-31", "0000-12-31", "2026-3-1"]
    clocks = ["T00:00", "T23:59:59", " 12:30:45.1", "T12:30:45.1234567", "T24:00:00", "T12:60", "T12", ""]
    zones = ["Z", "z", "+00:00", "-14:00", "+0530", "+05", "+24:00", "-23:59", "+05:30:15", " Z", ""]
    return st.tuples(*map(st.sampled_from, (days, clocks, zones))).map("".join)


@settings(max_examples=examples(300))
@given(st.lists(st.none() | _spellings(), max_size=3))
def test_instants_are_those_of_the_one_reading_of_times(texts):
    found, notes = noted(instants, texts)
    read = [parse_instant(text) if text is not None else (None, True) for text in texts]
    assert found == [moment for moment, _ in read]
    assert [position for position, _ in notes] == [
        position
        for position, (text, (moment, zoned)) in enumerate(zip(texts, read, strict=True))
        if text is not None and (moment is None or not zoned)
    ]


def test_seconds_between_moments_centuries_apart():
    moments = [datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 3, 10, 0, 0, 0, 250000, tzinfo=UTC), None]
    later = [datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 10, 0, 0, 1, tzinfo=UTC), moments[1]]
    columns = [pa.array(values, pa.timestamp("us", "UTC")) for values in (moments, later)]
    assert seconds_between(*columns).to_pylist() == [(later[0] - moments[0]).total_seconds(), 0.75, None]


def test_cost_per_minute_is_null_where_there_is_no_quotient():
    cost = pa.array([1.0, 1.0, None, 1.0, 0.0, 1e308], pa.float64())
    seconds = pa.array([30.0, 0.0, 60.0, None, 60.0, 1e-300], pa.float64())
    assert cost_per_minute(cost, seconds).to_pylist() == [2.0, None, None, None, 0.0, None]


KEY = b"a key for tests"


def pseudonym(e164: str) -> str:
    return hmac.new(KEY, e164.encode(), hashlib.sha256).hexdigest()[:32]


@pytest.mark.parametrize(
    ("given", "e164", "masked"),
    [
        ("+15550100167", "+15550100167", "+1********67"),
        ("+1 555 010-0167", "+15550100167", "+1********67"),
        ("tel:+1-555-010-0167", "+15550100167", "+1********67"),
        ("+1 (555) 010 0167", "+15550100167", "+1********67"),
        ("+442079460123", "+442079460123", "+44********23"),
        ("+44 (0)20 7946 0123", "+442079460123", "+44********23"),
        ("\uff0b44 20 7946 0123", "+442079460123", "+44********23"),
        ("+353 1 555 0123", "+35315550123", "+353******23"),
    ],
)
def test_numbers_with_a_country_code(given, e164, masked):
    (customer,) = Customers(KEY).look_up([given])
    assert customer == (pseudonym(e164), masked)


@pytest.mark.parametrize(
    "given", ["5550100", "anonymous", "", "+", "+1", "+999 555 0100", "sip:agent@example.test", None]
)
def test_what_cannot_be_normalised_has_neither(given):
    assert Customers(KEY).look_up([given]) == [(None, None)]


def test_the_shortcut_for_north_american_numbers_changes_nothing():
    chance = random.Random(1)
    sent = [f"+1{chance.randrange(10**10):010d}" for _ in range(2_000)]
    sent += ["+12000000000", "+19999999999", "+10123456789", "+11234567890", "+1555010016", "+155501001677"]
    fast = Customers(KEY).look_up(sent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api_values, "_NORTH_AMERICAN", api_values.re.compile("nothing"))
        assert Customers(KEY).look_up(sent) == fast
    for number, customer in zip(sent[:50], fast, strict=False):
        parsed = phonenumbers.parse(number, None)
        assert customer[0] == pseudonym(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def test_another_key_gives_other_pseudonyms():
    (one,), (other,) = (Customers(key).look_up(["+15550100167"]) for key in (KEY, b"another key"))
    assert one[0] != other[0]
    assert one[1] == other[1]


def test_the_cache_of_customers_is_bounded(monkeypatch):
    monkeypatch.setattr(flatten_settings, "_CACHE_SIZE", 3)
    cache = Customers(KEY)
    for digits in range(20):
        cache.look_up([f"+1555010{digits:04d}"])
    assert cache._cached.cache_info().currsize <= 3
    assert cache.look_up(["+15550100000"])[0][0] == pseudonym("+15550100000")


SPACES = [chr(code) for code in range(sys.maxunicode) if not 0xD800 <= code <= 0xDFFF and chr(code).isspace()]
# Characters whose bytes resemble those of white space, and those that only look like it.
NEAR_SPACES = ["\u200b", "\ufeff", "\u00c2", "\u00e2", "\u00e1", "\u2060", "\u3001", "\u2800", "\x00", "\x7f", "\u180e"]

characters = st.sampled_from([*SPACES, *NEAR_SPACES, *"abé\u6771\U0001f600"]) | st.characters(exclude_categories=["Cs"])
texts = st.lists(st.none() | st.text(characters, max_size=30), max_size=12)


def by_split(values: list[str | None]) -> list[int]:
    return [len((value or "").split()) for value in values]


@settings(max_examples=examples(300))
@given(texts)
def test_any_unicode(values):
    assert word_counts(pa.array(values, pa.string())).tolist() == by_split(values)


@settings(max_examples=examples(200))
@given(texts, st.integers(1, 9))
def test_blocks_that_end_anywhere(values, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "_BLOCK", size)
        assert word_counts(pa.array(values, pa.string())).tolist() == by_split(values)


@settings(max_examples=examples(100))
@given(texts, st.integers(0, 5), st.integers(0, 5))
def test_slices_of_an_array(values, start, length):
    column = pa.array(values, pa.string()).slice(min(start, len(values)), length)
    assert word_counts(column).tolist() == by_split(column.to_pylist())


@pytest.mark.parametrize("space", SPACES, ids=ascii)
def test_every_white_space_parts_words(space):
    values = [f"one{space}two", f"{space}one{space}{space}two{space}", space, f"one{space}", f"{space}two"]
    assert word_counts(pa.array(values)).tolist() == [2, 2, 0, 1, 1]


def test_a_word_does_not_go_on_in_the_next_text():
    assert word_counts(pa.array(["a", "b", "", None, "c d"])).tolist() == [1, 1, 0, 0, 2]


def test_no_texts():
    assert word_counts(pa.array([], pa.string())).tolist() == []
    assert word_counts(pa.array([None, None, ""], pa.string())).tolist() == [0, 0, 0]


def test_a_text_longer_than_a_block():
    values = ["word " * 300_000, "two words"]
    assert word_counts(pa.array(values)).tolist() == [300_000, 2]


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
