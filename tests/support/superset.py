"""Apache Superset, set up in a folder, started on loopback and driven over its REST API."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

# Without a browser there is no form whose token could be sent along.
_CONFIG = """
SECRET_KEY = {secret!r}
SQLALCHEMY_DATABASE_URI = "sqlite:///{home}/superset.db"
WTF_CSRF_ENABLED = False
"""
_ADDRESS = re.compile(r"Running on (http://127\.0\.0\.1:\d+)")
_PATIENCE = 240
"""Seconds that a start or an answer may take on a busy machine."""


class Superset:
    """A running Superset and its administrator.

    Args:
        url: Where it answers.
        password: That of its administrator, `admin`.
    """

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        self._session = requests.Session()
        login = {"username": "admin", "password": password, "provider": "db"}
        token = self("POST", "security/login", json=login)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method: str, path: str, *, expect: int | None = None, **options: Any) -> Any:
        """Ask, and return the answer; a status other than the expected one, or 200 and 201, fails the test."""
        url = f"{self._url}/api/v1/{path}"
        answer = self._session.request(method, url, timeout=_PATIENCE, allow_redirects=False, **options)
        assert answer.status_code in ((expect,) if expect else (200, 201)), (url, answer.status_code, answer.text)
        return answer.json()

    def import_datasets(self, file: bytes) -> None:
        """Import a ZIP file as a person does, who lets it replace what is there."""
        files = {"formData": ("datasets.zip", file, "application/zip")}
        self("POST", "dataset/import/", files=files, data={"overwrite": "true"})

    def datasets(self) -> dict[str, int]:
        """Return the ids of all datasets by their names."""
        found = self("GET", "dataset/?q=(page_size:100)")
        return {dataset["table_name"]: dataset["id"] for dataset in found["result"]}

    def dataset(self, number: int) -> dict[str, Any]:
        return self("GET", f"dataset/{number}")["result"]

    def chart(
        self, dataset: int, metrics: Sequence[str], columns: Sequence[str | Mapping[str, str]] = ()
    ) -> list[dict[str, Any]]:
        """Return the rows of a chart, asked of the database itself rather than of Superset's cache."""
        query = {"columns": columns, "metrics": metrics, "row_limit": 50_000}
        body = {"datasource": {"id": dataset, "type": "table"}, "queries": [query], "force": True}
        return self("POST", "chart/data", json=body)["result"][0]["data"]


def by_month(column: str) -> Mapping[str, str]:
    """Return a chart's time axis with the months of a column."""
    return {
        "columnType": "BASE_AXIS",
        "expressionType": "SQL",
        "sqlExpression": column,
        "label": column,
        "timeGrain": "P1M",
    }


@contextmanager
def running(programs: Path, home: Path) -> Iterator[Superset]:
    """Set up Superset in an empty folder and run it.

    Args:
        programs: The folder of programs of an environment that has Superset.
        home: For all that Superset keeps.
    """
    config = home / "superset_config.py"
    config.write_text(_CONFIG.format(secret=secrets.token_urlsafe(42), home=home))
    password = secrets.token_urlsafe()
    settings = {**os.environ, "SUPERSET_CONFIG_PATH": str(config), "SUPERSET_HOME": str(home)}
    admin = "fab create-admin --username admin --firstname A --lastname B --email admin@example.com --password"
    log = home / "superset.log"
    with log.open("w") as output:
        for words in (["db", "upgrade"], [*admin.split(), password], ["init"]):
            done = subprocess.run(
                [programs / "superset", *words], env=settings, stdout=output, stderr=subprocess.STDOUT, check=False
            )
            assert done.returncode == 0, log.read_text()
        server = subprocess.Popen(
            [programs / "superset", "run", "--host", "127.0.0.1", "--port", "0"],
            env=settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Superset(_address(server, log), password)
    finally:
        server.terminate()
        server.wait(timeout=60)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Return where the server says that it answers."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if said := _ADDRESS.search(log.read_text()):
            return said[1]
        assert server.poll() is None, log.read_text()
        time.sleep(0.2)
    pytest.fail(f"Superset did not start in time:\n{log.read_text()}")
