"""Answers that show no page, refuse or never end, as a whole sync meets them: tried again, or incomplete in words."""

from __future__ import annotations

import pytest

from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.simulator.faults import parse_faults
from tests.support.extraction import landed_ids, last_scan, listed_ids, synced
from tests.support.simulated import simulated_api, small_world

pytestmark = pytest.mark.matrix(quick=3)

WORLD = small_world(calls=350, days=3)
IDS = listed_ids(WORLD)
NO_PAGES = [
    "html",
    *(f"odd_body:form={form}" for form in ("empty", "null", "list", "object", "error")),
    "truncated",
    "broken_chunk",
    *(f"wrong_length:form={form}" for form in ("long", "short")),
    *(f"bad_gzip:form={form}" for form in ("corrupt", "cut", "plain")),
]
BROKEN = ["refused", "disconnect", "reset", "server_error"]
BUSY = ["rate_limit:wait=0", "rate_limit:form=garbage", "rate_limit:form=absent", "unavailable:wait=0"]


@pytest.mark.parametrize("fault", [*NO_PAGES, *BROKEN, *BUSY])
def test_22_23_24_26_30_what_passes_costs_no_call(storage, fault):
    with simulated_api(WORLD, faults=parse_faults(f"{fault}:every=3")) as api:
        report = synced(storage, api, workers=8, retry_seconds=30)
    assert report.complete
    assert report.retries >= 2
    assert landed_ids(storage) == IDS


def incomplete(storage, faults, words, error=ChorusCallsError, **options):
    """A sync that reads three pages and ends incomplete in these words, and the next one, which resumes."""
    with (
        simulated_api(WORLD, faults=parse_faults(faults)) as api,
        pytest.raises(error, match=rf"^The sync is incomplete: [^\n]*{words}[^\n]*$") as failed,
    ):
        synced(storage, api, **{"retry_seconds": 0.05, **options})
    assert last_scan(storage)["ending"] == "failed"
    assert len(landed_ids(storage)) == 280  # three pages, each of which reaches back over the one before
    with simulated_api(WORLD) as api:
        report = synced(storage, api)
    assert (report.complete, report.resumed) == (True, True)
    assert landed_ids(storage) == IDS
    return failed.value


@pytest.mark.parametrize("fault", ["html", "odd_body:form=error", "truncated", "bad_gzip:form=corrupt", *BROKEN])
def test_22_23_24_26_what_stays_is_never_taken_for_the_end(storage, fault):
    assert incomplete(storage, f"{fault}:every=1:after=3", "no page at offset 270").exit_code == 1


def test_25_a_body_that_comes_byte_by_byte_is_given_up_and_asked_for_again(storage, monkeypatch):
    monkeypatch.setattr("pipelines.extract.http.client._REQUEST_SECONDS", 0.3)
    with simulated_api(WORLD, faults=parse_faults("trickle:seconds=0.05:every=1:after=2:times=1")) as api:
        report = synced(storage, api)
    assert (report.complete, report.retries) == (True, 1)
    assert landed_ids(storage) == IDS


@pytest.mark.parametrize("form", ["host", "https", "circle"])
def test_27_a_list_that_is_sent_elsewhere_ends_the_sync(storage, form):
    assert incomplete(storage, f"redirect:form={form}:after=3", "CHORUS_API_URL").exit_code == 1


def test_27_one_that_stays_within_the_server_is_followed(storage):
    with simulated_api(WORLD, faults=parse_faults("redirect:form=same")) as api:
        assert synced(storage, api).complete
    assert landed_ids(storage) == IDS


def test_28_a_key_that_is_replaced_in_the_middle_is_reported_as_such(storage):
    assert incomplete(storage, "rotated_key", "refused the key", KeyRefusedError).exit_code == 3


@pytest.mark.parametrize(("code", "error"), [(403, KeyRefusedError), (404, ChorusCallsError)])
def test_29_an_error_that_no_retry_can_fix_ends_the_sync_at_once(storage, code, error):
    incomplete(storage, f"status:code={code}:every=1:after=3", "CHORUS_API_URL", error, retry_seconds=600)


def test_31_a_long_wait_ends_the_sync_with_the_time_to_come_back(storage):
    faults = "unavailable:wait=3600:every=1:after=3"
    assert "Try again after" in incomplete(storage, faults, "wait 3600 s", retry_seconds=30).message


@pytest.mark.slow
def test_32_many_refusals_in_a_row_are_waited_out(storage):
    with simulated_api(WORLD, faults=parse_faults("rate_limit:form=absent:every=1:after=2:times=6")) as api:
        report = synced(storage, api, retry_seconds=30)
    assert (report.complete, report.retries) == (True, 6)
    assert landed_ids(storage) == IDS


@pytest.mark.parametrize("form", ["ahead", "behind"])
def test_33_a_clock_that_is_hours_off_stops_the_sync_before_anything_lands(storage, form):
    with (
        simulated_api(WORLD, faults=parse_faults(f"skewed_clock:form={form}")) as api,
        pytest.raises(ChorusCallsError, match=r"incomplete.*Set the clock"),
    ):
        synced(storage, api)
    assert landed_ids(storage) == []


@pytest.mark.parametrize("faults", ["byte_order_mark", *(f"content_type:form={form}" for form in ("wrong", "missing"))])
def test_39_odd_wrapping_is_no_obstacle(storage, faults):
    with simulated_api(WORLD, faults=parse_faults(faults)) as api:
        assert synced(storage, api).complete
    assert landed_ids(storage) == IDS
