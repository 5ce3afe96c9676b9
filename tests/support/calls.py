"""Calls as the API may send them: mostly sane, with the oddities that real services show.

What is sane about a call is made from a number, which is fast; what is odd about it is drawn one by one, so that
hypothesis can take it away again. Ids come from a small pool, so that calls, parents and legs meet often; times lie
around one midnight, so that things fall on two neighbouring days. Two calls of one id are two versions of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from tests.support.json_text import Sent, Twice
from tests.support.sane_calls import CALL_FIELDS, CALL_IDS, sane_call

# A member with this value is left out.
LEFT_OUT = object()

# What may turn up in any field, whatever belongs there.
ODD_VALUES = (
    None,
    "",
    " ",
    "\t\u2003",
    "text",
    "a\x00b",
    "\ud800",
    True,
    False,
    0,
    7,
    -1,
    2.5,
    [],
    ["text", None],
    {},
    {"id": "c1", "role": "user"},
    Sent("1.50"),
    Sent("3.0"),
    Sent("-0"),
    Sent("1e2"),
    Sent("1E-2"),
    Sent("NaN"),
    Sent("Infinity"),
    Sent("-Infinity"),
    Sent("1e999"),
    Sent("9223372036854775808"),
    Sent('"\\u0063\\u0031"'),
    Sent('{ "a" : [ 1.0 , NaN ] }'),
    "12.5",
    " +3 ",
    ".5",
    "5.",
    "-1",
    "1e999",
    "NaN",
    "1_000",
    "0x10",
    "2026-03-10T12:00:00",
    "2026-03-10",
    "20260310T235959Z",
    "2026-03-11T00:00:00.1234567Z",
    "2026-03-11T05:29:59.999999+05:30",
    "0001-01-01T00:00:00+14:00",
)

# What only a member can be: sent twice, or not at all.
ODD_MEMBERS = (LEFT_OUT, *ODD_VALUES, Twice("first", "second"), Twice(1, {"now": "an object"}))


@st.composite
def call(draw: st.DrawFn) -> dict[str, Any]:
    """One call. It shrinks to a call with an id and a time of creation, and to fewer oddities."""
    every_field = 2 ** len(CALL_FIELDS) - 1
    fields = draw(st.integers(0, every_field) | st.just(every_field))
    made = sane_call(draw(st.integers(0, 10_000)), draw(st.sampled_from(CALL_IDS)))
    kept = {"id", "createdAt", *(name for bit, name in enumerate(CALL_FIELDS) if fields >> bit & 1)}
    made = {name: value for name, value in made.items() if name in kept}
    for place, member in draw(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(ODD_MEMBERS)), max_size=3)):
        _put(made, place, member)
    if draw(st.integers(0, 9)) == 9:
        made["createdAt"] = draw(st.sampled_from([None, "soon", "2026-03-10T22:00:00"]))
    return made


def calls(max_size: int = 8) -> st.SearchStrategy[list[dict[str, Any]]]:
    """A few calls in the order in which they are seen; write them with `tests.support.json_text`."""
    return st.lists(call(), min_size=1, max_size=max_size)


def _put(made: dict[str, Any], place: int, member: Any) -> None:
    """Put something odd at one of the places where the call has a value."""
    places = list(_places(made))
    if not places:
        return
    container, key = places[place % len(places)]
    if isinstance(container, list):
        container[key] = None if member is LEFT_OUT or isinstance(member, Twice) else deepcopy(member)
    elif member is LEFT_OUT:
        del container[key]
    else:
        container[key] = deepcopy(member)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield value, key
        yield from _places(inner)
