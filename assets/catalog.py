"""Publishing: readers see the days that passed their checks, all in one step; the others stay as they were."""


# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import dagster as dg

from assets.automation import run_plan
from assets.events import CATALOG, nothing_events, published_event
from assets.partitions import DAILY, SINGLE_RUN
from assets.resources import LakeResource, expected_failures
from assets.tables import BUILT_LATELY, OWNERS, SERVING, docs_link
from pipelines.dictionary import TABLES
from pipelines.errors import ChorusCallsError
from pipelines.lake.locks import LAKE
from pipelines.lake.publish import Build, drop_plan, publish
from pipelines.lake.state import load_manifest
from pipelines.lake.storage import Storage
from pipelines.lake.versions import VerdictRecord, read_audit


@dg.asset(
    key=CATALOG,
    deps=list(TABLES),
    group_name=SERVING,
    kinds={"duckdb"},
    owners=OWNERS,
    partitions_def=DAILY,
    backfill_policy=SINGLE_RUN,
    output_required=False,
    metadata=docs_link("lake.md#the-catalog"),
    freshness_policy=BUILT_LATELY,
)
def catalog(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[LakeResource]
) -> Iterator[dg.AssetMaterialization | dg.AssetObservation]:
    """Publish the days that passed their checks, in the manifest, the DuckDB catalog and the files for plain globs.

    A day is green exactly where it is published, or where a run found that nothing has landed on it. A refused day is
    red, stays as it was for every reader, and is tried again when its input, the code or the checks have changed.
    """
    with expected_failures():
        workspace = lake.workspace()
        storage = workspace.storage
        builds = run_plan.recall(workspace, context.run, context.partition_keys, needs=TABLES)
        with storage.lock(LAKE, shared=True):
            _require_verdicts(storage, builds)
            result = publish(storage, workspace.table_settings, builds, workspace.catalog)
        for day in result.superseded:
            context.log.info("%s was published in a newer version meanwhile", day)
        yield from nothing_events(CATALOG, context.partition_keys, builds)
        manifest = load_manifest(storage).value
        for day in sorted((*result.published, *result.already, *result.superseded)):
            if found := manifest.days.get(day):
                yield published_event(day, found)
        for day, verdicts in result.refused.items():
            yield _refusal(day, verdicts)
        if result.refused:
            raise dg.Failure(_explain(result.refused, len(builds)), allow_retries=False)
        drop_plan(storage, run_plan.plan_of(context.run))


def _require_verdicts(storage: Storage, builds: Mapping[date, Build]) -> None:
    for day, build in builds.items():
        if read_audit(storage, day, build.version) is None:
            message = f"{day} has not been checked as it is built now. Run build_days for that day."
            raise ChorusCallsError(message)


def _refusal(day: date, verdicts: Sequence[VerdictRecord]) -> dg.AssetObservation:
    table = "\n".join(
        f"| {verdict.check} | {verdict.table} | {verdict.rows} | {verdict.detail} |" for verdict in verdicts
    )
    text = f"| check | table | rows | what is wrong |\n|---|---|---|---|\n{table}"
    return dg.AssetObservation(CATALOG, partition=str(day), metadata={"refused by": dg.MetadataValue.md(text)})


def _explain(refused: dict[date, list[VerdictRecord]], days: int) -> str:
    reasons = "; ".join(
        f"{day} ({', '.join(verdict.check for verdict in verdicts)})" for day, verdicts in sorted(refused.items())
    )
    return (
        f"{len(refused)} of {days} days failed their checks and stay as they were: {reasons}. "
        "The other days are published. A refused day is built again when its calls, the code or the checks change."
    )
