"""Tests of extraction: clients, calls as the API sends them, what landed, and what the last scan recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
from pydantic import SecretStr

from pipelines.extract.http.client import CallsClient
from pipelines.extract.sync import ScanReport, sync
from pipelines.lake import layout, state
from pipelines.lake.storage import Storage
from pipelines.simulator import SimulatedApi, World
from pipelines.simulator.faults import parse_faults
from tests.support.simulated import KEY, simulated_api

START_DATE = date(2019, 1, 1)


@contextmanager
def client_of(url: str, *, key: str = KEY, **settings: Any) -> Iterator[CallsClient]:
    """Give a client that gives up soon, unless a test says otherwise."""
    given = {"retry_seconds": 5.0, "max_body_mb": 10, **settings}
    client = CallsClient(api_url=url, api_key=SecretStr(key), **given)
    try:
        yield client
    finally:
        client.close()


def synced(storage: Storage, api: SimulatedApi, **options: Any) -> ScanReport:
    """Sync what the simulated API lists."""
    retry_seconds = options.pop("retry_seconds", 5.0)
    with client_of(api.url, retry_seconds=retry_seconds) as client:
        return sync(storage, client, start_date=options.pop("start_date", START_DATE), **options)


def call(call_id: Any = "call-1", **fields: Any) -> bytes:
    """Return a call as the API sends it; a field whose value is `...` is left out."""
    item = {
        "id": call_id,
        "organizationId": "org-1",
        "status": "completed",
        "createdAt": "2026-03-04T10:00:00Z",
        **fields,
    }
    return json.dumps({name: value for name, value in item.items() if value is not ...}).encode()


def raw_rows(storage: Storage, kind: str = "calls") -> list[dict[str, Any]]:
    """Return every row of raw that counts, with its day, in the order of landing and call."""
    rows: list[dict[str, Any]] = []
    for day, landed in state.load_landed(storage).value.days.items():
        for name in landed.calls if kind == "calls" else landed.rejected:
            table = pq.read_table(storage.open_input(f"{layout.raw_folder(kind, day)}/{name}.parquet"))
            rows += [{**row, "call_date": day} for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["landed_at"], row["call_id"] or ""))


def files_outside_state(root: Path) -> dict[str, int]:
    """Return every file of a lake beside its state, with the moment it was last written."""
    return {
        str(file.relative_to(root)): file.stat().st_mtime_ns
        for file in root.rglob("*")
        if file.is_file() and file.relative_to(root).parts[0] != "state"
    }


def listed_ids(world: World) -> list[str]:
    """Return the ids of the calls that a world lists now, sorted."""
    return sorted(json.loads(item)["id"] for item in world.items())


def landed_ids(storage: Storage) -> list[str]:
    """Return the ids of the calls that landed, sorted, as often as a version of them did."""
    return sorted(row["call_id"] for row in raw_rows(storage))


def listed(world: World) -> dict[str, str]:
    """Return the calls that a world lists now, as it sends them, by id."""
    return {json.loads(item)["id"]: item.decode() for item in world.items()}


def landed_payloads(storage: Storage) -> dict[str, str]:
    """Return the newest payload of every call that landed, by id."""
    return {row["call_id"]: row["payload"] for row in raw_rows(storage)}


def scans(storage: Storage) -> pl.DataFrame:
    """Return the record of scans."""
    return pl.read_parquet(storage.address(layout.SCANS))


def last_scan(storage: Storage) -> dict[str, Any]:
    """Return the newest line of the record of scans."""
    return scans(storage).row(-1, named=True)


CALLS = [call(f"call-{number}", summary="word " * 60) for number in range(30)]


@contextmanager
def faulty(
    faults: str, *, items: list[bytes] | None = None, **settings: Any
) -> Iterator[tuple[SimulatedApi, CallsClient]]:
    """Give an API of 30 calls with these faults, and a client of it that takes these settings."""
    with (
        simulated_api(items=CALLS if items is None else items, faults=parse_faults(faults)) as api,
        client_of(api.url, **settings) as client,
    ):
        yield api, client
