"""What the pages say is true: links lead somewhere, commands and settings exist, and examples run."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.cli.main import COMMANDS
from pipelines.dictionary import RATIOS
from pipelines.serve.catalog import open_catalog
from pipelines.settings import Settings
from tests.support.guide import BLOCK, ROOT, blocks
from tests.support.lakes import example_lake

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data/README.md"]
LAKE_PAGES = ("docs/metrics.md", "docs/lake.md", "docs/bi.md", "README.md")

SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def code(page: Path) -> Iterator[str]:
    """Yield what stands in code of a page: its blocks line by line, and its spans."""
    text = page.read_text()
    for _, block in BLOCK.findall(text):
        yield from block.splitlines()
    yield from SPAN.findall(BLOCK.sub("", text))


def anchors(page: Path) -> set[str]:
    headings = HEADING.findall(BLOCK.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        prose = SPAN.sub("", BLOCK.sub("", page.read_text()))
        for target in LINK.findall(prose):
            if "://" not in target:
                yield page.relative_to(ROOT).as_posix(), target


@pytest.mark.parametrize(("page", "target"), sorted(set(links())))
def test_links_lead_to_a_file_and_a_heading_that_exist(page, target):
    path, _, anchor = target.partition("#")
    found = (ROOT / page).parent / path if path else ROOT / page
    assert found.exists()
    if anchor:
        assert anchor in anchors(found)


def commands() -> set[tuple[str, str]]:
    """Every command that a page names, and every option of one: as in `chorus-calls sync --full` or `sync --full`."""
    named = set()
    for page in PAGES:
        for line in code(page):
            said = f"chorus-calls {line}" if line.partition(" ")[0] in COMMANDS else line
            for command, rest in re.findall(r"chorus-calls ([a-z][a-z-]*)(.*)", said):
                options = re.findall(r"--[a-z-]+", rest.partition("#")[0])
                named.update((command, option) for option in ["", *options])
    return named


@pytest.mark.parametrize(("command", "option"), sorted(commands()))
def test_commands_and_their_options_exist(command, option):
    assert command in COMMANDS
    if option:
        module = importlib.import_module(f"pipelines.cli.{command}")
        assert option in {"--help", "--debug", *(name for part in module.command.params for name in part.opts)}


def test_targets_of_make_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for page in PAGES for line in code(page) for target in re.findall(r"^make ([a-z-]+)", line)}
    assert {"demo", "test", "dev"} <= named <= targets


def settings_table() -> dict[str, str]:
    """The table of settings: what stands as the default of each."""
    section = (ROOT / "docs/operations.md").read_text().partition("## Settings")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `([A-Z_]+)` \| (.*?) \|", section, re.MULTILINE))


def test_the_table_of_settings_names_all_settings_and_no_others():
    variables = {
        str(field.validation_alias or f"CHORUS_{name.upper()}"): field.default
        for name, field in Settings.model_fields.items()
    }
    table = settings_table()
    assert table.keys() == variables.keys()
    for variable, default in variables.items():
        if default not in (None, ""):
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert table[variable] == f"`{shown}`", variable


def test_no_page_names_a_setting_that_is_not_there():
    named = {name for page in PAGES for name in re.findall(r"\bCHORUS_[A-Z_]*[A-Z]", page.read_text())}
    assert named <= settings_table().keys()


def test_the_page_of_metrics_gives_each_ratio_its_formula():
    text = (ROOT / "docs/metrics.md").read_text()
    shown = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", text, re.MULTILINE)
    assert shown == [(ratio.name, ratio.rollup) for ratio in RATIOS.values()]


def test_the_page_of_bi_tools_gives_each_ratio_its_sums():
    row = re.compile(r"^\| `(\w+)` \| (.*?) \| `(\w+)` \| (.*?) \| (\d*) ?\|$", re.MULTILINE)
    shown = [
        (name, tuple(SPAN.findall(marts)), above, tuple(SPAN.findall(below)), float(factor or 1))
        for name, marts, above, below, factor in row.findall((ROOT / "docs/bi.md").read_text())
    ]
    assert shown == [
        (ratio.name, ratio.tables, ratio.numerator, ratio.denominator, ratio.factor) for ratio in RATIOS.values()
    ]


def rooms() -> dict[str, str]:
    """The folders that the page of the architecture names, and what each may import, in its words."""
    text = (ROOT / "docs/architecture.md").read_text()
    return dict(re.findall(r"^\| `pipelines/(\w+)` \| .* \| (.*) \|$", text, re.MULTILINE))


def test_the_page_of_the_architecture_names_every_folder():
    folders = {path.parent.name for path in ROOT.glob("pipelines/*/__init__.py")}
    assert folders <= rooms().keys()


@pytest.mark.parametrize("room", [room for room, words in rooms().items() if not words.startswith("all ")])
def test_folders_import_only_what_the_architecture_allows(room):
    allowed = {room, *rooms()[room].split(", ")}
    source = "\n".join(path.read_text() for path in ROOT.glob(f"pipelines/{room}/**/*.py"))
    imported = set(re.findall(r"^\s*(?:from|import) pipelines\.(\w+)", source, re.MULTILINE))
    assert imported & rooms().keys() <= allowed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which `data/lake` is a small published lake."""
    path = tmp_path_factory.mktemp("docs")
    example_lake(path / "data/lake")
    return path


@pytest.mark.matrix(quick=10)
@pytest.mark.parametrize(("page", "sql"), [(page, sql) for page in LAKE_PAGES for sql in blocks(ROOT / page, "sql")])
def test_queries_answer(folder, page, sql):
    with open_catalog(folder / "data/lake/chorus.duckdb") as catalog:
        assert catalog.execute(sql).fetchall(), page


@pytest.mark.parametrize("page", LAKE_PAGES)
def test_programs_run(folder, page, monkeypatch):
    """The programs of a page run one after the other, as in a notebook: later ones use what earlier ones made."""
    monkeypatch.chdir(folder)
    known = {"__name__": "example"}
    for program in blocks(ROOT / page, "python"):
        exec(compile(in_its_place(ROOT / page, program), page, "exec"), known)


def in_its_place(page: Path, program: str) -> str:
    """Put lines before a program, so that an error names the line of the page."""
    text = page.read_text()
    return "\n" * text.count("\n", 0, text.index(program)) + program
