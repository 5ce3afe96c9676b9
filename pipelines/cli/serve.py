"""`chorus-calls status`, `query`, `transcript`, `report` and `catalog`: the commands that serve what is in the lake."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipelines.cli.console import Day, plain, print_json, print_table, printable, say, size
from pipelines.errors import ChorusCallsError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from rich.table import Table

    from pipelines.serve.conversation import Call, Conversation, Line
    from pipelines.serve.status import LakeStatus, Span

_SHOWN_RANGES: Final = 6
_WIDTH: Final = 100
_MINUTE: Final = 60
_LEG_SPEAKERS: Final = {"customer": "colleague"}
"""On a transfer leg the agent seldom talks to the customer, although the API calls the other side so."""


@click.command("status", epilog="Example: chorus-calls status --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status_command(*, as_json: bool) -> None:
    """Show what is landed, published, stale and rejected, and how far the last scans came. Times are in UTC."""
    from pipelines.lake.local import LocalStorage
    from pipelines.serve.status import lake_status

    storage = LocalStorage(load_settings().lake_path)
    status = lake_status(storage)
    if as_json:
        print_json({"lake": storage.address(), **plain(asdict(status))})
        return
    print_table(("", storage.address()), list(_status_lines(status)))
    if status.erasure_pending:
        say("An erasure is not finished: run `chorus-calls forget --listed`.")
    if not status.landed.days:
        say("Nothing has landed yet: run `chorus-calls sync`.")
    elif status.stale:
        say("Stale days wait to be built: run `chorus-calls build`.")


def _status_lines(status: LakeStatus) -> Iterator[tuple[str, str]]:
    yield "newest call", _moment(status.newest_call_at)
    yield "landed", f"{_span(status.landed)}; {status.landed_versions:,} versions of calls"
    if status.retention_floor:
        yield "kept from", f"{status.retention_floor}; days before were pruned and are not fetched again"
    yield "last landed", _moment(status.newest_landed_at)
    rows = ", ".join(f"{status.rows[table]:,} {table}" for table in ("calls", "transcript_turns", "transfer_legs"))
    yield "published", f"{_span(status.published)}; {rows}"
    yield "last published", _moment(status.committed_at)
    yield "stale", _day_ranges(status.stale)
    if status.under_old_settings:
        yield "under old settings", f"{status.under_old_settings:,} days"
    for day, checks in status.refused.items():
        yield "refused", f"{day} ({', '.join(checks)})"
    yield "rejected", f"{status.rejected_items:,} items"
    known = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in status.names.items() if count)
    yield "names", known or "none known"
    yield "last full scan", _scan(status.last_full_scan)
    yield "last scan", _scan(status.last_scan)
    yield "size", f"{size(status.raw_bytes)} raw, {size(status.table_bytes)} in tables"


def _span(span: Span) -> str:
    return f"{span.days:,} days, {span.first} to {span.last}" if span.days else "no days"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "never"


def _scan(scan: dict[str, Any] | None) -> str:
    if scan is None:
        return "never"
    outcome = "complete" if scan["complete"] else f"incomplete ({scan['ending']})"
    # Earlier versions did not record these counts.
    counts = ((scan.get("calls_deleted"), "deleted"), (scan.get("calls_moved"), "moved to another day"))
    shown = [f"{number:,} {what}" for number, what in counts if number]
    return ", ".join([_moment(scan["started_at"]), scan["mode"], outcome, *shown])


def _day_ranges(days: Sequence[date]) -> str:
    """Return sorted days as text, consecutive ones as one range."""
    if not days:
        return "no days"
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and ranges[-1][1] + timedelta(days=1) == day:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[:_SHOWN_RANGES]]
    more = [f"{len(ranges) - _SHOWN_RANGES:,} more ranges"] if len(ranges) > _SHOWN_RANGES else []
    return f"{len(days):,} days: {', '.join(shown + more)}"


@click.command("query", epilog="Example: chorus-calls query 'SELECT outcome, count(*) FROM calls GROUP BY ALL'")
@click.argument("sql")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a header line.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with an object per row.")
def query_command(sql: str, *, as_csv: bool, as_json: bool) -> None:
    """Run SQL on the catalog, read-only. Times are in UTC.

    'FROM _tables' lists the tables, 'FROM _columns' says what their columns mean.
    """
    if as_csv and as_json:
        message = "Use either --csv or --json, not both."
        raise click.UsageError(message)
    from pipelines.serve.query import run_query

    with run_query(load_settings().catalog_path, sql) as result:
        rows = ([plain(value) for value in row] for row in result.rows)
        if as_csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(result.columns)
            writer.writerows(rows)
        elif as_json:
            print_json([dict(zip(result.columns, row, strict=True)) for row in rows])
        else:
            print_table(result.columns, rows)


@click.command("transcript", epilog="Example: chorus-calls transcript 0b3e7a52-6c1f-4f0e-9a77-2d1f0c9be001")
@click.argument("call_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the call and its lines, as in the catalog.")
def transcript_command(call_id: str, *, as_json: bool) -> None:
    """Print the conversation of a call, followed by those of its transfer legs. Times are in UTC.

    The id of a leg, or of a call that is a leg of another call, prints the call that it belongs to.
    """
    from pipelines.serve.conversation import read_conversation

    found = read_conversation(load_settings().catalog_path, call_id)
    if as_json:
        print_json(plain(asdict(found)))
    else:
        _print_conversation(found)
    if not found.lines:
        has_none = found.call.message_count is None
        say("The API gave no transcript of this call." if has_none else "Nothing was said on this call.")


def _print_conversation(found: Conversation) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    out = Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    for line in heading(found.call):
        out.print(Text(line))
    if summary := (found.call.summary or "").strip():
        out.print(Padding(Text(printable(summary), style="italic"), (1, 0, 0, 0), expand=False))
    if found.lines:
        out.print(Padding(chat(found.lines), (1, 0, 0, 0), expand=False))


def heading(call: Call) -> Iterator[str]:
    """Yield lines that say which call this is."""
    if call.call_date is None:
        yield f"Call {printable(call.call_id)} itself is not in the lake; only the legs below are known."
        return
    began = f"{call.started_at:%Y-%m-%d %H:%M} UTC" if call.started_at else f"{call.call_date} UTC"
    agent, number = agent_name(call.agent_id, call.agent_name), call.customer_number or "an unknown number"
    yield printable(f"{call.direction or 'a'} call of {agent} with {number}, {began},")
    cost = "unknown" if call.cost is None else f"{call.cost:.4f}"
    yield printable(f"{call.outcome}, {_clock(call.duration_seconds)}, cost {cost}; id {call.call_id}")
    if call.deleted_at:
        yield f"The API no longer lists it: a scan on {call.deleted_at:%Y-%m-%d %H:%M} UTC marked it deleted."


def chat(lines: Iterable[Line]) -> Table:
    """Return a conversation as a table to print, the transfer legs after the call's own messages."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        words = printable(line.content or "…")
        if line.speaker == "transfer":
            table.add_row("→", Text(words, style="bold yellow"))
        elif line.leg_id is None:
            table.add_row(Text(line.speaker), Text(words))
        else:
            table.add_row(Text(f"│ {_LEG_SPEAKERS.get(line.speaker, line.speaker)}"), Text(words))
    return table


