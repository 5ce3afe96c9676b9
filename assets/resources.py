"""The two things of the world outside that assets and sensors reach for: the calls API and the lake.

Both are made from the settings of the moment in which they are used, so that the definitions load without a key and a
changed setting counts from the next run on.
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


class LakeResource:
    """The lake that CHORUS_LAKE names."""

    def workspace(self) -> Workspace:
        """Open the lake with what shapes its tables.

        Raises:
            SettingsError: The settings cannot be used.
        """
        return open_workspace(load_settings())

    def for_writing(self) -> Workspace:
        """Open the lake, if these settings are those that it was built with.

        Raises:
            SettingsError: The settings cannot be used.
            SettingsDifferError: They are not those the lake was built with.
        """
        workspace = self.workspace()
        require_same_settings(workspace.storage, workspace.table_settings)
        return workspace


class CallsApi:
    """The API that CHORUS_API_URL names."""

    @contextmanager
    def client(self) -> Iterator[CallsClient]:
        """Give a client for a block.

        Raises:
            SettingsError: The settings cannot be used, or there is no key.
        """
        with calls_client(load_settings()) as client:
            yield client


@contextmanager
def expected_failures() -> Iterator[None]:
    """Let an expected failure end a step with its own words alone, without a traceback and without another try."""
    try:
        yield
    except ChorusCallsError as error:
        raise dg.Failure(description=error.message, allow_retries=False) from None
