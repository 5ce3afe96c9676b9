"""Examine a lake: check every area, and check again where something seems wrong.

Other processes may be writing to the lake, and a commit between two reads looks like damage. So only findings that
appear twice, the second time while no process publishes, are reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pipelines.doctor.access import access
from pipelines.doctor.api import api
from pipelines.doctor.inspection import Area, Report, Subject, pause_publishing, read_subject
from pipelines.doctor.published import catalog, links, notes, published
from pipelines.doctor.raw_files import raw_files
from pipelines.doctor.state_files import erasures, removals, state_files
from pipelines.doctor.state_files import settings as settings_area
from pipelines.settings import Settings

_AREAS: Final[tuple[Callable[[Subject], Area], ...]] = (
    settings_area,
    state_files,
    raw_files,
    published,
    links,
    catalog,
    access,
    erasures,
    removals,
)
_MOVED_BY_PUBLISHING: Final = frozenset({"links", "catalog"})


def examine(settings: Settings) -> Report:
    """Examine a lake, its settings and its API, changing nothing.

    Raises:
        SettingsError: The outcome maps cannot be used.
    """
    subject = read_subject(settings)
    areas = [check(subject) for check in _AREAS]
    if any(area.findings for area in areas):
        with pause_publishing(subject.storage) as is_quiet:
            subject = read_subject(settings)
            again = [check(subject) for check in _AREAS]
        areas = [
            replace(now, findings=[finding for finding in now.findings if finding in set(before.findings)])
            for before, now in zip(areas, again, strict=True)
            if is_quiet or now.name not in _MOVED_BY_PUBLISHING
        ]
    report = Report(subject.storage.address(), [*areas, api(subject)], [*notes(subject)])
    if len(areas) < len(_AREAS):
        report.notes.append("Days are being published all the while, so links and catalog were not checked.")
    return report
