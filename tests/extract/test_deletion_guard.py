"""When missing calls are not marked: the scan proves nothing, or the deletion guard wants a confirmation."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.landing.tombstones import DeletionGuard
from pipelines.extract.scan.state import Ending, Order
from pipelines.lake import layout
from pipelines.lake.storage import Storage
from pipelines.simulator.faults import EmptyPage
from pipelines.simulator.messages import error
from tests.support.changing_account import Account, gone, shown
from tests.support.extraction import call
from tests.support.small_lake import SmallLake


@pytest.fixture
def storage(tmp_path) -> Storage:
    return SmallLake(tmp_path / "lake").storage


def refused(storage: Storage, account: Account, **options) -> str:
    with pytest.raises(ChorusCallsError) as refusal:
        account.sync(storage, **options)
    assert refusal.value.exit_code == 1
    return refusal.value.message


def test_more_than_the_allowed_share_is_not_marked_without_confirmation(storage):
    account = Account(30)
    account.sync(storage)
    newest = {"createdAt": "2026-03-05T00:00:00Z"}
    account.lose(["c003", "c004", "c005", "c015"])
    account.move("c010", 1)
    account.others = [call("new", **newest)]
    said = refused(storage, account, guard=DeletionGuard(0.1))
    assert "\n" not in said
    assert (
        "incomplete: 4 of 30 known calls are no longer listed, more than CHORUS_MAX_DELETED_SHARE allows. "
        "If they were really deleted, run `chorus-calls sync --full --accept-deletions`."
    ) in said
    # What the scan saw has landed, the moved call has moved, and the frontier is where it would be.
    assert set(gone(storage).values()) == {"moved"}
    assert shown(storage, date(2026, 3, 5)) == {"new": (True, 1)}
    assert json.loads(storage.read(layout.SCAN))["frontier"][:10] == "2026-03-05"
    last = pl.read_parquet(storage.address(layout.SCANS)).row(-1, named=True)
    assert (last["complete"], last["ending"]) == (False, str(Ending.DELETION_GUARD))
    assert (last["calls_deleted"], last["calls_moved"]) == (0, 1)
    assert account.sync(storage, full=False, guard=DeletionGuard(0.1)).mode == "incremental"

    refused(storage, account, guard=DeletionGuard(0.1))
    assert account.sync(storage, full=False, guard=DeletionGuard(0.1, accepted=True)).calls_deleted == 4


def test_the_allowed_share_itself_is_marked(storage):
    account = Account(30)
    account.sync(storage)
    account.lose(["c003", "c004", "c005"])
    assert account.sync(storage, guard=DeletionGuard(0.1)).calls_deleted == 3


def test_a_share_of_zero_allows_no_deletion(storage):
    account = Account()
    account.sync(storage)
    account.lose(["c003"])
    assert "1 of 24 known calls" in refused(storage, account, guard=DeletionGuard(0.0))


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize("size", [1, 24])
@pytest.mark.parametrize("others", [[], [call("new")]])
def test_all_known_calls_are_never_marked_without_confirmation(storage, size, others):
    account = Account(size)
    account.sync(storage)
    account.calls, account.others = {}, others
    assert f"incomplete: {size} of {size} known calls are no longer listed" in refused(storage, account)
    assert gone(storage) == {}
    report = account.sync(storage, guard=DeletionGuard(0.1, accepted=True))
    assert (report.calls_deleted, report.complete) == (size, True)
    assert len(gone(storage)) == size
    assert account.sync(storage).complete


def test_an_incremental_scan_marks_nothing(storage):
    account = Account()
    account.sync(storage)
    account.lose(["c003", "c023"])
    account.move("c010", 1)
    assert account.sync(storage, full=False).mode == "incremental"
    assert gone(storage) == {}


def test_a_list_without_order_marks_nothing(storage):
    account = Account(240)
    account.sync(storage)
    account.lose(["c003"])
    report = account.sync(storage, order="shuffled")
    assert report.complete
    assert gone(storage) == {}


def test_a_short_list_in_a_mixed_order_marks_nothing(storage):
    account = Account(6)
    account.sync(storage)
    account.lose(["c003"])
    account.others = [call(name, createdAt=created.isoformat()) for name, created in sorted(account.calls.items())]
    account.others = [account.others[place * 2 % 5] for place in range(5)]
    account.calls = {}
    report = account.sync(storage)
    assert (report.complete, report.order) == (True, Order.NONE)
    assert gone(storage) == {}


def test_a_limited_scan_marks_nothing(storage):
    account = Account(240)
    account.sync(storage)
    account.lose(["c239"])
    assert account.sync(storage, max_pages=2).ending is Ending.LIMITED
    assert gone(storage) == {}


def test_a_failed_scan_and_its_resumption_mark_nothing_but_the_one_after_does(storage):
    account = Account(240)
    account.sync(storage)
    account.lose(["c003", "c230"])
    down = [lambda request, respond: respond(request) if request.number <= 2 else error(500, "down")]
    refused(storage, account, faults=down, retry_seconds=0)
    assert gone(storage) == {}
    report = account.sync(storage)
    assert (report.resumed, report.complete) == (True, True)
    assert gone(storage) == {}
    assert account.sync(storage).calls_deleted == 2


def test_accepted_deletions_are_marked_even_after_an_interrupted_scan(storage):
    account = Account(240)
    account.sync(storage)
    account.lose(["c003"])
    account.sync(storage, max_pages=2)
    report = account.sync(storage, guard=DeletionGuard(0.0, accepted=True))
    assert (report.resumed, report.calls_deleted) == (False, 1)


def test_a_page_that_is_empty_for_once_marks_nothing(storage):
    account = Account(450)
    account.sync(storage)
    report = account.sync(storage, faults=[EmptyPage(every=3, times=1)])
    assert report.complete
    assert gone(storage) == {}


def test_calls_that_the_api_counts_but_does_not_show_are_not_marked_without_confirmation(storage):
    account = Account(240)
    account.sync(storage)

    def end_early(request, respond):
        """An API that shows no call beyond the 230th, as one does that limits the offset."""
        answer = respond(replace(request, limit=max(min(request.limit, 230 - request.offset), 0)))
        return replace(answer, body=answer.body.replace(b'"limit":0', b'"limit":100'))

    said = refused(storage, account, faults=[end_early])
    assert "10 of 240 known calls are no longer listed, but the API counts 10 more than it showed" in said
    assert gone(storage) == {}
    assert account.sync(storage).complete
