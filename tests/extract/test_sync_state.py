"""The file that one sync leaves for the next: lakes of earlier releases have it too, so its keys stay."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec

from pipelines.extract.scan.ordered import OrderedScan
from pipelines.extract.scan.state import Checkpoint, Order
from pipelines.extract.sync_state import SyncState
from pipelines.lake.state import FORMAT

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
FILE = {
    "format": FORMAT,
    "order": "newest first",
    "frontier": "2026-03-04T12:00:00Z",
    "full_scan_at": "2026-03-04T12:00:00Z",
    "cut": {
        "started_at": "2026-03-04T12:00:00Z",
        "newest": "2026-03-04T12:00:00Z",
        "head": ["c9"],
        "tail": ["c1", "c0"],
        "end": 190,
        "pages": 2,
        "size": 190,
        "rising": 0,
        "falling": 188,
        "total": 1000,
        "edge": "2026-03-04T12:00:00Z",
    },
}
CHECKPOINT = Checkpoint(
    NOON, NOON, ["c9"], ["c1", "c0"], end=190, pages=2, size=190, rising=0, falling=188, total=1000, edge=NOON
)


def test_the_keys_of_the_file_stay():
    written = SyncState(order=Order.NEWEST, watermark=NOON, full_scan_at=NOON, checkpoint=CHECKPOINT)
    assert json.loads(msgspec.json.encode(written)) == FILE


def test_a_checkpoint_without_the_time_of_its_last_call_is_resumed():
    del (saved := json.loads(json.dumps(FILE)))["cut"]["edge"]
    checkpoint = msgspec.json.decode(json.dumps(saved), type=SyncState).checkpoint
    assert checkpoint == msgspec.structs.replace(CHECKPOINT, edge=None)
    scan = OrderedScan.resume(checkpoint)
    assert (scan.offset, scan.run.tail, scan.size) == (180, ("c1", "c0"), 190)
