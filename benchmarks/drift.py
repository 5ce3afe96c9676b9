"""What syncs ask for while a list changes, after a change and after a kill: `make drift`.

    drift.py [--calls 20000]

Every sync is a process of its own, against the simulated API over HTTP. A bar that is missed is said, and ends with 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from report import Bar, say, table

from tests.support.program_account import Account, Drift, account, change_young_calls

MOST_UNDER_DRIFT = 1.20
MOST_INCREMENTAL = 1 / 20
MOST_AFTER_KILL = 0.45
KILLED_AT = 0.6
YEAR = "a year"


def drifting(one: Account) -> list[Bar]:
    """Run a first scan, with calls that come and go all the time."""
    pages, drift = one.pages, Drift(one.world)
    one.api.faults.append(drift)
    one.sync("--no-build")
    one.api.faults.clear()
    raw, asked = one.raw(), len(one.api.requests)
    say(f"Drift: {asked} requests for {pages} pages, {raw.height:,} calls landed")
    return [
        Bar("drift: calls missing", len(drift.stayed - set(raw["call_id"])), 0),
        Bar("drift: calls doubled", raw.height - raw["call_id"].n_unique(), 0),
        Bar("drift: requests per page", asked / pages, MOST_UNDER_DRIFT),
    ]


def changed(one: Account, name: str) -> list[Bar]:
    """Run an incremental sync after thirty calls have changed."""
    one.sync()
    full, before = len(one.api.requests), one.written()
    days = change_young_calls(one.world, 30, 40)
    done = one.sync()
    asked = len(one.api.requests)
    touched = {part[10:] for path, _ in one.written() - before for part in path.split("/") if "=" in part}
    may = {day.isoformat() for day in days | {day + timedelta(days=1) for day in days}}
    say(f"{name}: {asked} requests of {full}, {done['scan']['calls_changed']} changed, days: {sorted(touched)}")
    # In a busy month, two days alone are a tenth of all calls.
    bars = [Bar(f"{name}: share of the requests", asked / full, MOST_INCREMENTAL)] if name == YEAR else []
    return [*bars, Bar(f"{name}: other days rewritten", len(touched - may), 0)]


def killed(one: Account) -> list[Bar]:
    """Run a first scan that is killed, and the sync that resumes."""
    one.sync(lake="undisturbed")
    whole = len(one.api.requests)
    one.sync("--no-build", kill_at=round(whole * KILLED_AT))
    one.sync()
    asked = len(one.api.requests)
    other, tables = one.tables("undisturbed"), one.tables()
    say(f"Killed: {whole} requests undisturbed, {asked} after the kill at {KILLED_AT:.0%}")
    return [
        Bar("killed: share of the requests", asked / whole, MOST_AFTER_KILL),
        Bar("killed: tables that differ", sum(not tables[name].equals(other[name]) for name in other), 0),
    ]


def main() -> int:
    """Run all of it and show the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20_000)
    calls = parser.parse_args().calls
    bars: list[Bar] = []
    with tempfile.TemporaryDirectory() as folder:
        shows = [("a", 30, drifting), ("b", 365, lambda one: changed(one, YEAR)), ("c", 60, killed)]
        shows.append(("d", 30, lambda one: changed(one, "a month")))
        for name, days, show in shows:
            Path(folder, name).mkdir()
            with account(Path(folder, name), calls=calls, days=days) as one:
                bars += show(one)
                one.assert_the_token_is_nowhere()
    print(table(["", "measured", "at most", ""], [bar.row() for bar in bars]))
    return int(any(bar.measured > bar.most for bar in bars))


if __name__ == "__main__":
    sys.exit(main())
