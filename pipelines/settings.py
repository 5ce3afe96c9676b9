"""Every setting, read from the environment and `.env`, and validated before anything else happens.

A wrong setting found after an hour of fetching is an hour lost, so all of them are checked together, and each wrong one
gets one line that names the variable and what it allows. Those lines repeat no value that is, or could hold, a secret.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from pipelines.errors import SettingsError

ENV_FILE: Final = ".env"
_PREFIX: Final = "CHORUS_"
_ALERT_WEBHOOK: Final = "ALERT_WEBHOOK_URL"
_MAY_HOLD_SECRETS: Final = frozenset({"api_key", "api_url", "pii_key", "alert_webhook_url", "dagster_url"})
_SHOWN_LENGTH: Final = 60
_FIRST_DAY: Final = date(1970, 1, 1)
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_PRINTABLE_ASCII = re.compile(r"[!-~]+")

SettingsT = TypeVar("SettingsT", bound="AlertSettings")


# The rules that pydantic does not have. pydantic strips white space around texts before it calls them; a problem
# continues the sentence "CHORUS_NAME: 'value' ...".
def _require(condition: object, problem: str) -> None:
    if not condition:
        raise ValueError(problem)


def _bearer_token(key: SecretStr) -> SecretStr:
    _require(_PRINTABLE_ASCII.fullmatch(key.get_secret_value()), "has characters that no key has")
    return key


def _web_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    _require(valid and _PRINTABLE_ASCII.fullmatch(url), "is no web address")
    return url


def _webhook_url(url: SecretStr) -> SecretStr:
    _web_url(url.get_secret_value())
    return url


def _base_url(url: str) -> str:
    """Accept an address to which paths can be added, and drop slashes at its end."""
    parts = urlsplit(_web_url(url))
    _require(parts.username is None and parts.password is None, "contains a user or password")
    _require("?" not in url and "#" not in url, "has a query or fragment")
    return url.rstrip("/")


def _api_url(url: str) -> str:
    base = _base_url(url)
    parts = urlsplit(base)
    _require(parts.scheme == "https" or _is_loopback(parts.hostname or ""), "would send the key unencrypted")
    return base


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _expand_home(path: object) -> object:
    """Put the home folder in place of `~`: no shell does so for values in `.env`."""
    try:
        return Path(path.strip()).expanduser() if isinstance(path, str) else path
    except RuntimeError:
        message = "names a home folder that is not known"
        raise ValueError(message) from None


def _local_folder(lake: str) -> str:
    _require(lake, "is blank")
    scheme = _SCHEME.match(lake)
    _require(not scheme or scheme[1].lower() != "s3", "is in an object store, which this version does not support")
    _require(not scheme, "is not a folder")
    path = Path(str(_expand_home(lake)))
    _require(path.is_dir() or not path.exists(), "is a file")
    return str(path)


def _no_folder(path: Path) -> Path:
    _require(not path.is_dir(), "is a folder")
    return path


def _iana_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        message = "is not a known time zone"
        raise ValueError(message) from None
    return name


def _iso_date(value: object) -> object:
    """Accept YYYY-MM-DD only; pydantic alone would read a number as seconds since 1970."""
    if not isinstance(value, str):
        return value
    with suppress(ValueError):
        day = date.fromisoformat(value.strip())
        if day.isoformat() == value.strip():
            return day
    message = "is not a date"
    raise ValueError(message)


def _known_day(day: date) -> date:
    _require(day >= _FIRST_DAY, "is before 1970")
    _require(day <= datetime.now(UTC).date(), "is in the future")
    return day


class AlertSettings(BaseSettings):
    """Where alerts are posted; a class of its own, so that an alert is posted even if another setting is wrong."""

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

    alert_webhook_url: Annotated[SecretStr, AfterValidator(_webhook_url)] | None = Field(
        default=None, validation_alias=_ALERT_WEBHOOK, description="an http:// or https:// address"
    )
    dagster_url: Annotated[str, AfterValidator(_base_url)] = Field(
        default="http://127.0.0.1:3000", description="an http:// or https:// address without query or fragment"
    )


class Settings(AlertSettings):
    """The settings of one process; see `docs` for what each one does.

    The description of a field completes the sentence "it must be ..." in the error for a wrong value.
    """

    api_key: Annotated[SecretStr, AfterValidator(_bearer_token)] | None = Field(
        default=None, description="the key alone: printable ASCII characters without spaces, without 'Bearer' before it"
    )
    api_url: Annotated[str, AfterValidator(_api_url)] = Field(
        default="https://api.chorus-ai.co/v1",
        description="an https:// address without user, password, query or fragment (http:// only to a loopback host)",
    )
    lake: Annotated[str, AfterValidator(_local_folder)] = Field(
        default="data/lake", description="a folder of this machine"
    )
    start_date: Annotated[date, BeforeValidator(_iso_date), AfterValidator(_known_day)] = Field(
        default=date(2019, 1, 1), description="a date such as 2019-01-31, from 1970-01-01 to today"
    )
    timezone: Annotated[str, AfterValidator(_iana_zone)] = Field(
        default="UTC", description="an IANA time zone such as Europe/Berlin"
    )
    currency: str = Field(default="", max_length=16, description="a label of at most 16 characters, such as USD")
    lookback_hours: int = Field(default=48, ge=0, le=87_600, description="a whole number of hours from 0 to 87600")
    catalog: Annotated[Path, BeforeValidator(_expand_home), AfterValidator(_no_folder)] | None = Field(
        default=None, description="the path of a file"
    )
    pii: Literal["mask", "raw"] = Field(default="mask", description="mask or raw")
    pii_key: SecretStr | None = Field(default=None, min_length=1, description="a text that is not blank")
    outcomes: Annotated[FilePath, BeforeValidator(_expand_home)] | None = Field(
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
    """Read and check only what an alert needs.

    Raises:
        SettingsError: One of these settings cannot be used.
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
    # Raised outside the handlers: their errors hold the values, and a traceback would print them.
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
