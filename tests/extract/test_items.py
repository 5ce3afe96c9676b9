from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.landing.items import read_header, same_call
from pipelines.json_source import payload_hash
from tests.support.extraction import call

TEN = datetime(2026, 3, 4, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "call_id"),
    [
        ('"a"', "a"),
        ('" a "', " a "),
        ('"\\u00e9"', "é"),
        ("12", "12"),
        ("1.50", "1.50"),
        ("-1e5", "-1e5"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("true", "true"),
        ("false", "false"),
        ('"a\\u0000b"', "a\ufffdb"),
        ('"a\\ud800b"', "a\ufffdb"),
        ('""', None),
        ('" \\t"', None),
        ("null", None),
        ("NaN", None),
        ("[1]", None),
        ('{"id":"a"}', None),
    ],
)
def test_what_counts_as_an_id(sent, call_id):
    item = f'{{"createdAt": "2026-03-04T10:00:00Z", "id": {sent}}}'.encode()
    assert read_header(item).call_id == call_id


def test_a_missing_id_is_none():
    assert read_header(call(...)).call_id is None


@pytest.mark.parametrize("item", [b"null", b"12", b'"text"', b"[]", b"nonsense", b'[{"id": "a"}]', b"[" * 50_000])
def test_what_is_no_object_has_neither_id_nor_time(item):
    head = read_header(item)
    assert (head.call_id, head.instant) == (None, None)


@pytest.mark.parametrize(
    "rest",
    [
        '"cost": NaN',
        '"summary": "\\ud83d"',
        '"summary": "a\nb"',
        '"metadata": {"id": "other", "createdAt": "x"}',
        '"big": ' + "9" * 5_000,
    ],
)
def test_a_bad_value_elsewhere_does_not_matter(rest):
    head = read_header(('{"id": "a", "createdAt": "2026-03-04T10:00:00Z", ' + rest + "}").encode())
    assert (head.call_id, head.instant) == ("a", TEN)


@pytest.mark.parametrize(
    ("created", "started", "instant"),
    [
        ("2026-03-04T10:00:00Z", ..., TEN),
        ("2026-03-04T11:00:00+01:00", ..., TEN),
        ("2026-03-04T10:00:00", ..., TEN),
        (None, "2026-03-04T10:00:00Z", TEN),
        (..., "2026-03-04T10:00:00Z", TEN),
        ("soon", "2026-03-04T10:00:00Z", TEN),
        (1_772_618_400, "2026-03-04T10:00:00Z", TEN),
        ("2026-03-04T10:00:00Z", "2026-03-05T10:00:00Z", TEN),
        ("soon", "later", None),
        (None, None, None),
        (..., ..., None),
    ],
)
def test_created_at_places_a_call_and_started_at_where_that_is_unusable(created, started, instant):
    assert read_header(call(createdAt=created, startedAt=started)).instant == instant


def test_the_day_is_that_in_utc():
    head = read_header(call(createdAt="2026-03-04T23:30:00-02:00"))
    assert head.day(date(2019, 1, 1), date(2026, 3, 5)) == date(2026, 3, 5)
    assert head.day(date(2019, 1, 1), date(2026, 3, 4)) is None
    assert head.day(date(2026, 3, 6), date(2026, 3, 7)) is None


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ('"https://a/1?sig=x"', '"https://a/1?sig=y"', True),
        ('"https://a/\\"quoted\\"?x"', '"other"', True),
        ('"https://a"', "null", False),
        ('"https://a"', '""', False),
        ('"https://a"', '"  "', False),
        ("null", "null", True),
    ],
)
def test_of_a_recording_only_its_presence_counts(one, other, equal):
    first, second = (f'{{"id":"a","recordingUrl":{url},"x":1}}'.encode() for url in (one, other))
    assert (payload_hash(first) == payload_hash(second)) is equal
    assert same_call(first, second) is equal


def test_recordings_of_legs_are_recordings_too():
    first, second = (call(transferCalls=[{"id": "l", "recordingUrl": url}]) for url in ("https://a", "https://b"))
    assert payload_hash(first) == payload_hash(second)
    assert same_call(first, second)


def test_a_recording_that_is_only_spoken_of_is_text():
    first, second = (call(summary=f'the "recordingUrl": "{word}" was sent') for word in ("one", "two"))
    assert payload_hash(first) != payload_hash(second)
    assert not same_call(first, second)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ('{"a": 1, "b": {"c": 2, "d": 3}}', '{"b":{"d":3,"c":2},"a":1}', True),
        ('{"a": [1, 2]}', '{"a": [2, 1]}', False),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 0}', '{"a": null}', False),
        ('{"a": 1}', '{"a": 1, "b": null}', False),
        ('{"recordingUrl": null}', "{}", True),
        ('{"recordingUrl": ""}', '{"recordingUrl": null}', True),
        ('{"a": 0.12345678901234567890}', '{"a": 0.12345678901234567891}', False),
        ('{"a": NaN, "b": 1}', '{"b": 1, "a": NaN}', True),
        ('{"a": NaN}', '{"a": null}', False),
        ("nonsense", "nonsense", True),
        ("nonsense", "{}", False),
    ],
)
def test_which_two_versions_say_the_same(one, other, equal):
    assert same_call(one.encode(), other.encode()) is equal


values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.text(), values, max_size=6), st.randoms())
def test_another_order_of_keys_is_no_difference(fields, chance):
    shuffled = list(fields.items())
    chance.shuffle(shuffled)
    assert same_call(json.dumps(fields).encode(), json.dumps(dict(shuffled), indent=2).encode())
