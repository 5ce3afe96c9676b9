"""`chorus-calls demo`: run the whole pipeline through Dagster on simulated calls, in a folder of its own."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from assets.demo.company import (
    CATALOG,
    FOLDER,
    LAKE,
    WORLD,
    Company,
    company_exists,
    create_company,
    is_shown_by_default,
    serve,
    single_demo,
)
from assets.demo.story import Story, running
from pipelines.errors import ChorusCallsError, SettingsError

_STEP: Final = timedelta(hours=6)
_LANGUAGE: Final = "en"

_AGENTS: Final = """
WITH calls AS (
    SELECT agent_id, sum(calls) AS calls, connect_rate(sum(connected_calls), sum(calls)) AS connect_rate,
        sum(seconds_rated) / 60 AS minutes, sum(cost) AS cost,
        cost_per_minute(sum(cost_rated), sum(seconds_rated)) AS cost_per_minute
    FROM call_metrics_daily GROUP BY GROUPING SETS ((agent_id), ())
), transfers AS (
    SELECT agent_id, sum(legs) AS legs,
        transfer_success_rate(sum(successful_legs), sum(failed_legs)) AS transfer_success_rate
    FROM transfer_metrics_daily GROUP BY GROUPING SETS ((agent_id), ())
)
SELECT coalesce(agents.name || ' (' || calls.agent_id[:8] || ')', calls.agent_id[:8], 'all agents') AS agent,
    format('{:,}', calls::BIGINT) AS ">calls", format('{:.1f}%', 100 * connect_rate) AS ">connected",
    format('{:,.0f}', minutes) AS ">minutes", format('{:,.2f}', cost) AS ">cost",
    format('{:.4f}', cost_per_minute) AS ">cost/min", format('{:,}', coalesce(legs, 0)::BIGINT) AS ">transfers",
    format('{:.1f}%', 100 * transfer_success_rate) AS ">successful"
FROM calls LEFT JOIN transfers ON calls.agent_id IS NOT DISTINCT FROM transfers.agent_id
LEFT JOIN agents ON agents.id = calls.agent_id
ORDER BY calls.agent_id IS NULL, calls.calls DESC
"""
"""Each agent's calls and transfers, the busiest agent first, and last the sums of all agents."""

_TRANSFERRED_CALL: Final = """
SELECT call_id
FROM calls
WHERE deleted_at IS NULL
    AND call_id IN (
        SELECT call_id FROM transfer_legs WHERE transfer_outcome = 'success' AND source = 'nested' AND message_count > 0
    )
ORDER BY call_id IN (SELECT call_id FROM transcript_turns WHERE speaker NOT IN ('agent', 'customer')),
    list_contains($1, agent_id) DESC, abs(message_count - 9), started_at DESC
LIMIT 1
"""
"""A call of moderate length whose transfer succeeded, of one of the given agents if there is one."""


@click.command("demo", epilog="Example: chorus-calls demo")
@click.option("--calls", type=click.IntRange(min=1), help="Calls that a new demo begins with.  [default: 2100]")
@click.option("--days", type=click.IntRange(1, 365), help="Days they are spread over.  [default: 30]")
def demo_command(*, calls: int | None, days: int | None) -> None:
    """Serve simulated calls, sync them through Dagster, let hours pass, sync again, and show the result.

    Needs no account. Everything stays in data/demo, where a second demo continues the first.
    """
    began = time.monotonic()
    story, dev = Story(), "make dev DEMO=1"
    with single_demo(WORLD):
        again = company_exists(WORLD)
        if again and (calls or days):
            message = f"{FOLDER} already holds a demo. To begin one with other calls, remove {FOLDER} first."
            raise ChorusCallsError(message)
        company = Company(WORLD) if again else create_company(WORLD, calls=calls or 2_100, days=days or 30)
        with suppress(SettingsError):
            dev = "make dev" if is_shown_by_default() else dev
        with serve(company) as url:
            story.part(
                "A simulated company",
                f"It has made and taken calls since {company.first_day}, and its clock shows "
                f"{company.now:%A %Y-%m-%d %H:%M} UTC. {company.size:,} calls and transfer legs are served at "
                f"{url}/calls as the Chorus API would serve them. Everything is kept in {FOLDER}"
                f"{', where an earlier demo has filled the lake' if again else ''}.",
            )
            _sync_twice(story, company, again=again)
        _show_results(story, company)
        _show_commands(story, dev)
    story.show(f"\nDone in {time.monotonic() - began:.0f} s.")


