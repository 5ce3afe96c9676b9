"""Extraction: reading the API's pages, and the days that landed from them."""

# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.

from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from assets.events import LANDED, sync_landed_events
from assets.partitions import daily_partitions
from assets.resources import CallsApi, LakeResource, expected_failures
from assets.tables import EXTRACT, OWNERS, docs_link
from pipelines.extract.landing.tombstones import DeletionGuard
from pipelines.extract.names import refresh_names
from pipelines.extract.scan_report import ScanReport
from pipelines.extract.sync import sync
from pipelines.lake.state import load_landed
from pipelines.privacy.forget import finish_erasures
from pipelines.quality import thresholds


class Mode(Enum):
    """How much of the API's list is read."""

    RECENT = "recent"
    FULL = "full"


class ExtractConfig(dg.Config):
    """What a run of `extract_calls` reads."""

    mode: Mode = Field(
        default=Mode.RECENT,
        description="RECENT reads what is new or changed lately; FULL reads every page and notices deleted calls.",
    )
    max_pages: int | None = Field(default=None, ge=1, description="Stop after so many pages; what was read is kept.")
    accept_deletions: bool = Field(
        default=False,
        description=(
            "Reads every page, whatever the mode, and marks all calls deleted that the API no longer lists, however "
            "many. For one run, where CHORUS_MAX_DELETED_SHARE stopped another and the calls were really deleted."
        ),
    )


landed_calls = dg.AssetSpec(
    LANDED,
    deps=["call_pages"],
    description=(
        "Which days have landed: every version of every call of a day, as the API sent it. Written by `call_pages`, "
        "by `chorus-calls sync` and by nothing else."
    ),
    group_name=EXTRACT,
    kinds={"parquet"},
    owners=OWNERS,
    partitions_def=daily_partitions(),
    tags={"personal_data": "content"},
    metadata=docs_link("tables.md#raw"),
)


@dg.asset(
    group_name=EXTRACT,
    kinds={"python"},
    owners=OWNERS,
    pool="calls_api",
    metadata=docs_link("extraction.md"),
    freshness_policy=dg.FreshnessPolicy.time_window(
        warn_window=thresholds.EXTRACT_WARN_AFTER, fail_window=thresholds.EXTRACT_FAIL_AFTER
    ),
)
def call_pages(
    context: dg.AssetExecutionContext,
    config: ExtractConfig,
    calls_api: CallsApi,
    lake: LakeResource,
) -> dg.MaterializeResult[None]:
    """Read the API's pages and land new and changed calls in the days they belong to."""
    with expected_failures():
        workspace = lake.for_writing()
        try:
            with calls_api.client() as client:
                report = sync(
                    workspace.storage,
                    client,
                    start_date=workspace.settings.start_date,
                    full=config.mode is Mode.FULL,
                    max_pages=config.max_pages,
                    allowance=DeletionGuard(workspace.settings.max_deleted_share, accepted=config.accept_deletions),
                    lookback_hours=workspace.settings.lookback_hours,
                    workers=workspace.settings.workers,
                )
                names = refresh_names(workspace.storage, client, workspace.catalog, workspace.keep_versions)
        finally:
            try:
                finish_erasures(workspace, context.log.warning)
            finally:
                # Also when reading was cut off: what has landed is kept, and its days are to be built.
                sync_landed_events(context.instance, load_landed(workspace.storage).value, context.log_event)
    if report.contradiction:
        context.log.warning(report.contradiction)
    for warning in names.warnings:
        context.log.warning(warning)
    for note in names.notes:
        context.log.info(note)
    return dg.MaterializeResult(metadata=_metadata(report))


def _metadata(report: ScanReport) -> dict[str, Any]:
    return {
        "mode": report.mode,
        "complete": report.complete,
        "ended": str(report.ending),
        "order of the list": str(report.order),
        "taken up again": report.resumed,
        "pages": report.pages,
        "requests": report.requests,
        "repeated requests": report.retries,
        "calls seen": report.calls_seen,
        "new": report.calls_new,
        "changed": report.calls_changed,
        "unchanged": report.calls_unchanged,
        "deleted": report.calls_deleted,
        "moved to another day": report.calls_moved,
        "rejected": report.items_rejected,
        "total at the start": report.total_start,
        "total at the end": report.total_end,
        "days changed": len(report.changed_days),
        "newest day changed": str(max(report.changed_days)) if report.changed_days else None,
        "seconds": report.seconds,
    }
