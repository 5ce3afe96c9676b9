from __future__ import annotations

import pytest

from tests.support.program import program, serve

__all__ = ["program", "serve"]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    """Back off from a hundredth of a second on."""
    monkeypatch.setattr("pipelines.extract.http.rate_limit._FIRST_WAIT", 0.01)
