from __future__ import annotations

import pytest

from pipelines.extract.http.response import NotAPageError, parse_body


def body(*items: bytes, total: bytes = b"3") -> bytes:
    return b'{"data": [%b], "pagination": {"total": %b, "limit": 100, "offset": 0}}' % (b" ,\n".join(items), total)


GOOD = b'{ "id": "a", "note": "say \\"hi\\", [ok] {}" }'


def test_items_are_given_on_as_they_were_sent():
    listing = parse_body(body(GOOD, b'"text"', b"null", b"12.50"))
    assert listing.items == [GOOD, b'"text"', b"null", b"12.50"]
    assert listing.total == 3


@pytest.mark.parametrize(
    "bad",
    [
        b'{"id": "b", "cost": NaN}',
        b'{"id": "b", "cost": -Infinity}',
        b'{"id": "b", "summary": "half a pair \\ud83d"}',
        b'{"id": "b", "summary": "\xff\xfe]"}',
        b'{"id": "b", "summary": "a raw\nline and \x00"}',
        b'{"id": "b", "deep": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"id": "b", "cost": 01}',
        b"nonsense",
    ],
    ids=["nan", "infinity", "surrogate", "no-utf8", "control", "deep", "number", "word"],
)
def test_an_item_that_is_not_json_by_the_book_costs_its_neighbours_nothing(bad):
    assert parse_body(body(GOOD, bad, GOOD)).items == [GOOD, bad, GOOD]


def test_a_byte_order_mark_and_white_space_are_no_obstacle():
    assert parse_body(b"\xef\xbb\xbf \n" + body(GOOD) + b"\n").items == [GOOD]


@pytest.mark.parametrize(
    ("total", "read"),
    [(b"20", 20), (b"0", 0), (b'"20"', None), (b"null", None), (b"-1", None), (b"2.5", None), (b"NaN", None)],
)
def test_only_a_count_is_taken_for_a_total(total, read):
    assert parse_body(body(total=total)).total == read


def test_a_page_without_pagination_has_no_total():
    listing = parse_body(b'{"data":[{"id":"a"}]}')
    assert (listing.items, listing.total) == ([b'{"id":"a"}'], None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "not JSON"),
        (b"<html>Just a moment...</html>", "not JSON"),
        (b"null", "not JSON"),
        (b"[]", "another shape"),
        (b"{}", "without 'data'"),
        (b'{"error": "no"}', "without 'data'"),
        (b'{"data": {"id": "a"}}', "another shape"),
        (b'{"data": null}', "not JSON"),
        (body(GOOD)[:-1], "truncated"),
        (body(GOOD)[:60], "truncated"),
        (b'{"data": [1]} trailing', "followed by more text"),
        (b'{"data": []}' * 3, "followed by more text"),
        (b'{"data": [NaN]]}', "followed by more text"),
    ],
)
def test_what_is_no_page_is_never_taken_for_an_empty_one(answer, said):
    with pytest.raises(NotAPageError, match=said):
        parse_body(answer)


def test_every_truncation_of_a_page_is_noticed():
    whole = body(GOOD, b'{"id": "b", "cost": NaN}')
    for length in range(len(whole)):
        with pytest.raises(NotAPageError):
            parse_body(whole[:length])
