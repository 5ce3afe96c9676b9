"""Speed and memory of landing and building, beside other ways to flatten the same pages: `make bench`.

    bench.py [--calls 200000] [--rounds 3] [--keep]

Machines differ, and one machine differs from hour to hour: so everything is run in turns, round after round, and what
counts is the ratio of medians. The peers, one in DuckDB and one in polars, and the generator of their pages are in
`shared/bench` beside the repository; where they are not there, the simulated API's calls are measured alone.

A bar that is missed is said, and fails nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from measuring import MEBIBYTE, REPOSITORY, CommandFailedError, Cost, clean_environment, middle, run
from report import Bar, heading, say, table

HERE = Path(__file__).resolve().parent
KIT = REPOSITORY.parent / "shared" / "bench"
PEERS = {"DuckDB peer": KIT / "duckdb_flatten.py", "polars peer": KIT / "polars_flatten.py"}
BUILD = "chorus-calls build --all"
PYTHON = sys.executable

CALLS_A_DAY = 200_000 / 30
PAGE = 100
HTTP_PAGES = 200
HELP = "chorus-calls --help"
DEFINITIONS = "Dagster's definitions"
LOAD_DEFINITIONS = "from assets.definitions import defs; defs.get_repository_def().get_all_jobs()"
STARTS = 5

MOST_OF_THE_PEER = 0.6
MOST_MEMORY = 500 * MEBIBYTE
MOST_A_PAGE = 0.008
MOST_TO_LOAD = 4.0


@dataclass
class Figures:
    """What was measured: costs by program and round, and seconds of CPU a page."""

    costs: dict[str, list[Cost]] = field(default_factory=dict)
    landing: float = 0.0
    sync: list[float] = field(default_factory=list)
    fetch: list[float] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)


class Bench:
    """One run of the benchmark in a folder of its own."""

    def __init__(self, folder: Path, *, calls: int, rounds: int) -> None:
        self.pages = folder / "pages"
        self.figures = Figures()
        self._folder = folder
        self._calls = calls
        self._rounds = rounds
        self._raw = folder / "raw"

    def make_pages(self) -> None:
        """Write the page files that all programs read."""
        days = max(1, round(self._calls / CALLS_A_DAY))
        generator = KIT / "gen_calls.py" if KIT.is_dir() else HERE / "pages.py"
        say(f"Making {self._calls:,} calls of {days} days with {generator.name}")
        self._run([str(generator), str(self.pages), "--calls", str(self._calls), "--days", str(days)])

    def land(self) -> None:
        """Land all pages once: what the builds begin with."""
        say("Landing them")
        _, said = self._run([str(HERE / "landing.py"), "files", str(self.pages)], lake=self._raw)
        self.figures.landing = _cpu_a_page(said)

    def land_over_http(self) -> None:
        """Sync from an API, and only fetch from it, in turns."""
        pages = min(HTTP_PAGES, -(-self._calls // PAGE))
        program = str(HERE / "landing.py")
        with self._serve(pages) as url:
            for number in range(self._rounds):
                say(f"Syncing over HTTP, round {number + 1} of {self._rounds}")
                with self._scratch() as lake:
                    _, said = self._run([program, "sync", url, "--pages", str(pages)], lake=lake)
                    self.figures.sync.append(_cpu_a_page(said))
                _, said = self._run([program, "fetch", url, "--pages", str(pages)])
                self.figures.fetch.append(_cpu_a_page(said))

    def build(self) -> None:
        """Build all days and run the peers, in turns, each time from nothing."""
        peers = {name: program for name, program in PEERS.items() if program.is_file()}
        for number in range(self._rounds):
            say(f"Building, round {number + 1} of {self._rounds}")
            with self._scratch() as lake:
                # Raw files are never changed, only state is.
                shutil.copytree(self._raw / "raw", lake / "raw", copy_function=os.link)
                shutil.copytree(self._raw / "state", lake / "state")
                cost, said = self._run(["-m", "pipelines.cli.main", "build", "--all", "--json"], lake=lake)
                self.figures.rows = json.loads(said)["rows"]
            self.figures.costs.setdefault(BUILD, []).append(cost)
            for name, program in peers.items():
                with self._scratch() as out:
                    cost, _ = self._run([str(program), str(self.pages), str(out)])
                self.figures.costs.setdefault(name, []).append(cost)

    def start(self) -> None:
        """Ask for help, and load what Dagster loads: what anything takes before it does something."""
        starts = {HELP: ["-m", "pipelines.cli.main", "--help"], DEFINITIONS: ["-c", LOAD_DEFINITIONS]}
        for _ in range(STARTS):
            for name, arguments in starts.items():
                cost, _ = self._run(arguments)
                self.figures.costs.setdefault(name, []).append(cost)

    def _run(self, arguments: Sequence[str], *, lake: Path | None = None) -> tuple[Cost, str]:
        settings = {"CHORUS_LAKE": str(lake)} if lake else {}
        return run([PYTHON, *arguments], folder=self._folder, environment=clean_environment(**settings))

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    @contextmanager
    def _serve(self, pages: int) -> Iterator[str]:
        command = [PYTHON, str(HERE / "serving.py"), str(self.pages), "--pages", str(pages)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean_environment()
        ) as server:
            if server.stdin is None or server.stdout is None:
                raise AssertionError
            try:
                yield server.stdout.readline().strip()
            finally:
                server.stdin.close()


def _cpu_a_page(said: str) -> float:
    work = json.loads(said)
    return float(work["cpu"] / work["pages"])


def show(figures: Figures) -> None:
    """Print what was measured, then the bars."""
    costs = {name: middle(of) for name, of in figures.costs.items()}
    build = costs[BUILD]
    peers = {name: costs[name] for name in PEERS if name in costs}
    print(table(["medians", "CPU s", "wall s", "peak MiB"], [
        [name, f"{cost.cpu:.2f}", f"{cost.wall:.2f}", f"{cost.peak / MEBIBYTE:.0f}"] for name, cost in costs.items()
    ]))  # fmt: skip
    if peers:
        print(table([f"{BUILD} /", "CPU", "wall", "peak"], [
            [name, f"{build.cpu / peer.cpu:.2f}", f"{build.wall / peer.wall:.2f}", f"{build.peak / peer.peak:.2f}"]
            for name, peer in peers.items()
        ]))  # fmt: skip
    fetch, sync = median(figures.fetch), median(figures.sync)
    print(table([f"landing, CPU ms a page of {PAGE} calls", ""], [
        ["from page files, without HTTP", f"{1000 * figures.landing:.2f}"],
        ["a whole sync over HTTP", f"{1000 * sync:.2f}"],
        ["the HTTP client alone", f"{1000 * fetch:.2f}"],
        ["the sync without its HTTP client", f"{1000 * (sync - fetch):.2f}"],
    ]))  # fmt: skip
    print("rows built: " + ", ".join(f"{name} {rows:,}" for name, rows in figures.rows.items()) + "\n")
    bars = [
        Bar("most memory of a process of the build, MiB", build.peak / MEBIBYTE, MOST_MEMORY / MEBIBYTE),
        Bar("landing, CPU ms a page, without HTTP", 1000 * figures.landing, 1000 * MOST_A_PAGE),
        Bar("loading Dagster's definitions on an idle machine, s", costs[DEFINITIONS].wall, MOST_TO_LOAD),
    ]
    if "DuckDB peer" in peers:
        bars.insert(0, Bar("CPU of the build / DuckDB peer", build.cpu / peers["DuckDB peer"].cpu, MOST_OF_THE_PEER))
    print(table(["bar", "measured", "at most", ""], [bar.row() for bar in bars]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200_000, help="how many calls (200000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is run (3)")
    parser.add_argument("--keep", action="store_true", help="keep pages and lake, and say where they are")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chorus-calls-bench-"))
    bench = Bench(folder, calls=wanted.calls, rounds=wanted.rounds)
    if not KIT.is_dir():
        say(f"No peers at {KIT}: the product is measured alone")
    try:
        for step in (bench.make_pages, bench.land, bench.land_over_http, bench.build, bench.start):
            step()
    except CommandFailedError as error:
        sys.exit(str(error))
    finally:
        if wanted.keep:
            say(f"Kept: {folder}")
        else:
            shutil.rmtree(folder)
    print(heading(f"{wanted.calls:,} calls, {wanted.rounds} rounds"))
    show(bench.figures)


if __name__ == "__main__":
    main()
