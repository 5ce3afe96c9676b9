"""A small real lake, made once by the real program, and put down healthy for every test at the same place."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli.main import main
from pipelines.lake import layout
from pipelines.lake.local import LocalStorage
from pipelines.lake.state import Landed, Manifest, read
from pipelines.materialize import processes
from pipelines.simulator import SimulatedApi
from tests.support.program import PII_KEY, Program
from tests.support.simulated import KEY, small_world

Finding = dict[str, Any]


@dataclass
class Patient(Program):
    """The program, a lake that was healthy, and the API that its calls come from."""

    api: SimulatedApi

    @property
    def storage(self) -> LocalStorage:
        return LocalStorage(self.lake)

    @property
    def manifest(self) -> Manifest:
        kept = read(self.storage, layout.MANIFEST, Manifest)
        assert kept
        return kept.value

    @property
    def landed(self) -> Landed:
        kept = read(self.storage, layout.LANDED, Landed)
        assert kept
        return kept.value

    def examine(self, *options: str) -> list[Finding]:
        """Run the doctor; what it found."""
        code, out, err = self("doctor", "--json", *options)
        told = json.loads(out)
        findings = [finding for area in told["areas"] for finding in area["findings"]]
        assert (code, told["healthy"]) == ((1, False) if findings else (0, True)), err
        assert bool(findings) == ("wrong" in err)
        return findings

    def repair(self) -> list[str]:
        """Run the doctor with --repair; what it did."""
        _, out, err = self("doctor", "--repair", "--json")
        assert out, err
        repaired: list[str] = json.loads(out)["repaired"]
        return repaired

    def follow(self, remedy: str) -> None:
        """Run the commands of a remedy as they are written."""
        commands = re.findall(r"`([^`]+)`", remedy)
        assert commands, remedy
        for command in commands:
            if command.startswith("chorus-calls "):
                code, _, err = self(*command.split()[1:])
                assert code == 0, err
            else:
                subprocess.run(command, shell=True, check=True)

    def snapshot(self) -> dict[str, tuple[bytes, int, int]]:
        """Return every file below the working folder: its bytes, its inode, and when it was written."""
        return {
            str(path.relative_to(self.lake.parent)): (path.read_bytes(), path.stat().st_ino, path.stat().st_mtime_ns)
            for path in self.lake.parent.rglob("*")
            if path.is_file()
        }

    def raw(self) -> list[Path]:
        """Return the raw files in the order of days and landing."""
        return sorted((self.lake / "raw").rglob("*.parquet"))

    def version(self) -> Path:
        """Return the published version of the newest day."""
        day, known = max(self.manifest.days.items())
        return self.lake / layout.version_folder(day, known.version)


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path, SimulatedApi]]:
    """A folder with a lake of some days, landed in two syncs; a copy of the lake; and its running API."""
    folder, kept = tmp_path_factory.mktemp("doctor"), tmp_path_factory.mktemp("kept")
    world = small_world(calls=40, days=3)
    with SimulatedApi(world, key=KEY) as api:
        with pytest.MonkeyPatch.context() as patch:
            _set(patch, folder, api)
            assert main(["sync", "--no-build"]) == 0
            world.advance(hours=3)
            assert main(["sync", "--full"]) == 0
        shutil.copytree(folder / "lake", kept / "lake")
        yield folder, kept / "lake", api


def _set(patch: pytest.MonkeyPatch, folder: Path, api: SimulatedApi) -> None:
    patch.chdir(folder)
    settings = {"API_KEY": KEY, "API_URL": api.url, "LAKE": str(folder / "lake"), "RETRY_SECONDS": "0"}
    for name, value in settings.items():
        patch.setenv(f"CHORUS_{name}", value)
    patch.setattr(processes, "_processors", lambda: 1)
    assert PII_KEY not in os.environ.values()  # the lake has a key of its own, which can get lost


@pytest.fixture
def patient(
    healthy: tuple[Path, Path, SimulatedApi], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Patient]:
    """The healthy lake, ready to be damaged."""
    folder, kept, api = healthy
    shutil.rmtree(folder / "lake", ignore_errors=True)
    shutil.copytree(kept, folder / "lake")
    _set(monkeypatch, folder, api)
    yield Patient(folder / "lake", capsys, api)
    api.faults.clear()
