"""Faults: each does what its name says, as often as asked, and what a plain client sees of it."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests

from pipelines.simulator.faults import FAULTS, FaultError, line, options, parse_faults
from tests.support.simulated import KEY, simulated_api


def get(api, query="", **options):
    headers = {"Authorization": f"Bearer {KEY}", **options.pop("headers", {})}
    return requests.get(f"{api.url}/calls{query}", headers=headers, **{"timeout": 10, **options})


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


def affected(text, query="?limit=20", **options):
    """Return what the first request gets where the fault strikes it."""
    every = "" if "every=" in text else ":every=1"
    with simulated_api(faults=parse_faults(text + every)) as api:
        return get(api, query, **options)


@pytest.mark.parametrize(("name", "status"), [("rate_limit", 429), ("unavailable", 503)])
def test_when_to_come_back_is_said_in_every_way(name, status):
    sent = {form: affected(f"{name}:wait=90:form={form}") for form in ("seconds", "date", "garbage", "absent")}
    assert {answer.status_code for answer in sent.values()} == {status}
    assert sent["seconds"].headers["Retry-After"] == "90"
    assert sent["garbage"].headers["Retry-After"] == "soon"
    assert "Retry-After" not in sent["absent"].headers
    dates = [parsedate_to_datetime(sent["date"].headers[name]) for name in ("Date", "Retry-After")]
    assert dates[1] - dates[0] == timedelta(seconds=90)


@pytest.mark.parametrize("form", ["seconds", "epoch"])
def test_a_quota_is_reported_and_kept(form):
    with simulated_api(faults=parse_faults(f"quota:limit=2:seconds=600:form={form}")) as api:
        answers = [get(api, "?limit=1") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    reset = float(answers[0].headers["X-RateLimit-Reset"])
    assert 0 < reset - (datetime.now(UTC).timestamp() if form == "epoch" else 0) <= 600


def test_a_key_is_replaced_in_the_middle():
    with simulated_api(faults=parse_faults("rotated_key")) as api:
        assert [get(api).status_code for _ in range(6)] == [200] * 3 + [401] * 3


def test_the_servers_key_can_be_changed_while_it_serves():
    with simulated_api() as api:
        api.key = "sk_test_next"
        assert get(api).status_code == 401
        assert get(api, headers={"Authorization": "Bearer sk_test_next"}).status_code == 200


def test_any_status_can_be_answered():
    assert affected("status:code=418").status_code == 418


@pytest.mark.parametrize(
    ("form", "location"),
    [
        ("host", "http://elsewhere.invalid/v1/calls?limit=20"),
        ("https", "https://127.0.0.1:"),
        ("circle", "/v1/calls?limit=20"),
    ],
)
def test_redirects_lead_away_or_in_a_circle(form, location):
    answer = affected(f"redirect:form={form}", allow_redirects=False)
    assert answer.status_code == 307
    assert answer.headers["Location"].startswith(location)


def test_a_redirect_within_the_server_leads_to_the_calls():
    answer = affected("redirect:form=same")
    assert [moved.status_code for moved in answer.history] == [307]
    assert len(answer.json()["data"]) == 50  # it loses the query


@pytest.mark.parametrize("text", ["refused", "disconnect", "reset", "broken_chunk", "wrong_length:form=long"])
def test_connections_break(text):
    with simulated_api(faults=parse_faults(f"{text}:every=1:times=1")) as api:
        with pytest.raises(requests.RequestException):
            get(api)
        assert get(api).status_code == 200
    assert len(api.requests) == 2


def test_a_length_may_be_too_short():
    with pytest.raises(json.JSONDecodeError):
        affected("wrong_length:form=short").json()


def test_a_trickling_body_keeps_the_server_from_nothing():
    with simulated_api(faults=parse_faults("trickle:every=1:seconds=600")) as api, get(api, stream=True) as answer:
        assert answer.raw.read(1) != b""


def test_a_trickling_body_comes_in_the_end():
    assert len(affected("trickle:seconds=0.0001", "?limit=1").json()["data"]) == 1


def test_a_bomb_is_small_until_it_is_unpacked():
    answer = affected("bomb:mb=20", headers={"Accept-Encoding": "gzip"}, stream=True)
    packed = answer.raw.read(decode_content=False)
    assert len(packed) < 200_000
    assert len(gzip.decompress(packed)) == 20_000_000


@pytest.mark.parametrize(("form", "broken"), [("corrupt", zlib.error), ("cut", EOFError), ("plain", OSError)])
def test_what_says_gzip_may_be_none(form, broken):
    answer = affected(f"bad_gzip:form={form}", stream=True)
    assert answer.headers["Content-Encoding"] == "gzip"
    with pytest.raises((broken, OSError)):
        gzip.decompress(answer.raw.read(decode_content=False))


@pytest.mark.parametrize(
    ("form", "body"),
    [("empty", b""), ("null", b"null"), ("list", b"[]"), ("object", b"{}"), ("error", b'{"error":"try later"}')],
)
def test_bodies_without_calls(form, body):
    answer = affected(f"odd_body:form={form}")
    assert (answer.status_code, answer.content) == (200, body)


@pytest.mark.parametrize(
    ("form", "said"), [("wrong", "text/plain"), ("missing", None), ("charset", "application/json; charset=utf-16")]
)
def test_the_content_type_may_be_wrong(form, said):
    answer = affected(f"content_type:form={form}")
    assert answer.headers.get("Content-Type") == said
    assert len(json.loads(answer.content)["data"]) == 20


def test_a_byte_order_mark_may_come_first():
    assert affected("byte_order_mark").content.startswith(b'\xef\xbb\xbf \r\n\t{"data":[')


def test_a_text_may_be_no_utf8():
    body = affected("bad_utf8").content
    assert body.count(b"\xff\xfe") == 1
    assert len(json.loads(body.replace(b"\xff\xfe", b""))["data"]) == 20


@pytest.mark.parametrize(("form", "hours"), [("ahead", 5), ("behind", -5)])
def test_the_clock_may_be_wrong(form, hours):
    sent = parsedate_to_datetime(affected(f"skewed_clock:hours=5:form={form}").headers["Date"])
    assert abs(sent - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=5)
