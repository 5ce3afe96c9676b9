"""Settings that shape tables are refused until accepted; files are private whatever the umask."""

from __future__ import annotations

import inspect
import json
import os
import stat
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
    """Return every file and folder of a lake, with its inode, its time and what it holds."""
    found = {}
    for path in [lake, *lake.rglob("*")]:
        known = path.stat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path)] = (known.st_ino, known.st_mtime_ns, content)
    return found


def days_of(lake: Path) -> dict[date, str]:
    """Return the days of the manifest, with the settings that each was built with."""
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


FOLDER, FILE, PUBLISHED, SECRET = 0o750, 0o640, 0o440, 0o600
COMMANDS = (
    ("sync",),
    ("build", "--all"),
    ("catalog",),
    ("catalog", "--marts-only", "handed-out/metrics.duckdb"),
    ("status",),
    ("query", "SELECT count(*) FROM calls"),
)


@pytest.fixture(params=[0o000, 0o022, 0o027], ids=oct)
def umask(request):
    """The umask of the process while a test runs."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def widest(path, lake):
    """Return the widest mode that something in a lake may have."""
    below = path.relative_to(lake).parts
    if path.is_dir():
        return FOLDER
    if below == ("state", "pii_key"):
        return SECRET
    is_published = below[0] not in ("raw", "state") and len(below) > 1 and below[1] != ".tmp"
    return PUBLISHED if is_published else FILE


def too_wide(lake):
    """Return what others could read or write, or what could be changed although it is published, with its mode."""
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [lake, *lake.rglob("*")]}
    closed = {path for path, mode in modes.items() if path.is_dir() and not mode & 0o077}
    reachable = {path: mode for path, mode in modes.items() if path.parent not in closed}
    return {str(path.relative_to(lake)): oct(mode) for path, mode in reachable.items() if mode & ~widest(path, lake)}


def test_nothing_in_a_lake_is_wider_than_it_should_be(program, serve, umask, monkeypatch):
    monkeypatch.delenv("CHORUS_PII_KEY")
    world = small_world(calls=60, days=2)
    serve(world)
    for words in COMMANDS:
        code, _, err = program(*words)
        assert code == 0, err
        assert too_wide(program.lake) == {}, words
    assert stat.S_IMODE(program.lake.stat().st_mode) & ~FOLDER == 0
    world.advance(hours=6)
    assert program("sync", "--full")[0] == 0
    assert too_wide(program.lake) == {}
    found = {path.relative_to(program.lake).parts[0] for path in program.lake.rglob("*")}
    assert {"raw", "state", "days", "calls", "manifest.json", "chorus.duckdb"} <= found
    assert stat.S_IMODE(Path("handed-out/metrics.duckdb").stat().st_mode) & ~FILE == 0
    assert os.umask(umask) == umask


@pytest.mark.parametrize("umask", [0], indirect=True)
def test_not_even_for_a_moment(program, serve, umask, monkeypatch):
    """Check all permissions after each change of the disk, while files are half written."""
    assert umask == 0
    monkeypatch.delenv("CHORUS_PII_KEY")
    seen, moments = {}, []

    def watched(change):
        def check(*words, **named):
            done = change(*words, **named)
            moments.append(change.__name__)
            seen.update(too_wide(program.lake))
            return done

        return check

    for name, change in inspect.getmembers(disk, inspect.isfunction):
        monkeypatch.setattr(disk, name, watched(change))
    serve(small_world(calls=40, days=2))
    assert program("sync")[0] == 0
    assert seen == {}
    assert {"create", "protect", "rename", "link", "make_folder", "open_lock"} <= set(moments)


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o777], ids=oct)
def test_what_is_too_wide_is_found(tmp_path, mode):
    for name in ("raw/file", "state/pii_key", "calls/call_date=2026-03-04/data.parquet", "manifest.json"):
        file = tmp_path / "lake" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        file.chmod(mode)
    assert too_wide(tmp_path / "lake").keys() >= {"raw/file", "state/pii_key", "manifest.json"}
