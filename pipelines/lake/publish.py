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
from pipelines.lake.identity import lake_shaping
from pipelines.lake.locks import PUBLISH
from pipelines.lake.state import Manifest, PublishedDay, Stored
from pipelines.lake.storage import Storage
from pipelines.lake.versions import Shaping, VerdictRecord, fingerprint, read_audit, shaping_digest


class Catalog(Protocol):
    """The readers' catalog, which is made from a manifest and remembers which one."""

    def make(self, manifest: Manifest) -> None:
        """Make the catalog anew from a manifest, in one step for its readers."""

    def generation(self) -> int | None:
        """Return the generation of the manifest it was made from, None where there is no catalog."""

    def shown(self) -> tuple[int | None, str | None]:
        """Return what `generation` does, and the digest of the names that it shows, None where it knows of none."""

    def is_unfinished(self) -> bool:
        """Say whether one is being made, or whoever made one was killed."""

    def remove_unfinished(self) -> None:
        """Remove what those left who were killed while they made one; the caller holds the publish lock."""


@dataclass(frozen=True)
class Build:
    """A version of a day that was built, and the version that was published when the build began."""

    version: str
    base: str | None


@dataclass
class Published:
    """What became of the days of a build."""

    published: list[date] = field(default_factory=list)
    already: list[date] = field(default_factory=list)
    superseded: list[date] = field(default_factory=list)
    refused: dict[date, list[VerdictRecord]] = field(default_factory=dict)


def publish(storage: Storage, shaping: Shaping, builds: Mapping[date, Build], catalog: Catalog) -> Published:
    """Let readers see the days of a build that passed their checks, all of them in one step.

    A version that equals what the inputs and the lake's settings give now always wins; another one only takes the place
    of the version that it began from, so that a slow build never takes a day back.

    Args:
        storage: The lake's files.
        shaping: What the versions were built with, which need no longer be what shapes the lake.
        builds: The versions.
        catalog: The readers' catalog.

    Raises:
        FileNotFoundError: A version is not complete.
    """
    result = Published()
    with storage.lock(PUBLISH):
        kept = state.load_manifest(storage)
        landed = state.load_landed(storage).value
        wanted = lake_shaping(storage) or shaping
        manifest = kept.value
        for day, build in sorted(builds.items()):
            current = manifest.days.get(day)
            current_version = current.version if current else None
            if build.version == current_version:
                result.already.append(day)
            elif build.version != fingerprint(landed, day, wanted) and build.base != current_version:
                result.superseded.append(day)
            else:
                _judge(storage, manifest, day, build.version, result, shaping=shaping)
        if result.published:
            restart_grace_period(kept, catalog)
            _give_up_others(storage, manifest, result.published)
            if kept.raw is None:  # also where it was lost, a newer state has a higher number
                manifest.generation = catalog.generation() or 0
            manifest.generation += 1
            manifest.committed_at = state.now()
            state.commit(storage, kept)
            catalog.make(manifest)
            update_links(storage, manifest, result.published)
    return result


def _judge(
    storage: Storage, manifest: Manifest, day: date, version: str, result: Published, *, shaping: Shaping
) -> None:
    """Put a complete version into the manifest, or refuse it for what its checks found."""
    audit = read_audit(storage, day, version)
    if audit is None:
        raise FileNotFoundError(layout.version_folder(day, version))
    if not audit.passed:
        result.refused[day] = audit.failed
        return
    manifest.days[day] = PublishedDay(
        version=version,
        published_at=state.now(),
        rows=audit.rows,
        bytes=audit.bytes,
        shaping=shaping_digest(shaping),
    )
    result.published.append(day)


def _give_up_others(storage: Storage, manifest: Manifest, days: Iterable[date]) -> None:
    """Note since when the other versions of days are unreferenced, also those that were refused or half built."""
    for day in days:
        published = layout.version_folder(day, manifest.days[day].version)
        manifest.unreferenced.pop(published, None)
        for version in storage.folders(layout.day_folder(day)):
            folder = layout.version_folder(day, version)
            if folder != published:
                manifest.unreferenced.setdefault(folder, state.now())


def catalog_lags(manifest: Stored[Manifest], catalog: Catalog) -> bool:
    """Say whether the catalog was made from an older manifest than the present one, or not at all."""
    made_from = catalog.generation()
    return made_from is None or made_from < manifest.value.generation


def restart_grace_period(manifest: Stored[Manifest], catalog: Catalog) -> None:
    """Let versions stay for their whole time from now on, if the catalog lags: until now it was opened with them."""
    if manifest.value.unreferenced and catalog_lags(manifest, catalog):
        manifest.value.unreferenced = dict.fromkeys(manifest.value.unreferenced, state.now())


def update_links(storage: Storage, manifest: Manifest, days: Iterable[date]) -> int:
    """Let the files at the places for plain globs be those that are published; return how many changed."""
    wrong = unlinked(storage, manifest, days)
    for source, target in wrong:
        storage.link(source, target)
    return len(wrong)


def unlinked(storage: Storage, manifest: Manifest, days: Iterable[date]) -> list[tuple[str, str]]:
    """Return published files that are not at their places for plain globs, with these places.

    A published file that is gone, as when a person removed it, is left out: only building it again helps.
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
    """Return files at the places for plain globs of days that are not published.

    Where the manifest was lost none is stray: what was published is not known then.
    """
    if manifest.raw is None:
        return []
    return [
        layout.link_file(day, table)
        for table in TABLES
        for folder in storage.folders(table)
        if (day := layout.day_of(folder)) is not None and day not in manifest.value.days
    ]


def write_plan(storage: Storage, run: str, builds: Mapping[date, Build]) -> None:
    """Keep the versions that a run builds, and what was published when it began."""
    with storage.create(layout.plan_file(run)) as stream:
        stream.write(msgspec.json.encode(dict(builds)))


def read_plan(storage: Storage, run: str) -> dict[date, Build] | None:
    """Return the versions that a run builds; None where it has no plan."""
    raw = storage.read(layout.plan_file(run))
    return None if raw is None else msgspec.json.decode(raw, type=dict[date, Build])


def drop_plan(storage: Storage, run: str) -> None:
    """Forget the plan of a run that is over."""
    storage.delete(layout.plan_file(run))


def planned_versions(storage: Storage) -> set[str]:
    """Return the folders of all versions that runs with a plan are building, or will use again."""
    plans = [read_plan(storage, PurePosixPath(file.path).stem) or {} for file in storage.list(layout.PLANS)]
    return {layout.version_folder(day, build.version) for plan in plans for day, build in plan.items()}


def drop_from_plans(storage: Storage, days: Collection[date], staying: Collection[str]) -> None:
    """Take days out of all plans, but for versions in folders that stay: later steps of these runs leave them alone."""
    for file in storage.list(layout.PLANS):
        run = PurePosixPath(file.path).stem
        plan = read_plan(storage, run) or {}
        left = {
            day: build
            for day, build in plan.items()
            if day not in days or layout.version_folder(day, build.version) in staying
        }
        if left != plan:
            write_plan(storage, run, left)
