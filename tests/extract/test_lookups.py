"""Lookup files: they fill in names that the API does not have, and a broken file is reported once."""

from __future__ import annotations

import pytest

from pipelines.extract.names import refresh_names
from pipelines.lake.local import LocalStorage
from pipelines.simulator.messages import error
from tests.support.name_lists import catalog_of, dimension, item, known, refreshed
from tests.support.simulated import simulated_api


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path / "lake")


@pytest.fixture
def lookups(tmp_path):
    folder = tmp_path / "lookups"
    folder.mkdir()
    return folder


def write(lookups, text, kind="agents", encoding="utf-8"):
    (lookups / f"{kind}.csv").write_bytes(text.encode(encoding))


def test_they_stand_where_the_api_tells_none(storage, lookups):
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
