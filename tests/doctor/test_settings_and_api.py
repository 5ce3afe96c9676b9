"""Settings that are not the lake's, the key, and an API that does not answer as it should."""

from __future__ import annotations

import os

import msgspec
import pytest

from pipelines.lake import identity, layout, state
from pipelines.simulator.faults import HTML
from pipelines.simulator.messages import Response, error
from tests.support.simulated import KEY


def test_a_healthy_lake_has_nothing_and_is_not_touched(patient):
    before = patient.snapshot()
    assert patient.examine() == []
    code, out, err = patient("doctor")
    assert (code, err, out.splitlines()[-1]) == (0, "", "All is well.")
    for area in ("settings", "state", "raw", "published", "links", "catalog", "access", "removals", "api"):
        assert any(line.startswith(f"{area}: ") and line.endswith("ok") for line in out.splitlines())
    assert patient.snapshot() == before


def test_a_lake_that_is_not_there_is_healthy_and_not_made(patient, monkeypatch):
    monkeypatch.setenv("CHORUS_LAKE", str(patient.lake.with_name("none")))
    assert patient.examine() == []
    assert "chorus-calls sync" in patient("doctor")[1]
    assert patient.repair() == []
    assert not patient.lake.with_name("none").exists()


def test_days_that_wait_are_said_and_are_no_finding(patient):
    kept = state.load_landed(patient.storage)
    kept.value.days[max(kept.value.days)].digest = "0"  # as after another landing
    state.commit(patient.storage, kept)
    assert patient.examine() == []
    assert "1 day waits to be built" in patient("doctor")[1]


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("CHORUS_TIMEZONE", "Asia/Kolkata", "Asia/Kolkata"),
        ("CHORUS_PII", "raw", "mask"),
        ("CHORUS_PII_KEY", "another key", "CHORUS_PII_KEY"),
    ],
)
def test_settings_that_are_not_the_lakes(patient, monkeypatch, name, value, word):
    monkeypatch.setenv(name, value)
    before = patient.snapshot()
    (finding,) = patient.examine()
    assert finding["check"] == "settings_differ"
    assert name in finding["what"]
    assert word in finding["what"]
    assert "another key" not in str(finding)
    assert patient.snapshot() == before
    if name == "CHORUS_TIMEZONE":
        patient.follow(finding["remedy"])
        assert patient.examine() == []


def test_the_outcome_map_is_not_the_lakes(patient, monkeypatch):
    patient.lake.with_name("own.toml").write_text('[status]\n"paused" = "failed"\n')
    monkeypatch.setenv("CHORUS_OUTCOMES", str(patient.lake.with_name("own.toml")))
    (finding,) = patient.examine()
    assert "CHORUS_OUTCOMES" in finding["what"]
    patient.lake.with_name("own.toml").unlink()


def test_a_newer_program_wrote_the_lake(patient):
    identity.update_lake(
        patient.storage, lambda lake: msgspec.structs.replace(lake, table_version=lake.table_version + 1)
    )
    findings = patient.examine()
    assert [(finding["check"], finding["remedy"]) for finding in findings] == [
        ("settings_differ", "Upgrade chorus-calls.")
    ]
    before = patient.snapshot()
    assert patient("doctor", "--repair")[0] == 2
    assert patient.snapshot() == before


def test_a_newer_format_is_left_alone(patient):
    path = patient.lake / layout.LANDED
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    before = patient.snapshot()
    assert {finding["check"] for finding in patient.examine()} == {"state_newer"}
    code, _, err = patient("doctor", "--repair")
    assert (code, "Upgrade" in err) == (1, True)
    assert patient.snapshot() == before


@pytest.mark.slow
def test_the_pii_key_is_lost(patient):
    (patient.lake / layout.PII_KEY).unlink()
    before = patient.snapshot()
    (finding,) = patient.examine()
    assert finding["check"] == "pii_key_missing"
    assert patient.repair() == []
    assert patient.snapshot() == before
    patient.follow(finding["remedy"])
    assert patient.examine() == []


def test_wrong_settings_are_wrong_usage(patient, monkeypatch):
    monkeypatch.setenv("CHORUS_PII", "some")
    assert patient("doctor")[0] == 2


def test_a_folder_that_cannot_be_written(patient, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: str(path) != str(patient.lake / "raw"))
    (finding,) = patient.examine()
    assert (finding["check"], str(patient.lake / "raw") in finding["what"]) == ("not_writable", True)


ANSWERS = {
    "a web page": ("api_no_answer", lambda _, __: Response(200, HTML, {"Content-Type": "text/html"})),
    "other JSON": ("api_no_answer", lambda _, __: Response(200, b'{"ok": true}', {})),
    "no such place": ("api_no_answer", lambda _, __: error(404, "Not found")),
    "a redirect": ("api_no_answer", lambda _, __: error(302, "Moved").with_headers(Location="http://127.0.0.1:1/")),
    "down": ("api_no_answer", lambda _, __: error(503, "Down")),
    "refused": ("api_key_refused", lambda _, __: error(401, "Unauthorized")),
    "forbidden": ("api_key_refused", lambda _, __: error(403, "Forbidden")),
    "clock": (
        "api_clock",
        lambda request, respond: respond(request).with_headers(Date="Wed, 01 Jan 2020 00:00:00 GMT"),
    ),
    "organisation": (
        "api_organisation",
        lambda _, __: Response(
            200, b'{"data": [{"id": "c", "organizationId": "org-x", "createdAt": "2026-03-01T00:00:00Z"}]}', {}
        ),
    ),
}


@pytest.mark.matrix(quick=3)
@pytest.mark.parametrize("name", ANSWERS)
def test_an_api_that_does_not_answer_as_it_should(patient, name):
    check, answer = ANSWERS[name]
    patient.api.faults.append(answer)
    before = patient.snapshot()
    (finding,) = patient.examine()
    assert finding["check"] == check
    assert finding["remedy"]
    assert KEY not in str(finding)
    assert patient.snapshot() == before


def test_an_api_that_is_not_there_and_no_key(patient, monkeypatch):
    monkeypatch.setenv("CHORUS_API_URL", "http://127.0.0.1:1/v1")
    (finding,) = patient.examine()
    assert finding["check"] == "api_no_answer"
    assert "could not be reached" in finding["what"]
    monkeypatch.delenv("CHORUS_API_KEY")
    (finding,) = patient.examine()
    assert finding["check"] == "api_key_missing"


def test_many_alike_are_put_together_for_people_and_listed_for_machines(patient):
    links = list(patient.lake.glob("*/call_date=*/data.parquet"))
    for path in links:
        path.unlink()
    findings = patient.examine()
    assert {finding["check"] for finding in findings} == {"link_missing"}
    assert len(findings) == len(links) == 8 * len(patient.manifest.days)
    code, out, err = patient("doctor")
    assert code == 1
    assert f"… and {len(links) - 3} more like these" in out
    assert out.count("chorus-calls build") == 1
    assert f"{len(links)} things are wrong" in err
