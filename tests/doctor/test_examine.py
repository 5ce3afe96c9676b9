"""Each damage, wrong setting and odd answer of the API is found by its name, and the remedy as written fixes it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec
import pytest

from pipelines.lake import identity, layout, state
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.retention import raise_floor
from pipelines.simulator.faults import HTML
from pipelines.simulator.messages import Response, error
from tests.doctor.conftest import Patient
from tests.support.simulated import KEY

Damage = Callable[[Patient], object]


def remove(path: str) -> Damage:
    return lambda patient: (patient.lake / path).unlink()


def spoil(path: str) -> Damage:
    return lambda patient: (patient.lake / path).write_bytes(b'{"format": ')


def cut(path: Path) -> None:
    """Cut a file's end off, as a full disk does."""
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-20])
    path.chmod(0o440)


def same_size(path: Path) -> None:
    """Overwrite a file's end, which leaves its size."""
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[:-8] + b"\0" * 8)
    path.chmod(0o640 if "raw" in path.parts else 0o440)


def table(patient: Patient, name: str = "calls") -> Path:
    return patient.version() / f"{name}.parquet"


def link(patient: Patient, name: str = "calls") -> Path:
    return patient.lake / layout.link_file(max(patient.manifest.days), name)


def spoil_plan(patient: Patient) -> None:
    (patient.lake / "state/builds").mkdir(mode=0o750)
    (patient.lake / "state/builds/run.json").write_text("[]")
    (patient.lake / "state/builds/run.json").chmod(0o640)


def uncount(patient: Patient) -> None:
    """Put a raw file down that does not count, as a sync leaves it that is killed before its commit."""
    first = patient.raw()[0]
    other = next(path for path in patient.raw() if path.parent != first.parent)
    shutil.copy2(first, other.with_name("20260101T000000000000Z-killed.parquet"))


def old_link(patient: Patient) -> None:
    days = sorted(patient.manifest.days)
    target = link(patient)
    target.unlink()
    shutil.copy2(patient.lake / layout.link_file(days[0], "calls"), target)


def catalog_behind(patient: Patient) -> None:
    with duckdb.connect(patient.lake / "chorus.duckdb") as catalog:
        catalog.execute("UPDATE _lake SET generation = generation - 1")


def catalog_of_moved_lake(patient: Patient) -> None:
    """Move the lake away, make its catalog there, and move both back."""
    moved = patient.lake.with_name("moved")
    patient.lake.rename(moved)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHORUS_LAKE", str(moved))
        assert patient("catalog")[0] == 0
    moved.rename(patient.lake)


DAMAGES: dict[str, tuple[str, Damage]] = {
    "lake.json lost": ("lake_json_missing", remove(layout.LAKE)),
    "lake.json corrupt": ("state_unreadable", spoil(layout.LAKE)),
    "landed.json lost": ("landed_missing", remove(layout.LANDED)),
    "landed.json corrupt": ("state_unreadable", spoil(layout.LANDED)),
    "scan.json corrupt": ("state_unreadable", spoil(layout.SCAN)),
    "names.json corrupt": ("state_unreadable", spoil(layout.NAMES)),
    "scans corrupt": ("state_unreadable", spoil(layout.SCANS)),
    "manifest lost": ("manifest_missing", remove(layout.MANIFEST)),
    "manifest corrupt": ("state_unreadable", spoil(layout.MANIFEST)),
    "plan corrupt": ("state_unreadable", spoil_plan),
    "raw file uncounted": ("raw_uncounted", uncount),
    "raw file gone": ("raw_gone", lambda patient: patient.raw()[0].unlink()),
    "raw day gone": ("raw_gone", lambda patient: shutil.rmtree(patient.raw()[0].parent)),
    "raw file cut": ("raw_size", lambda patient: cut(patient.raw()[-1]) or patient.raw()[-1].chmod(0o640)),
    "raw file corrupt": ("raw_unreadable", lambda patient: same_size(patient.raw()[-1])),
    "version gone": ("version_missing", lambda patient: shutil.rmtree(patient.version())),
    "audit gone": ("version_missing", lambda patient: (patient.version() / layout.AUDIT).unlink()),
    "audit corrupt": ("version_missing", lambda patient: cut(patient.version() / layout.AUDIT)),
    "table gone": ("table_missing", lambda patient: table(patient).unlink()),
    "table cut": ("table_damaged", lambda patient: (cut(table(patient)), link(patient).unlink())),
    "table corrupt": ("table_unreadable", lambda patient: same_size(table(patient))),
    "link gone": ("link_missing", lambda patient: link(patient).unlink()),
    "link old": ("link_old", old_link),
    "catalog gone": ("catalog_missing", remove(layout.CATALOG)),
    "catalog corrupt": ("catalog_unreadable", spoil(layout.CATALOG)),
    "catalog behind": ("catalog_behind", catalog_behind),
    "catalog elsewhere": ("catalog_elsewhere", catalog_of_moved_lake),
    "its scans gone": (
        "catalog_unreadable",
        lambda patient: [path.unlink() for path in (patient.lake / "state").glob("*scans.parquet")],
    ),
    "link of another day": (
        "link_unpublished",
        lambda patient: shutil.copytree(link(patient).parent, link(patient).parent.with_name("call_date=2020-01-01")),
    ),
    "raw open": ("open_to_others", lambda patient: patient.raw()[0].chmod(0o644)),
    "a copy for globs open": ("open_to_others", lambda patient: open_copy(link(patient))),
    "catalog open": ("open_to_others", lambda patient: (patient.lake / layout.CATALOG).chmod(0o644)),
    "key open": ("open_to_others", lambda patient: (patient.lake / layout.PII_KEY).chmod(0o640)),
    "published writable": ("published_writable", lambda patient: table(patient).chmod(0o640)),
    "old days not gone": ("prune_unfinished", lambda patient: raise_floor(patient.storage, max(patient.landed.days))),
    "versions not masked": ("unmasked_versions", lambda patient: say_unmasked(patient.storage)),
}


def open_copy(path: Path) -> None:
    """Put a copy in the place of a link, as where there are no links, and let everybody read it."""
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.chmod(0o444)
    copy.replace(path)


def say_unmasked(storage: LocalStorage) -> None:
    """Note that the lake's numbers are masked only since a moment ago."""
    identity.update_lake(storage, lambda lake: msgspec.structs.replace(lake, unmasked_versions=True))


@pytest.mark.matrix(quick=4)
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_fixed(patient, name):
    check, damage = DAMAGES[name]
    damage(patient)
    before = patient.snapshot()
    findings = patient.examine()
    assert {finding["check"] for finding in findings} == {check}
    assert patient.snapshot() == before
    patient.follow(findings[0]["remedy"])
    assert patient.examine() == []


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
