"""Faults: each does what its name says, as often as asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from pipelines.simulator.faults import FAULTS, FaultError, line, options, parse_faults
from tests.support.simulated import KEY, simulated_api


def get(api, query=""):
    return requests.get(f"{api.url}/calls{query}", headers={"Authorization": f"Bearer {KEY}"}, timeout=10)


def with_faults(text):
    return simulated_api(faults=parse_faults(text))


def test_every_so_many_requests_are_affected():
    with with_faults("server_error:every=3") as api:
        assert [get(api).status_code for _ in range(7)] == [200, 200, 500, 200, 200, 500, 200]


def test_requests_are_affected_after_so_many_and_so_often():
    with with_faults("unauthorized:every=1:after=2:times=2") as api:
        assert [get(api).status_code for _ in range(6)] == [200, 200, 401, 401, 200, 200]
    assert [seen.status for seen in api.requests] == [200, 200, 401, 401, 200, 200]


def test_a_rate_limit_says_when_to_come_back():
    with with_faults("rate_limit:every=1:wait=3") as api:
        answer = get(api)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert answer.json()["error"]


def test_a_truncated_page_has_the_right_length_and_no_end():
    with with_faults("truncated:every=1") as api:
        answer = get(api)
    assert answer.status_code == 200
    assert answer.content.startswith(b'{"data":[')
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.content)


def test_a_connection_may_break_in_the_body():
    with with_faults("disconnect:times=1:every=1") as api:
        with pytest.raises(requests.RequestException):
            get(api)
        assert get(api).status_code == 200


def test_a_web_page_may_come_instead():
    with with_faults("html:every=1") as api:
        answer = get(api)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")


def test_an_empty_page_may_come_though_the_total_says_otherwise():
    with with_faults("empty_page:every=2") as api:
        full, empty = get(api, "?limit=10&offset=20").json(), get(api, "?limit=10&offset=20").json()
    assert empty == {"data": [], "pagination": full["pagination"]}


def test_the_limit_may_be_clamped():
    with with_faults("clamp") as api:
        answer = get(api, "?limit=100").json()
    assert len(answer["data"]) == answer["pagination"]["limit"] == 50


def test_a_slow_answer_does_not_keep_the_server_from_stopping():
    with with_faults("slow:every=1:seconds=600") as api, pytest.raises(requests.Timeout):
        requests.get(f"{api.url}/calls", headers={"Authorization": f"Bearer {KEY}"}, timeout=0.2)


def test_several_faults_work_together():
    with with_faults("server_error:every=2, clamp:limit=10") as api:
        assert [get(api).status_code for _ in range(2)] == [200, 500]
        assert len(get(api).json()["data"]) == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clamp,sharknado", "sharknado"),
        ("clamp:evry=2", "evry"),
        ("clamp:every=two", "two"),
        ("clamp:every=0", "at least 1"),
        ("slow:seconds=-1", "below 0"),
        ("slow:seconds", "number"),
        ("total:form=tall", "small, large"),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(FaultError, match=message):
        parse_faults(text)


def test_an_unknown_fault_lists_the_known_ones():
    with pytest.raises(FaultError) as caught:
        parse_faults("sharknado")
    assert all(name in str(caught.value) for name in FAULTS)


def test_the_page_on_extraction_describes_each_fault():
    page = (Path(__file__).parents[2] / "docs/extraction.md").read_text(encoding="utf-8")
    for name, kind in FAULTS.items():
        own = " ".join("`" + option.replace("|", "\\|") + "`" for option in options(kind))
        assert f"| `{name}` | {line(kind)} | {own} |" in page


def test_one_place_of_the_list_may_be_affected():
    with with_faults("server_error:every=1:place=45") as api:
        assert [get(api, f"?limit=20&offset={offset}").status_code for offset in (20, 40, 26, 46)] == [
            200,
            500,
            500,
            200,
        ]
