"""Where an answer sends a request on to, and whether the key may go there: within the same origin alone."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

_PORTS = {"http": 80, "https": 443}


class ElsewhereError(Exception):
    """A redirect to another scheme, host or port; the text says which."""


def followed(url: str, location: str, bounds: Mapping[str, str]) -> str:
    """Return the address that a redirect leads to.

    Args:
        url: What was asked.
        location: What the answer's Location says.
        bounds: The query's limit and offset, which not every server carries over.

    Raises:
        ElsewhereError: It leads to another origin.
    """
    try:
        target = urljoin(url, location)
        there, parts = _origin(target), urlsplit(target)
    except ValueError:
        message = "an address that is none"
        raise ElsewhereError(message) from None
    if there != _origin(url):
        raise ElsewhereError(there)
    query = {**dict(parse_qsl(parts.query)), **bounds}
    return f"{there}{parts.path or '/'}?{urlencode(query)}"


def _origin(url: str) -> str:
    """Scheme, host and port of an address, written in one way and without a user."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or _PORTS.get(parts.scheme)}"
