"""Files of a lake are for their owner and group only, whatever the umask of the process that writes them."""

from __future__ import annotations

import inspect
import os
import stat
from pathlib import Path

import pytest

from pipelines.lake import disk
from tests.support.simulated import small_world

pytestmark = pytest.mark.slow

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
    """The widest mode that something in a lake may have."""
    below = path.relative_to(lake).parts
    if path.is_dir():
        return FOLDER
    if below == ("state", "pii_key"):
        return SECRET
    is_published = below[0] not in ("raw", "state") and len(below) > 1 and below[1] != ".tmp"
    return PUBLISHED if is_published else FILE


def too_wide(lake):
    """What others could read or write, or what could be changed although it is published, with its mode."""
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
