"""What holds for every test: none may leave settings behind for those that come after it in the same process."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

_BEFORE = pytest.StashKey[dict[str, str]]()


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(("CHORUS_", "DAGSTER_"))}


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember the settings that the tests were started with."""
    session.stash[_BEFORE] = _settings()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Compare the settings once the last fixture of a file is gone."""
    yield
    if nextitem is None or nextitem.path != item.path:
        left, before = _settings(), item.session.stash[_BEFORE]
        changed = {name for name in left.keys() | before.keys() if left.get(name) != before.get(name)}
        assert not changed, "these tests leave settings behind"
