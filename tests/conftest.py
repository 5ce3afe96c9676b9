"""Hooks for every test: hypothesis profiles, a guard against settings left behind, and what a run costs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.examples import quick_cases, register_profiles

_BEFORE = pytest.StashKey[dict[str, str]]()
_STARTED = pytest.StashKey[float]()

register_profiles()


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Make the example lake once for all tests that only read it."""
    from tests.support.lakes import example_lake, workspace  # noqa: PLC0415 - most runs of one file need no lake

    folder = tmp_path_factory.mktemp("example")
    example_lake(folder)
    return workspace(folder)


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("CHORUS_", "DAGSTER_"))}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the settings and the time that the tests were started with."""
    session.stash[_BEFORE] = _settings()
    session.config.stash[_STARTED] = time.perf_counter()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the cases of a matrix as slow, except for as many, evenly spread, as its marker leaves to the inner loop."""
    matrices: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("matrix"):
            matrices.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in matrices.values():
        marker = cases[0].get_closest_marker("matrix")
        assert marker is not None
        quick = quick_cases(len(cases), marker.kwargs["quick"])
        for number, case in enumerate(cases):
            if number not in quick:
                case.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Compare the settings once the last fixture of a file is gone."""
    yield
    if nextitem is None or nextitem.path != item.path:
        left, before = _settings(), item.session.stash[_BEFORE]
        changed = {name for name in left.keys() | before.keys() if left.get(name) != before.get(name)}
        assert not changed, "these tests leave settings behind"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the CPU time of this process and of all that it started and waited for, workers included, and wall time."""
    spent, wall = os.times(), time.perf_counter() - config.stash[_STARTED]
    terminalreporter.write_line(f"{sum(spent[:4]):.0f} CPU seconds, {wall:.0f} seconds of wall time")
