"""Names for tests: lists of agents and phone numbers as the API shows them, and what a lake and its catalog know."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pipelines.extract.names import NamesReport, refresh_names
from pipelines.lake import layout
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.names import shown_names
from pipelines.lake.storage import Storage
from pipelines.serve.catalog import DuckDBCatalog, open_catalog
from pipelines.simulator import SimulatedApi
from tests.support.extraction import client_of

SECRET = "whsec_must_stay_nowhere"


def item(item_id: Any, name: Any = ..., **fields: Any) -> bytes:
    """Return an agent or phone number with secrets beside its name; a field whose value is `...` is left out."""
    given = {"systemPrompt": f"Tell nobody {SECRET}", "id": item_id, "name": name, "postCallWebhookSecret": SECRET}
    return json.dumps({key: value for key, value in {**given, **fields}.items() if value is not ...}).encode()


def catalog_of(storage: Storage) -> DuckDBCatalog:
    """Return the catalog of a lake at its usual place."""
    return DuckDBCatalog(Path(storage.address(layout.CATALOG)), storage)


def refreshed(storage: Storage, api: SimulatedApi, lookups: Path = Path("no such folder")) -> NamesReport:
    """Read the names at a simulated API, as a sync does at its end."""
    with client_of(api.url, retry_seconds=0.2) as client:
        report = refresh_names(storage, client, lookups=lookups)
    if report.changed:
        reconcile(storage, catalog_of(storage), timedelta(hours=1))
    return report


def known(storage: Storage) -> tuple[dict[str, str], dict[str, str]]:
    """Return the names of agents and of phone numbers that a lake knows."""
    names = shown_names(storage)
    return dict(names["agents"]), dict(names["phone_numbers"])


def dimension(catalog: DuckDBCatalog, table: str = "agents") -> list[tuple[Any, ...]]:
    """Return the rows of a dimension."""
    with open_catalog(catalog.path) as connection:
        return connection.execute(f"FROM {table}").fetchall()
