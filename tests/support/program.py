"""The real program against the simulated API over HTTP, in a folder of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.main import main
from pipelines.materialize import processes
from pipelines.simulator import SimulatedApi
from tests.oracle.compare import assert_same_tables
from tests.oracle.items import Version
from tests.oracle.rows import Shaping
from tests.oracle.tables import expected_lake
from tests.support import lake_contents
from tests.support.simulated import KEY

PII_KEY = "a pii key for tests only"


@dataclass
class Program:
    """The command line with its settings, and the lake it writes."""

    lake: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Run a command; returns exit code, stdout and stderr."""
        code = main(words)
        return code, *self.capture.readouterr()

    def sync(self, *options: str) -> dict[str, Any]:
        """Sync, which must succeed, and return what it did."""
        code, out, err = self("sync", "--json", *options)
        assert code == 0, err
        return json.loads(out)

    def rows(self) -> dict[date, lake_contents.Rows]:
        """Return the rows of every day, from the files at the places for plain globs."""
        return lake_contents.rows(self.lake)

    def versions(self, kind: str = "calls") -> dict[date, list[Version]]:
        """Return everything that has landed, from the raw files that count."""
        return lake_contents.versions(self.lake, kind)

    def newest(self) -> list[str]:
        """Return the newest payload of every call, sorted."""
        return sorted(lake_contents.newest(self.lake).values())

    def files(self) -> dict[str, tuple[int, int]]:
        """Return every file of the lake but those of its state, with its inode and time."""
        return {
            path.relative_to(self.lake).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
            for path in self.lake.rglob("*")
            if path.is_file() and path.relative_to(self.lake).parts[0] != "state"
        }

    def assert_tables_are_the_oracles(self, **shaping: Any) -> None:
        """Compare every row of every table with the independent computation over what has landed."""
        settings = Shaping(**{"pii_key": PII_KEY.encode(), **shaping})
        built = self.rows()
        expected = expected_lake(self.versions(), self.versions("rejected"), settings)
        assert sorted(built) == sorted(expected)
        for day, tables in expected.items():
            assert_same_tables(built[day], tables)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Give the program in an empty folder, with the simulated API's key and without waiting for an API that is down."""
    monkeypatch.chdir(tmp_path)
    settings = {
        "CHORUS_API_KEY": KEY,
        "CHORUS_API_URL": "http://127.0.0.1:1/v1",
        "CHORUS_LAKE": str(tmp_path / "lake"),
        "CHORUS_PII_KEY": PII_KEY,
        "CHORUS_RETRY_SECONDS": "0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "_processors", lambda: 1)  # starting others takes longer than building these days
    return Program(tmp_path / "lake", capsys)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SimulatedApi]]:
    """Start a simulated API over a world, or `items=[...]`, and let the settings name it."""
    running: list[SimulatedApi] = []

    def start(world: Any = None, **options: Any) -> SimulatedApi:
        api = SimulatedApi(world, **{"key": KEY, **options}).start()
        running.append(api)
        monkeypatch.setenv("CHORUS_API_URL", api.url)
        return api

    yield start
    for api in running:
        api.stop()
