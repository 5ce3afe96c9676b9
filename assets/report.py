"""The report beside the catalog: the same HTML file that `chorus-calls report` writes."""

# Dagster looks at the annotation of `context` itself: no annotations from __future__ here.

from typing import Final

import dagster as dg

from assets.events import CATALOG
from assets.resources import LakeResource, expected_failures
from assets.tables import OWNERS, SERVING, docs_link

REPORT_FILE: Final = "chorus-report.html"


@dg.asset(
    deps=[CATALOG],
    group_name=SERVING,
    kinds={"html", "altair"},
    owners=OWNERS,
    metadata=docs_link("operations.md#commands"),
)
def report(context: dg.AssetExecutionContext, lake: dg.ResourceParam[LakeResource]) -> dg.MaterializeResult[None]:
    """What happened in the last 28 days against the 28 before, as one HTML file that opens without a network."""
    # Drawing takes half a second to import, which definitions should not wait for.
    from pipelines.report.html_page import make_report  # noqa: PLC0415
    from pipelines.report.preview import calls_chart, key_figures  # noqa: PLC0415

    with expected_failures():
        workspace = lake.workspace()
        catalog = workspace.settings.catalog_path
        made = make_report(catalog, catalog.parent / REPORT_FILE, timezone=workspace.settings.timezone)
    period = made.figures.period
    context.log.info("%s: %s to %s", made.path, period.first, period.last)
    return dg.MaterializeResult(
        metadata={
            "path": dg.MetadataValue.path(made.path.absolute()),
            "bytes": made.bytes,
            "period": f"{period.first} to {period.last} ({period.days} days, UTC)",
            "key figures": dg.MetadataValue.md(key_figures(made.figures)),
            "calls": dg.MetadataValue.md(calls_chart(made.figures)),
        }
    )
