"""The backup of docs/operations.md, as printed there: taken while a sync is tried, and restored elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.lake.local import LocalStorage
from pipelines.simulator import World
from tests.support.guide import ROOT, blocks
from tests.support.simulated import START

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("flock") is None, reason="flock(1) is of util-linux"),
]

(BACKUP,), (RESTORE, RESTORE_ON_A_SERVER) = (
    [block for block in blocks(ROOT / "docs/operations.md", "sh") if word in block]
    for word in ("flock ", "build --all")
)
AS_THE_SERVICE = "runuser -u chorus-calls -- /opt/chorus-calls/bin/"
LOCK = "data/lake/state/locks/sync.lock"


@pytest.fixture
def place(program, tmp_path, monkeypatch):
    """A folder whose lake has the generated key, and commands that a shell finds."""
    monkeypatch.delenv("CHORUS_PII_KEY")
    monkeypatch.setenv("CHORUS_LAKE", "data/lake")
    program.lake = tmp_path / "data/lake"
    commands = tmp_path / "bin"
    commands.mkdir()
    command(commands / "chorus-calls", f'PYTHONPATH={ROOT} exec {sys.executable} -m pipelines.cli.main "$@"')
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    (tmp_path / ".env").write_text("CHORUS_WORKERS=3\n")
    (tmp_path / ".env").chmod(0o600)
    return tmp_path


def command(path: Path, *lines: str) -> None:
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)


def shell(script: str, place: Path, folder: Path | None = None) -> subprocess.Popen[str]:
    """Run the commands of the page, with the backup in this test's folder."""
    text = script.replace("/mnt/backup", str(place / "backup"))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(["sh", "-e", "-c", text], cwd=folder or place, text=True, **pipes)


def test_a_backup_excludes_syncs_and_brings_everything_back(program, serve, place):
    world = World(seed=7, calls=120, days=3, start=START)
    serve(world)
    program.sync()
    world.advance(hours=3)
    program.sync()
    before, raw = program.rows(), program.versions()

    # This cp says that it began, and waits until it may continue.
    command(place / "bin/cp", "echo begun", "read answer", f'exec {shutil.which("cp")} "$@"')
    with shell(BACKUP, place) as backup:
        assert backup.stdout.readline() == "begun\n"
        world.advance(hours=3)
        code, _, said = program("sync")
        assert (code, "Another process is working on the lake" in said) == (1, True)
        assert program.versions() == raw
        backup.communicate("on\n")
    assert backup.returncode == 0
    (place / "bin/cp").unlink()
    assert program.sync()["scan"]["calls_new"] > 0

    (day,) = (place / "backup").iterdir()
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    with shell(RESTORE.replace("2026-11-24", day.name), place, elsewhere) as restore:
        restore.communicate()
    assert restore.returncode == 0
    after_the_backup, program.lake = program.rows(), elsewhere / "data/lake"
    assert program.rows() == before != after_the_backup
    assert any(call["customer_key"] for tables in before.values() for call in tables["calls"])
    assert program.versions() == raw

    os.chdir(elsewhere)
    program.sync()
    assert program.rows().keys() == after_the_backup.keys()
    assert call_ids(program.rows()) == call_ids(after_the_backup)


def backed_up(program, serve, place):
    """Make a backup of a small lake; returns its folder."""
    serve(World(seed=7, calls=60, days=3, start=START))
    program.sync()
    with shell(BACKUP, place) as backup:
        backup.communicate()
    (day,) = (place / "backup").iterdir()
    return day


def test_a_restore_does_not_bring_back_customers_erased_since(program, serve, place):
    day = backed_up(program, serve, place)
    before = call_ids(program.rows())
    erased = min(call["call_id"] for tables in program.rows().values() for call in tables["calls"] if call["is_root"])
    assert program("forget", "--call-id", erased)[0] == 0
    after = call_ids(program.rows())

    later = place / "backup/2999-01-01/state"
    later.mkdir(parents=True)
    shutil.copy(program.lake / "state/erased.json", later)
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    with shell(RESTORE.replace("2026-11-24", day.name), place, elsewhere) as restore:
        restore.communicate()
    assert restore.returncode == 0
    program.lake = elsewhere / "data/lake"
    assert erased in before - after
    assert call_ids(program.rows()) == after
    assert erased not in {version.call_id for versions in program.versions().values() for version in versions}
    os.chdir(elsewhere)
    program.sync("--full")
    assert call_ids(program.rows()) == after


def test_a_restore_on_a_server_gives_the_service_what_it_had(program, serve, place):
    """Run the commands of the page, except for the folder and the owner of the files."""
    day = backed_up(program, serve, place)
    copy = day / "env"
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("CHORUS_WORKERS=3\n", 0o600)
    before = program.rows()

    server = place / "server"
    (server / "data/lake/state").mkdir(parents=True)
    (server / "data/lake/state/of-the-old").touch()
    for name in ("systemctl", "chown"):
        command(place / "bin" / name, f'echo {name} "$@"')
    script = RESTORE_ON_A_SERVER.replace("2026-11-24", day.name)
    for said, here in ((AS_THE_SERVICE, ""), ("/srv/chorus", str(server))):
        assert said in script
        script = script.replace(said, here)
    with shell(script, place) as restore:
        said, _ = restore.communicate()
    assert restore.returncode == 0
    done = [line for line in said.splitlines() if line.startswith(("systemctl", "chown"))]
    assert done == [
        "systemctl stop chorus-calls.target",
        "chown -R chorus-calls: data/lake",
        "systemctl start chorus-calls.target",
    ]
    assert RESTORE_ON_A_SERVER.index("chown") < RESTORE_ON_A_SERVER.index(AS_THE_SERVICE)
    program.lake = server / "data/lake"
    assert program.rows() == before
    assert not list(program.lake.rglob("*env")), "the key of the API is not in the lake"
    (old,) = (server / "data").glob("lake.*")
    assert (old / "state/of-the-old").exists()
    assert not (program.lake / "state/of-the-old").exists()


def call_ids(rows):
    return {call["call_id"] for tables in rows.values() for call in tables["calls"]}


def test_a_backup_waits_for_a_sync_that_is_running(tmp_path):
    assert LOCK in BACKUP
    storage = LocalStorage(tmp_path / "data/lake")
    try_it = ["flock", "--nonblock", LOCK, "true"]
    with storage.lock("sync"):
        assert subprocess.run(try_it, check=False, cwd=tmp_path).returncode == 1
    assert subprocess.run(try_it, check=False, cwd=tmp_path).returncode == 0
