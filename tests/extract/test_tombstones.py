"""What a full scan marks as deleted or moved, and when the deletion guard leaves missing calls unmarked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow.parquet as pq
import pytest

from pipelines.errors import ChorusCallsError
from pipelines.extract.landing.tombstones import DeletionGuard
from pipelines.extract.scan.state import Ending, Order
from pipelines.extract.scan_report import ScanReport
from pipelines.lake import layout, raw, state
from pipelines.lake.storage import Storage
from pipelines.simulator.faults import EmptyPage
from pipelines.simulator.messages import error
from tests.support.extraction import call, raw_rows, synced
from tests.support.simulated import simulated_api, small_world

FIRST = datetime(2026, 3, 1, 20, tzinfo=UTC)
DAY, NEXT = date(2026, 3, 1), date(2026, 3, 2)
ALL = DeletionGuard(1.0)


class Account:
    """Calls of an account, twenty minutes apart from 20:00 on, listed newest first."""

    def __init__(self, size: int = 24) -> None:
        self.calls = {f"c{n:03}": FIRST + timedelta(minutes=20 * n) for n in range(size)}
        self.others: list[bytes] = []

    def items(self) -> list[bytes]:
        newest_first = sorted(self.calls.items(), key=lambda of: of[1], reverse=True)
        return [*self.others, *(call(name, createdAt=created.isoformat()) for name, created in newest_first)]

    def sync(self, storage: Storage, **options) -> ScanReport:
        settings = {name: options.pop(name) for name in ("order", "faults") if name in options}
        with simulated_api(items=self.items(), **settings) as api:
            return synced(storage, api, **{"full": True, "guard": ALL, **options})

    def move(self, name: str, days: int) -> None:
        self.calls[name] += timedelta(days=days)

    def lose(self, names: Iterable[str]) -> None:
        for name in list(names):
            del self.calls[name]


def gone(storage: Storage) -> dict[str, str]:
    """Return what the newest version says of each call that is marked, by `call day`."""
    newest = {(row["call_id"], row["call_date"]): row for row in raw_rows(storage)}
    return {f"{name} {day}": row["payload_hash"] for (name, day), row in newest.items() if row["deleted"]}


def shown(storage: Storage, day: date) -> dict[str, tuple[bool, int]]:
    """Return what a build reads of a day: of each call whether it is alive, and how many versions it has."""
    rows = raw.read_day(storage, day, state.load_landed(storage).value.days.get(day), 100)
    listed = [row for part in rows for row in part.to_pylist()]
    return {row["call_id"]: (row["deleted_at"] is None, row["version_count"]) for row in listed}


def test_a_call_that_is_no_longer_listed_is_marked_deleted(storage):
    account = Account()
    account.sync(storage)
    account.lose(["c003", "c005", "c015"])
    report = account.sync(storage)
    assert report.complete
    assert (report.calls_deleted, report.calls_moved, report.calls_changed) == (3, 0, 0)
    assert report.changed_days == [DAY, NEXT]
    marks = [row for row in raw_rows(storage) if row["deleted"]]
    assert [(row["call_id"], row["call_date"]) for row in marks] == [("c003", DAY), ("c005", DAY), ("c015", NEXT)]
    assert {(row["payload"], row["payload_hash"]) for row in marks} == {(None, "deleted")}
    # They came to count together, after everything else.
    (landed_at,) = {row["landed_at"] for row in marks}
    assert landed_at == state.load_landed(storage).value.newest_landed_at
    assert len({row["sync_id"] for row in marks}) == 1
    assert [len(day.calls) for day in state.load_landed(storage).value.days.values()] == [2, 2]
    assert shown(storage, DAY)["c003"] == (False, 1)


def test_a_deleted_call_is_marked_once(storage):
    account = Account()
    account.sync(storage)
    account.lose(["c003"])
    account.sync(storage)
    landed = storage.read(layout.LANDED)
    report = account.sync(storage)
    assert (report.calls_deleted, report.changed_days) == (0, [])
    assert storage.read(layout.LANDED) == landed


def test_a_call_that_is_listed_again_is_alive_again(storage):
    account = Account()
    for names in ([], ["c003"], []):
        kept = dict(account.calls)
        account.lose(names)
        report = account.sync(storage)
        account.calls = kept
    assert (report.calls_changed, report.calls_deleted) == (1, 0)
    assert gone(storage) == {}
    assert shown(storage, DAY)["c003"] == (True, 2)


def test_a_call_that_moves_leaves_its_day_and_may_come_back(storage):
    account = Account()
    account.sync(storage)
    account.move("c003", 1)
    report = account.sync(storage)
    assert (report.calls_new, report.calls_moved, report.calls_deleted) == (1, 1, 0)
    assert gone(storage) == {f"c003 {DAY}": "moved"}
    assert "c003" not in shown(storage, DAY)
    assert shown(storage, NEXT)["c003"] == (True, 1)

    account.move("c003", -1)
    assert account.sync(storage).calls_moved == 1
    assert gone(storage) == {f"c003 {NEXT}": "moved"}
    assert shown(storage, DAY)["c003"] == (True, 2)
    assert account.sync(storage).changed_days == []


def test_a_call_that_moved_and_is_then_deleted_keeps_its_row_on_its_last_day(storage):
    account = Account()
    account.sync(storage)
    account.move("c003", 1)
    account.sync(storage)
    account.lose(["c003"])
    assert account.sync(storage).calls_deleted == 1
    assert gone(storage) == {f"c003 {DAY}": "moved", f"c003 {NEXT}": "deleted"}
    assert shown(storage, NEXT)["c003"] == (False, 1)


def test_a_call_that_was_deleted_and_is_listed_on_another_day_has_moved(storage):
    account = Account()
    account.sync(storage)
    created = account.calls.pop("c003")
    account.sync(storage)
    account.calls["c003"] = created + timedelta(days=1)
    report = account.sync(storage)
    assert (report.calls_deleted, report.calls_moved) == (0, 1)
    assert "c003" not in shown(storage, DAY)


def test_a_call_that_is_listed_on_two_days_is_on_both(storage):
    account = Account()
    account.sync(storage)
    account.others = [call("c003", createdAt="2026-03-04T10:00:00Z")]
    assert account.sync(storage).calls_moved == 0
    assert gone(storage) == {}


def test_a_call_that_comes_during_the_scan_is_alive(storage):
    world = small_world(calls=240)

    def grow(request, respond):
        world.insert({"id": f"late-{request.number}", "createdAt": "2026-03-04T16:30:00Z"})
        return respond(request)

    with simulated_api(world) as api:
        synced(storage, api)
        api.faults.append(grow)
        report = synced(storage, api, full=True)
        assert report.calls_new > 0
        assert synced(storage, api, full=True).calls_deleted == 0
    assert gone(storage) == {}


def test_a_call_that_can_no_longer_be_placed_is_listed_all_the_same(storage):
    account = Account()
    account.others = [call("odd"), b'{"id": 7}', b"[]"]
    account.sync(storage)
    account.others = [call("odd", createdAt="soon"), b'{"id": 7}', b"[]"]
    report = account.sync(storage)
    assert (report.calls_deleted, report.calls_moved, report.items_rejected) == (0, 0, 3)
    assert gone(storage) == {}
    rejected = raw_rows(storage, "rejected")
    account.others = []  # neither the items that were never calls are calls that are gone now
    assert account.sync(storage).calls_deleted == 1
    assert raw_rows(storage, "rejected") == rejected


@pytest.mark.slow
def test_a_scan_that_had_to_start_again_counts_as_one(storage):
    world = small_world(calls=900)
    with simulated_api(world) as api:
        synced(storage, api)
        synced(storage, api, full=True, max_pages=5)
        for item in world.items()[430:470]:
            world.delete(json.loads(item)["id"])
        report = synced(storage, api, full=True)
    assert not report.resumed
    assert report.calls_deleted == len(gone(storage)) == 40


def test_scans_recorded_before_there_were_deletions_stay(storage):
    account = Account()
    account.sync(storage)
    old = pq.read_table(storage.address(layout.SCANS)).drop_columns(["calls_deleted", "calls_moved"])
    with storage.create(layout.SCANS) as stream:
        pq.write_table(old, stream)
    account.lose(["c003"])
    account.sync(storage)
    assert pl.read_parquet(storage.address(layout.SCANS))["calls_deleted"].to_list() == [None, 1]


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
    # What the scan saw has landed, the moved call has moved, and the watermark is where it would be.
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
        """Let an API show no call beyond the 230th, as one does that limits the offset."""
        answer = respond(replace(request, limit=max(min(request.limit, 230 - request.offset), 0)))
        return replace(answer, body=answer.body.replace(b'"limit":0', b'"limit":100'))

    said = refused(storage, account, faults=[end_early])
    assert "10 of 240 known calls are no longer listed, but the API counts 10 more than it showed" in said
    assert gone(storage) == {}
    assert account.sync(storage).complete
