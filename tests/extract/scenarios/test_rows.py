"""Forty-five ways in which an API, a call or a machine can be nasty: each has its tests in this folder.

A test's name begins with the numbers of those it shows. Here they are counted, so that none gets lost unnoticed.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROWS = {
    1: ("calls come at the head, fewer than a page", 1),
    2: ("more than a page of them at once", 1),
    3: ("calls vanish before the place of reading", 1),
    4: ("calls come at the end of a list that is oldest first", 1),
    5: ("as many come as go", 1),
    6: ("the order turns round in the middle", 1),
    7: ("another order for each request", 2),
    8: ("calls of one instant swap places", 1),
    9: ("fewer calls a page than were asked for", 1),
    10: ("more calls than were asked for", 1),
    11: ("a total that is no number, or none", 1),
    12: ("a total that is not true", 3),
    13: ("an empty page in the middle, once or for ever", 2),
    14: ("a short page in the middle", 1),
    15: ("the last page again and again; the offset ignored", 3),
    16: ("pages in a circle", 1),
    17: ("a call twice on a page", 1),
    18: ("a call on two pages, the older version last", 1),
    19: ("a call that goes back to an earlier state", 1),
    20: ("a change behind the place of reading, or of an old call", 2),
    21: ("a call that is gone", 3),
    22: ("200 and something that is no page", 4),
    23: ("a body that ends early", 5),
    24: ("gzip that is corrupt, or a bomb", 5),
    25: ("a body that comes byte by byte", 3),
    26: ("a connection that breaks, or is not to be had", 6),
    27: ("a redirect", 9),
    28: ("a key that is replaced", 2),
    29: ("no permission, or no such address", 3),
    30: ("429 in all its forms", 5),
    31: ("a wait longer than there is patience", 2),
    32: ("many refusals in a row", 2),
    33: ("a clock that is hours off", 3),
    34: ("calls of megabytes", 5),
    35: ("numbers that are not finite", 1),
    36: ("text that no table can hold", 3),
    37: ("a key twice in an object", 1),
    38: ("numbers of any size", 3),
    39: ("a byte order mark, or another Content-Type", 3),
    40: ("nesting without end", 2),
    41: ("values of another kind; items that are no call", 2),
    42: ("a field that is new, gone, or of another type in all calls", 3),
    43: ("a process that is killed or asked to stop", 2),
    44: ("a full disk, a lake that is read-only", 3),
    45: ("two syncs at once", 2),
}
"""What happens, and how many tests show it."""
_TEST = re.compile(r"^def test_((?:\d\d_)+)", re.MULTILINE)


def counted(texts):
    """Return how many tests each number has."""
    return Counter(
        int(number) for text in texts for numbers in _TEST.findall(text) for number in numbers[:-1].split("_")
    )


def test_every_row_has_its_tests():
    found = counted(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert dict(sorted(found.items())) == {row: count for row, (_, count) in ROWS.items()}
    assert list(ROWS) == list(range(1, 46))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("def test_07_08_of_two(storage):", {7: 1, 8: 1}),
        ("def test_44_so():\n    pass\n\n\ndef test_44_too():", {44: 2}),
        ("def test_of_none():\n    assert test_07", {}),
    ],
)
def test_a_name_says_what_a_test_shows(text, rows):
    assert counted([text]) == rows
