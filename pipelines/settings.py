"""Every setting, read from the environment and `.env`, and validated before anything else happens.

White space around texts is gone before a rule sees them. The words of the errors continue the sentence
"CHORUS_NAME: 'value' ...".

A wrong setting found after an hour of fetching is an hour lost, so all of them are checked together and each gets one
line that names the variable and what it allows. Those lines repeat no value that is, or could hold, a secret.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from pipelines.errors import SettingsError

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


ENV_FILE: Final = ".env"
_PREFIX: Final = "CHORUS_"
_ALERT_WEBHOOK: Final = "ALERT_WEBHOOK_URL"
_MAY_HOLD_SECRETS: Final = frozenset({"api_key", "api_url", "pii_key", "alert_webhook_url", "dagster_url"})
_SHOWN_LENGTH: Final = 60

SettingsT = TypeVar("SettingsT", bound="AlertSettings")
OwnPath = Annotated[Path, AfterValidator(own_path)]


def _not_in_the_future(value: date) -> date:
    if value > datetime.now(UTC).date():
        message = "lies in the future"
        raise ValueError(message)
    return value


class AlertSettings(BaseSettings):
    """Where failures are told, apart: they are to be told also where another setting cannot be used."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=ENV_FILE,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        str_strip_whitespace=True,
    )

    alert_webhook_url: Annotated[SecretStr, AfterValidator(webhook_url)] | None = Field(
        default=None, validation_alias=_ALERT_WEBHOOK, description="an http:// or https:// address"
    )
    dagster_url: Annotated[str, AfterValidator(web_url)] = Field(
        default="http://127.0.0.1:3000", description="an http:// or https:// address without query or fragment"
    )


class Settings(AlertSettings):
    """The settings of one process; see `docs` for what each one does.

    The description of a field is the end of the sentence "must be ...", said when its value is refused.
    """

    api_key: Annotated[SecretStr, AfterValidator(bearer_token)] | None = Field(
        default=None, description="the key alone: printable ASCII characters without spaces, without 'Bearer' before it"
    )
    api_url: Annotated[str, AfterValidator(api_base_url)] = Field(
        default="https://api.chorus-ai.co/v1",
        description="an https:// address without user, password, query or fragment (http:// only to a loopback host)",
    )
    lake: Annotated[str, AfterValidator(local_folder)] = Field(
        default="data/lake", description="a folder of this machine"
    )
    start_date: Annotated[
        date, BeforeValidator(iso_date), Field(ge=date(1970, 1, 1)), AfterValidator(_not_in_the_future)
    ] = Field(default=date(2019, 1, 1), description="a date such as 2019-01-31, from 1970-01-01 to today")
    timezone: Annotated[str, AfterValidator(iana_zone)] = Field(
        default="UTC", description="an IANA time zone such as Europe/Berlin"
    )
    currency: str = Field(default="", max_length=16, description="a label of at most 16 characters, such as USD")
    lookback_hours: int = Field(default=48, ge=0, le=87_600, description="a whole number of hours from 0 to 87600")
    catalog: Annotated[OwnPath, AfterValidator(no_folder)] | None = Field(
        default=None, description="the path of a file"
    )
    pii: Literal["mask", "raw"] = Field(default="mask", description="mask or raw")
    pii_key: Annotated[SecretStr, AfterValidator(not_blank)] | None = Field(default=None, description="a text")
    outcomes: Annotated[OwnPath, AfterValidator(existing_file)] | None = Field(
        default=None, description="the path of a TOML file that exists"
    )
    workers: int = Field(default=8, ge=1, le=64, description="a whole number from 1 to 64")
    retry_seconds: float = Field(
        default=120.0, ge=0, le=86_400, allow_inf_nan=False, description="a number of seconds from 0 to 86400"
    )
    max_requests_per_second: float | None = Field(
        default=None, gt=0, le=1_000, allow_inf_nan=False, description="a number above 0, at most 1000"
    )
    max_body_mb: int = Field(default=256, ge=1, le=4_096, description="a whole number of megabytes from 1 to 4096")
    max_deleted_share: float = Field(default=0.1, ge=0, le=1, allow_inf_nan=False, description="a share from 0 to 1")
    keep_versions_hours: float = Field(
        default=24.0, ge=0, le=87_600, allow_inf_nan=False, description="a number of hours from 0 to 87600"
    )

    @property
    def lake_path(self) -> Path:
        """The lake's folder, relative to the working folder unless it was given as an absolute path."""
        return Path(self.lake)

    @property
    def catalog_path(self) -> Path:
        """The DuckDB catalog: CHORUS_CATALOG, or `chorus.duckdb` in the lake."""
        return self.catalog or self.lake_path / "chorus.duckdb"


def load_settings() -> Settings:
    """Read and check all settings.

    Returns:
        The settings of the environment, over those of `.env` in the working folder, over the defaults. An empty value
        counts as unset.

    Raises:
        SettingsError: One or more settings cannot be used; `problems` has a line for each.
    """
    return _load(Settings)


def load_alert_settings() -> AlertSettings:
    """Read and check what an alert needs, whatever the other settings are.

    Raises:
        SettingsError: One of these cannot be used.
    """
    return _load(AlertSettings)


def _load(kind: type[SettingsT]) -> SettingsT:
    try:
        return kind()
    except ValidationError as refused:
        problems = [_problem(error) for error in refused.errors(include_url=False)]
    except PermissionError as forbidden:
        path = forbidden.filename or ENV_FILE
        problems = [f"{path}: this user may not read it; run this in a folder of your own, or as a user who may"]
    except (OSError, UnicodeDecodeError, SourceError):
        problems = [f"{ENV_FILE}: cannot be read; it must be a UTF-8 text file of lines NAME=value"]
    # Raised outside the handlers: the errors there hold the values, and a traceback would print them.
    raise SettingsError(problems)


def _problem(error: ErrorDetails) -> str:
    name = str(error["loc"][0]).lower()
    field = Settings.model_fields[name]
    variable = str(field.validation_alias or f"{_PREFIX}{name.upper()}")
    given = "its value" if name in _MAY_HOLD_SECRETS else _shown(error["input"])
    reason = error.get("ctx", {}).get("error", "is not allowed")
    return f"{variable}: {given} {reason}; it must be {field.description}"


def _shown(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "…")
