"""Syncs hour after hour leave few raw files, and tables that know every version all the same."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from pipelines.lake.maintenance.compaction import MANY
from tests.oracle.compare import assert_same_tables
from tests.oracle.rows import Shaping
from tests.oracle.tables import expected_lake
from tests.support.program import PII_KEY
from tests.support.simulated import small_world

pytestmark = pytest.mark.slow

SYNCS = 30


def test_thirty_syncs(program, serve):
    world = small_world(calls=60, days=2)
    serve(world)
    seen: dict = {}
    merged = set()
    landed = 0
    for number in range(SYNCS):
        scan = program.sync(*(["--no-build"] if number % 10 else []))["scan"]
        landed += scan["calls_new"] + scan["calls_changed"]
        for day, names in counted_files(program).items():
            assert len(names) < MANY
            merged.update((day, name) for name in names if "compact" in name)
        for day, versions in program.versions().items():
            seen.setdefault(day, {}).update(((one.call_id, one.landed_at), one) for one in versions)
        world.advance(hours=1)
    assert program("build")[0] == 0
    on_disk = list((program.lake / "raw").rglob("*.parquet"))
    assert len(on_disk) == sum(map(len, counted_files(program).values()))
    assert max(Counter(day for day, _ in merged).values()) > 1  # what was merged is merged again
    history = {day: in_order(versions.values()) for day, versions in seen.items()}
    assert {day: in_order(versions) for day, versions in program.versions().items()} == history
    assert sum(map(len, history.values())) == landed
    rows = program.rows()
    for day, tables in expected_lake(history, {}, Shaping(pii_key=PII_KEY.encode())).items():
        assert_same_tables(rows[day], tables)
    assert sum(call["version_count"] > 1 for tables in rows.values() for call in tables["calls"]) > 5


def counted_files(program):
    days = json.loads((program.lake / "state/landed.json").read_bytes())["days"]
    return {day: list(landed["calls"]) for day, landed in days.items()}


def in_order(versions):
    return sorted(versions, key=lambda version: (version.call_id, version.landed_at))
