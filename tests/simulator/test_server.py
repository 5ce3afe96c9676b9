"""The endpoint as documented, and the simulate command that serves it."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest
import requests
from click.testing import CliRunner

from pipelines.cli.simulate import simulate_command as command
from pipelines.errors import ChorusCallsError
from pipelines.simulator import Response, SimulatedApi
from pipelines.simulator.faults import FAULTS
from tests.support.simulated import KEY, START, simulated_api, small_world

WITH_KEY = {"Authorization": f"Bearer {KEY}"}


def get(api, query="", **headers):
    return requests.get(f"{api.url}/calls{query}", headers={**WITH_KEY, **headers}, timeout=10)


def ids_of_all_pages(api, limit):
    ids, offset = [], 0
    while items := get(api, f"?limit={limit}&offset={offset}").json()["data"]:
        ids += [item["id"] for item in items]
        offset += len(items)
    return ids


def test_a_page_has_calls_and_its_pagination():
    with simulated_api() as api:
        answer = get(api, "?limit=3&offset=2").json()
        everything = get(api, "?limit=100").json()
    assert answer["pagination"] == {"total": everything["pagination"]["total"], "limit": 3, "offset": 2}
    assert answer["data"] == everything["data"][2:5]


def test_the_limit_is_50_and_the_offset_0_where_not_given():
    with simulated_api() as api:
        answer = get(api)
    assert len(answer.json()["data"]) == 50
    assert (answer.json()["pagination"]["limit"], answer.json()["pagination"]["offset"]) == (50, 0)
    assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", KEY, f"bearer{KEY}"])
def test_without_the_key_nobody_gets_in(authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    with simulated_api() as api:
        answer = requests.get(f"{api.url}/calls?limit=0", headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json()["error"] == "Unauthorized"
    assert isinstance(answer.json()["details"], list)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("?limit=0", ["limit"]),
        ("?limit=101", ["limit"]),
        ("?limit=ten", ["limit"]),
        ("?limit=", ["limit"]),
        ("?limit=1.5", ["limit"]),
        ("?offset=-1", ["offset"]),
        ("?limit=-5&offset=x", ["limit", "offset"]),
        (f"?offset={'9' * 30}", ["offset"]),
    ],
)
def test_wrong_bounds_are_refused_with_the_documented_envelope(query, fields):
    with simulated_api() as api:
        answer = get(api, query)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Validation failed"
    assert [detail["field"] for detail in answer.json()["details"]] == fields
    assert all(detail["message"] for detail in answer.json()["details"])


def test_other_paths_and_methods_are_refused():
    with simulated_api() as api:
        assert requests.get(f"{api.url}/tools", headers=WITH_KEY, timeout=10).status_code == 404
        assert requests.post(f"{api.url}/calls", headers=WITH_KEY, json={}, timeout=10).status_code == 405
        assert get(api).status_code == 200


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("limit", [7, 100])
def test_pages_show_everything_exactly_once_while_the_world_does_not_change(order, limit):
    world = small_world()
    expected = [json.loads(item)["id"] for item in world.items()]
    with simulated_api(world, order=order) as api:
        ids = ids_of_all_pages(api, limit)
    assert ids == (expected if order == "newest" else expected[::-1])


def test_a_page_behind_the_end_is_empty():
    with simulated_api() as api:
        answer = get(api, "?offset=1000000").json()
    assert answer["data"] == []
    assert answer["pagination"]["total"] > 100


def test_a_shuffled_list_is_another_one_each_time():
    with simulated_api(order="shuffled") as api:
        pages = [[item["id"] for item in get(api, "?limit=20").json()["data"]] for _ in range(2)]
        api.order = "oldest"
        assert get(api, "?limit=20").json() == get(api, "?limit=20").json()
    assert pages[0] != pages[1]


def test_the_list_shifts_when_calls_arrive():
    world = small_world()
    with simulated_api(world) as api:
        first = get(api, "?limit=1").json()
        world.advance(hours=6)
        second = get(api, "?limit=1").json()
    assert second["pagination"]["total"] > first["pagination"]["total"]
    assert second["data"] != first["data"]


def test_answers_are_compressed_only_where_asked():
    with simulated_api() as api:
        plain = get(api, **{"Accept-Encoding": "identity"})
        with requests.get(
            f"{api.url}/calls", headers={**WITH_KEY, "Accept-Encoding": "gzip"}, timeout=10, stream=True
        ) as zipped:
            raw = zipped.raw.read(decode_content=False)
    assert "Content-Encoding" not in plain.headers
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert len(raw) < len(plain.content) / 2
    assert gzip.decompress(raw) == plain.content


def test_the_date_is_that_of_the_given_clock():
    with simulated_api() as api:
        assert abs(parsedate_to_datetime(get(api).headers["Date"]) - datetime.now(UTC)) < timedelta(minutes=1)
    with simulated_api(clock=lambda: START) as api:
        assert parsedate_to_datetime(get(api).headers["Date"]) == START


def test_requests_are_remembered_without_the_key():
    with simulated_api() as api:
        get(api, "?limit=5&offset=10")
        get(api, "?limit=x")
    assert [(seen.number, seen.limit, seen.offset, seen.status) for seen in api.requests] == [
        (1, 5, 10, 200),
        (2, None, 0, 400),
    ]
    assert "user-agent" in api.requests[0].headers
    assert KEY not in repr(api.requests)


def test_given_items_are_served_as_they_are():
    items = [{"id": "b", "note": "\ud800"}, b'{"id":NaN', {"id": "a"}]
    with simulated_api(items=items) as api:
        body = get(api).content
    assert b'{"id":"b","note":"\\ud800"},{"id":NaN,{"id":"a"}' in body
    assert b'"total":3' in body


def test_a_test_may_intercept_request_and_answer():
    def hook(request, respond):
        return Response(200, b"\xff\xfe") if request.offset == 50 else respond(request)

    with simulated_api(faults=[hook]) as api:
        assert get(api, "?offset=50").content == b"\xff\xfe"
        assert get(api, "?offset=49").json()["data"]


def test_a_connection_is_kept_for_the_next_request():
    with simulated_api() as api, socket.create_connection(("127.0.0.1", urlsplit(api.url).port), timeout=10) as client:
        for _ in range(2):
            client.sendall(f"GET /v1/calls?limit=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
            assert client.recv(65_536).startswith(b"HTTP/1.1 400")


def test_it_stops_though_a_client_keeps_its_connection():
    with requests.Session() as session:
        with simulated_api() as api:
            url = api.url
            session.get(f"{url}/calls", headers=WITH_KEY, timeout=10)
        with pytest.raises(requests.ConnectionError):
            session.get(f"{url}/calls", headers=WITH_KEY, timeout=10)


def test_asking_for_the_address_of_a_server_that_does_not_run_says_so():
    with pytest.raises(RuntimeError, match="not running"):
        _ = SimulatedApi(small_world()).url


def test_agents_and_phone_numbers_are_listed_by_pages_and_with_secrets():
    """So that tests can look for what must not be kept."""
    with simulated_api() as api:
        calls = get(api, "?limit=100").json()["data"]
        asked = {path: requests.get(f"{api.url}/{path}", headers=WITH_KEY, timeout=10).json() for path in api.directory}
        one = requests.get(f"{api.url}/agents?limit=2&offset=1", headers=WITH_KEY, timeout=10).json()
        refused = requests.get(f"{api.url}/agents", timeout=10).status_code
    agents, numbers = asked["agents"]["data"], asked["phone-numbers"]["data"]
    assert {call["agentId"] for call in calls} <= {agent["id"] for agent in agents}
    assert {call["phoneNumberId"] for call in calls} <= {number["id"] for number in numbers}
    assert {agent["name"] for agent in agents} >= {"Nora", "Lucía"}
    assert all(agent["systemPrompt"] and agent["postCallWebhookSecret"] for agent in agents)
    assert all(number["name"] and number["number"].startswith("+1555010") for number in numbers)
    assert one == {"data": agents[1:3], "pagination": {"total": len(agents), "limit": 2, "offset": 1}}
    assert refused == 401


def test_what_is_asked_of_the_other_lists_and_their_faults_are_separate_from_the_calls():
    with simulated_api(items=[]) as api:
        api.directory["agents"].append(b'{"id":"a"}')
        api.directory_faults.append(lambda request, _: Response(418, str(request.number).encode()))
        answers = [requests.get(f"{api.url}/agents", headers=WITH_KEY, timeout=10) for _ in range(2)]
        assert get(api).status_code == 200
    assert [(answer.status_code, answer.text) for answer in answers] == [(418, "1"), (418, "2")]
    assert [seen.path for seen in api.requests] == ["/v1/calls"]
    assert [(seen.path, seen.status) for seen in api.directory_requests] == [("/v1/agents", 418)] * 2


def test_the_printed_lines_lead_to_the_calls_and_ctrl_c_ends_it():
    words = ["simulate", "--port", "0", "--calls", "30", "--days", "2", "--key", "sk_mine", "--order", "oldest"]
    with subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli.main", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        settings = dict(line.strip().removeprefix("export ").split("=") for line in lines[1:])
        answer = requests.get(
            f"{settings['CHORUS_API_URL']}/calls",
            headers={"Authorization": f"Bearer {settings['CHORUS_API_KEY']}"},
            timeout=10,
        )
        process.send_signal(signal.SIGINT)
        rest, log = process.communicate(timeout=30)
    assert answer.json()["pagination"]["total"] >= 30
    assert process.returncode == 130
    assert rest == ""
    assert "GET /v1/calls 200" in log
    assert "Traceback" not in log


@pytest.mark.parametrize("words", [["--faults", "sharknado"], ["--order", "up"], ["--calls", "-1"], ["--days", "0"]])
def test_wrong_options_are_wrong_usage(words):
    assert CliRunner().invoke(command, words).exit_code == 2


def test_an_unknown_fault_is_answered_with_the_known_ones():
    output = CliRunner().invoke(command, ["--faults", "sharknado"]).output
    assert "rate_limit" in output
    assert "sharknado" in output


def test_a_file_without_dialogues_is_wrong_usage(tmp_path):
    file = tmp_path / "dialogues.jsonl"
    file.write_text("nonsense", encoding="utf-8")
    result = CliRunner().invoke(command, ["--dialogues", str(file)])
    assert result.exit_code == 2
    assert "line 1" in result.output


def test_a_taken_port_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(command, ["--calls", "1", "--port", str(port)])
    assert isinstance(result.exception, ChorusCallsError)
    assert str(port) in result.exception.message


def test_help_shows_an_example_and_each_fault_in_a_line():
    lines = CliRunner().invoke(command, ["--help"]).output.splitlines()
    assert any("chorus-calls simulate --calls" in line for line in lines)
    assert all(any(line.strip().startswith(f"{name}: ") for line in lines) for name in FAULTS)


def test_it_starts_without_the_heavy_libraries():
    code = (
        "import sys, pipelines.cli.simulate as s;"
        "print(sorted({'dagster', 'polars', 'duckdb', 'pyarrow'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
