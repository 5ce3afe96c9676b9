"""The demo from its first run of Dagster to its last line.

To be imported once the environment names the demo's folder: Dagster's partitions are made from it at import.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from assets.demo import answers, runs
from assets.demo.place import CATALOG, FOLDER, LAKE
from assets.demo.runs import SyncNews
from assets.demo.story import Story
from assets.demo.world import LivingWorld
from assets.instance.home import open_instance
from pipelines.lake.local import LocalStorage
from pipelines.report.html_page import make_report
from pipelines.serve.status import lake_status

_STEP: Final = timedelta(hours=6)
_LANGUAGE: Final = "en"


def show(story: Story, world: LivingWorld, *, again: bool, dev: str) -> None:
    """Sync through Dagster, let time pass, sync again, and show what came of it.

    Args:
        story: Who tells it.
        world: The company, which the simulated API serves meanwhile.
        again: Whether an earlier demo has filled the lake.
        dev: What opens Dagster's UI on the demo.
    """
    runs.forgo_durability()
    syncs: dict[str, SyncNews] = {}
    with open_instance() as instance:
        runs.end_lost_runs(instance)
        if again:
            story.part("Catching up", "Dagster reads what is new since the last demo, and builds the days it changed.")
        else:
            story.part("The first sync", "Dagster reads every page, then builds, checks and publishes each day.")
        first = runs.sync_through_dagster(instance, story)
        if not first.rebuilt:
            story.text("Nothing has changed, so no day was built.")
        syncs["catching up" if again else "first sync"] = first
        passed = world.move_on(_STEP)
        title = _later(passed)
        story.part(title, _what_passed(world, passed))
        syncs[title.lower()] = runs.sync_through_dagster(instance, story)
    story.text("\nOnly the head of the list was read again, and only the days that changed were written again:")
    story.syncs(syncs)
    _results(story, world)
    story.part("What to type next")
    story.commands(_next(dev))


def _results(story: Story, world: LivingWorld) -> None:
    status = lake_status(LocalStorage(LAKE))
    story.part(
        "What is in the lake",
        f"{status.published.days} days, {status.published.first} to {status.published.last}, in {LAKE}: "
        f"{status.raw_bytes / 1e6:.1f} MB of calls as received, {status.table_bytes / 1e6:.1f} MB of tables.",
    )
    story.landed(status.rows)
    story.part(
        "Cost per minute and transfer success",
        "From the catalog, whose table agents has their names. A transfer leg that the API also lists as a call of its "
        "own counts as a transfer, not as a call.",
    )
    story.agents(answers.agents())
    report = make_report(CATALOG, FOLDER / "chorus-report.html")
    period = report.figures.period
    story.part(
        "A report",
        f"{report.path} has the days from {period.first} to {period.last} in figures and pictures. It opens in any "
        "browser, without a network.",
    )
    call = answers.handed_over([agent.id for agent in world.company.agents if agent.language == _LANGUAGE])
    if call:
        story.part("A call that was handed over")
        story.conversation(call)


def _later(passed: timedelta) -> str:
    hours, minutes = divmod(int(passed.total_seconds()) // 60, 60)
    if hours and not minutes:
        return f"{hours} hours later"
    return f"{hours}:{minutes:02d} hours later" if passed else "A moment later"


def _what_passed(world: LivingWorld, passed: timedelta) -> str:
    if not passed:
        return f"The company has caught up with our time. For a new one, remove {FOLDER} and run the demo again."
    return (
        f"With the company it is {world.now:%A %Y-%m-%d %H:%M} UTC now. Calls came in, others ended, costs and "
        "summaries arrived late."
    )


def _next(dev: str) -> Iterator[tuple[str, str]]:
    """Commands to copy, and what each is for."""
    program = _program()
    question = "SELECT outcome, count(*) FROM calls GROUP BY ALL"
    yield dev, "Dagster's UI with these runs, at http://127.0.0.1:3000; calls keep coming while it is open:"
    yield f'CHORUS_LAKE={LAKE} {program} query \\\n       "{question}"', "Ask anything, in SQL:"
    yield (
        f"CHORUS_LAKE={LAKE} {program} report --out week.html",
        "A report of your own; --help says of which days and agent:",
    )
    yield f"CHORUS_LAKE={LAKE} {program} status", "How the lake stands:"
    yield f"duckdb -readonly {CATALOG}", "The catalog, for DuckDB, Superset or any BI tool:"
    yield "make demo", "Another 6 hours:"
    yield f"rm -r {FOLDER}", "No demo any more; it left nothing elsewhere:"


def _program() -> str:
    """How this program was called, where that is below the working folder."""
    called = Path(sys.argv[0])
    if called.name != "chorus-calls":
        return "chorus-calls"
    return str(called.relative_to(Path.cwd())) if called.is_relative_to(Path.cwd()) else str(called)
