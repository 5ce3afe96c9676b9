"""For scenarios of extraction: a client before an API that misbehaves, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipelines.extract.http.client import CallsClient
from pipelines.simulator import SimulatedApi
from pipelines.simulator.faults import parse_faults
from tests.support.extraction import call, client_of
from tests.support.simulated import simulated_api

CALLS = [call(f"call-{number}", summary="word " * 60) for number in range(30)]


@contextmanager
def faulty(
    faults: str, *, items: list[bytes] | None = None, **settings: Any
) -> Iterator[tuple[SimulatedApi, CallsClient]]:
    """An API of 30 calls with these faults, and a client of it that takes these settings."""
    with (
        simulated_api(items=CALLS if items is None else items, faults=parse_faults(faults)) as api,
        client_of(api.url, **settings) as client,
    ):
        yield api, client
