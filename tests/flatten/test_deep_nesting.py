"""Nesting deeper than any parser follows costs the value that it is, and neither its call nor its day."""

from __future__ import annotations

import json
from datetime import date

import pytest

from pipelines.materialize.days import build_days
from tests.oracle.items import Version
from tests.support.lakes import FIRST_LANDING, land, published_rows, workspace

DAY = date(2026, 3, 4)
DEEP = "[" * 20_000 + "]" * 20_000


def sent(call_id: str, more: str = "") -> Version:
    call = {"id": call_id, "createdAt": f"{DAY}T10:00:00Z", "status": "completed", "durationSeconds": 60, "cost": 1}
    return Version(call_id=call_id, payload=json.dumps(call)[:-1] + more + "}", landed_at=FIRST_LANDING)


@pytest.mark.matrix(quick=2)
@pytest.mark.parametrize(
    ("more", "noted"),
    [
        (f',"unheardOf":{DEEP}', []),
        (f',"metadata":{{"a":{DEEP}}}', []),
        (f',"cost":{DEEP}', ["$.cost"]),
        (f',"status":{DEEP}', ["$.status"]),
        (f',"startedAt":{DEEP}', ["$.startedAt"]),
        (f',"analysis":{DEEP}', ["$.analysis"]),
        (f',"transcript":[{{"role":"user","content":{DEEP}}}]', ["$.transcript[0].content"]),
        (f',"transferCalls":[{{"id":"leg","cost":{DEEP}}}]', ["$.transferCalls[0].cost"]),
    ],
)
def test_deep_nesting_costs_its_value(tmp_path, more, noted):
    lake = workspace(tmp_path / "lake")
    land(lake, {DAY: [sent("deep", more), sent("good")]})
    assert build_days(lake, [DAY]).published.published == [DAY]
    rows = published_rows(lake, DAY)
    assert [row["call_id"] for row in rows["calls"]] == ["deep", "good"]
    assert {row["duration_seconds"] for row in rows["calls"]} == {60.0}
    assert [(row["call_id"], row["path"]) for row in rows["data_issues"]] == [("deep", path) for path in noted]
