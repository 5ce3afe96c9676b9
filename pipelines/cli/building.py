"""Building days and telling about it, for the commands that end with a build."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.cli.console import progress, say
from pipelines.errors import ChorusCallsError

if TYPE_CHECKING:
    from pipelines.build.days import BuildReport
    from pipelines.build.workspace import Workspace


def build_with_progress(workspace: Workspace, days: Sequence[date], *, recheck: bool = False) -> BuildReport:
    """Build days, showing how far it is."""
    from pipelines.build.days import build_days

    if not days:
        return build_days(workspace, [])
    with progress("Building days", len(days)) as step:
        return build_days(workspace, days, recheck=recheck, on_day=lambda _: step())


def build_facts(report: BuildReport) -> dict[str, Any]:
    """Return what a build did, for machines."""
    return {
        "days_built": len(report.built),
        "days_reused": len(report.reused),
        "days_published": len(report.published.published),
        "days_superseded": len(report.published.superseded),
        "days_refused": {
            str(day): [{"check": verdict.check, "table": verdict.table, "detail": verdict.detail} for verdict in failed]
            for day, failed in report.published.refused.items()
        },
        "rows": report.rows,
        "seconds": round(report.seconds, 3),
    }


def build_sentence(report: BuildReport) -> str:
    """Return what a build did, in one line."""
    published = len(report.published.published)
    sentence = f"{len(report.built):,} days built, {published:,} published"
    if report.reused:
        sentence += f", {len(report.reused):,} used again"
    return f"{sentence} ({report.seconds:.1f} s)"


def raise_refused(report: BuildReport) -> None:
    """Fail where a day was refused, after saying what its checks found.

    Raises:
        ChorusCallsError: A day was refused.
    """
    refused = report.published.refused
    if not refused:
        return
    for day, failed in sorted(refused.items()):
        for verdict in failed:
            say(f"{day}: {verdict.check} on {verdict.table}: {verdict.detail}")
    message = (
        f"{len(refused):,} of the days did not pass their checks and stay as they were for readers: "
        f"{', '.join(map(str, sorted(refused)))}. They wait for new calls or a newer chorus-calls."
    )
    raise ChorusCallsError(message)
