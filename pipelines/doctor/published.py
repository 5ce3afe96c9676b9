"""Check what readers see: published versions, the links for plain globs, and the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from shlex import quote
from typing import Final

import duckdb

from pipelines.dictionary import TABLES
from pipelines.doctor.inspection import Area, Finding, Subject
from pipelines.doctor.raw_files import footer_rows
from pipelines.doctor.state_files import scans_readable
from pipelines.lake import layout
from pipelines.lake.state import Manifest
from pipelines.lake.versions import fingerprint, read_audit, read_audit_file, stale_days
from pipelines.serve.catalog import open_catalog
from pipelines.serve.ddl import exact_path

_REMAKE: Final = "Run `chorus-calls catalog`, which makes it again."
_BUILD: Final = "Run `chorus-calls build`, which repairs it."


def catalog(subject: Subject) -> Area:
    """Check the readers' catalog."""
    manifest = subject.manifest.value
    if manifest is None:
        return Area("catalog", checked=subject.nothing_is_published)
    if not manifest.days and subject.generation is None:
        return Area("catalog")
    return Area(
        "catalog",
        f"generation {manifest.generation}",
        [*catalog_missing(subject), *catalog_outdated(subject, manifest)],
    )


def catalog_missing(subject: Subject) -> Iterator[Finding]:
    """Find that the catalog is missing or cannot be read."""
    path = subject.settings.catalog_path.absolute()
    if subject.generation is None and not path.exists():
        yield Finding("catalog_missing", f"{path} is missing.", None, _REMAKE)
    elif subject.generation is None:
        yield Finding("catalog_unreadable", f"{path} cannot be read as the catalog of a lake.", None, _REMAKE)


def catalog_outdated(subject: Subject, manifest: Manifest) -> Iterator[Finding]:
    """Find that the catalog shows another generation than the manifest, or another lake."""
    made_from, path = subject.generation, subject.settings.catalog_path.absolute()
    if made_from is None:
        return
    if made_from != manifest.generation:
        relation = "behind" if made_from < manifest.generation else "ahead of"
        what = f"{path} is {relation} the manifest: it shows generation {made_from}, not {manifest.generation}."
        yield Finding("catalog_behind", what, None, _REMAKE)
    try:
        with open_catalog(path) as connection:
            views = "SELECT sql FROM duckdb_views() WHERE view_name = 'data_freshness' AND NOT internal"
            row = connection.execute(views).fetchone()
            if row is None or exact_path(subject.storage.address(layout.LANDED)) not in row[0]:
                what = f"{path} was made for another place of the lake: its views name files that are not here."
                yield Finding("catalog_elsewhere", what, None, _REMAKE)
            elif subject.landed.value is not None and scans_readable(subject):
                connection.execute("SELECT * FROM data_freshness").fetchall()
    except duckdb.Error:
        yield Finding("catalog_unreadable", f"{path} has views that cannot be read.", None, _REMAKE)


def published(subject: Subject) -> Area:
    """Check the published versions of all days."""
    manifest = subject.manifest.value
    if manifest is None:
        return Area("published", checked=subject.nothing_is_published)
    tables = sum(len(day.bytes) for day in manifest.days.values())
    found = [*versions(subject, manifest), *refused(subject, manifest)]
    return Area("published", f"{len(manifest.days):,} days, {tables:,} files", found)


def links(subject: Subject) -> Area:
    """Check the links for plain globs."""
    manifest = subject.manifest.value
    if manifest is None:
        return Area("links", checked=subject.nothing_is_published)
    return Area("links", findings=[*wrong_links(subject, manifest), *links_of_other_days(subject, manifest)])


def versions(subject: Subject, manifest: Manifest) -> Iterator[Finding]:
    """Find published versions with missing or damaged files."""
    found = [
        (day, check, what)
        for day, known in sorted(manifest.days.items())
        for _, check, what in _damaged(subject, day, known.version)
    ]
    if not found:
        return
    days = [day for day, _, _ in found]
    remedy = f"`chorus-calls build --all --from {min(days)} --to {max(days)}`, which rewrites damaged files."
    for day, check, what in sorted(found, key=lambda one: one[1] != "version_missing"):
        place = subject.root / layout.version_folder(day, manifest.days[day].version)
        # A build takes a file of the right size for undamaged.
        first = f"Remove the version, `rm -r {quote(str(place))}`. Then run" if check == "table_unreadable" else "Run"
        yield Finding(check, what, day, f"{first} {remedy}")


