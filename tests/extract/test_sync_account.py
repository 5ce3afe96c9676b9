"""One lake, one account: calls of another one never land, whenever the API shows them."""

from __future__ import annotations

import pytest

from pipelines.errors import ChorusCallsError
from pipelines.simulator.faults import parse_faults
from tests.support.extraction import call, raw_rows, synced
from tests.support.simulated import simulated_api, small_world
from tests.support.small_lake import SmallLake


@pytest.fixture
def storage(tmp_path):
    return SmallLake(tmp_path / "lake").storage


def test_a_call_of_another_account_stops_the_sync(storage):
    with simulated_api(items=[call("a")]) as api:
        synced(storage, api)
    with (
        simulated_api(items=[call("b", organizationId="org-2")]) as api,
        pytest.raises(ChorusCallsError, match=r"org-2.*CHORUS_LAKE"),
    ):
        synced(storage, api)
    assert [row["call_id"] for row in raw_rows(storage)] == ["a"]


@pytest.mark.parametrize("workers", [1, 8])
def test_calls_of_another_account_in_the_first_sync_stop_it(storage, workers):
    world = small_world(calls=450, days=2)
    with (
        simulated_api(world, faults=parse_faults("other_account:every=1:after=3")) as api,
        pytest.raises(ChorusCallsError, match=r"incomplete.*org_of_somebody_else.*CHORUS_LAKE"),
    ):
        synced(storage, api, workers=workers)
    assert b"org_of_somebody_else" not in b"".join(row["payload"].encode() for row in raw_rows(storage))
    assert len(raw_rows(storage)) == 280
    with simulated_api(world) as api:
        assert synced(storage, api).complete


def test_an_account_may_have_several_organisations(storage):
    first = [call(f"call-{number:03}", organizationId=f"org-{number % 2}") for number in range(150)]
    with simulated_api(items=first) as api:
        assert synced(storage, api).complete
        assert synced(storage, api, full=True).complete
    with (
        simulated_api(items=[*first, call("other", organizationId="org-2")]) as api,
        pytest.raises(ChorusCallsError, match="org-2"),
    ):
        synced(storage, api, full=True)
    assert {row["call_id"] for row in raw_rows(storage)} == {f"call-{number:03}" for number in range(150)}
