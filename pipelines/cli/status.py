"""`chorus-calls status`: how the lake stands, at a glance or as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import click

from pipelines.cli.console import plain, print_json, print_table, say, size
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.serve.status import LakeStatus, Span

_SHOWN_RANGES: Final = 6


@click.command(epilog="Example: chorus-calls status --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """Show what is landed, published, stale and rejected, and how far the last scans came. Times are in UTC."""
    from pipelines.lake.local import LocalStorage
    from pipelines.serve.status import lake_status

    storage = LocalStorage(load_settings().lake_path)
    status = lake_status(storage)
    if as_json:
        print_json({"lake": storage.address(), **plain(asdict(status))})
        return
    print_table(("", storage.address()), list(_lines(status)))
    if status.erasure_pending:
        say("An erasure is listed and not finished: run `chorus-calls forget --listed`.")
    if not status.landed.days:
        say("Nothing has landed yet: run `chorus-calls sync`.")
    elif status.stale:
        say("Stale days wait to be built: run `chorus-calls build`.")


def _lines(status: LakeStatus) -> Iterator[tuple[str, str]]:
    yield "newest call", _moment(status.newest_call_at)
    yield "landed", f"{_span(status.landed)}; {status.landed_versions:,} versions of calls"
    if status.retention_floor:
        yield "kept from", f"{status.retention_floor}; days before were pruned and are not fetched again"
    yield "last landed", _moment(status.newest_landed_at)
    rows = ", ".join(f"{status.rows[table]:,} {table}" for table in ("calls", "transcript_turns", "transfer_legs"))
    yield "published", f"{_span(status.published)}; {rows}"
    yield "last published", _moment(status.committed_at)
    yield "stale", _days(status.stale)
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
    verdict = "complete" if scan["complete"] else f"incomplete ({scan['ending']})"
    # Scans recorded by earlier versions say nothing of these.
    gone = ((scan.get("calls_deleted"), "deleted"), (scan.get("calls_moved"), "moved to another day"))
    counts = [f"{number:,} {what}" for number, what in gone if number]
    return ", ".join([_moment(scan["started_at"]), scan["mode"], verdict, *counts])


def _days(days: Sequence[date]) -> str:
    """Days in order, those that follow each other put together."""
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
