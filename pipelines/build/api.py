"""The client of the calls API, opened from the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import SettingsError
from pipelines.extract.client import CallsClient
from pipelines.settings import Settings


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
