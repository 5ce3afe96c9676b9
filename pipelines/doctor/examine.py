"""One examination: every area looked at, and looked at again where something seemed wrong.

Others may be at work on the lake. What a commit changes between two glances looks like damage, so only what is found
twice, the second time while nobody publishes, is reported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pipelines.doctor.access import access
from pipelines.doctor.api import api
from pipelines.doctor.inspection import Area, Report, Subject, look_at, quiet
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
    """Look at a lake, its settings and its API, changing nothing.

    Raises:
        SettingsError: The outcome maps cannot be used.
    """
    subject = look_at(settings)
    areas = _look(subject)
    if any(area.findings for area in areas):
        with quiet(subject.storage) as is_quiet:
            subject = look_at(settings)
            again = _look(subject)
        areas = [
            replace(now, findings=[finding for finding in now.findings if finding in set(before.findings)])
            for before, now in zip(areas, again, strict=True)
            if is_quiet or now.name not in _MOVED_BY_PUBLISHING
        ]
    report = Report(subject.storage.address(), [*areas, api(subject)], [*notes(subject)])
    if len(areas) < len(_AREAS):
        report.notes.append("Days are being published all the while, so links and catalog were not looked at.")
    return report


def _look(subject: Subject) -> list[Area]:
    return [look(subject) for look in _AREAS]
