"""Settings that shape tables: refused until they are accepted, then every day is rebuilt, the newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pipelines.lake import disk
from pipelines.materialize import day as day_module
from pipelines.materialize import days as days_module
from tests.oracle.names import SHIPPED_OUTCOMES
from tests.support.simulated import small_world

pytestmark = pytest.mark.slow

OWN_WORDS = {"completed": "failed"}


@pytest.fixture
def synced(program, serve, monkeypatch):
    """The program after a sync of four days, which publishes two days at a time."""
    monkeypatch.setattr(days_module, "BATCH", 2)
    serve(small_world(calls=60, days=4))
    program.sync()
    return program


@pytest.fixture
def other_settings(tmp_path) -> list[tuple[str, str, dict[str, Any]]]:
    """Each setting that shapes tables with another value, and what the independent computation takes for it."""
    words = tmp_path / "words.toml"
    words.write_text('[status]\ncompleted = "failed"\n')
    status = SHIPPED_OUTCOMES["status"] | OWN_WORDS
    return [
        ("CHORUS_TIMEZONE", "Asia/Kolkata", {"timezone": "Asia/Kolkata"}),
        ("CHORUS_PII", "raw", {"pii": "raw"}),
        ("CHORUS_PII_KEY", "another key for tests", {"pii_key": b"another key for tests"}),
        ("CHORUS_OUTCOMES", str(words), {"outcomes": SHIPPED_OUTCOMES | {"status": status}}),
    ]


def everything(lake: Path) -> dict[str, tuple[int, int, bytes | None]]:
    """Every file and folder of a lake, with its inode, its time and what it holds."""
    found = {}
    for path in [lake, *lake.rglob("*")]:
        known = path.stat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path)] = (known.st_ino, known.st_mtime_ns, content)
    return found


def days_of(lake: Path) -> dict[date, str]:
    """The days of the manifest, with the settings that each was built with."""
    days = json.loads((lake / "manifest.json").read_text())["days"]
    return {date.fromisoformat(day): known["shaping"] for day, known in days.items()}


def status(program) -> dict[str, Any]:
    code, out, _ = program("status", "--json")
    assert code == 0
    return json.loads(out)


@contextmanager
def watched(lake: Path) -> Iterator[list[set[date]]]:
    """Note which days were first seen with other settings at each commit of the manifest."""
    before, rebuilt, rename = days_of(lake), [], disk.rename

    def note(source: Path, target: Path) -> None:
        rename(source, target)
        if target == lake / "manifest.json":
            seen = set().union(*rebuilt)
            rebuilt.append({day for day, shaping in days_of(lake).items() if shaping != before[day]} - seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "rename", note)
        yield rebuilt


def test_other_settings_touch_nothing_until_they_are_accepted(synced, other_settings, monkeypatch):
    before = everything(synced.lake)
    for name, value, _ in other_settings:
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            for command in ("sync", "build"):
                code, _, err = synced(command)
                assert (code, "--accept-settings" in err) == (2, True), (name, command, err)
    assert everything(synced.lake) == before


def test_accepted_settings_reach_the_newest_days_first(synced, other_settings, monkeypatch):
    shaping: dict[str, Any] = {}
    days = sorted(days_of(synced.lake), reverse=True)
    for name, value, changed in other_settings:
        monkeypatch.setenv(name, value)
        shaping |= changed
        with watched(synced.lake) as rebuilt:
            code, _, err = synced("build", "--accept-settings")
        assert code == 0, err
        if not rebuilt[-1]:  # what is removed in the end, where numbers are to be masked, publishes nothing
            rebuilt.pop()
        assert [sorted(batch, reverse=True) for batch in rebuilt] == [
            days[at : at + 2] for at in range(0, len(days), 2)
        ]
        synced.assert_tables_are_the_oracles(**shaping)
    assert status(synced)["under_old_settings"] == 0


def test_an_interrupted_rebuild_is_resumed(synced, monkeypatch):
    days = sorted(days_of(synced.lake), reverse=True)
    monkeypatch.setenv("CHORUS_TIMEZONE", "Asia/Kolkata")
    judge = day_module.audit

    def cut_off(tables):
        if tables.day == days[2]:
            raise KeyboardInterrupt
        return judge(tables)

    with monkeypatch.context() as patch:
        patch.setattr(day_module, "audit", cut_off)
        assert synced("build", "--accept-settings")[0] == 130
    left = status(synced)
    assert left["under_old_settings"] == len(left["stale"]) == len(days) - 2
    assert f"under old settings  {len(days) - 2} days" in synced("status")[1]
    with watched(synced.lake) as rebuilt:
        assert synced("build")[0] == 0
    assert set().union(*rebuilt) == set(days[2:])
    assert status(synced)["under_old_settings"] == 0
    synced.assert_tables_are_the_oracles(timezone="Asia/Kolkata")
