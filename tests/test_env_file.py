"""A `.env` that cannot be read is named with the reason, and nothing of its content is shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.settings_errors import problems


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


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
