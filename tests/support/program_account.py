"""An account at the simulated API that the real program syncs in processes of its own, and what they asked for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from threading import Lock
from typing import Any

import polars as pl

from pipelines.dictionary import TABLES
from pipelines.simulator import Request, Respond, Response, SimulatedApi, World
from tests.support.simulated import START

TOKEN = "sk_test_which_is_written_nowhere"
REPOSITORY = Path(__file__).resolve().parents[2]
_OF_LANDING = ["landed_at", "first_landed_at"]


@dataclass
class Account:
    """A world behind an API, and lakes below a folder that are filled from it.

    Attributes:
        said: All that the program has written to stdout and stderr.
    """

    folder: Path
    world: World
    api: SimulatedApi
    said: list[str] = field(default_factory=list)

    @property
    def pages(self) -> int:
        """Pages of a hundred that list everything once."""
        return -(-len(self.world.items()) // 100)

    def sync(self, *options: str, lake: str = "lake", kill_at: int | None = None) -> dict[str, Any]:
        """Run `chorus-calls sync` and return what it did.

        Args:
            options: Of the command.
            lake: The folder to fill.
            kill_at: Kill the process when it makes this request; nothing is returned then.
        """
        self.api.requests.clear()
        settings = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CHORUS_")},
            "PYTHONPATH": str(REPOSITORY),
            "CHORUS_API_KEY": TOKEN,
            "CHORUS_API_URL": self.api.url,
            "CHORUS_LAKE": str(self.folder / lake),
            "CHORUS_PII_KEY": "a key for tests only",
        }
        command = [sys.executable, "-m", "pipelines.cli.main", "sync", "--json", *options]
        with subprocess.Popen(
            command, cwd=self.folder, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            if kill_at is not None:
                self.api.faults.append(_Killing(process, kill_at))
            out, err = process.communicate()
        self.said += [out, err]
        if kill_at is not None:
            self.api.faults.pop()
            assert process.returncode == -signal.SIGKILL, err
            return {}
        assert process.returncode == 0, err
        return json.loads(out)

    def raw(self, lake: str = "lake") -> pl.DataFrame:
        """Return every row of raw that counts."""
        root = self.folder / lake
        landed = json.loads((root / "state/landed.json").read_bytes())["days"]
        files = [
            root / f"raw/calls/call_date={day}/{name}.parquet" for day, one in landed.items() for name in one["calls"]
        ]
        return pl.concat(pl.read_parquet(file, hive_partitioning=False) for file in files)

    def tables(self, lake: str = "lake") -> dict[str, pl.DataFrame]:
        """Return all tables as published, but for the times of landing."""
        found = {}
        for table in TABLES:
            frame = pl.read_parquet(self.folder / lake / table / "*/data.parquet", hive_partitioning=True)
            frame = frame.drop(_OF_LANDING, strict=False)
            found[table] = frame.sort(frame.columns)
        return found

    def written(self, lake: str = "lake") -> set[tuple[str, int]]:
        """Return every file of a day, and when it was written."""
        root = self.folder / lake
        files = [path for path in root.rglob("call_date=*/**/*") if path.is_file()]
        return {(str(path.relative_to(root)), path.stat().st_mtime_ns) for path in files}

    def assert_the_token_is_nowhere(self) -> None:
        """Look for the key in all that was said and written."""
        assert TOKEN not in "".join(self.said)
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


@contextmanager
def account(folder: Path, *, calls: int, days: int, **api: Any) -> Iterator[Account]:
    """Give an account with so many calls (and the legs that are listed beside them) over so many days."""
    world = World(calls=calls, days=days, start=START)
    world.items()  # rendered before anybody waits for it
    with SimulatedApi(world, key=TOKEN, **api) as served:
        yield Account(folder, world, served)


class _Killing:
    """Kills a process at one of its requests."""

    def __init__(self, process: subprocess.Popen[str], number: int) -> None:
        self._process = process
        self._left = number
        self._lock = Lock()

    def __call__(self, request: Request, respond: Respond) -> Response:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._process.kill()
        return respond(request)


class Drift:
    """A call more at the newest end at every third request, one fewer before its place at every fifth."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = [str(json.loads(item)["id"]) for item in world.items()]
        self._organization = json.loads(world.items()[0])["organizationId"]
        self._random = Random(0)
        self._lock = Lock()
        self._asked = 0
        self.stayed = set(self._names)

    def __call__(self, request: Request, respond: Respond) -> Response:
        with self._lock:
            self._asked += 1
            if self._asked % 3 == 0:
                name, created = f"came-{self._asked}", self._world.now.isoformat()
                self._world.insert({"id": name, "organizationId": self._organization, "createdAt": created})
                self._names.insert(0, name)
            if self._asked % 5 == 0 and request.offset:
                name = self._names.pop(self._random.randrange(min(request.offset, len(self._names))))
                self._world.delete(name)
                self.stayed.discard(name)
            return respond(request)


def change_young_calls(world: World, count: int, hours: float) -> set[date]:
    """Change some calls of the last hours; returns their days."""
    items = [json.loads(item) for item in world.items()]
    since = (world.now - timedelta(hours=hours)).isoformat()
    young = [item for item in items if item["createdAt"] > since and not item.get("parentCallId")]
    changed = Random(0).sample(young, min(count, len(young)))
    for item in changed:
        world.replace(item["id"], {**item, "endedReason": "corrected"})
    return {date.fromisoformat(item["createdAt"][:10]) for item in changed}
