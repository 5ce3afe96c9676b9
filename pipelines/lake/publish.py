"""Publish days: the one commit point that decides which version of each day readers see.

The plan of a Dagster run is kept here too: the versions its later steps build and publish, whatever lands meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import Protocol

import msgspec

from pipelines.dictionary import TABLES
from pipelines.lake import layout, state
from pipelines.lake.identity import load_table_settings
from pipelines.lake.locks import PUBLISH
from pipelines.lake.state import Manifest, PublishedDay, Stored, TableSettings
from pipelines.lake.storage import Storage
from pipelines.lake.versions import Audit, CheckRecord, fingerprint, read_audit, settings_digest


class Catalog(Protocol):
    """The readers' catalog, which is made from a manifest and remembers which one."""

    def make(self, manifest: Manifest) -> None:
        """Make the catalog from a manifest, in one step for its readers."""

    def generation(self) -> int | None:
        """Return the generation of the manifest it was made from, None if there is no catalog."""

    def shown(self) -> tuple[int | None, str | None]:
        """Return what `generation` does, and the digest of the names it shows, None if it shows none."""

    def is_unfinished(self) -> bool:
        """Return whether a catalog is being made, or its maker was killed."""

    def remove_unfinished(self) -> None:
        """Remove what killed makers left; the caller holds the lock `PUBLISH`."""


@dataclass(frozen=True)
class Build:
    """A version of a day to build, and the version that was published when the build began."""

    version: str
    base: str | None


@dataclass
class Published:
    """The outcome of publishing, by day: published now, published before, superseded by another build, or refused."""

    published: list[date] = field(default_factory=list)
    already: list[date] = field(default_factory=list)
    superseded: list[date] = field(default_factory=list)
    refused: dict[date, list[CheckRecord]] = field(default_factory=dict)


def publish(storage: Storage, settings: TableSettings, builds: Mapping[date, Build], catalog: Catalog) -> Published:
    """Publish the days of a build that passed their checks, all of them in one commit.

    A version that equals what the inputs and the lake's settings give now always wins. Any other replaces only the
    version that it began from, so that a slow build never takes a day back.

    Args:
        storage: The lake's files.
        settings: The table settings of the versions, which need no longer be the lake's.
        builds: The versions.
        catalog: The readers' catalog.

    Raises:
        FileNotFoundError: A version is not complete.
    """
    result = Published()
    with storage.lock(PUBLISH):
        stored = state.load_manifest(storage)
        landed = state.load_landed(storage).value
        wanted = load_table_settings(storage) or settings
        manifest = stored.value
        for day, build in sorted(builds.items()):
            current = manifest.days.get(day)
            current_version = current.version if current else None
            if build.version == current_version:
                result.already.append(day)
            elif build.version != fingerprint(landed, day, wanted) and build.base != current_version:
                result.superseded.append(day)
            else:
                audit = read_audit(storage, day, build.version)
                if audit is None:
                    raise FileNotFoundError(layout.version_folder(day, build.version))
                if not audit.passed:
                    result.refused[day] = audit.failed
                    continue
                manifest.days[day] = published_day(build.version, audit, settings_digest(settings))
                result.published.append(day)
        if result.published:
            restart_grace_period(stored, catalog)
            _mark_unreferenced(storage, manifest, result.published)
            if stored.raw is None:  # generations only grow, also after the manifest was lost
                manifest.generation = catalog.generation() or 0
            manifest.generation += 1
            manifest.committed_at = state.now()
            state.commit(storage, stored)
            catalog.make(manifest)
            update_links(storage, manifest, result.published)
    return result


def published_day(version: str, audit: Audit, digest: str) -> PublishedDay:
    """Return the manifest's entry for a version that is published now."""
    return PublishedDay(
        version=version, published_at=state.now(), rows=audit.rows, bytes=audit.bytes, settings_digest=digest
    )


def _mark_unreferenced(storage: Storage, manifest: Manifest, days: Iterable[date]) -> None:
    """Note since when the other versions of days are unreferenced, also refused and half-built ones."""
    for day in days:
        published = layout.version_folder(day, manifest.days[day].version)
        manifest.unreferenced.pop(published, None)
        for version in storage.folders(layout.day_folder(day)):
            folder = layout.version_folder(day, version)
            if folder != published:
                manifest.unreferenced.setdefault(folder, state.now())


def catalog_lags(manifest: Stored[Manifest], catalog: Catalog) -> bool:
    """Return whether the catalog is missing, or older than the manifest."""
    made_from = catalog.generation()
    return made_from is None or made_from < manifest.value.generation


def restart_grace_period(manifest: Stored[Manifest], catalog: Catalog) -> None:
    """Restart the grace period of unreferenced versions while the catalog lags: readers still open it with them."""
    if manifest.value.unreferenced and catalog_lags(manifest, catalog):
        manifest.value.unreferenced = dict.fromkeys(manifest.value.unreferenced, state.now())


def update_links(storage: Storage, manifest: Manifest, days: Iterable[date]) -> int:
    """Link the published files of days to their places for plain globs; return how many links changed."""
    wrong = unlinked(storage, manifest, days)
    for source, target in wrong:
        storage.link(source, target)
    return len(wrong)


def unlinked(storage: Storage, manifest: Manifest, days: Iterable[date]) -> list[tuple[str, str]]:
    """Return the published files that are not linked to their places for plain globs, with these places.

    A published file that is missing is left out: only a new build restores it.
    """
    files = [
        (layout.table_file(day, manifest.days[day].version, table), layout.link_file(day, table))
        for day in days
        for table in TABLES
    ]
    return [
        (source, target)
        for source, target in files
        if not storage.is_linked(source, target) and storage.size(source) is not None
    ]


def orphan_links(storage: Storage, manifest: Stored[Manifest]) -> list[str]:
    """Return the links of days that are not published; none if the manifest is missing."""
    if manifest.raw is None:
        return []
    return [
        layout.link_file(day, table)
        for table in TABLES
        for folder in storage.folders(table)
        if (day := layout.day_of(folder)) is not None and day not in manifest.value.days
    ]


def write_plan(storage: Storage, run: str, builds: Mapping[date, Build]) -> None:
    """Store the versions that a run builds, and what was published when it began."""
    with storage.create(layout.plan_file(run)) as stream:
        stream.write(msgspec.json.encode(dict(builds)))


def read_plan(storage: Storage, run: str) -> dict[date, Build] | None:
    """Return the versions that a run builds; None if it has no plan."""
    raw = storage.read(layout.plan_file(run))
    return None if raw is None else msgspec.json.decode(raw, type=dict[date, Build])


def drop_plan(storage: Storage, run: str) -> None:
    """Remove the plan of a run that is over."""
    storage.delete(layout.plan_file(run))


def planned_versions(storage: Storage) -> set[str]:
    """Return the folders of all versions that runs with a plan build or use."""
    return {
        layout.version_folder(day, build.version) for plan in _plans(storage).values() for day, build in plan.items()
    }


def drop_from_plans(storage: Storage, days: Collection[date], keep: Collection[str]) -> None:
    """Take days out of all plans, so that later steps leave them alone, except versions in the folders to keep."""
    for run, plan in _plans(storage).items():
        left = {
            day: build
            for day, build in plan.items()
            if day not in days or layout.version_folder(day, build.version) in keep
        }
        if left != plan:
            write_plan(storage, run, left)


def _plans(storage: Storage) -> dict[str, dict[date, Build]]:
    runs = [PurePosixPath(file.path).stem for file in storage.list(layout.PLANS)]
    return {run: read_plan(storage, run) or {} for run in runs}
