"""Nothing changes a file but through `pipelines.lake.disk`: else there are steps at which no test lets a run fail."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
ROOMS = ("lake", "extract", "build", "serve", "flatten", "metrics", "quality", "removal", "report")
ALLOWED = {
    "lake/disk.py": "this is the place",
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
    """Every call that may change a file, with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and may_change_a_file(node):
            yield node.lineno, ast.unparse(node)


def may_change_a_file(call: ast.Call) -> bool:
    """By its name alone, so what it is called on matters little: a false alarm is better than none."""
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if owner in {"os", "shutil", "tempfile"}:
        return name in OF_MODULES.split()
    if name in {"open", "OSFile"}:
        return not READING.intersection(part.value for part in call.args if isinstance(part, ast.Constant))
    if name == "replace":  # of a path, which takes the target alone; those of texts, times and records take more
        return owner != "" and len(call.args) == 1 and not call.keywords
    return owner != "disk" and name in OF_FILES.split()


def modules() -> list[str]:
    return [
        path.relative_to(PIPELINES).as_posix() for room in ROOMS for path in sorted((PIPELINES / room).rglob("*.py"))
    ]


@pytest.mark.parametrize("module", modules())
def test_only_the_disk_changes_files(module):
    found = list(changes((PIPELINES / module).read_text()))
    assert bool(found) == (module in ALLOWED), found


@pytest.mark.parametrize(
    "source",
    [
        *("os.replace(a, b)", "path.unlink()", "path.replace(target)", "path.write_bytes(data)", "path.open('w')"),
        *("path.open(mode)", "open(path, 'ab')", "shutil.rmtree(folder)", "folder.mkdir()", "os.open(path, flags)"),
        *("path.hardlink_to(other)", "pa.OSFile(path, 'wb')", "frame.write_parquet(path)", "path.rename(other)"),
    ],
)
def test_a_change_is_noticed(source):
    assert [line for line, _ in changes(source)] == [1]


@pytest.mark.parametrize(
    "source", ["path.open('rb')", "text.replace('a', 'b')", "disk.remove(path)", "moment.replace(tzinfo=UTC)"]
)
def test_what_changes_no_file_is_let_be(source):
    assert list(changes(source)) == []