def agent_name(agent_id: str | None, name: str | None) -> str:
    """Return an agent's name where it is known, with the beginning of the id."""
    short = (agent_id or "unknown")[:8]
    return f"{name} ({short})" if name else short


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "of unknown length"
    return f"{int(seconds) // _MINUTE}:{int(seconds) % _MINUTE:02d} min long"


@click.command("report", epilog="Example: chorus-calls report --from 2026-01-01 --to 2026-01-31 --out january.html")
@click.option("--from", "first", type=Day(), metavar="DAY", help="First day, in UTC.  [default: 28 days in all]")
@click.option("--to", "last", type=Day(), metavar="DAY", help="Last day.  [default: the day of the newest call]")
@click.option("--agent", metavar="ID", help="Only the calls of this agent.")
@click.option(
    "--out",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("chorus-report.html"),
    show_default=True,
    metavar="FILE",
    help="The file to write.",
)
def report_command(first: date | None, last: date | None, agent: str | None, target: Path) -> None:
    """Write a report of a period, compared with the period before, as one HTML file that opens without a network.

    It holds sums and shares, but nothing about single customers: no number, no key, no id of a call, no text.
    """
    from pipelines.report.html_page import make_report

    settings = load_settings()
    report = make_report(settings.catalog_path, target, first=first, last=last, agent=agent, timezone=settings.timezone)
    period = report.figures.period
    click.echo(f"{target}: {period.first} to {period.last} ({period.days:,} days, UTC), {report.bytes / 1000:,.0f} KB")


@click.command("catalog", epilog="Example: chorus-calls catalog --marts-only metrics.duckdb")
@click.option(
    "--marts-only",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Make another catalog that works without the lake: only the aggregated tables, no text of calls.",
)
def catalog_command(target: Path | None) -> None:
    """Make the DuckDB catalog again from what is published, as for a lake that was moved."""
    from pipelines.extract.names import refresh_names
    from pipelines.lake import state
    from pipelines.lake.local import LocalStorage
    from pipelines.lake.locks import PUBLISH
    from pipelines.serve.catalog import DuckDBCatalog

    settings = load_settings()
    storage = LocalStorage(settings.lake_path)
    catalog = DuckDBCatalog(settings.catalog_path, storage, currency=settings.currency)
    for sentence in refresh_names(storage, None).sentences:
        say(sentence)
    try:
        with storage.lock(PUBLISH):
            manifest = state.load_manifest(storage).value
            if target is None:
                catalog.rebuild(manifest)
            else:
                catalog.export_marts(manifest, target)
    except FileExistsError as error:
        message = f"{target} is another file, not a catalog made by this command, so it is kept. Name a new file."
        raise ChorusCallsError(message) from error
    click.echo(f"{target or catalog.path}: {len(manifest.days):,} days, generation {manifest.generation}")
