"""A lake of a few days, landed as an extract would land them, and an instance in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import ModuleType

import dagster as dg
import pytest

from pipelines.lake import state
from pipelines.materialize import day as build_day
from pipelines.quality import CheckResult, DayTables
from pipelines.settings import load_settings
from pipelines.workspace import Workspace, open_workspace
from tests.oracle.items import Version
from tests.support import lakes

Land = Callable[..., None]
Tick = Callable[[], list[tuple[str, str]] | str | None]


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    for variable in ("CHORUS_API_KEY", "CHORUS_API_URL", "ALERT_WEBHOOK_URL", "DAGSTER_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("CHORUS_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("CHORUS_PII_KEY", lakes.PII_KEY)
    return open_workspace(load_settings())


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def tick(workspace, instance) -> Tick:  # noqa: ARG001 - the sensor finds the lake through the settings
    """Evaluate the sensor `changed_days` once: the spans it requests, or why it requests none."""
    # Here, so that test_private_parts runs where assets cannot be imported.
    from assets.definitions import defs  # noqa: PLC0415 - see above
    from assets.partitions import RANGE_END, RANGE_START  # noqa: PLC0415 - see above
    from assets.resources import LakeResource  # noqa: PLC0415 - see above
    from assets.sensors import changed_days  # noqa: PLC0415 - see above

    def evaluate() -> list[tuple[str, str]] | str | None:
        context = dg.build_sensor_context(
            instance=instance, repository_def=defs.get_repository_def(), resources={"lake": LakeResource()}
        )
        data = changed_days.evaluate_tick(context)
        assert all(request.run_key is None for request in data.run_requests or ())
        spans = [(request.tags[RANGE_START], request.tags[RANGE_END]) for request in data.run_requests or ()]
        return spans or data.skip_message

    return evaluate


@pytest.fixture
def land(workspace) -> Land:
    """Land two calls on each of some days; where they had landed before, the days have changed."""

    def land_days(*days: str) -> None:
        known = state.load_landed(workspace.storage).value.days
        for text in days:
            day = date.fromisoformat(text)
            before = len(known[day].calls) if day in known else 0
            lakes.land(workspace, {day: _versions(day, seconds=60 + before)}, name=f"file-{before}")

    return land_days


def _versions(day: date, *, seconds: int) -> list[Version]:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    calls = [
        {
            "id": f"call-{day}-{number}",
            "organizationId": "org-1",
            "agentId": "agent-1",
            "direction": "inbound",
            "status": "completed",
            "durationSeconds": seconds,
            "cost": 0.25,
            "customerNumber": "+15550100123",
            "transcript": [{"role": "user", "content": "Where is my parcel?"}],
            "createdAt": (noon + timedelta(minutes=number)).isoformat(),
            "startedAt": (noon + timedelta(minutes=number)).isoformat(),
            "endedAt": (noon + timedelta(minutes=number, seconds=seconds)).isoformat(),
        }
        for number in range(2)
    ]
    landed_at = lakes.FIRST_LANDING + timedelta(seconds=seconds)
    return [Version(call_id=str(call["id"]), payload=json.dumps(call), landed_at=landed_at) for call in calls]


@pytest.fixture
def once_before(monkeypatch) -> Callable[[ModuleType, str, Callable[[], object]], None]:
    """Let something happen once, before a step of a run: a function that a module has by that name."""

    def interrupt(module: ModuleType, step: str, what: Callable[[], object]) -> None:
        undisturbed, happened = getattr(module, step), []

        def interrupted(*arguments: object, **named: object) -> object:
            if not happened:
                happened.append(True)
                what()
            return undisturbed(*arguments, **named)

        monkeypatch.setattr(module, step, interrupted)

    return interrupt


@pytest.fixture
def fail_check(monkeypatch) -> Callable[[str], None]:
    """Let one check find something wrong on a day."""
    judged = build_day.audit
    failing: set[str] = set()

    def audit(tables: DayTables) -> list[CheckResult]:
        bad = str(tables.day) in failing
        return [
            replace(verdict, passed=False, rows=3, detail="calls rows with a duplicate key or out of order: 3")
            if bad and verdict.check == "unique_keys"
            else verdict
            for verdict in judged(tables)
        ]

    monkeypatch.setattr(build_day, "audit", audit)
    return failing.add
