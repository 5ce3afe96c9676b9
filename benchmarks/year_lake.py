"""A lake of a year of calls, made as the product makes it: what is slow to read of it shows what readers wait for.

    year_lake.py [--calls 1000000] [--days 365]

The calls are the simulated company's, each with an id of its own and a conversation, so a look-up has one answer. The
lake is made where CHORUS_LAKE says; one that has calls already is used as it is.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime

from report import say

from pipelines.extract.landing.landing import Landing
from pipelines.lake import state
from pipelines.lake.identity import require_same_settings
from pipelines.materialize.days import build_days, days_to_build
from pipelines.settings import load_settings
from pipelines.simulator import Order, World
from pipelines.workspace import Workspace, open_workspace

NOW = datetime(2026, 1, 31, 20, 0, tzinfo=UTC)
_AT_ONCE = 10_000
"""A sync writes what it holds back at least as often."""


def make(workspace: Workspace, *, calls: int, days: int) -> None:
    """Land and build a year of calls; a lake that has days already is left as it is."""
    if state.load_manifest(workspace.storage).value.days:
        say(f"Using the lake at {workspace.storage.address()}")
        return
    require_same_settings(workspace.storage, workspace.table_settings)
    say(f"Making up {calls:,} calls of {days} days")
    world = World(calls=calls, days=days, start=NOW)
    landing = Landing(
        workspace.storage, state.load_landed(workspace.storage), start_date=date(2019, 1, 1), sync_id="benchmark"
    )
    offset, total = 0, 1
    while offset < total:
        items, total = world.page(Order.NEWEST, offset, _AT_ONCE, draw=0)
        landing.add(items)
        landing.flush()
        offset += len(items)
    del world, items
    say("Building the days")
    build_days(workspace, days_to_build(workspace))


def main() -> None:
    """Make the lake that the settings name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_000_000, help="how many calls (1000000)")
    parser.add_argument("--days", type=int, default=365, help="how many days (365)")
    wanted = parser.parse_args()
    make(open_workspace(load_settings()), calls=wanted.calls, days=wanted.days)


if __name__ == "__main__":
    main()
