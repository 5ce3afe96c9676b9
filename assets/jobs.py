"""The jobs: extracting, building days, writing the report, and clearing away old runs."""


# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.

from datetime import timedelta
from types import MappingProxyType
from typing import Final

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG
from pydantic import Field

from assets.instance.run_retention import delete_old_output, delete_old_runs
from assets.resources import LakeResource
from pipelines.lake import layout

MAX_RUNTIME: Final = timedelta(hours=6)
"""A run that takes longer is ended, and no longer holds back another run of its days."""

_COMMON_TAGS: Final = {"dagster/max_runtime": str(int(MAX_RUNTIME.total_seconds()))}

HIGH_PRIORITY: Final = MappingProxyType({PRIORITY_TAG: "1"})
"""Tags of a run that overtakes others in the queue."""

extract_calls = dg.define_asset_job(
    "extract_calls",
    selection=dg.AssetSelection.assets("call_pages"),
    description="Land new and changed calls; the sensor changed_days then builds their days.",
    # What is new does not wait behind the building of what is old.
    tags={**_COMMON_TAGS, **HIGH_PRIORITY},
)

build_days = dg.define_asset_job(
    "build_days",
    selection=dg.AssetSelection.groups("core", "marts", "serving") - dg.AssetSelection.assets("report"),
    description=(
        "Build, check and publish a range of days that have landed. The sensor changed_days launches it; launched by "
        "hand, a day that is published as its calls, the code and the settings give it now stays as it is."
    ),
    # The sensor tries again, since it knows better than a retry which days still need it.
    tags={**_COMMON_TAGS, "dagster/max_retries": "0"},
)

make_report = dg.define_asset_job(
    "make_report",
    selection=dg.AssetSelection.assets("report"),
    description="Write the report of the last 28 days beside the catalog.",
    tags=_COMMON_TAGS,
)


class PurgeConfig(dg.Config):
    """What a run of `purge_runs` removes."""

    older_than_days: int = Field(
        default=30,
        ge=1,
        description="Finished runs and what runs and ticks printed, older than so many days, are removed.",
    )


@dg.op
def remove_old_runs(context: dg.OpExecutionContext, config: PurgeConfig, lake: dg.ResourceParam[LakeResource]) -> None:
    """Remove old finished runs with their output and plans, but not those that say what is built now."""
    age = timedelta(days=config.older_than_days)
    removed = delete_old_runs(context.instance, age, but=context.run_id)
    storage = lake.workspace().storage
    for run in removed:
        storage.delete(layout.plan_file(run))
    files = delete_old_output(context.instance, age)
    context.log.info(
        "Removed %s runs and %s files of output, all older than %s days", len(removed), files, config.older_than_days
    )


@dg.job(description="Remove old runs and old output, which Dagster keeps for ever.", tags=_COMMON_TAGS)
def purge_runs() -> None:
    """Remove old finished runs."""
    remove_old_runs()
