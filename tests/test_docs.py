"""The pages are true: links lead somewhere, commands and settings exist, examples run, the readers' guide is right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click
import duckdb
import polars as pl
import pytest
from polars import selectors
from polars.testing import assert_frame_equal

from pipelines.cli.main import COMMANDS
from pipelines.cli.main import program as chorus_calls
from pipelines.dictionary import RATIOS, TABLES
from pipelines.serve.catalog import open_catalog
from pipelines.settings import Settings
from tests.support.guide import BLOCK, GUIDE, ROOT, blocks, functions_of_the_guide
from tests.support.lakes import example_lake

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "data/README.md"]
LAKE_PAGES = ("docs/metrics.md", "docs/lake.md", "docs/bi.md", "README.md")

SPAN = re.compile(r"`([^`\n]+)`")
CALLS = "calls/call_date=*/data.parquet"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def code(page: Path) -> Iterator[str]:
    """Yield the code of a page: its blocks line by line, and its spans."""
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
    """Return every command and option that a page names, as in `chorus-calls sync --full` or `sync --full`."""
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
        params = chorus_calls.get_command(click.Context(chorus_calls), command).params
        assert option in {"--help", "--debug", *(name for part in params for name in part.opts)}


def test_targets_of_make_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {target for page in PAGES for line in code(page) for target in re.findall(r"^make ([a-z-]+)", line)}
    assert {"demo", "test", "dev"} <= named <= targets


def settings_table() -> dict[str, str]:
    """Return the default of each setting in the table of settings."""
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


@pytest.mark.parametrize(
    ("page", "row"), [("metrics", r"`(\w+)` \| `([^`]+)`"), ("tables", r"`(\w+)` \| `.*` \| `([^`]+)`")]
)
def test_the_pages_give_each_ratio_its_formula(page, row):
    shown = re.findall(rf"^\| {row} \|", (ROOT / f"docs/{page}.md").read_text().partition("## Ratios")[2], re.MULTILINE)
    assert shown == [(ratio.name, ratio.rollup) for ratio in RATIOS.values()]


def rooms() -> dict[str, str]:
    """Return the folders that the page of the architecture names, and what it says each may import."""
    text = (ROOT / "docs/architecture.md").read_text()
    return dict(re.findall(r"^\| `pipelines/(\w+)` \| .* \| (.*) \|$", text, re.MULTILINE))


def test_the_page_of_the_architecture_names_every_folder():
    folders = {path.parent.name for path in ROOT.glob("pipelines/*/__init__.py")}
    assert folders <= rooms().keys()


@pytest.mark.parametrize("room", [room for room, words in rooms().items() if not words.startswith("all ")])
def test_folders_import_only_what_the_architecture_allows(room):
    allowed = {room, *rooms()[room].split(", ")}
    files = [*ROOT.glob(f"pipelines/{room}.py"), *ROOT.glob(f"pipelines/{room}/**/*.py")]
    source = "\n".join(path.read_text() for path in files)
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


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The one file of a table, in the folder where programs run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "data/lake" / CALLS.replace("*", "2026-03-04")
    path.parent.mkdir(parents=True)
    pl.DataFrame({"call_id": ["old", "older"]}).write_parquet(path)
    return path


def replace(file: Path, *call_ids: str) -> None:
    other = file.with_name("other")
    pl.DataFrame({"call_id": call_ids}).write_parquet(other)
    other.replace(file)


@pytest.mark.matrix(quick=1)
@pytest.mark.parametrize(
    "program", [text for text in blocks(GUIDE, "python") if re.search("^def ", text, re.MULTILINE)]
)
def test_programs_of_the_guide_that_define_functions_run_alone(folder, program, monkeypatch):
    monkeypatch.chdir(folder)
    exec(compile(program, "docs/lake.md", "exec"), {"__name__": "example"})


def test_the_functions_of_the_guide_answer_as_the_catalog_does(folder, monkeypatch):
    monkeypatch.chdir(folder)
    guide = functions_of_the_guide()
    manifest = json.loads(Path("data/lake/manifest.json").read_text())
    with open_catalog(folder / "data/lake/chorus.duckdb") as catalog:
        assert len(manifest["days"]) > 1
        for table in TABLES:
            rows = in_utc(catalog.sql(f"FROM {table}"))
            for found in (
                pl.scan_parquet(guide["files"](manifest, table), hive_partitioning=True).collect(),
                pl.from_arrow(guide["open_days"](table).to_table()),
                guide["unchanged"](f"{table}/call_date=*/data.parquet", lambda table=table: by_glob(table)),
            ):
                assert_frame_equal(found, rows, check_row_order=False, check_column_order=False)


def by_glob(table: str) -> pl.DataFrame:
    with duckdb.connect() as connection:
        return in_utc(connection.sql(f"FROM 'data/lake/{table}/call_date=*/data.parquet'"))


def in_utc(rows: duckdb.DuckDBPyRelation) -> pl.DataFrame:
    """Return rows with their times in UTC under that name: DuckDB gives them in the zone of the machine."""
    return rows.pl().with_columns(selectors.datetime(time_zone="*").dt.convert_time_zone("UTC"))


def test_a_data_set_of_open_files_stays_what_it_was(file):
    calls = functions_of_the_guide()["open_days"]("calls")
    replace(file, "new")
    file.unlink()
    wanted = {"call_id": ["old", "older"], "call_date": [date(2026, 3, 4)] * 2}
    assert calls.to_table().to_pydict() == wanted
    assert pl.scan_pyarrow_dataset(calls).collect().to_dict(as_series=False) == wanted
    assert duckdb.sql("FROM calls").pl().to_dict(as_series=False) == wanted


def test_unchanged_reads_again_until_no_file_was_replaced_meanwhile(file):
    tries = []

    def read():
        tries.append(len(tries))
        if tries[-1] < 2:
            replace(file, str(tries[-1]))
        if tries[-1] == 0:
            raise duckdb.IOException
        return tries[-1]

    assert functions_of_the_guide()["unchanged"](CALLS, read) == 2


def test_unchanged_raises_an_error_that_stays(file):
    def read():
        return duckdb.sql(f"SELECT no_such_column FROM '{file}'").fetchall()

    with pytest.raises(duckdb.BinderException):
        functions_of_the_guide()["unchanged"](CALLS, read)
