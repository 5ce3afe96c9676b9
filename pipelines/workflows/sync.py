"""Sync: land what is new or changed at the API, and everything that has to happen before and after a scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.errors import ChorusCallsError, disk_trouble
from pipelines.extract.http.client import CallsClient
from pipelines.extract.landing.tombstones import DeletionGuard
from pipelines.extract.names import NamesReport, refresh_names
from pipelines.extract.scan_report import PageProgress, ScanReport
from pipelines.extract.sync import sync
from pipelines.lake.identity import require_same_settings
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.storage import LakeBusyError
from pipelines.materialize.days import BuildReport, days_to_build
from pipelines.privacy.pending import finish_erasures
from pipelines.workflows.build import Progress, build, no_progress, repair, sentence
from pipelines.workspace import Workspace


@dataclass(frozen=True)
class SyncOptions:
    """How to sync.

    Attributes:
        full: Read the whole list, which finds changes of older calls and deleted ones.
        accept_deletions: Read the whole list, and mark all calls deleted that it lacks, however many.
        build: Build the stale days at the end, also after a scan that failed.
    """

    full: bool = False
    max_pages: int | None = None
    accept_deletions: bool = False
    build: bool = False


@dataclass
class SyncResult:
    """What a sync did.

    Attributes:
        build: What was built; None without `SyncOptions.build`.
    """

    scan: ScanReport
    names: NamesReport
    build: BuildReport | None = None

    @property
    def warnings(self) -> list[str]:
        """What a person should look into, a sentence each."""
        return [*([self.scan.contradiction] if self.scan.contradiction else []), *self.names.warnings]


def run(
    workspace: Workspace,
    client: CallsClient,
    options: SyncOptions,
    *,
    notify: Callable[[str], None],
    progress: Progress = no_progress,
    on_landed: Callable[[SyncResult], None] | None = None,
) -> SyncResult:
    """Land what is new or changed at the API, refresh the names, and finish the erasures that this brings up.

    Args:
        workspace: The lake.
        client: The API; it is closed before days are built.
        options: How much to read, and whether to build.
        notify: Called with a sentence for each thing that a person should know.
        progress: Shows how many calls are read, and how many days are built.
        on_landed: Called with the result of the scan before days are built.

    Raises:
        SettingsDifferError: The lake was built with other settings.
        LakeBusyError: Another sync is running.
        KeyRefusedError: The API refused the key.
        ChorusCallsError: The scan is incomplete, more calls are missing than may be marked deleted, the lake could not
            be repaired, or days could not be built. What was read is landed and, with `SyncOptions.build`, built.
    """
    require_same_settings(workspace.storage, workspace.table_settings)
    unrepaired: Exception | None = None
    try:
        repair(workspace, notify)
    except (ChorusCallsError, OSError) as error:
        unrepaired = error  # calls land all the same, since the API may not list them for long
    try:
        scan = _scan(workspace, client, options, progress)
        names = _refresh_names(workspace, client)
    except LakeBusyError:
        raise
    except ChorusCallsError:
        finish_erasures(workspace, notify)
        if options.build and not unrepaired and (days := days_to_build(workspace)):
            notify(sentence(build(workspace, days, progress=progress)))
        raise
    finish_erasures(workspace, notify)  # the scan may have found more identifiers of erased customers
    result = SyncResult(scan, names)
    if on_landed:
        on_landed(result)
    if options.build:
        client.close()  # prefetched pages that nobody needs would be requested again and again meanwhile
        result.build = build(workspace, days_to_build(workspace), progress=progress)
    if unrepaired:
        raise unrepaired
    return result


def _scan(workspace: Workspace, client: CallsClient, options: SyncOptions, progress: Progress) -> ScanReport:
    settings = workspace.settings
    with progress("Fetching calls", None) as step:
        shown = 0

        def on_page(page: PageProgress) -> None:
            nonlocal shown
            step(page.seen - shown, total=page.total)
            shown = page.seen

        return sync(
            workspace.storage,
            client,
            start_date=settings.start_date,
            full=options.full,
            max_pages=options.max_pages,
            guard=DeletionGuard(settings.max_deleted_share, accepted=options.accept_deletions),
            lookback_hours=settings.lookback_hours,
            workers=settings.workers,
            on_page=on_page,
        )


def _refresh_names(workspace: Workspace, client: CallsClient) -> NamesReport:
    """Refresh the names, and make the catalog show them if they changed; an error is a warning of the report."""
    report = refresh_names(workspace.storage, client)
    if report.changed:
        try:
            reconcile(workspace.storage, workspace.catalog, workspace.keep_versions)
        except ChorusCallsError as error:
            report.warnings.append(f"The catalog does not show the new names yet: {error.message}")
        except OSError as error:
            report.warnings.append(f"The catalog does not show the new names yet: {disk_trouble(error)}")
    return report
