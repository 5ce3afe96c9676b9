"""While others sync, build and publish, what they are about to change is not taken for damage."""

from __future__ import annotations

import pytest

from pipelines.doctor import examine as examining
from pipelines.doctor.inspection import read_subject
from pipelines.lake import layout
from pipelines.settings import load_settings
from pipelines.simulator import SimulatedApi
from tests.doctor.test_damage import link, uncount
from tests.support.simulated import KEY, small_world

pytestmark = pytest.mark.slow


def test_files_of_a_sync_that_is_under_way_are_its_own(patient):
    uncount(patient)
    with patient.storage.lock("sync"):
        assert patient.examine() == []
    assert [finding["check"] for finding in patient.examine()] == ["raw_uncounted"]


def test_what_a_commit_moves_between_two_reads_is_no_damage(patient, monkeypatch):
    """Show the doctor a lake as it was before a sync and a build, and then as it is."""
    old = read_subject(load_settings())
    path = patient.lake / layout.LANDED
    landed = path.read_text()
    kept = patient.manifest
    later = small_world(calls=40, days=3)
    later.advance(hours=8)
    with SimulatedApi(later, key=KEY) as api:
        monkeypatch.setenv("CHORUS_API_URL", api.url)
        assert patient("sync", "--full")[0] == 0
    monkeypatch.setenv("CHORUS_API_URL", patient.api.url)
    assert (path.read_text() == landed, patient.manifest.generation > kept.generation) == (False, True)
    reads = iter([old])
    monkeypatch.setattr(examining, "read_subject", lambda settings: next(reads, None) or read_subject(settings))
    seen = [finding for check in examining._AREAS for finding in check(old).findings]
    assert {finding.check for finding in seen} == {"link_old"}
    assert patient.examine() == []


def test_links_and_catalog_are_left_out_where_somebody_goes_on_publishing(patient, monkeypatch):
    monkeypatch.setattr("pipelines.doctor.inspection._PUBLISH_WAIT_SECONDS", 0.0)
    link(patient).unlink()
    (patient.lake / layout.CATALOG).unlink()
    patient.version().joinpath("calls.parquet").unlink()
    with patient.storage.lock("publish"):
        assert {finding["check"] for finding in patient.examine()} == {"table_missing"}
        assert "being published" in patient("doctor")[1]
