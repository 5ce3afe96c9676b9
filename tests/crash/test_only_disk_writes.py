"""Files change through `pipelines.lake.disk` alone, whose every step tests can interrupt, unlike those of others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
ALLOWED = {
    "lake/disk.py": "this is the place",
    "dictionary/superset.py": "writes the bundle to a file that a person names, outside the lake",
}
"""Modules that may change files, and why. DuckDB writes by a path, into a folder that `replaced_file` makes for it."""
OF_FILES = """
open mkdir rmdir unlink rename hardlink_to symlink_to touch chmod write_bytes write_text OSFile FileOutputStream
write_parquet sink_parquet write_csv write_json write_ipc
"""
OF_MODULES = """
open fdopen mkdir makedirs rmdir removedirs unlink remove rename renames replace link symlink chmod chown truncate
ftruncate utime fsync rmtree move copy copy2 copyfile copymode copystat copytree mkstemp mkdtemp NamedTemporaryFile
TemporaryFile TemporaryDirectory
"""
READING = frozenset({"r", "rb"})


def changes(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the source of each call that may change a file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and may_change_a_file(node):
            yield node.lineno, ast.unparse(node)


def may_change_a_file(call: ast.Call) -> bool:
    """Return whether a call may change a file, by its name alone: a false alarm is better than none."""
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if owner in {"os", "shutil", "tempfile"}:
        return name in OF_MODULES.split()
    if name in {"open", "OSFile"}:
        if owner and not call.args and "mode" not in {keyword.arg for keyword in call.keywords}:
            return False  # a path is opened for reading unless a mode is named
        return not READING.intersection(part.value for part in call.args if isinstance(part, ast.Constant))
    if name == "replace":  # of a path, which takes the target alone; those of texts, times and records take more
        return owner != "" and len(call.args) == 1 and not call.keywords
    return owner != "disk" and name in OF_FILES.split()


MODULES = sorted(path.relative_to(PIPELINES).as_posix() for path in PIPELINES.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_only_the_disk_changes_files(module):
    found = list(changes((PIPELINES / module).read_text()))
    assert bool(found) == (module in ALLOWED), found


@pytest.mark.parametrize(
    "source",
    [
        *("os.replace(a, b)", "path.unlink()", "path.replace(target)", "path.write_bytes(data)", "path.open('w')"),
        *("path.open(mode)", "open(path, 'ab')", "shutil.rmtree(folder)", "folder.mkdir()", "os.open(path, flags)"),
        *("path.hardlink_to(other)", "pa.OSFile(path, 'wb')", "frame.write_parquet(path)", "path.rename(other)"),
        "path.open(mode='wb')",
    ],
)
def test_a_change_is_reported(source):
    assert [line for line, _ in changes(source)] == [1]


@pytest.mark.parametrize(
    "source",
    [
        *("path.open('rb')", "path.open(encoding='utf-8')", "text.replace('a', 'b')", "disk.remove(path)"),
        "moment.replace(tzinfo=UTC)",
    ],
)
def test_what_changes_no_file_is_not_reported(source):
    assert list(changes(source)) == []
