"""An item's id, day and content, and where and when its versions land."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import ChorusCallsError
from pipelines.extract.landing.items import Version, read_header, same_call
from pipelines.extract.landing.landing import Landing
from pipelines.json_source import payload_hash
from pipelines.lake import raw, state
from pipelines.lake.storage import Storage
from tests.support.extraction import call, files_outside_state, raw_rows

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


NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = date(2026, 3, 4)


def landing(storage: Storage, *, now: datetime = NOW, start_date: date = date(2019, 1, 1), **options) -> Landing:
    kept = state.load_landed(storage)
    return Landing(storage, kept, start_date=start_date, sync_id="s1", clock=lambda: now, **options)


def land(storage: Storage, *items: bytes, **options) -> Landing:
    """Land items as a sync of one page would."""
    one = landing(storage, **options)
    one.add(items)
    one.flush()
    return one


def test_a_call_lands_on_its_day_exactly_as_received(storage):
    item = '{ "id":"a",\n "createdAt":"2026-03-04T23:59:59.999Z", "summary":"caf\\u00e9 é 😀" , "cost":1.50}'.encode()
    done = land(storage, item)
    [row] = raw_rows(storage)
    assert row["payload"].encode() == item
    assert (row["call_id"], row["call_date"], row["deleted"], row["sync_id"]) == ("a", DAY, False, "s1")
    assert row["landed_at"] == NOW
    assert done.changed_days == {DAY}
    assert (done.counts.new, done.counts.changed, done.counts.rejected) == (1, 0, 0)


def test_bytes_that_are_no_text_are_replaced(storage):
    land(storage, b'{"id":"a","createdAt":"2026-03-04T10:00:00Z","summary":"\xff!"}', call("b"))
    assert [row["payload"].count("\ufffd!") for row in raw_rows(storage)] == [1, 0]


def test_files_are_named_by_their_moment_and_sync_and_are_counted(storage):
    land(storage, call("a"))
    landed = state.load_landed(storage).value
    assert list(landed.days[DAY].calls) == ["20260310T120000000000Z-s1"]
    assert landed.newest_landed_at == NOW
    assert [file.path for file in storage.list("raw")] == [
        "raw/calls/call_date=2026-03-04/20260310T120000000000Z-s1.parquet"
    ]


@pytest.mark.parametrize(
    ("created", "day"),
    [
        ("2019-01-01T00:00:00Z", date(2019, 1, 1)),
        ("2026-03-11T23:59:59Z", date(2026, 3, 11)),
        ("2018-12-31T23:59:59Z", None),
        ("2026-03-12T00:00:00Z", None),
        ("9999-12-31T23:59:59-10:00", None),
    ],
)
def test_days_from_the_start_date_to_tomorrow_have_calls(storage, created, day):
    land(storage, call("a", createdAt=created))
    assert [row["call_date"] for row in raw_rows(storage)] == ([day] if day else [])
    assert len(raw_rows(storage, "rejected")) == (0 if day else 1)


def test_what_cannot_be_placed_is_kept_whole_on_the_day_of_its_arrival(storage):
    nameless, timeless = call(None), call("b", createdAt="soon")
    done = land(storage, nameless, timeless, b"null", b"[1]")
    rows = raw_rows(storage, "rejected")
    assert {row["call_date"] for row in rows} == {NOW.date()}
    assert {(row["call_id"], row["payload"]) for row in rows} == {
        (None, nameless.decode()),
        ("b", timeless.decode()),
        (None, "null"),
        (None, "[1]"),
    }
    assert not raw_rows(storage)
    assert done.counts.rejected == 4
    assert done.changed_days == {NOW.date()}


def test_an_item_is_rejected_once_however_often_it_is_seen(storage):
    item = call(None)
    land(storage, item, item)
    again = land(storage, item, now=NOW + timedelta(days=1))
    land(storage, call(None, recordingUrl="https://a/1"), now=NOW + timedelta(days=2))
    land(storage, call(None, recordingUrl="https://a/2"), now=NOW + timedelta(days=3))
    assert [row["call_date"] for row in raw_rows(storage, "rejected")] == [NOW.date(), NOW.date() + timedelta(days=2)]
    assert not again.changed_days


def test_what_is_known_writes_nothing(storage, tmp_path):
    land(storage, call("a"), call(None))
    before = files_outside_state(tmp_path / "lake")
    done = land(storage, call("a"), call(None), now=NOW + timedelta(days=1))
    assert files_outside_state(tmp_path / "lake") == before
    assert not done.changed_days


def test_a_new_address_of_a_recording_is_no_change(storage):
    land(storage, call("a", recordingUrl="https://a/1", transferCalls=[{"recordingUrl": "https://b/1"}]))
    land(storage, call("a", recordingUrl='https://a/"2"?e=9', transferCalls=[{"recordingUrl": "https://b/2"}]))
    assert len(raw_rows(storage)) == 1


def test_a_recording_that_appears_or_vanishes_is_a_change(storage):
    for url in (None, "https://a/1", "https://a/2", None):
        land(storage, call("a", recordingUrl=url))
    assert [json.loads(row["payload"])["recordingUrl"] for row in raw_rows(storage)] == [None, "https://a/1", None]


def test_keys_in_another_order_are_no_change(storage, tmp_path):
    fields = json.loads(call("a", metadata={"x": 1, "y": [1, {"p": 1, "q": 2}]}))
    land(storage, json.dumps(fields).encode())
    before = files_outside_state(tmp_path / "lake")
    turned = {name: fields[name] for name in reversed(fields)} | {"metadata": {"y": [1, {"q": 2, "p": 1}], "x": 1}}
    done = land(storage, json.dumps(turned, indent=1).encode())
    assert files_outside_state(tmp_path / "lake") == before
    assert (done.counts.new, done.counts.changed) == (0, 0)


def test_a_changed_call_gets_another_version_and_the_old_one_stays(storage):
    land(storage, call("a", status="queued"), call("b"))
    done = land(storage, call("a", status="completed"), call("b"))
    rows = raw_rows(storage)
    assert [(row["call_id"], json.loads(row["payload"])["status"]) for row in rows] == [
        ("a", "queued"),
        ("b", "completed"),
        ("a", "completed"),
    ]
    assert (done.counts.new, done.counts.changed) == (0, 1)


def test_only_the_newest_version_is_compared(storage):
    for status in ("queued", "completed", "queued"):
        land(storage, call("a", status=status))
    assert len(raw_rows(storage)) == 3


def test_of_two_versions_held_back_the_last_one_counts(storage):
    land(storage, call("a", status="queued"), call("b"), call("a", status="completed"))
    assert {row["call_id"]: json.loads(row["payload"])["status"] for row in raw_rows(storage)}["a"] == "completed"
    assert len(raw_rows(storage)) == 2


def test_a_change_that_is_taken_back_before_it_is_written_is_none(storage):
    land(storage, call("a", status="queued"))
    land(storage, call("a", status="completed"), call("a", status="queued"))
    assert len(raw_rows(storage)) == 1


def test_a_deleted_call_lives_again_when_it_is_seen(storage):
    land(storage, call("a"))
    bury(storage, "a")
    done = land(storage, call("a"))
    assert [row["deleted"] for row in raw_rows(storage)] == [False, True, False]
    assert done.counts.changed == 1
    land(storage, call("a"))
    assert len(raw_rows(storage)) == 3


def test_a_call_that_is_seen_after_it_was_marked_by_the_same_sync_is_alive(storage):
    land(storage, call("a"))
    one = landing(storage)
    one.add([call("a", status="queued")])
    one.land_tombstones({DAY: [Version("a", raw.DELETED)]})
    one.add([call("a", status="queued")])
    one.flush()
    assert [row["deleted"] for row in raw_rows(storage)] == [False, False, True, False]


def bury(storage: Storage, call_id: str) -> None:
    """Land a deletion of a call, as a full scan that missed it does."""
    landing(storage).land_tombstones({DAY: [Version(call_id, raw.DELETED)]})


def test_versions_are_landed_in_order_even_where_the_clock_was_set_back(storage):
    land(storage, call("a", status="queued"))
    land(storage, call("a", status="completed"), now=NOW - timedelta(days=3))
    assert [row["landed_at"] for row in raw_rows(storage)] == [NOW, NOW + timedelta(microseconds=1)]
    land(storage, call("a", status="failed"), now=NOW + timedelta(seconds=1))
    assert raw_rows(storage)[-1]["landed_at"] == NOW + timedelta(seconds=1)


def test_a_list_in_any_order_makes_one_file_a_day(storage):
    one = landing(storage)
    for page in range(10):
        one.add(call(f"{page}-{day}", createdAt=f"2026-03-0{day}T10:00:00Z") for day in range(1, 8))
    one.flush()
    assert len(storage.list("raw")) == 7
    assert one.counts.new == 70


def test_it_is_full_when_so_many_bytes_are_held_back(storage):
    one = landing(storage, budget=5 * len(call("a")) // 2)
    one.add(call("a", status=f"status-{turn}") for turn in range(9))
    one.add([call("b")])
    assert not one.full
    one.add([call("c")])
    assert one.full
    one.flush()
    assert not one.full


def test_hashes_that_are_kept_in_memory_are_bounded(storage, monkeypatch):
    monkeypatch.setattr("pipelines.extract.landing.landing.KNOWN_CALLS", 10)
    days = range(1, 9)
    items = [call(f"{day}-{n}", createdAt=f"2026-03-0{day}T10:00:00Z") for day in days for n in range(5)]
    land(storage, *items)
    again = landing(storage)
    for item in [*items, *reversed(items)]:
        again.add([item])
        assert sum(len(day.known) for day in again._days.values()) <= 10 + 5
    again.flush()
    assert not again.changed_days


def test_a_call_of_another_account_is_not_landed(storage, tmp_path):
    land(storage, call("a"))
    before = files_outside_state(tmp_path / "lake")
    with pytest.raises(ChorusCallsError, match="org-2"):
        land(storage, call("b", organizationId="org-2"))
    assert files_outside_state(tmp_path / "lake") == before


@pytest.mark.parametrize("organisation", [None, ..., 7])
def test_a_call_that_names_no_account_lands(storage, organisation):
    land(storage, call("a"))
    land(storage, call("b", organizationId=organisation))
    assert len(raw_rows(storage)) == 2


def test_a_call_that_moves_to_another_day_lands_there(storage):
    land(storage, call("a"))
    land(storage, call("a", createdAt="2026-03-05T10:00:00Z"))
    assert [(row["call_id"], row["call_date"]) for row in raw_rows(storage)] == [("a", DAY), ("a", date(2026, 3, 5))]
