"""The lake and the calls API, as resources of assets, checks and sensors.

Both read the settings each time they are used, so that the definitions load without a key and a changed setting counts
from the next run or tick on. They have no config of their own, which Dagster would store: some settings are secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from pipelines.errors import ChorusCallsError
from pipelines.extract.http.client import CallsClient
from pipelines.lake.identity import require_same_settings
from pipelines.settings import load_settings
from pipelines.workspace import Workspace, calls_client, open_workspace


class LakeResource(dg.ConfigurableResource[None]):
    """The lake that CHORUS_LAKE names: raw calls, tables by day, and the DuckDB catalog."""

    def workspace(self) -> Workspace:
        """Open the lake with the settings of this moment.

        Raises:
            SettingsError: The settings cannot be used.
        """
        return open_workspace(load_settings())

    def for_writing(self) -> Workspace:
        """Open the lake if the settings are those that it was built with.

        Raises:
            SettingsError: The settings cannot be used.
            SettingsDifferError: The lake was built with others.
        """
        workspace = self.workspace()
        require_same_settings(workspace.storage, workspace.table_settings)
        return workspace


class CallsApi(dg.ConfigurableResource[None]):
    """The API that CHORUS_API_URL names, read with the key in CHORUS_API_KEY."""

    @contextmanager
    def client(self) -> Iterator[CallsClient]:
        """Open a client, and close it at the end of the block.

        Raises:
            SettingsError: The settings cannot be used, or there is no key.
        """
        with calls_client(load_settings()) as client:
            yield client


@contextmanager
def expected_failures() -> Iterator[None]:
    """Fail a step or tick with the message of an expected error alone, without a traceback and without a retry."""
    try:
        yield
    except ChorusCallsError as error:
        raise dg.Failure(description=error.message, allow_retries=False) from None
