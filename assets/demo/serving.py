"""Serves the demo's company to this process and those it starts, and says when `make dev` is to do so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from assets.demo.place import WORLD, environment
from assets.demo.world import LivingWorld, is_founded
from pipelines.errors import SettingsError
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import load_landed
from pipelines.settings import load_settings
from pipelines.simulator import SimulatedApi


@contextmanager
def served(world: LivingWorld) -> Iterator[str]:
    """Serve the company for a block, and have the environment name the demo from then on.

    Yields:
        The address of the simulated API.
    """
    with SimulatedApi(world) as api:
        os.environ.update(environment(api.url, world.founding.first_day))
        yield api.url


def dev_command() -> str:
    """Return what to type to see the demo in Dagster's UI."""
    with suppress(SettingsError):
        if stands_in():
            return "make dev"
    return "make dev DEMO=1"


def stands_in() -> bool:
    """Say whether the demo is all there is to show: no key is set and no real call has landed.

    Raises:
        SettingsError: The settings cannot be used.
    """
    if not is_founded(WORLD):
        return False
    settings = load_settings()
    return settings.api_key is None and not load_landed(LocalStorage(settings.lake_path)).value.days
