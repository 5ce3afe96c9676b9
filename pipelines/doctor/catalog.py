"""The catalog: whether it is there, of this lake, and made from the manifest as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import duckdb

from pipelines.doctor.findings import Area, Finding
from pipelines.doctor.state_files import scans_readable
from pipelines.doctor.subject import Subject
from pipelines.lake import layout
from pipelines.lake.state import Manifest
from pipelines.serve.catalog import open_catalog
from pipelines.serve.ddl import exact_path

_MAKE: Final = "Run `chorus-calls catalog`, which makes it again."


def catalog(subject: Subject) -> Area:
    """Look at the readers' catalog."""
    manifest = subject.manifest.value
    if manifest is None:
        return Area("catalog", looked_at=subject.nothing_is_published)
    if not manifest.days and subject.generation is None:
        return Area("catalog")
    return Area("catalog", f"generation {manifest.generation}", [*present(subject), *right(subject, manifest)])


def present(subject: Subject) -> Iterator[Finding]:
    """Find that there is no catalog to read."""
    path = subject.settings.catalog_path.absolute()
    if subject.generation is None and not path.exists():
        yield Finding("catalog_missing", f"{path} is missing.", None, _MAKE)
    elif subject.generation is None:
        yield Finding("catalog_unreadable", f"{path} cannot be read as the catalog of a lake.", None, _MAKE)


def right(subject: Subject, manifest: Manifest) -> Iterator[Finding]:
    """Find that the catalog shows another state than the manifest, or another lake."""
    made_from, path = subject.generation, subject.settings.catalog_path.absolute()
    if made_from is None:
        return
    if made_from != manifest.generation:
        relation = "behind" if made_from < manifest.generation else "ahead of"
        what = f"{path} is {relation} the manifest: it shows generation {made_from}, not {manifest.generation}."
        yield Finding("catalog_behind", what, None, _MAKE)
    try:
        with open_catalog(path) as connection:
            views = "SELECT sql FROM duckdb_views() WHERE view_name = 'data_freshness' AND NOT internal"
            row = connection.execute(views).fetchone()
            if row is None or exact_path(subject.storage.address(layout.LANDED)) not in row[0]:
                what = f"{path} was made for another place of the lake: its views name files that are not here."
                yield Finding("catalog_elsewhere", what, None, _MAKE)
            elif subject.landed.value is not None and scans_readable(subject):
                connection.execute("SELECT * FROM data_freshness").fetchall()
    except duckdb.Error:
        yield Finding("catalog_unreadable", f"{path} has views that cannot be read.", None, _MAKE)
