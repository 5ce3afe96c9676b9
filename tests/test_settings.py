"""Settings come from the environment and `.env`; a wrong one, or an unreadable file, is named without its content."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import Settings, load_settings


def problems() -> tuple[str, ...]:
    """Return the line of each setting that is refused now; it fails where none is."""
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.exit_code == 2
    return caught.value.problems


VARIABLES = ["ALERT_WEBHOOK_URL", *(f"CHORUS_{name.upper()}" for name in Settings.model_fields)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and an environment that sets nothing."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_has_a_default_but_the_key():
    settings = load_settings()
    assert settings.model_dump() == {
        "api_key": None,
        "api_url": "https://api.chorus-ai.co/v1",
        "lake": "data/lake",
        "start_date": date(2019, 1, 1),
        "timezone": "UTC",
        "currency": "",
        "lookback_hours": 48,
        "catalog": None,
        "pii": "mask",
        "pii_key": None,
        "outcomes": None,
        "workers": 8,
        "retry_seconds": 120,
        "max_requests_per_second": None,
        "max_body_mb": 256,
        "max_deleted_share": 0.1,
        "keep_versions_hours": 24,
        "alert_webhook_url": None,
        "dagster_url": "http://127.0.0.1:3000",
    }
    assert settings.catalog_path == Path("data/lake/chorus.duckdb")


def test_every_variable_is_read(folder, monkeypatch):
    (folder / "words.toml").touch()
    given = {
        "CHORUS_API_KEY": "chorus_abc",
        "CHORUS_API_URL": "http://127.0.0.1:8080/v1/",
        "CHORUS_LAKE": "/data/calls",
        "CHORUS_START_DATE": "2024-02-29",
        "CHORUS_TIMEZONE": "Asia/Kolkata",
        "CHORUS_CURRENCY": "EUR",
        "CHORUS_LOOKBACK_HOURS": "72",
        "CHORUS_CATALOG": "bi/calls.duckdb",
        "CHORUS_PII": "raw",
        "CHORUS_PII_KEY": " a key of words ",
        "CHORUS_OUTCOMES": "words.toml",
        "CHORUS_WORKERS": "2",
        "CHORUS_RETRY_SECONDS": "0.5",
        "CHORUS_MAX_REQUESTS_PER_SECOND": "2.5",
        "CHORUS_MAX_BODY_MB": "16",
        "CHORUS_MAX_DELETED_SHARE": "1",
        "CHORUS_KEEP_VERSIONS_HOURS": "0",
        "ALERT_WEBHOOK_URL": "https://hooks.example.com/T0/secret",
        "CHORUS_DAGSTER_URL": "https://dagster.example.com/calls/",
    }
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    secrets = (settings.api_key, settings.pii_key, settings.alert_webhook_url)
    assert [secret.get_secret_value() for secret in secrets] == [
        "chorus_abc",
        "a key of words",
        "https://hooks.example.com/T0/secret",
    ]
    assert settings.api_url == "http://127.0.0.1:8080/v1"
    assert settings.lake_path == Path("/data/calls")
    assert settings.catalog_path == Path("bi/calls.duckdb")
    assert settings.outcomes == Path("words.toml")
    assert settings.model_dump(
        exclude={"api_key", "pii_key", "alert_webhook_url", "api_url", "lake", "catalog", "outcomes"}
    ) == {
        "start_date": date(2024, 2, 29),
        "timezone": "Asia/Kolkata",
        "currency": "EUR",
        "lookback_hours": 72,
        "pii": "raw",
        "workers": 2,
        "retry_seconds": 0.5,
        "max_requests_per_second": 2.5,
        "max_body_mb": 16,
        "max_deleted_share": 1,
        "keep_versions_hours": 0,
        "dagster_url": "https://dagster.example.com/calls",
    }


def test_the_environment_wins_over_the_env_file(folder, monkeypatch):
    (folder / ".env").write_text("CHORUS_WORKERS=3\nCHORUS_CURRENCY='USD'\nSOMETHING_ELSE=1\nCHORUS_LATER=1\n")
    monkeypatch.setenv("CHORUS_WORKERS", "5")
    settings = load_settings()
    assert (settings.workers, settings.currency) == (5, "USD")


def test_an_empty_value_counts_as_unset(folder, monkeypatch):
    (folder / ".env").write_text("CHORUS_CATALOG=\nCHORUS_WORKERS=3\n")
    for variable in ("CHORUS_API_KEY", "CHORUS_START_DATE", "CHORUS_WORKERS", "ALERT_WEBHOOK_URL"):
        monkeypatch.setenv(variable, "")
    settings = load_settings()
    assert settings.api_key is None
    assert settings.start_date == date(2019, 1, 1)
    assert settings.alert_webhook_url is None
    assert settings.catalog is None
    assert settings.workers == 3


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("CHORUS_API_KEY", "two words", "without 'Bearer'"),
        ("CHORUS_API_KEY", "sk_lïve", "printable ASCII"),
        ("CHORUS_API_URL", "http://api.chorus-ai.co/v1", "unencrypted"),
        ("CHORUS_API_URL", "http://127.0.0.1.evil.example/v1", "unencrypted"),
        ("CHORUS_API_URL", "https://user:word@api.chorus-ai.co", "user or password"),
        ("CHORUS_API_URL", "https://api.chorus-ai.co/v1?key=1", "query"),
        ("CHORUS_API_URL", "https://:443/v1", "web address"),
        ("CHORUS_API_URL", "https://host:99999/v1", "web address"),
        ("CHORUS_API_URL", "api.chorus-ai.co/v1", "web address"),
        ("CHORUS_API_URL", "ftp://api.chorus-ai.co", "https"),
        ("CHORUS_LAKE", "s3://bucket/prefix", "this version does not support"),
        ("CHORUS_LAKE", "gs://bucket/prefix", "a folder of this machine"),
        ("CHORUS_LAKE", "  ", "blank"),
        ("CHORUS_LAKE", "a-file", "is a file"),
        ("CHORUS_START_DATE", "20240101", "such as 2019-01-31"),
        ("CHORUS_START_DATE", "2023-02-29", "is not a date"),
        ("CHORUS_START_DATE", "1969-12-31", "from 1970-01-01"),
        ("CHORUS_TIMEZONE", "Mars/Olympus", "Europe/Berlin"),
        ("CHORUS_TIMEZONE", "Europe", "time zone"),
        ("CHORUS_TIMEZONE", "../../etc/passwd", "time zone"),
        ("CHORUS_CURRENCY", "a label that is too long", "16 characters"),
        ("CHORUS_LOOKBACK_HOURS", "-1", "0 to 87600"),
        ("CHORUS_LOOKBACK_HOURS", "two days", "whole number"),
        ("CHORUS_CATALOG", ".", "is a folder"),
        ("CHORUS_PII", "Mask", "mask or raw"),
        ("CHORUS_PII_KEY", " ", "blank"),
        ("CHORUS_OUTCOMES", "nowhere.toml", "exists"),
        ("CHORUS_WORKERS", "0", "1 to 64"),
        ("CHORUS_RETRY_SECONDS", "inf", "0 to 86400"),
        ("CHORUS_MAX_REQUESTS_PER_SECOND", "0", "above 0"),
        ("CHORUS_MAX_BODY_MB", "1.5", "whole number"),
        ("CHORUS_MAX_DELETED_SHARE", "1.1", "0 to 1"),
        ("CHORUS_MAX_DELETED_SHARE", "nan", "0 to 1"),
        ("CHORUS_KEEP_VERSIONS_HOURS", "-0.5", "0 to 87600"),
        ("ALERT_WEBHOOK_URL", "hooks.example.com", "web address"),
        ("CHORUS_DAGSTER_URL", "dagster.example.com", "web address"),
        ("CHORUS_DAGSTER_URL", "ftp://dagster.example.com", "http:// or https://"),
        ("CHORUS_DAGSTER_URL", "https://host/?view=runs", "query"),
    ],
)
def test_a_wrong_setting_gets_one_line_that_names_it(folder, monkeypatch, variable, value, says):
    (folder / "a-file").touch()
    monkeypatch.setenv(variable, value)
    (line,) = problems()
    assert line.startswith(f"{variable}: ")
    assert says in line
    assert "\n" not in line


def test_a_start_date_in_the_future_is_wrong(monkeypatch):
    monkeypatch.setenv("CHORUS_START_DATE", str(datetime.now(UTC).date() + timedelta(days=2)))
    assert "future" in problems()[0]


def test_all_wrong_settings_are_reported_at_once(folder, monkeypatch):
    (folder / ".env").write_text("CHORUS_PII=none\n")
    monkeypatch.setenv("CHORUS_WORKERS", "many")
    monkeypatch.setenv("CHORUS_LAKE", "s3://bucket")
    assert {line.split(":")[0] for line in problems()} == {"CHORUS_PII", "CHORUS_WORKERS", "CHORUS_LAKE"}


@pytest.mark.parametrize("variable", ["CHORUS_API_KEY", "CHORUS_API_URL", "ALERT_WEBHOOK_URL", "CHORUS_DAGSTER_URL"])
def test_no_wrong_secret_shows_in_the_error_or_its_traceback(monkeypatch, variable):
    monkeypatch.setenv(variable, "ftp://hunter2 hunter2")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in repr(caught.value)


def test_a_long_wrong_value_is_cut(monkeypatch):
    monkeypatch.setenv("CHORUS_TIMEZONE", "x" * 5_000)
    assert len(problems()[0]) < 300


def test_the_home_folder_is_found_in_paths(monkeypatch, folder):
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("CHORUS_LAKE", "~/lake")
    monkeypatch.setenv("CHORUS_CATALOG", "~/calls.duckdb")
    settings = load_settings()
    assert settings.lake == str(folder / "lake")
    assert settings.catalog_path == folder / "calls.duckdb"


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1:8000", "127.8.8.8", "[::1]:80"])
def test_plain_http_is_allowed_to_this_machine(monkeypatch, host):
    monkeypatch.setenv("CHORUS_API_URL", f"http://{host}/v1//")
    assert load_settings().api_url == f"http://{host}/v1"


def test_printing_the_settings_shows_no_secret(monkeypatch):
    for variable in ("CHORUS_API_KEY", "CHORUS_PII_KEY"):
        monkeypatch.setenv(variable, "hunter2")
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "https://hooks.example.com/hunter2")
    settings = load_settings()
    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user whom permissions bind, where the tests run as root."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_an_env_file_that_is_no_text_is_named(folder):
    (folder / ".env").write_bytes(b"CHORUS_API_KEY=\xff\xfehunter2\n")
    (line,) = problems()
    assert line.startswith(".env: ")
    assert "hunter2" not in line


def test_an_env_file_that_one_may_not_read_is_named(folder):
    (folder / ".env").write_text("CHORUS_API_KEY=hunter2\n")
    (folder / ".env").chmod(0)
    folder.chmod(0o755)
    with nobody():
        (line,) = problems()
    assert line.startswith(".env: this user may not read it")
    assert "hunter2" not in line
