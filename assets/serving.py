"""The assets for readers: the catalog, in which days are published, and the report next to it."""

# Dagster reads the annotation of `context`: no annotations from __future__ here.

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Final

import dagster as dg

from assets.automation import run_plan
from assets.events import CATALOG, markdown_table, nothing_events, published_event
from assets.partitions import SINGLE_RUN, daily_partitions
from assets.resources import LakeResource, expected_failures
from assets.tables import OWNERS, SERVING, TABLES_FRESHNESS, docs_link
from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake.locks import LAKE
from pipelines.lake.publish import Build, drop_plan, publish
from pipelines.lake.state import load_manifest
from pipelines.lake.storage import Storage
from pipelines.lake.versions import CheckRecord, read_audit

REPORT_FILE: Final = "chorus-report.html"
_FIGURES: Final = ("calls", "minutes", "cost", "cost_per_minute", "connect_rate", "containment_rate", "transfer_rate")
"""Sums and ratios of the report's calls that Dagster plots."""


@dg.asset(
    key=CATALOG,
    deps=list(TABLES),
    group_name=SERVING,
    kinds={"duckdb"},
    owners=OWNERS,
    partitions_def=daily_partitions(),
    backfill_policy=SINGLE_RUN,
    output_required=False,
    metadata=docs_link("lake.md#the-catalog"),
    freshness_policy=TABLES_FRESHNESS,
)
def catalog(
    context: dg.AssetExecutionContext, lake: LakeResource
) -> Iterator[dg.AssetMaterialization | dg.AssetObservation]:
    """Publish the days that passed their checks: in the manifest, the DuckDB catalog and the files for plain globs.

    A partition is green exactly where its day is published, or where a run found that nothing has landed on it. A
    refused day is red. Readers keep its earlier version, and it is built again when its input, the code or the checks
    have changed.
    """
    with expected_failures():
        workspace = lake.workspace()
        storage = workspace.storage
        builds = run_plan.planned_builds(workspace, context.run, context.partition_keys, needs=TABLES)
        with storage.lock(LAKE, shared=True):
            _require_audits(storage, builds)
            result = publish(storage, workspace.table_settings, builds, workspace.catalog)
        for day in result.superseded:
            context.log.info("Another run has published a newer version of %s", day)
        yield from nothing_events(CATALOG, context.partition_keys, builds)
        manifest = load_manifest(storage).value
        for day in sorted((*result.published, *result.already, *result.superseded)):
            if found := manifest.days.get(day):
                yield published_event(day, found)
        for day, results in result.refused.items():
            yield _refusal(day, results)
        if result.refused:
            raise dg.Failure(_explain(result.refused, len(builds)), allow_retries=False)
        drop_plan(storage, run_plan.plan_id(context.run))


@dg.asset(
    deps=[CATALOG],
    group_name=SERVING,
    kinds={"html", "altair"},
    owners=OWNERS,
    metadata=docs_link("operations.md#commands"),
)
def report(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
    """Compare the last 28 days with the 28 before in one HTML file, which opens without a network."""
    # The charts take half a second to import, which the definitions need not wait for.
    from pipelines.report import overview  # noqa: PLC0415
    from pipelines.report.html_page import make_report  # noqa: PLC0415
    from pipelines.report.text import UNKNOWN  # noqa: PLC0415

    with expected_failures():
        workspace = lake.workspace()
        file = workspace.settings.catalog_path
        made = make_report(file, file.parent / REPORT_FILE, timezone=workspace.settings.timezone)
    period, now = made.figures.period, made.figures.calls.now
    context.log.info("%s: %s to %s", made.path, period.first, period.last)
    dash = "\N{EN DASH}"
    rows = [
        (tile.name, dash if tile.value == UNKNOWN else tile.value, tile.change or dash)
        for tile in overview.tiles(made.figures)
    ]
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(made.path.absolute()),
            "bytes": made.bytes,
            "period": f"{period.first} to {period.last} ({period.days} days, UTC)",
            "key figures": markdown_table(("", "now", "change from the period before"), rows),
            # As numbers too, which Dagster plots from one report to the next.
            **{name: now[name] for name in _FIGURES if now.get(name) is not None},
        }
    )


def _require_audits(storage: Storage, builds: Mapping[date, Build]) -> None:
    for day, build in builds.items():
        if read_audit(storage, day, build.version) is None:
            message = f"{day} has not been checked as it is built now. Run build_days for that day."
            raise ChorusCallsError(message)


def _refusal(day: date, results: Sequence[CheckRecord]) -> dg.AssetObservation:
    rows = [(result.check, result.table, result.rows, result.detail) for result in results]
    table = markdown_table(("check", "table", "rows", "what is wrong"), rows)
    return dg.AssetObservation(CATALOG, partition=str(day), metadata={"refused by": table})


def _explain(refused: dict[date, list[CheckRecord]], days: int) -> str:
    reasons = "; ".join(
        f"{day} ({', '.join(result.check for result in results)})" for day, results in sorted(refused.items())
    )
    return (
        f"{len(refused)} of {days} days failed their checks and stay as they were: {reasons}. "
        "The other days are published. A refused day is built again when its calls, the code or the checks change."
    )
