"""Each damage is found, alone and by its name; examining changes nothing; the remedy as written fixes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec
import pytest

from pipelines.lake import identity, layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.maintenance.retention import raise_floor
from tests.doctor.conftest import Patient

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
    "lake.json spoilt": ("state_unreadable", spoil(layout.LAKE)),
    "landed.json lost": ("landed_missing", remove(layout.LANDED)),
    "landed.json spoilt": ("state_unreadable", spoil(layout.LANDED)),
    "scan.json spoilt": ("state_unreadable", spoil(layout.SCAN)),
    "names.json spoilt": ("state_unreadable", spoil(layout.NAMES)),
    "scans spoilt": ("state_unreadable", spoil(layout.SCANS)),
    "manifest lost": ("manifest_missing", remove(layout.MANIFEST)),
    "manifest spoilt": ("state_unreadable", spoil(layout.MANIFEST)),
    "plan spoilt": ("state_unreadable", spoil_plan),
    "raw file uncounted": ("raw_uncounted", uncount),
    "raw file gone": ("raw_gone", lambda patient: patient.raw()[0].unlink()),
    "raw day gone": ("raw_gone", lambda patient: shutil.rmtree(patient.raw()[0].parent)),
    "raw file cut": ("raw_size", lambda patient: cut(patient.raw()[-1]) or patient.raw()[-1].chmod(0o640)),
    "raw file spoilt": ("raw_unreadable", lambda patient: same_size(patient.raw()[-1])),
    "version gone": ("version_missing", lambda patient: shutil.rmtree(patient.version())),
    "audit gone": ("version_missing", lambda patient: (patient.version() / layout.AUDIT).unlink()),
    "audit spoilt": ("version_missing", lambda patient: cut(patient.version() / layout.AUDIT)),
    "table gone": ("table_missing", lambda patient: table(patient).unlink()),
    "table cut": ("table_damaged", lambda patient: (cut(table(patient)), link(patient).unlink())),
    "table spoilt": ("table_unreadable", lambda patient: same_size(table(patient))),
    "link gone": ("link_missing", lambda patient: link(patient).unlink()),
    "link old": ("link_old", old_link),
    "catalog gone": ("catalog_missing", remove(layout.CATALOG)),
    "catalog spoilt": ("catalog_unreadable", spoil(layout.CATALOG)),
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
