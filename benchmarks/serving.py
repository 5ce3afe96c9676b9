"""A simulated API that lists the calls of page files, in a process of its own so that its CPU is nobody else's.

    serving.py FOLDER --pages N

Prints its base URL once it listens, and stops when its standard input ends.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipelines.extract.http.response import parse_body
from pipelines.simulator import SimulatedApi


def main() -> None:
    """Read the pages, serve them and wait for the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, required=True)
    wanted = parser.parse_args()
    files = sorted(wanted.folder.glob("page_*.json"))[: wanted.pages]
    with SimulatedApi(items=[item for file in files for item in parse_body(file.read_bytes()).items]) as api:
        print(api.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
