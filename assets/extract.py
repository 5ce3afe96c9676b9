"""The extract assets: the pages of the API, and the days that landed from them."""

# Dagster reads the annotation of `context` at run time: no annotations from __future__ here.

from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from assets.events import LANDED, sync_landed_events
from assets.partitions import daily_partitions
from assets.resources import CallsApi, LakeResource, expected_failures
from assets.tables import EXTRACT, OWNERS, docs_link
from pipelines.extract.scan_report import ScanReport
from pipelines.lake.state import load_landed
from pipelines.quality import thresholds
from pipelines.workflows import sync
from pipelines.workflows.sync import SyncOptions


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
    max_pages: int | None = Field(default=None, ge=1, description="Stop after this many pages; what was read is kept.")
    accept_deletions: bool = Field(
        default=False,
        description=(
            "Reads every page, whatever the mode, and marks all calls deleted that the API no longer lists, however "
            "many. Use it for one run, after CHORUS_MAX_DELETED_SHARE stopped a run and the calls were really deleted."
        ),
    )


landed_calls = dg.AssetSpec(
    LANDED,
    deps=["call_pages"],
    description=(
        "Which days have landed: every version of every call of a day, as the API sent it. Written by `call_pages`, "
        "by `chorus-calls sync`, and by nothing else."
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
        workspace = lake.workspace()
        options = SyncOptions(config.mode is Mode.FULL, config.max_pages, config.accept_deletions)
        try:
            with calls_api.client() as client:
                done = sync.run(workspace, client, options, notify=context.log.warning)
        finally:
            # Also after a failure: what has landed is kept, and its days have to be built.
            sync_landed_events(context.instance, load_landed(workspace.storage).value, context.log_event)
    for warning in done.warnings:
        context.log.warning(warning)
    for note in done.names.notes:
        context.log.info(note)
    return dg.MaterializeResult(metadata=_metadata(done.scan))


def _metadata(scan: ScanReport) -> dict[str, Any]:
    """Return the facts of a scan, which Dagster plots over time; of its days only how many, and the newest."""
    facts = {name.replace("_", " "): value for name, value in scan.as_dict().items()}
    days = facts.pop("changed days")
    return {**facts, "retries": scan.retries, "days changed": len(days), "newest day changed": max(days, default=None)}