def _damaged(subject: Subject, day: date, version: str) -> Iterator[tuple[str, str, str]]:
    """Yield each damaged file of a version: its table or _audit.json, the check, and the sentence for it."""
    audit = read_audit_file(subject.storage, day, version)
    if audit is None:
        name = f"{layout.version_folder(day, version)}/{layout.AUDIT}"
        trouble = "is missing" if subject.storage.size(name) is None else "cannot be read"
        yield layout.AUDIT, "version_missing", f"{name} of the published version {trouble}."
        return
    for table in TABLES:
        path = layout.table_file(day, version, table)
        size = subject.storage.size(path)
        if size is None:
            yield table, "table_missing", f"{path} is missing."
        elif size != audit.bytes.get(table):
            yield table, "table_damaged", f"{path} has {size:,} bytes; {audit.bytes.get(table, 0):,} were written."
        elif (rows := footer_rows(subject.storage, path)) != audit.rows.get(table):
            has = "cannot be read as Parquet" if rows is None else f"has {rows:,} rows, not those that were written"
            yield table, "table_unreadable", f"{path} {has}."


def refused(subject: Subject, manifest: Manifest) -> Iterator[Finding]:
    """Find stale days whose present version was built and failed its checks."""
    landed, settings = subject.landed.value, subject.lake_settings
    if landed is None or settings is None:
        return
    for day in stale_days(landed, manifest, settings):
        audit = read_audit(subject.storage, day, fingerprint(landed, day, settings))
        if audit is None or audit.passed:
            continue
        said = "; ".join(f"{result.check} on {result.table}: {result.detail}" for result in audit.failed)
        remedy = (
            "Readers keep the day as it was. It is tried again when its calls or the program change; "
            "after an upgrade run `chorus-calls build --recheck`."
        )
        yield Finding("day_refused", f"{day} did not pass its checks ({said}).", day, remedy)


def notes(subject: Subject) -> Iterator[str]:
    """Yield what is worth knowing but not wrong: stale days, and published days with nothing in raw."""
    landed, settings = subject.landed.value, subject.lake_settings
    if subject.empty:
        yield "Nothing has landed yet: run `chorus-calls sync`."
    if landed is None or subject.manifest.error:
        return
    manifest = subject.manifest.value or Manifest()
    if waiting := len(stale_days(landed, manifest, settings) if settings else landed.days):
        yield f"{waiting:,} {'day waits' if waiting == 1 else 'days wait'} to be built: `chorus-calls build`."
    floor = subject.lake.value.retention_floor if subject.lake.value else None
    if alone := sum(floor is None or day >= floor for day in manifest.days.keys() - landed.days.keys()):
        days = "day has" if alone == 1 else "days have"
        yield f"{alone:,} published {days} nothing in raw: `chorus-calls sync --full`."


def wrong_links(subject: Subject, manifest: Manifest) -> Iterator[Finding]:
    """Find links that are missing or outdated."""
    for day, known in sorted(manifest.days.items()):
        for table in TABLES:
            source, link = layout.table_file(day, known.version, table), layout.link_file(day, table)
            if subject.storage.is_linked(source, link) or subject.storage.size(source) is None:
                continue
            if table in {name for name, _, _ in _damaged(subject, day, known.version)}:
                continue  # the link is updated when the file is rewritten
            if subject.storage.size(link) is None:
                yield Finding("link_missing", f"{link} is missing.", day, _BUILD)
            else:
                yield Finding("link_old", f"{link} is not the published file of its day.", day, _BUILD)


def links_of_other_days(subject: Subject, manifest: Manifest) -> Iterator[Finding]:
    """Find links of days that are not published."""
    for table in TABLES:
        for folder in subject.storage.folders(table):
            day = layout.day_of(folder)
            if day is not None and day not in manifest.days:
                what = f"{table}/{folder} is of a day that is not published."
                yield Finding("link_unpublished", what, day, _BUILD)
