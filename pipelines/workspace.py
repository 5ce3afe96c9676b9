"""Open what a workflow needs from the settings: the lake, what shapes its tables, and the API client."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.flatten.columns import Shape
from pipelines.flatten.customers import Customers
from pipelines.flatten.outcomes import OutcomeMaps, load_outcomes
from pipelines.lake import layout
from pipelines.lake.identity import check_value, local_pii_key
from pipelines.lake.local import LocalStorage
from pipelines.lake.publish import Catalog
from pipelines.lake.state import ShapingRecord
from pipelines.lake.storage import Storage
from pipelines.lake.versions import Shaping

if TYPE_CHECKING:
    from pipelines.settings import Settings


from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import SettingsError
from pipelines.extract.http.client import CallsClient
from pipelines.settings import Settings

TABLE_VERSION = 1
"""Raised whenever the same raw calls give other rows, so that every day is built again."""


@dataclass(frozen=True)
class Workbench:
    """What tables of days are built with; it can be handed to another process.

    Attributes:
        storage: The lake's files.
        shape: The settings that shape tables, as the flattening uses them.
    """

    storage: Storage
    shape: Shape


@dataclass(frozen=True)
class Workspace(Workbench):
    """A lake and what shapes its tables.

    Attributes:
        settings: The settings it was opened with.
        shaping: What the versions of days depend on beside raw: the same settings as `shape`, without a secret.
        catalog: The readers' catalog.
    """

    settings: Settings
    shaping: Shaping
    catalog: Catalog

    @property
    def keep_versions(self) -> timedelta:
        """How long a version stays after it ceased to be published."""
        return timedelta(hours=self.settings.keep_versions_hours)


def open_workspace(settings: Settings, *, renew_key: bool = False) -> Workspace:
    """Open the lake that the settings name, making its folder and its PII key where there is no lake yet.

    Args:
        settings: The settings.
        renew_key: Make a new PII key also where the one that the lake was built with is lost.

    Raises:
        SettingsError: The outcome maps cannot be used.
        SettingsDifferError: The PII key that the lake was built with is missing.
    """
    # A process that only builds is spared the import of DuckDB.
    from pipelines.serve.catalog import DuckDBCatalog  # noqa: PLC0415 - see above

    outcomes = load_outcomes(settings.outcomes)
    storage = LocalStorage(settings.lake_path)
    given = settings.pii_key
    key = given.get_secret_value().encode() if given else local_pii_key(storage, renew=renew_key)
    return Workspace(
        settings=settings,
        storage=storage,
        shaping=_shaping(settings, outcomes, key),
        catalog=DuckDBCatalog(settings.catalog_path, storage, currency=settings.currency),
        shape=Shape(settings.timezone, settings.pii == "mask", outcomes, Customers(key)),
    )


def known_shaping(settings: Settings) -> Shaping | None:
    """Return what the settings shape tables with, without making anything; None where the PII key is not there.

    Raises:
        SettingsError: The outcome maps cannot be used.
    """
    outcomes = load_outcomes(settings.outcomes)
    if settings.pii_key:
        return _shaping(settings, outcomes, settings.pii_key.get_secret_value().encode())
    kept = LocalStorage(settings.lake_path).read(layout.PII_KEY)
    return None if kept is None else _shaping(settings, outcomes, kept.strip())


def _shaping(settings: Settings, outcomes: OutcomeMaps, key: bytes) -> Shaping:
    record = ShapingRecord(
        timezone=settings.timezone, pii=settings.pii, pii_key_check=check_value(key), outcomes=outcomes.digest
    )
    return Shaping(record, TABLE_VERSION)


@contextmanager
def calls_client(settings: Settings) -> Iterator[CallsClient]:
    """Give a client of the API that CHORUS_API_URL names for a block.

    Raises:
        SettingsError: There is no key.
    """
    if settings.api_key is None:
        message = "CHORUS_API_KEY is not set; it must be the API's key. Put it into the environment or into .env."
        raise SettingsError(message)
    client = CallsClient(
        api_url=settings.api_url,
        api_key=settings.api_key,
        retry_seconds=settings.retry_seconds,
        max_body_mb=settings.max_body_mb,
        max_requests_per_second=settings.max_requests_per_second,
    )
    try:
        yield client
    finally:
        client.close()
