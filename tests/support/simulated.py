"""The simulated API for tests: a small world with a stopped clock, behind a running server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pipelines.simulator import SimulatedApi, World

KEY = "sk_test_simulated"
START = datetime(2026, 3, 4, 16, 30, tzinfo=UTC)  # a Wednesday, in working hours


def small_world(*, seed: int = 7, calls: int = 120, days: int = 3, start: datetime = START) -> World:
    """Make a small world quickly; its clock stays at `start` until it is advanced."""
    return World(seed=seed, calls=calls, days=days, start=start)


@contextmanager
def simulated_api(world: World | None = None, **settings: Any) -> Iterator[SimulatedApi]:
    """Give a running API: over a world (a small one where none is given), or over `items=[...]`.

    Args:
        world: The world to list.
        settings: What else SimulatedApi takes, such as items, order and faults. The key is `KEY` unless said otherwise.
    """
    if world is None and "items" not in settings:
        world = small_world()
    with SimulatedApi(world, **{"key": KEY, **settings}) as api:
        yield api
