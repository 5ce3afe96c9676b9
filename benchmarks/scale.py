"""What depends on the number of days, on a lake of 7.5 years with few calls a day: `make scale`.

    scale.py [--days 2740] [--calls 20] [--rounds 5]

A commit of one changed day, the question what is stale, and the commands that find nothing to do should take no longer
than a person notices, however long the history. A bar that is missed is said, and fails nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from long_lake import LongLake
from measuring import Cost, clean_environment, middle, run
from report import heading, say, table

from pipelines.lake import state
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.publish import publish
from pipelines.materialize.days import build_days, days_to_build
from pipelines.serve.status import lake_status
from pipelines.settings import Settings
from pipelines.workspace import open_workspace

MOST_CPU = 0.5
PII_KEY = "a key for benchmarks only"


class Scale:
    """The measurements on one lake."""

    def __init__(self, folder: Path, *, days: int, calls_a_day: int) -> None:
        self.costs: dict[str, list[Cost]] = {}
        self._folder = folder
        self._root = folder / "lake"
        self._workspace = open_workspace(Settings(_env_file=None, lake=str(self._root), pii_key=PII_KEY))
        self._lake = LongLake(self._workspace, days=days, calls_a_day=calls_a_day)

    def measure(self) -> None:
        """Measure everything once: first what finds nothing to do, then the way of one day that changed."""
        workspace, days = self._workspace, self._lake.days
        number = len(self.costs.get("which days are stale", ()))
        day, like = days[-1], days[-2 - number]  # what lands on any other day makes the day after it stale too
        self._cost("settle, nothing to do", self._settle)
        self._cost("build, nothing to do, without its start", self._build_nothing)
        self._command("(build, nothing to do, with its start)", "build")
        self._command("status", "status", "--json")
        self._cost("status, without its start", lambda: lake_status(workspace.storage))
        self._cost("count one landed file", lambda: self._lake.land(day))
        self._cost("which days are stale", lambda: days_to_build(workspace))
        builds = self._lake.rebuild(day, like)
        self._cost(
            "publish one changed day",
            lambda: publish(workspace.storage, workspace.table_settings, builds, workspace.catalog),
        )

    def rebuild_catalog(self) -> None:
        """Make the catalog from all files, as nobody waits for it to be."""
        manifest = state.load_manifest(self._workspace.storage).value
        self._cost("(the catalog from scratch)", lambda: self._workspace.catalog.rebuild(manifest))

    def _build_nothing(self) -> None:
        self._settle()
        build_days(self._workspace, days_to_build(self._workspace))

    def _settle(self) -> None:
        reconcile(self._workspace.storage, self._workspace.catalog, self._workspace.keep_versions)

    def _cost(self, name: str, work: Callable[[], object]) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        self._note(name, Cost(time.process_time() - cpu, time.perf_counter() - wall, 0))

    def _command(self, name: str, *words: str) -> None:
        environment = clean_environment(CHORUS_LAKE=str(self._root), CHORUS_PII_KEY=PII_KEY)
        cost, _ = run(
            [sys.executable, "-m", "pipelines.cli.main", *words], folder=self._folder, environment=environment
        )
        self._note(name, cost)

    def _note(self, name: str, cost: Cost) -> None:
        self.costs.setdefault(name, []).append(cost)


def show(costs: dict[str, list[Cost]]) -> None:
    """Print the medians, and whether each is within the bar."""
    rows = []
    for name, every in costs.items():
        cost = middle(every)
        verdict = "" if name.startswith("(") else "met" if cost.cpu <= MOST_CPU else "MISSED"
        rows.append([name, f"{cost.cpu:.3f}", f"{cost.wall:.3f}", verdict])
    print(table(["medians", "CPU s", "wall s", f"at most {MOST_CPU} s CPU"], rows))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=2740, help="how many days (2740)")
    parser.add_argument("--calls", type=int, default=20, help="how many calls a day (20)")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is run (5)")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chorus-calls-scale-") as folder:
        say(f"Making a lake of {wanted.days:,} days")
        scale = Scale(Path(folder), days=wanted.days, calls_a_day=wanted.calls)
        for number in range(wanted.rounds):
            say(f"Measuring, round {number + 1} of {wanted.rounds}")
            scale.measure()
        scale.rebuild_catalog()
    print(heading(f"{wanted.days:,} days, {wanted.rounds} rounds"))
    show(scale.costs)


if __name__ == "__main__":
    main()
