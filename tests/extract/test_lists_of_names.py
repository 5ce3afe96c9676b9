"""Lists of names in every shape that an API may give them, and names that no tool could show as they are."""

from __future__ import annotations

import pytest

from pipelines.lake.local import LocalStorage
from pipelines.simulator import Response, SimulatedApi
from pipelines.simulator.messages import page
from tests.support.name_lists import catalog_of, dimension, item, known, refreshed
from tests.support.simulated import simulated_api

pytestmark = pytest.mark.matrix(quick=2)


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


@pytest.fixture
def api():
    with simulated_api(items=[]) as running:
        running.directory["phone-numbers"] = [item("p1", "Main")]
        yield running


def answer_always(api: SimulatedApi, answer: Response) -> None:
    api.directory_faults[:] = [lambda _request, _respond: answer]


def test_many_pages_are_read(storage, api):
    api.directory["agents"] = [item(f"a{number}", f"Agent {number}") for number in range(250)]
    refreshed(storage, api)
    assert len(known(storage)[0]) == 250
    assert len([seen for seen in api.directory_requests if "agents" in seen.path]) == 3


@pytest.mark.parametrize("total", ["right", "none", "wrong"])
@pytest.mark.parametrize("size", [7, 130])
def test_a_list_without_pages_is_read_once_and_its_repetition_ends_it(storage, api, total, size):
    items = [item(f"a{number}", f"Agent {number}") for number in range(size)]
    shown = {"right": page(items, total=size, limit=100, offset=0), "none": Response(200, _data(items)),
             "wrong": page(items, total=10_000, limit=100, offset=0)}[total]  # fmt: skip
    answer_always(api, shown)
    refreshed(storage, api)
    assert len(known(storage)[0]) == size
    assert len([seen for seen in api.directory_requests if "agents" in seen.path]) <= 2


def _data(items: list[bytes]) -> bytes:
    return b'{"data":[%b]}' % b",".join(items)


def test_short_pages_without_a_total_are_followed(storage, api):
    items = [item(f"a{number}", f"Agent {number}") for number in range(50)]
    api.directory_faults[:] = [lambda seen, _: Response(200, _data(items[seen.offset : seen.offset + 20]))]
    refreshed(storage, api)
    assert len(known(storage)[0]) == 50


def test_a_list_without_end_is_left(storage, api):
    api.directory_faults[:] = [lambda seen, _: Response(200, _data([item(f"id-{seen.number}-{seen.path[4]}", "one")]))]
    refreshed(storage, api)
    assert len(api.directory_requests) == 100
    assert [len(names) for names in known(storage)] == [50, 50]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b'"O\'Hara \\"the\\" <b>"', 'O\'Hara "the" <b>'),
        (b'" two\\nlines\\t\\u0007 end "', "two lines end"),
        (b'"a\\u0000b"', "a\ufffdb"),
        (b'"\\ud83d alone"', "\ufffd alone"),
        (b'"\\u202egnirts"', "gnirts"),
        (b'"' + b"x" * 5_000 + b'"', "x" * 199 + "…"),
        (b"12", "12"),
        (b'"  "', None),
        (b"null", None),
        (b"true", None),
        (b'{"en": "Nora"}', None),
    ],
    ids=["quotes", "control", "nul", "surrogate", "turned", "long", "number", "blank", "null", "flag", "object"],
)
def test_names_become_one_line_that_every_tool_can_show(storage, api, sent, shown):
    api.directory["agents"] = [b'{"systemPrompt": "\\ud800", "id": "a1", "name": %b}' % sent]
    refreshed(storage, api)
    assert known(storage)[0] == ({} if shown is None else {"a1": shown})
    assert dimension(catalog_of(storage)) == ([] if shown is None else [("a1", shown, None, None)])


def test_items_that_are_none_cost_no_other(storage, api):
    api.directory["agents"] = [
        *(b"null", b"[]", b'"a"', b"NaN", item(...), item(None, "none"), item("", "none"), item(" ", "none")),
        *(
            item("x" * 2_000, "none"),
            item({"a": 1}, "none"),
            item(7, "Seven"),
            item("a1", "Nora"),
            item("a1", "Two"),
        ),
    ]
    refreshed(storage, api)
    assert known(storage)[0] == {"7": "Seven", "a1": "Two"}


def test_a_number_without_a_name_is_shown_by_its_number(storage, api):
    numbers = [item("p1", "", number="+15550100100"), item("p2", None, number="+15550100101"), item("p3")]
    api.directory["phone-numbers"] = numbers
    refreshed(storage, api)
    assert known(storage)[1] == {"p1": "+15550100100", "p2": "+15550100101"}
