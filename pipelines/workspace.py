"""Open what a workflow needs from the settings: the lake, its table settings, its catalog, and the API client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.errors import SettingsError
from pipelines.flatten.settings import Customers, FlattenSettings, OutcomeMaps, load_outcomes
from pipelines.lake import layout
from pipelines.lake.identity import MASK, check_value, local_pii_key
from pipelines.lake.local import LocalStorage
from pipelines.lake.publish import Catalog
from pipelines.lake.state import TableSettings
from pipelines.lake.storage import Storage

if TYPE_CHECKING:
    from pipelines.extract.http.client import CallsClient
    from pipelines.settings import Settings

TABLE_VERSION = 1
"""Raised whenever the same raw calls give other rows, so that every day is built again."""


@dataclass(frozen=True)
class Workspace:
    """A lake opened with the settings of this program.

    Attributes:
        table_settings: What shapes tables, without a secret, as versions and the lake's identity record it.
        flatten_settings: The same settings as flattening needs them, with outcome maps and PII key.
    """

    settings: Settings
    storage: Storage
    table_settings: TableSettings
    flatten_settings: FlattenSettings
    catalog: Catalog

    @property
    def keep_versions(self) -> timedelta:
        """The grace period of a version after it ceased to be published."""
        return timedelta(hours=self.settings.keep_versions_hours)


def open_workspace(settings: Settings, *, renew_key: bool = False) -> Workspace:
    """Open the lake that the settings name; a new lake gets its folder and its PII key.

    Args:
        settings: The settings.
        renew_key: Make a new PII key also where the one that the lake was built with is lost.

    Raises:
        SettingsError: The outcome maps cannot be used.
        SettingsDifferError: The PII key that the lake was built with is missing.
    """
    # Worker processes import this module, and need no DuckDB.
    from pipelines.serve.catalog import DuckDBCatalog  # noqa: PLC0415 - see above

    outcomes = load_outcomes(settings.outcomes)
    storage = LocalStorage(settings.lake_path)
    key = _given_key(settings) or local_pii_key(storage, renew=renew_key)
    return Workspace(
        settings=settings,
        storage=storage,
        table_settings=_table_settings(settings, outcomes, key),
        flatten_settings=FlattenSettings(settings.timezone, settings.pii == MASK, outcomes, Customers(key)),
        catalog=DuckDBCatalog(settings.catalog_path, storage, currency=settings.currency),
    )


def read_table_settings(settings: Settings) -> TableSettings | None:
    """Return the table settings without creating anything; None if the PII key is missing.

    Raises:
        SettingsError: The outcome maps cannot be used.
    """
    outcomes = load_outcomes(settings.outcomes)
    key = _given_key(settings)
    if key is None and (stored := LocalStorage(settings.lake_path).read(layout.PII_KEY)) is not None:
        key = stored.strip()
    return None if key is None else _table_settings(settings, outcomes, key)


def _given_key(settings: Settings) -> bytes | None:
    return settings.pii_key.get_secret_value().encode() if settings.pii_key else None


def _table_settings(settings: Settings, outcomes: OutcomeMaps, key: bytes) -> TableSettings:
    return TableSettings(
        timezone=settings.timezone,
        pii=settings.pii,
        pii_key_check=check_value(key),
        outcomes=outcomes.digest,
        table_version=TABLE_VERSION,
    )


@contextmanager
def calls_client(settings: Settings) -> Iterator[CallsClient]:
    """Yield a client of the API at CHORUS_API_URL, closed after the block.

    Raises:
        SettingsError: There is no key.
    """
    if settings.api_key is None:
        message = "CHORUS_API_KEY is not set; it must be the API's key. Put it into the environment or into .env."
        raise SettingsError(message)
    from pipelines.extract.http.client import CallsClient  # noqa: PLC0415 - builds do without HTTP

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
