"""A lake of five days, two of which are older than a week on the day from which ages are measured."""

from __future__ import annotations

import json
from datetime import date

import pytest

from pipelines.lake import layout
from pipelines.lake.maintenance import retention as module

TODAY = date(2026, 3, 10)
DAYS = [date(2026, 3, day) for day in (1, 2, 3, 4, 5)]
FLOOR = date(2026, 3, 3)
SEVEN = ("prune", "--older-than", "7d")


def call(name, day, **fields):
    item = {
        "id": f"{name}-{day.day}",
        "organizationId": "organisation",
        "agentId": f"agent-{name}",
        "direction": "inbound",
        "status": "completed",
        "durationSeconds": 61,
        "cost": 0.1,
        "customerNumber": f"+155501001{day.day:02}",
        "createdAt": f"{day}T23:50:00Z",
        "transcript": [{"role": "user", "content": f"secret words of {name} on {day}"}],
        **fields,
    }
    return json.dumps(item).encode()


ITEMS = [call(name, day) for day in DAYS for name in ("first", "second")]
CHILD = call("child", FLOOR, parentCallId="first-2", transferStatus="completed")
"""An item of the first day that is kept, whose parent is from an earlier day."""
NOWHERE = call("nowhere", DAYS[0], createdAt="never")


@pytest.fixture
def clock(monkeypatch):
    """Measure ages from a day of the calls; everything else uses the real clock, as the API does."""
    monkeypatch.setattr(module, "floor_of", lambda age: TODAY - age)


@pytest.fixture
def items():
    return [*ITEMS, CHILD]


@pytest.fixture
def lake(program, serve, items, clock):  # noqa: ARG001 - ages are measured from a day of its calls
    """Give a synced lake of five days, and the program on it."""
    serve(items=items)
    program.sync()
    return program


def everything(lake):
    """Return every byte of every file, by path."""
    return {
        path.relative_to(lake.lake).as_posix(): path.read_bytes() for path in lake.lake.rglob("*") if path.is_file()
    }


def days_on_disk(lake):
    return sorted(
        {day for path in lake.lake.rglob("*") if path.is_dir() and (day := layout.day_of(path.name)) is not None}
    )
