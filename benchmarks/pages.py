"""Pages of calls as the API would answer them, one file each, for the programs under measurement to read.

    pages.py FOLDER --calls 200000 [--days 30]

The calls are the simulated company's, newest first. The same numbers give the same bytes.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from pipelines.simulator import Order, World

LIMIT = 100
_NOW = datetime(2026, 1, 31, 20, 0, tzinfo=UTC)


def write_pages(folder: Path, *, calls: int, days: int) -> int:
    """Write the newest calls of a simulated company as page files.

    Args:
        folder: Where to; made where it is not there.
        calls: How many, rounded up to whole pages.
        days: About how many days they are spread over.

    Returns:
        How many calls were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = World(calls=calls, days=days, start=_NOW)
    written = 0
    while written < calls:
        items, total = world.page(Order.NEWEST, written, LIMIT, draw=0)
        pagination = b'{"total":%d,"limit":%d,"offset":%d}' % (total, LIMIT, written)
        body = b'{"data":[%b],"pagination":%b}' % (b",".join(items), pagination)
        folder.joinpath(f"page_{written // LIMIT:07d}.json").write_bytes(body)
        written += len(items)
    return written


def main() -> None:
    """Read the command line and write the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calls", type=int, required=True)
    parser.add_argument("--days", type=int, default=30)
    wanted = parser.parse_args()
    write_pages(wanted.folder, calls=wanted.calls, days=wanted.days)


if __name__ == "__main__":
    main()
