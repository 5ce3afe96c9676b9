"""Names from the API in any shape of list and from lookup files; a failure costs no name that was known."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from types import MappingProxyType

import pytest

from pipelines.extract import names as reading
from pipelines.extract.names import refresh_names
from pipelines.lake import layout, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.storage import SwapConflictError
from pipelines.simulator import Response, SimulatedApi
from pipelines.simulator.messages import error, page
from tests.support.extraction import client_of
from tests.support.name_lists import SECRET, catalog_of, dimension, item, known, refreshed
from tests.support.simulated import KEY, simulated_api

HTML = Response(200, b"<html>Just a moment...</html>", {"Content-Type": "text/html"})


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr("pipelines.extract.http.rate_limit._FIRST_WAIT", 0.01)


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


@pytest.fixture
def api():
    with simulated_api(items=[]) as running:
        running.directory["agents"] = [item("a1", "Nora"), item("a2", "Ethan")]
        running.directory["phone-numbers"] = [item("p1", "Main", number="+15550100100")]
        yield running


def answer_always(api: SimulatedApi, answer: Response) -> None:
    api.directory_faults[:] = [lambda _request, _respond: answer]


def test_names_are_kept_and_shown_and_nothing_else_of_an_agent(storage, api, caplog):
    caplog.set_level("DEBUG")
    report = refreshed(storage, api)
    assert known(storage) == ({"a1": "Nora", "a2": "Ethan"}, {"p1": "Main"})
    assert dimension(catalog_of(storage)) == [("a1", "Nora", None, None), ("a2", "Ethan", None, None)]
    assert dimension(catalog_of(storage), "phone_numbers") == [("p1", "Main", None, None)]
    assert (report.known, report.sentences) == ({"agents": 2, "phone_numbers": 1}, [])
    files = [file for file in storage.root.rglob("*") if file.is_file()]
    assert storage.root / layout.NAMES in files
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []
    assert SECRET not in caplog.text
    assert KEY not in caplog.text


def test_the_lists_are_asked_for_with_the_key_and_beside_the_calls(storage, api):
    refreshed(storage, api)
    asked = [(seen.path, seen.status) for seen in api.directory_requests]
    assert asked == [("/v1/agents?limit=100&offset=0", 200), ("/v1/phone-numbers?limit=100&offset=0", 200)]
    assert api.requests == []


def test_where_nothing_changed_no_file_is_touched(storage, api):
    refreshed(storage, api)
    before = {path: path.stat().st_mtime_ns for path in storage.root.rglob("*") if "locks" not in path.parts}
    refreshed(storage, api)
    assert {path: path.stat().st_mtime_ns for path in storage.root.rglob("*") if "locks" not in path.parts} == before


@pytest.mark.slow
def test_an_agent_is_renamed_and_one_that_is_listed_no_more_keeps_its_name(storage, api):
    refreshed(storage, api)
    api.directory["agents"] = [item("a1", "Nora Two"), item("a3", "Sam")]
    refreshed(storage, api)
    shown = {row[0]: row[1] for row in dimension(catalog_of(storage))}
    assert shown == known(storage)[0] == {"a1": "Nora Two", "a2": "Ethan", "a3": "Sam"}


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error(404, "no"), "it answered 404"),
        (error(500, "no"), "it answered 500"),
        (error(401, "no"), "refused the key"),
        (error(403, "no"), "refused the key"),
        (error(429, "no").with_headers(Retry_After="3600"), "asked to wait 3600 s"),
        (HTML, "it answered with"),
        (Response(200, b""), "nothing"),
        (Response(200, b'{"agents": []}'), "without 'data'"),
        (Response(200, b"", silent=True), "it could not be reached"),
        (Response(200, b'{"data":[]}', sent_bytes=3), "broke"),
        (Response(302, b"", {"Location": "http://127.0.0.1:1/v1/agents"}), "redirects to http://127.0.0.1:1"),
        (Response(302, b"", {"Location": "/v1/agents"}), "in a circle"),
    ],
    ids=["404", "500", "401", "403", "429", "html", "empty", "other", "silent", "cut", "elsewhere", "circle"],
)
def test_an_api_that_does_not_answer_costs_no_name_that_was_known(storage, api, answer, said):
    refreshed(storage, api)
    before = (storage.root / layout.NAMES).read_bytes()
    answer_always(api, answer)
    report = refreshed(storage, api)
    assert (storage.root / layout.NAMES).read_bytes() == before
    assert len(dimension(catalog_of(storage))) == report.known["agents"] == 2
    [note] = report.sentences
    assert note.startswith("Names could not be read of agents")
    assert said in note
    assert note.endswith("; if none is known, ids are shown.")


def test_an_address_with_the_key_in_it_is_not_repeated(storage, api):
    answer_always(api, Response(302, b"", {"Location": f"http://{KEY}.example/v1/agents"}))
    assert KEY not in str(refreshed(storage, api))


def test_one_list_that_is_missing_does_not_keep_the_other_back(storage, api):
    api.directory_faults[:] = [lambda seen, respond: error(404, "no") if "agents" in seen.path else respond(seen)]
    report = refreshed(storage, api)
    assert known(storage) == ({}, {"p1": "Main"})
    assert report.notes == ["Names could not be read of agents (it answered 404); if none is known, ids are shown."]


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_an_answer_that_takes_too_long_is_given_up(storage, api, monkeypatch, pause):
    """Whether nothing comes, or a byte now and then."""
    hasty = {kind: replace(one, request_seconds=0.3) for kind, one in reading._LISTS.items()}
    monkeypatch.setattr(reading, "_LISTS", MappingProxyType(hasty))

    def slow(request, respond):
        if not pause:
            request.stopping.wait(20)
        return replace(respond(request), pause=pause)

    api.directory["agents"] = [item(f"a{number}", "Nora", more="x" * 1_000) for number in range(3)]
    api.directory_faults.append(lambda seen, respond: slow(seen, respond) if "agents" in seen.path else respond(seen))
    report = refreshed(storage, api)
    assert "in time" in report.notes[0] or "too slowly" in report.notes[0]
    assert known(storage) == ({}, {"p1": "Main"})


def test_all_reading_together_has_an_end(storage, api, monkeypatch):
    monkeypatch.setattr(reading, "_TIME_LIMIT", -1.0)
    report = refreshed(storage, api)
    assert "answers too slowly" in report.notes[0]
    assert api.directory_requests == []


def test_an_api_that_wants_no_more_requests_is_asked_no_more(storage, api):
    """The rate limit of the calls is kept: what their last answer asked for is kept."""
    rest = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "60"}
    api.faults.append(lambda seen, respond: respond(seen).with_headers(**rest))
    with client_of(api.url, retry_seconds=120) as client:  # so long the calls would wait
        client.page(0)
        report = reading.refresh_names(storage, client)
    assert "asked to wait" in report.notes[0]
    assert api.directory_requests == []


def spoil(storage: LocalStorage, text: str) -> None:
    with storage.create(layout.NAMES) as stream:
        stream.write(text.encode())


@pytest.mark.parametrize(
    ("text", "remedy"), [('{"format": ', "doctor --repair"), ('{"format": 99, "agents": 3}', "Upgrade chorus-calls")]
)
def test_names_that_cannot_be_read_stay_as_they_are_and_are_reported(storage, api, text, remedy):
    spoil(storage, text)
    report = refreshed(storage, api)
    [warning] = report.warnings
    assert remedy in warning
    assert layout.NAMES in warning
    assert storage.read(layout.NAMES) == text.encode()
    assert known(storage) == ({}, {})
    catalog_of(storage).rebuild(state.Manifest())
    assert dimension(catalog_of(storage)) == []


def test_another_sync_that_kept_names_meanwhile_loses_none(storage, api, monkeypatch):
    commit = state.commit

    def overtaken(*_):
        monkeypatch.setattr(state, "commit", commit)
        spoil(storage, json.dumps({"format": 1, "agents": {"of_api": {"a9": "Other"}}}))
        raise SwapConflictError

    monkeypatch.setattr(state, "commit", overtaken)
    refreshed(storage, api)
    assert known(storage)[0] == {"a1": "Nora", "a2": "Ethan", "a9": "Other"}


def test_a_full_disk_costs_a_warning(storage, api, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(state, "commit", full)
    assert "No space left" in refreshed(storage, api).warnings[0]


@pytest.fixture
def numbers_api():
    with simulated_api(items=[]) as running:
        running.directory["phone-numbers"] = [item("p1", "Main")]
        yield running


@pytest.mark.matrix(quick=2)
def test_many_pages_are_read(storage, numbers_api):
    numbers_api.directory["agents"] = [item(f"a{number}", f"Agent {number}") for number in range(250)]
    refreshed(storage, numbers_api)
    assert len(known(storage)[0]) == 250
    assert len([seen for seen in numbers_api.directory_requests if "agents" in seen.path]) == 3


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize("total", ["right", "none", "wrong"])
@pytest.mark.parametrize("size", [7, 130])
def test_a_list_without_pages_is_read_once_and_its_repetition_ends_it(storage, numbers_api, total, size):
    items = [item(f"a{number}", f"Agent {number}") for number in range(size)]
    shown = {"right": page(items, total=size, limit=100, offset=0), "none": Response(200, _data(items)),
             "wrong": page(items, total=10_000, limit=100, offset=0)}[total]  # fmt: skip
    answer_always(numbers_api, shown)
    refreshed(storage, numbers_api)
    assert len(known(storage)[0]) == size
    assert len([seen for seen in numbers_api.directory_requests if "agents" in seen.path]) <= 2


def _data(items: list[bytes]) -> bytes:
    return b'{"data":[%b]}' % b",".join(items)


@pytest.mark.matrix(quick=2)
def test_short_pages_without_a_total_are_followed(storage, numbers_api):
    items = [item(f"a{number}", f"Agent {number}") for number in range(50)]
    numbers_api.directory_faults[:] = [lambda seen, _: Response(200, _data(items[seen.offset : seen.offset + 20]))]
    refreshed(storage, numbers_api)
    assert len(known(storage)[0]) == 50


@pytest.mark.matrix(quick=2)
def test_a_list_without_end_is_left(storage, numbers_api):
    numbers_api.directory_faults[:] = [
        lambda seen, _: Response(200, _data([item(f"id-{seen.number}-{seen.path[4]}", "one")]))
    ]
    refreshed(storage, numbers_api)
    assert len(numbers_api.directory_requests) == 100
    assert [len(names) for names in known(storage)] == [50, 50]


@pytest.mark.matrix(quick=2)
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
def test_names_become_one_line_that_every_tool_can_show(storage, numbers_api, sent, shown):
    numbers_api.directory["agents"] = [b'{"systemPrompt": "\\ud800", "id": "a1", "name": %b}' % sent]
    refreshed(storage, numbers_api)
    assert known(storage)[0] == ({} if shown is None else {"a1": shown})
    assert dimension(catalog_of(storage)) == ([] if shown is None else [("a1", shown, None, None)])


@pytest.mark.matrix(quick=2)
def test_items_that_are_none_cost_no_other(storage, numbers_api):
    numbers_api.directory["agents"] = [
        *(b"null", b"[]", b'"a"', b"NaN", item(...), item(None, "none"), item("", "none"), item(" ", "none")),
        *(
            item("x" * 2_000, "none"),
            item({"a": 1}, "none"),
            item(7, "Seven"),
            item("a1", "Nora"),
            item("a1", "Two"),
        ),
    ]
    refreshed(storage, numbers_api)
    assert known(storage)[0] == {"7": "Seven", "a1": "Two"}


@pytest.mark.matrix(quick=2)
def test_a_number_without_a_name_is_shown_by_its_number(storage, numbers_api):
    numbers = [item("p1", "", number="+15550100100"), item("p2", None, number="+15550100101"), item("p3")]
    numbers_api.directory["phone-numbers"] = numbers
    refreshed(storage, numbers_api)
    assert known(storage)[1] == {"p1": "+15550100100", "p2": "+15550100101"}


@pytest.fixture
def lookups(tmp_path):
    folder = tmp_path / "lookups"
    folder.mkdir()
    return folder


def write(lookups, text, kind="agents", encoding="utf-8"):
    (lookups / f"{kind}.csv").write_bytes(text.encode(encoding))


def test_lookups_fill_in_names_that_the_api_lacks(storage, lookups):
    write(lookups, 'id,name\na1,"Lucía, ""the"" first"\na2,Sam\n')
    write(lookups, "name,id\nMain,p1\n", "phone_numbers")
    with simulated_api(items=[]) as api:
        api.directory_faults.append(lambda *_: error(404, "no"))
        report = refreshed(storage, api, lookups)
    assert known(storage) == ({"a1": 'Lucía, "the" first', "a2": "Sam"}, {"p1": "Main"})
    assert report.sentences == []  # nothing is missed
    assert [row[:2] for row in dimension(catalog_of(storage))] == [("a1", 'Lucía, "the" first'), ("a2", "Sam")]


def test_for_each_id_the_api_wins(storage, lookups):
    write(lookups, "id,name\na1,by hand\na2,by hand\na3,by hand\n")
    with simulated_api(items=[]) as api:
        api.directory["agents"] = [item("a1", "of the API"), item("a2", "")]
        refreshed(storage, api, lookups)
        api.directory["agents"] = []
        refreshed(storage, api, lookups)
    assert known(storage)[0] == {"a1": "of the API", "a2": "by hand", "a3": "by hand"}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid,name\r\na1,Nora\r\n",
        "number,id,more,name\n7,a1,x,Nora\n",
        "id, name\na1, Nora\n",
        "id,name\n\n,nobody\na2\na1,Nora,too,many\na3,\n",
        "id,name\na1,Nora",
        'id,name\na1,"No\nra"\n'.replace("No\nra", "\nNora\t"),
    ],
    ids=["mark", "more columns", "blanks", "odd rows", "no last line end", "lines in a name"],
)
def test_files_as_people_and_spreadsheets_write_them(storage, lookups, text):
    write(lookups, text)
    assert refresh_names(storage, None, lookups=lookups).sentences == []
    assert known(storage)[0] == {"a1": "Nora"}


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        ("", "utf-8", "no columns id and name"),
        ("id;name\na1;Nora\n", "utf-8", "no columns id and name"),
        ("a1,Nora\n", "utf-8", "no columns id and name"),
        ("id,name\na1,Lucía\n", "latin-1", "not UTF-8"),
        ("id,name\na1,Nora\n", "utf-16", "not UTF-8"),
        (f'id,name\na1,"{"x" * 200_000}', "utf-8", "no CSV"),
    ],
    ids=["empty", "semicolons", "no heading", "latin-1", "utf-16", "a field without end"],
)
def test_a_broken_file_is_reported_once_and_what_was_known_stays(storage, lookups, text, encoding, said):
    write(lookups, "id,name\na1,Nora\n")
    write(lookups, "id,name\np1,Main\n", "phone_numbers")
    refresh_names(storage, None, lookups=lookups)
    write(lookups, text, encoding=encoding)
    [warning] = refresh_names(storage, None, lookups=lookups).sentences
    assert warning.startswith(f"Warning: {lookups / 'agents.csv'} is not used: ")
    assert said in warning
    assert known(storage) == ({"a1": "Nora"}, {"p1": "Main"})


def test_a_folder_in_the_place_of_a_file_is_reported(storage, lookups):
    (lookups / "agents.csv").mkdir()
    assert "agents.csv is not used" in refresh_names(storage, None, lookups=lookups).sentences[0]


def test_a_name_that_is_taken_out_of_the_file_goes_and_a_file_that_is_gone_takes_none_along(storage, lookups):
    write(lookups, "id,name\na1,Nora\na2,Sam\n")
    refresh_names(storage, None, lookups=lookups)
    write(lookups, "id,name\na2,Sam\n")
    refresh_names(storage, None, lookups=lookups)
    (lookups / "agents.csv").unlink()
    refresh_names(storage, None, lookups=lookups)
    assert known(storage)[0] == {"a2": "Sam"}
