"""What readers see while days are rewritten as fast as possible: `make readers`.

    readers.py [--reads 1000] [--days 3] [--megabytes 20] [--keep 20] [--folder /path]

Each reader is a process. Those that follow the catalog or the manifest read as often as asked for, the others half as
often, and bare globs, which promise nothing, a tenth as often. Every read is compared with the record of commits that
the writer keeps. Ends with exit code 1 if any reader that promises something failed, saw a number that no commit ever
had, or a mixture of commits.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from report import say, table

from pipelines.lake import state
from tests.support.rewritten_lake import BARE, CAREFUL, FOLLOWING, LARGE, RewrittenLake, Tally, watched

MEGABYTE = 1_000_000
HEADING = ["reader", "reads", "errors", "impossible", "mixtures", "retries", "rewrites", "seconds", "longest read"]
_SHOWN = 3
_NEWS_EVERY = 30
"""Seconds between two lines of news."""


class News:
    """Says now and then how far the writer has come."""

    def __init__(self, lake: RewrittenLake) -> None:
        self._lake = lake
        self._begun = self._said = time.monotonic()

    def __call__(self) -> None:
        """Say it, if it is time."""
        now = time.monotonic()
        if now - self._said >= _NEWS_EVERY:
            self._said = now
            lake = self._lake
            say(f"{now - self._begun:.0f} s: {lake.commits} commits, {lake.versions_removed} versions removed")


def row(tally: Tally) -> list[str]:
    """Return a reader's figures; mixtures that break no promise are in brackets."""
    mixtures = str(tally.mixtures) if tally.promises_one_moment else f"({tally.mixtures})"
    counts = [tally.reads, tally.errors, tally.impossible, mixtures, tally.retries, tally.rewrites]
    return [tally.way, *map(str, counts), f"{tally.seconds:.0f}", f"{tally.longest:.1f}"]


def show(tallies: Sequence[Tally], lake: RewrittenLake, seconds: float) -> None:
    """Print what was seen."""
    print(table(HEADING, [row(tally) for tally in tallies if tally.way not in BARE]))
    print("Nothing is promised to:\n")
    print(table(HEADING, [row(tally) for tally in tallies if tally.way in BARE]))
    for tally in tallies:
        for example, count in tally.examples.most_common(_SHOWN):
            print(f"{tally.way}, {count} times: {example}")
    print(f"\n{lake.commits} commits in {seconds:.0f} s, each of one day or two, files of {megabytes(lake)} MB")
    print(
        f"{lake.versions_removed} replaced versions were removed meanwhile; at most {lake.most_bytes:,} bytes lay there"
    )
    print("In brackets: tables or days of different commits, which globs do not rule out")


def megabytes(lake: RewrittenLake) -> str:
    """Return the sizes of the large files of the last commit."""
    published = state.load_manifest(lake.storage).value.days.values()
    sizes = [day.bytes[name] / MEGABYTE for day in published for name in LARGE]
    return f"{min(sizes):.1f} to {max(sizes):.1f}"


def main() -> None:
    """Rewrite, read, verify and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=1000, help="reads of each that follows catalog or manifest (1000)")
    parser.add_argument("--days", type=int, default=3, help="days of the lake (3)")
    parser.add_argument("--megabytes", type=float, default=20, help="least size of a large file (20)")
    parser.add_argument("--keep", type=float, default=20, help="seconds a replaced version is kept (20)")
    parser.add_argument("--folder", type=Path, help="where to make the lake, some GB (the system's temporary folder)")
    wanted = parser.parse_args()
    reads = dict.fromkeys(FOLLOWING, wanted.reads)
    reads |= dict.fromkeys(CAREFUL, max(1, wanted.reads // 2)) | dict.fromkeys(BARE, max(1, wanted.reads // 10))
    with tempfile.TemporaryDirectory(prefix="chorus-calls-readers-", dir=wanted.folder) as folder:
        size = int(wanted.megabytes * MEGABYTE)
        lake = RewrittenLake(Path(folder), days=wanted.days, size=size, keep=timedelta(seconds=wanted.keep))
        begun = time.monotonic()
        tallies = watched(lake, reads, News(lake))
        show(tallies, lake, time.monotonic() - begun)
    if any(tally.failures for tally in tallies if tally.way not in BARE):
        sys.exit(1)


if __name__ == "__main__":
    main()
