"""Check file permissions: the owner of a lake writes, its group reads, others may do neither."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from shlex import quote
from typing import Final

from pipelines.dictionary import TABLES
from pipelines.doctor.inspection import Area, Finding, Subject
from pipelines.lake import layout

_OTHERS: Final = stat.S_IRWXO
_BEYOND_OWNER: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITE: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
_FOLDERS: Final = ("state", "raw", "days")


def access(subject: Subject) -> Area:
    """Check the permissions of folders and files."""
    found = [*not_writable(subject)]
    if os.name != "nt":  # file modes mean nothing there
        found += [*open_to_others(subject), *writable_published(subject)]
    return Area("access", findings=found)


def not_writable(subject: Subject) -> Iterator[Finding]:
    """Find folders in which this user cannot write."""
    folders = [
        subject.root,
        *(subject.root / name for name in _FOLDERS),
        subject.settings.catalog_path.absolute().parent,
    ]
    for folder in dict.fromkeys(map(_existing, folders)):
        if not os.access(folder, os.W_OK | os.X_OK):
            remedy = "Run chorus-calls as the user that owns the lake, or give this one the right to write there."
            yield Finding("not_writable", f"{folder} cannot be written to.", None, remedy)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest existing one in which it would be created."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def open_to_others(subject: Subject) -> Iterator[Finding]:
    """Find files that others than owner and group can access, and a key that others than its owner can."""
    remedy = f"Run `chmod -R o-rwx {quote(str(subject.root))}`."
    for path, mode in _files(subject.root, (*_FOLDERS, layout.MANIFEST, *TABLES)):
        if path == subject.root / layout.PII_KEY and mode & _BEYOND_OWNER:
            what = f"{path} can be read by others than its owner."
            yield Finding("open_to_others", what, None, f"Run `chmod 600 {quote(str(path))}`.")
        elif mode & _OTHERS:
            yield Finding("open_to_others", f"{path} can be read by everybody on this machine.", None, remedy)
    for path, mode in _files(subject.settings.catalog_path.absolute(), ("",)):
        if mode & _OTHERS:
            what = f"{path} can be read by everybody on this machine."
            yield Finding("open_to_others", what, None, f"Run `chmod o-rwx {quote(str(path))}`.")


def writable_published(subject: Subject) -> Iterator[Finding]:
    """Find published files that could be changed in place."""
    remedy = f"Run `find {quote(str(subject.root / 'days'))} -type f -exec chmod 440 {{}} +`."
    manifest = subject.manifest.value
    folders = [
        layout.version_folder(day, known.version) for day, known in sorted(manifest.days.items() if manifest else ())
    ]
    for path, mode in _files(subject.root, folders):
        if mode & _WRITE:
            yield Finding("published_writable", f"{path} is published and can be changed.", None, remedy)


def _files(root: Path, names: Iterable[str]) -> Iterator[tuple[Path, int]]:
    """Yield every finished file at or below some paths with its mode; files removed meanwhile are left out."""
    for name in names:
        top = root / name
        found = [top] if top.is_file() else (Path(place, file) for place, _, files in os.walk(top) for file in files)
        for path in sorted(found):
            if any(part.startswith(".") for part in path.relative_to(root).parts):
                continue
            try:
                yield path, stat.S_IMODE(path.stat().st_mode)
            except FileNotFoundError:
                continue
