"""`chorus-calls sync`: fetches what is new or changed at the API, then builds the days that changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.build import build_facts, build_sentence, build_with_progress, raise_refused
from pipelines.cli.console import print_json, progress, say
from pipelines.errors import ChorusCallsError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.extract.http.client import CallsClient
    from pipelines.extract.scan_report import PageProgress, ScanReport
    from pipelines.workspace import Workspace


@click.command(epilog="Example: chorus-calls sync --full")
@click.option("--full", is_flag=True, help="Read the whole list, which finds changes of older calls too.")
@click.option("--max-pages", type=click.IntRange(min=1), metavar="N", help="Stop after N pages.")
@click.option(
    "--accept-deletions",
    is_flag=True,
    help="Read the whole list, as --full does, and mark every call deleted that it lacks, however many.",
)
@click.option("--no-build", is_flag=True, help="Only land calls; their days stay stale.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(*, full: bool, max_pages: int | None, accept_deletions: bool, no_build: bool, as_json: bool) -> None:
    """Fetch new and changed calls, then build the days that changed."""
    from pipelines.extract.names import refresh_names
    from pipelines.lake.identity import require_same_settings
    from pipelines.lake.maintenance.reconcile import reconcile
    from pipelines.lake.storage import LakeBusyError
    from pipelines.materialize.days import days_to_build
    from pipelines.privacy.forget import finish_erasures
    from pipelines.workspace import calls_client, open_workspace

    workspace = open_workspace(load_settings())
    require_same_settings(workspace.storage, workspace.table_settings)
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
    finish_erasures(workspace, say)
    with calls_client(workspace.settings) as client:
        try:
            scan = _scan(workspace, client, full=full, max_pages=max_pages, accept_deletions=accept_deletions)
        except LakeBusyError:
            raise
        except ChorusCallsError:
            finish_erasures(workspace, say)
            days = [] if no_build else days_to_build(workspace)
            if days:  # what did land is built all the same
                say(build_sentence(build_with_progress(workspace, days)))
            raise
        names = refresh_names(workspace.storage, client)
    reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
    finish_erasures(workspace, say)  # what came to light by what the scan dropped
    if scan.contradiction:
        say(f"Warning: {scan.contradiction}")
    for sentence in names.sentences:
        say(sentence)
    if not as_json:
        click.echo(_sentence(scan))
    build = None if no_build else build_with_progress(workspace, days_to_build(workspace))
    if as_json:
        print_json({"scan": _facts(scan), "names": names.known, "build": build_facts(build) if build else None})
    elif build:
        click.echo(build_sentence(build))
    if build:
        raise_refused(build)


def _scan(
    workspace: Workspace, client: CallsClient, *, full: bool, max_pages: int | None, accept_deletions: bool
) -> ScanReport:
    from pipelines.extract.landing.tombstones import DeletionGuard
    from pipelines.extract.sync import sync

    settings = workspace.settings
    with progress("Fetching calls") as step:
        shown = 0

        def on_page(page: PageProgress) -> None:
            nonlocal shown
            step(page.seen - shown, total=page.total)
            shown = page.seen

        return sync(
            workspace.storage,
            client,
            start_date=settings.start_date,
            full=full,
            max_pages=max_pages,
            allowance=DeletionGuard(settings.max_deleted_share, accepted=accept_deletions),
            lookback_hours=settings.lookback_hours,
            workers=settings.workers,
            on_page=on_page,
        )


def _facts(scan: ScanReport) -> dict[str, Any]:
    return {
        "mode": scan.mode,
        "order": str(scan.order),
        "ending": str(scan.ending),
        "complete": scan.complete,
        "resumed": scan.resumed,
        "pages": scan.pages,
        "requests": scan.requests,
        "calls_seen": scan.calls_seen,
        "calls_new": scan.calls_new,
        "calls_changed": scan.calls_changed,
        "calls_unchanged": scan.calls_unchanged,
        "calls_deleted": scan.calls_deleted,
        "calls_moved": scan.calls_moved,
        "items_rejected": scan.items_rejected,
        "total_start": scan.total_start,
        "total_end": scan.total_end,
        "changed_days": [str(day) for day in scan.changed_days],
        "seconds": round(scan.seconds, 3),
    }


def _sentence(scan: ScanReport) -> str:
    sentence = (
        f"{scan.mode} scan {'complete' if scan.complete else scan.ending}: {scan.pages:,} pages, "
        f"{scan.calls_seen:,} calls seen, {scan.calls_new:,} new, {scan.calls_changed:,} changed"
    )
    for number, what in (
        (scan.calls_deleted, "deleted"),
        (scan.calls_moved, "moved to another day"),
        (scan.items_rejected, "rejected"),
    ):
        if number:
            sentence += f", {number:,} {what}"
    return f"{sentence} ({scan.seconds:.1f} s)"
