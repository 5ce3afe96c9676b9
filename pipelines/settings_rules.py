"""What single settings allow beyond their type: each rule returns the value in its usable form or says what is wrong.

White space around texts is gone before a rule sees them. The words of the errors continue the sentence
"CHORUS_NAME: 'value' ...".
"""

from __future__ import annotations

import ipaddress
import re
from datetime import date
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_PRINTABLE_ASCII = re.compile(r"[!-~]+")


def bearer_token(key: SecretStr) -> SecretStr:
    """Accept what may stand in an Authorization header behind `Bearer `."""
    if not _PRINTABLE_ASCII.fullmatch(key.get_secret_value()):
        message = "has characters that no key has"
        raise ValueError(message)
    return key


def api_base_url(url: str) -> str:
    """Accept an https address, or http to this machine, and drop slashes at its end."""
    parts = _split(url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        message = "would send the key unencrypted"
        raise ValueError(message)
    if parts.scheme not in {"http", "https"}:
        message = "is no https address"
        raise ValueError(message)
    return _base(url, parts)


def not_blank(key: SecretStr) -> SecretStr:
    """Accept any text that is more than white space."""
    if not key.get_secret_value():
        message = "is blank"
        raise ValueError(message)
    return key


def web_url(url: str) -> str:
    """Accept an http or https address to which paths are added, and drop slashes at its end."""
    parts = _split(url)
    if parts.scheme not in {"http", "https"}:
        message = "is no web address"
        raise ValueError(message)
    return _base(url, parts)


def webhook_url(url: SecretStr) -> SecretStr:
    """Accept an http or https address; it is a secret, since many services let in whoever knows it."""
    if _split(url.get_secret_value()).scheme not in {"http", "https"}:
        message = "is no web address"
        raise ValueError(message)
    return url


def local_folder(lake: str) -> str:
    """Accept a folder's path, with `~` for the home folder."""
    if not lake:
        message = "is blank"
        raise ValueError(message)
    scheme = _SCHEME.match(lake)
    if scheme and scheme[1].lower() == "s3":
        message = "is in an object store, which this version does not support"
        raise ValueError(message)
    if scheme:
        message = "is no folder"
        raise ValueError(message)
    path = own_path(Path(lake))
    if path.exists() and not path.is_dir():
        message = "is a file"
        raise ValueError(message)
    return str(path)


def own_path(path: Path) -> Path:
    """Put the home folder in place of `~`: no shell does so for values in `.env`."""
    try:
        return path.expanduser()
    except RuntimeError:
        message = "names a home folder that is not known"
        raise ValueError(message) from None


def no_folder(path: Path) -> Path:
    """Accept the path of a file that exists or can come to be."""
    if path.is_dir():
        message = "is a folder"
        raise ValueError(message)
    return path


def existing_file(path: Path) -> Path:
    """Accept the path of a file that exists."""
    if not path.is_file():
        message = "is not there or is no file"
        raise ValueError(message)
    return path


def iana_zone(name: str) -> str:
    """Accept the name of a zone in the time zone database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        message = "is no known time zone"
        raise ValueError(message) from None
    return name


def iso_date(value: object) -> object:
    """Accept YYYY-MM-DD alone, and leave values that are no text to the next check."""
    if not isinstance(value, str):
        return value
    try:
        day = date.fromisoformat(value.strip())
    except ValueError:
        day = None
    if day is None or day.isoformat() != value.strip():
        message = "is no date"
        raise ValueError(message)
    return day


def _base(url: str, parts: SplitResult) -> str:
    """Return an address to which paths can be added, without slashes at its end."""
    if parts.username is not None or parts.password is not None:
        message = "contains a user or password"
        raise ValueError(message)
    if "?" in url or "#" in url:
        message = "has a query or fragment"
        raise ValueError(message)
    return url.rstrip("/")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or not _PRINTABLE_ASCII.fullmatch(url):
        message = "is no web address"
        raise ValueError(message) from None
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
