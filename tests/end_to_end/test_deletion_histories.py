"""Whatever happens to an account's calls between full scans, the tables are those of its list, and the oracle's."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.extract.landing.tombstones import DeletionGuard
from pipelines.lake.storage import Storage
from tests.oracle.compare import assert_same_tables
from tests.oracle.items import Version
from tests.oracle.tables import expected_lake
from tests.support.examples import examples
from tests.support.extraction import call, raw_rows, synced
from tests.support.lakes import build, oracle_shaping, workspace
from tests.support.simulated import simulated_api

FIRST = date(2026, 3, 1)

calls = st.sampled_from("abcde")
events = st.one_of(
    st.tuples(st.just("list"), calls, st.integers(0, 2)),  # new, or back, or on another day
    st.tuples(st.just("change"), calls, st.integers(0, 1)),
    st.tuples(st.just("delete"), calls, st.just(0)),
)
Pair = tuple[date, str]


@dataclass
class Account:
    """What an account lists, and what a lake knows of it after full scans.

    Attributes:
        listed: Each call's day and status.
        landed: The statuses that landed of each day's call.
        alive: The rows that tables have; False where the call is deleted.
    """

    listed: dict[str, tuple[date, str]] = field(default_factory=dict)
    landed: dict[Pair, list[str]] = field(default_factory=dict)
    alive: dict[Pair, bool] = field(default_factory=dict)

    def happen(self, what: str, name: str, number: int) -> None:
        day, status = self.listed.get(name, (FIRST, "0"))
        if what == "list":
            self.listed[name] = (FIRST + timedelta(days=number), status)
        elif what == "change" and name in self.listed:
            self.listed[name] = (day, str(number))
        elif what == "delete":
            self.listed.pop(name, None)

    def items(self) -> list[bytes]:
        newest_first = sorted(self.listed.items(), key=lambda item: item[1][0], reverse=True)
        return [call(name, createdAt=f"{day}T10:00:00Z", status=status) for name, (day, status) in newest_first]

    def scanned(self) -> None:
        pairs = {(day, name): status for name, (day, status) in self.listed.items()}
        for pair in set(self.alive) - set(pairs):
            if pair[1] in self.listed:
                del self.alive[pair]
            else:
                self.alive[pair] = False
        for pair, status in pairs.items():
            versions = self.landed.setdefault(pair, [])
            if not self.alive.get(pair) or versions[-1] != status:
                versions.append(status)
            self.alive[pair] = True

    def rows(self) -> dict[Pair, tuple[bool, str, int]]:
        return {pair: (alive, self.landed[pair][-1], len(self.landed[pair])) for pair, alive in self.alive.items()}


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(events, max_size=5), min_size=2, max_size=5))
def test_after_each_full_scan_the_tables_are_those_of_the_list(history):
    account = Account()
    with tempfile.TemporaryDirectory() as folder:
        lake = workspace(Path(folder) / "lake")
        for happened in history:
            for event in happened:
                account.happen(*event)
            with simulated_api(items=account.items()) as api:
                synced(lake.storage, api, full=True, guard=DeletionGuard(accepted=True))
            account.scanned()
            versions = landed_versions(lake.storage)
            built = build(lake, sorted(versions))
            assert account.rows() == {
                (day, row["call_id"]): (row["deleted_at"] is None, row["status"], row["version_count"])
                for day, tables in built.items()
                for row in tables["calls"]
            }
            for day, tables in expected_lake(versions, {}, oracle_shaping(lake)).items():
                assert_same_tables(built[day], tables)


def landed_versions(storage: Storage) -> dict[date, list[Version]]:
    days: dict[date, list[Version]] = {}
    for row in raw_rows(storage):
        version = Version(row["call_id"], row["payload"], row["landed_at"], row["payload_hash"] == "moved")
        days.setdefault(row["call_date"], []).append(version)
    return days
