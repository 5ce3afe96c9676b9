"""A valid day with every kind of row that the checks read, and their verdicts on any change of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pyarrow.parquet as pq
import pytest

from pipelines.lake.layout import table_file
from pipelines.lake.local import LocalStorage
from pipelines.lake.tables import LANDED_ITEMS, VersionTables
from pipelines.quality import CheckResult, audit
from tests.support.frames import DAY, Day, at, attribute, call, frame, leg, turn, with_marts


@pytest.fixture
def day() -> Day:
    """Two calls with legs, one of them deleted, and items whose parents are on the day before, or nowhere."""
    day = {
        "calls": frame(
            "calls",
            call("call_1", is_transferred=True, transfer_leg_count=1, message_count=2, turn_count=-3),
            call("call_2", agent_id=None, outcome="failed", cost=None, transfer_leg_count=1, deleted_at=at("13:00")),
            call("call_3", agent_id=None, duration_seconds=None, outcome="no_answer", created_at=at("11:00")),
            call("item_1", is_root=False, parent_call_id="call_1", message_count=1),
            call("item_2", is_root=False, parent_call_id="yesterday_1"),
            call("item_3", is_root=False, parent_call_id="nowhere_1"),
            call("item_4", is_root=False, parent_call_id="yesterday_2", message_count=1),
        ),
        "transcript_turns": frame(
            "transcript_turns",
            turn("call_1", None, 0),
            turn("call_1", None, 1),
            turn("call_1", "item_1", 0),
            turn("call_2", "call_2#0", 0),
            turn("nowhere_1", "item_3", 0),
            turn("nowhere_1", "item_3", 1),
            turn("yesterday_2", "item_4", 0),
        ),
        "transfer_legs": frame(
            "transfer_legs",
            leg("call_2#0", call_id="call_2", deleted_at=at("13:00"), transfer_type=None, message_count=1),
            leg("item_1", message_count=1),
            leg("item_2", call_id="yesterday_1", source="child_call", leg_index=None, transfer_outcome="pending"),
            leg(
                "item_3",
                call_id="nowhere_1",
                source="child_call",
                leg_index=None,
                parent_found=False,
                message_count=2,
            ),
        ),
        "call_attributes": frame(
            "call_attributes", attribute("call_1", "a"), attribute("call_1", "b"), attribute("item_3", "a")
        ),
        "data_issues": frame("data_issues", {"path": "$"}, {"path": "$"}),
    }
    return with_marts(day)


@pytest.fixture
def judge(tmp_path: Path) -> Callable[[Day], dict[str, CheckResult]]:
    """Write a day as Parquet, two rows to a row group, and return the verdict of each check over the files."""

    def verdicts(day: Day, items: Mapping[str, int] = MappingProxyType({})) -> dict[str, CheckResult]:
        storage = LocalStorage(tmp_path)
        for table, rows in day.items():
            path = Path(storage.address(table_file(DAY, "v1", table)))
            path.parent.mkdir(parents=True, exist_ok=True)
            landed = {LANDED_ITEMS: str(items[table])} if table in items else None
            pq.write_table(rows.to_arrow().replace_schema_metadata(landed), path, row_group_size=2)
        return {verdict.check: verdict for verdict in audit(VersionTables(storage, DAY, "v1"))}

    return verdicts