def _sync_twice(story: Story, company: Company, *, again: bool) -> None:
    with running("Starting Dagster"):
        # Only now, since Dagster's partitions are made at import from the settings of the demo.
        import assets.definitions  # noqa: F401 - first, since it silences Dagster's warnings

        # isort: split
        from assets.demo import runs
        from assets.instance.home import open_instance

    runs.skip_disk_syncs()
    with open_instance() as instance:
        runs.end_lost_runs(instance)
        if again:
            story.part("Catching up", "Dagster reads what is new since the last demo, and builds the days it changed.")
        else:
            story.part("The first sync", "Dagster reads every page, then builds, checks and publishes each day.")
        first = runs.sync_through_dagster(instance, story)
        hours, minutes = divmod(int(company.advance(_STEP).total_seconds()) // 60, 60)
        later = f"{hours}:{minutes:02d}".removesuffix(":00") + " hours later" if hours or minutes else "A moment later"
        story.part(
            later,
            f"The company's clock shows {company.now:%A %Y-%m-%d %H:%M} UTC now. Calls came in, others ended, costs "
            "and summaries arrived late."
            if hours or minutes
            else f"The company's clock has reached our time. For a new one, remove {FOLDER} and run the demo again.",
        )
        second = runs.sync_through_dagster(instance, story)
    story.show("\nOnly the head of the list was read again, and only the days that changed were written again:")
    headings = ("", ">catching up" if again else ">first sync", f">{later.lower()}")
    story.table(headings, [(name, first[name], second[name]) for name in first])


def _show_results(story: Story, company: Company) -> None:
    from pipelines.cli.serve import chat, heading
    from pipelines.dictionary import TABLES
    from pipelines.lake.local import LocalStorage
    from pipelines.report.html_page import make_report
    from pipelines.serve.conversation import read_conversation
    from pipelines.serve.query import run_query
    from pipelines.serve.status import lake_status

    status = lake_status(LocalStorage(LAKE))
    story.part(
        "What is in the lake",
        f"{status.published.days} days, {status.published.first} to {status.published.last}, in {LAKE}: "
        f"{status.raw_bytes / 1e6:.1f} MB of calls as received, {status.table_bytes / 1e6:.1f} MB of tables.",
    )
    grains = {name: TABLES[name].grain.removeprefix("one row per ") for name in status.rows}
    story.table(("table", ">rows", "one row per"), [(name, f"{n:,}", grains[name]) for name, n in status.rows.items()])
    story.part(
        "Cost per minute and transfer success",
        "From the catalog, whose table agents has their names. A transfer leg that the API also lists as a call of its "
        "own counts as a transfer, not as a call.",
    )
    with run_query(CATALOG, _AGENTS) as agents:
        story.table(agents.columns, agents.rows)
    report = make_report(CATALOG, FOLDER / "chorus-report.html")
    period = report.figures.period
    story.part(
        "A report",
        f"{report.path} has the days from {period.first} to {period.last} in figures and charts. It opens in any "
        "browser, without a network.",
    )
    speakers = [agent.id for agent in company.company.agents if agent.language == _LANGUAGE]
    with run_query(CATALOG, _TRANSFERRED_CALL, [speakers]) as found:
        calls = list(found.rows)
    if calls:
        call = read_conversation(CATALOG, calls[0][0])
        story.part("A call that was transferred", "\n".join(heading(call.call)))
        story.show(chat(call.lines), above=1)


def _show_commands(story: Story, dev: str) -> None:
    called = Path(sys.argv[0])
    program = "chorus-calls"
    if called.name == program:
        program = str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)
    program = f"CHORUS_LAKE={LAKE} {program}"
    question = "SELECT outcome, count(*) FROM calls GROUP BY ALL"
    story.part("What to type next")
    for command, purpose in (
        (dev, "Dagster's UI with these runs, at http://127.0.0.1:3000; calls keep coming while it is open:"),
        (f'{program} query \\\n       "{question}"', "Ask anything, in SQL:"),
        (f"{program} report --out week.html", "Write another report; --help says how to choose days and agent:"),
        (f"{program} status", "Show the state of the lake:"),
        (f"duckdb -readonly {CATALOG}", "Open the catalog in DuckDB; Superset or any BI tool can too:"),
        ("make demo", "Let another 6 hours pass:"),
        (f"rm -r {FOLDER}", "Remove the demo; nothing is left elsewhere:"),
    ):
        story.command(command, purpose)
