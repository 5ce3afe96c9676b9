"""Check that the API can be reached, accepts the key, answers as expected, and has this lake's calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.doctor.inspection import Area, Finding, Subject
from pipelines.errors import ChorusCallsError, KeyRefusedError
from pipelines.extract.http.client import CallsClient, Page
from pipelines.extract.http.prefetch import CLOCK_TOLERANCE
from pipelines.extract.http.rate_limit import PageUnavailableError
from pipelines.extract.landing.items import read_header
from pipelines.lake import state

_PATIENCE: Final = 3.0
"""Seconds for retries, and for waiting for a response."""
_CALLS: Final = 10


def api(subject: Subject) -> Area:
    """Request a few calls from the API."""
    url = subject.settings.api_url
    try:
        page = _page(subject)
    except KeyRefusedError:
        return Area("api", url, [_wrong("api_key_refused", f"{url} refused the key.", "Check CHORUS_API_KEY.")])
    except PageUnavailableError as error:
        remedy = "Check CHORUS_API_URL and the network, or try again later."
        return Area("api", url, [_wrong("api_no_answer", f"{url} gave no calls: {error.reason}.", remedy)])
    except ChorusCallsError as error:
        what, _, remedy = error.message.partition(". ")
        return Area("api", url, [_wrong("api_no_answer", f"{what}.", remedy)])
    if page is None:
        remedy = "Put the key into the environment or into .env; `sync` needs it."
        return Area("api", url, [_wrong("api_key_missing", "CHORUS_API_KEY is not set.", remedy)])
    total = "" if page.total is None else f", {page.total:,} calls"
    return Area("api", f"{url}{total}", [*clock_off(page), *other_organisation(subject, page)])


def _page(subject: Subject) -> Page | None:
    settings = subject.settings
    if settings.api_key is None:
        return None
    client = CallsClient(
        api_url=settings.api_url,
        api_key=settings.api_key,
        retry_seconds=min(settings.retry_seconds, _PATIENCE),
        read_seconds=_PATIENCE,
        max_body_mb=settings.max_body_mb,
    )
    try:
        return client.page(0, _CALLS)
    finally:
        client.close()


def clock_off(page: Page) -> Iterator[Finding]:
    """Find a clock that differs from the API's: days and versions depend on it."""
    if page.date is not None and abs(state.now() - page.date) > CLOCK_TOLERANCE:
        what = f"This machine's clock says {state.now():%Y-%m-%d %H:%M} UTC, the API's {page.date:%Y-%m-%d %H:%M}."
        yield _wrong("api_clock", what, "Set this machine's clock.")


def other_organisation(subject: Subject, page: Page) -> Iterator[Finding]:
    """Find calls of another organisation than the lake's."""
    lake = subject.lake.value
    known = set(lake.organisations) if lake else set()
    new = {head.organisation for head in map(read_header, page.items) if head.organisation} - known
    if known and new:
        what = f"The API has calls of {', '.join(sorted(new))}; the lake holds those of {', '.join(sorted(known))}."
        remedy = "One lake holds one account: set this lake's CHORUS_API_KEY, or another CHORUS_LAKE."
        yield _wrong("api_organisation", what, remedy)


def _wrong(check: str, what: str, remedy: str) -> Finding:
    return Finding(check, what, None, remedy)
