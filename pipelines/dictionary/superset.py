"""Datasets for Apache Superset from the data dictionary: described columns, and metrics that are right at any grain.

    python -m pipelines.dictionary.superset chorus-calls.zip --catalog data/lake/chorus.duckdb

Superset imports the file under Datasets. The same dictionary gives the same bytes, and ids derive from names, so that a
later import with "overwrite" updates the datasets and adds no others.

Columns with the ratio of one row are left out: Superset offers to average them, which is wrong at any other grain.
Ratios are metrics instead, each a sum over a sum.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pipelines.dictionary import MARTS, TABLES, Additivity, Column, ColumnType, Personal, Ratio, Table, ratios_of
from pipelines.dictionary.columns import MONEY, MONEY_PER_MINUTE, SECONDS, SHARE

_VERSION: Final = "1.0.0"
_ROOT: Final = "chorus_calls"
_DATES: Final = (ColumnType.DATE, ColumnType.INSTANT, ColumnType.LOCAL_TIME)
_FORMATS: Final = {MONEY: ",.2f", MONEY_PER_MINUTE: ",.4f", SHARE: ".1%", SECONDS: ",.1f"}
_COUNT_FORMAT: Final = ",d"
_NAMED: Final = {"agent_id": "agents", "phone_number_id": "phone_numbers"}
"""Columns of ids, and the catalog's tables with the names of those ids."""


def export(catalog: Path, *, name: str = "chorus-calls", currency: str = "", marts_only: bool = False) -> bytes:
    """Return the ZIP file that Superset imports: a database and a dataset for each table.

    Args:
        catalog: Path of the catalog's file as Superset sees it.
        name: Name of the database in Superset; another name gives other datasets, for a second lake.
        currency: The label shown with money; empty for none.
        marts_only: Leave out the tables of single calls, which a catalog made with --marts-only does not have.
    """
    database = uuid.uuid5(uuid.NAMESPACE_URL, f"chorus-calls:superset:{name}")
    files: dict[str, Mapping[str, Any]] = {
        "metadata.yaml": {"version": _VERSION, "type": "SqlaTable"},
        f"databases/{_ROOT}.yaml": _database(database, name, catalog),
    }
    for table in MARTS if marts_only else TABLES:
        files[f"datasets/{_ROOT}/{table}.yaml"] = _dataset(database, TABLES[table], currency)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for path, content in files.items():
            entry = zipfile.ZipInfo(f"{_ROOT}/{path}")  # dated 1980
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            # JSON is YAML, so no library is needed to write what Superset reads.
            bundle.writestr(entry, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return stream.getvalue()


def _database(identity: uuid.UUID, name: str, catalog: Path) -> Mapping[str, Any]:
    return {
        "version": _VERSION,
        "uuid": str(identity),
        "database_name": name,
        "sqlalchemy_uri": f"duckdb:///{catalog.absolute().as_posix()}",
        "extra": {"engine_params": {"connect_args": {"read_only": True}}},
        "expose_in_sqllab": True,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
    }


def _dataset(database: uuid.UUID, table: Table, currency: str) -> Mapping[str, Any]:
    return {
        "version": _VERSION,
        "uuid": str(uuid.uuid5(database, table.name)),
        "database_uuid": str(database),
        "schema": "main",
        "table_name": table.name,
        "description": table.comment,
        "main_dttm_col": "call_date",
        "filter_select_enabled": True,
        "columns": list(_columns(table)),
        "metrics": list(_metrics(table, currency)),
    }


def _columns(table: Table) -> Iterator[Mapping[str, Any]]:
    for column in table.all_columns:
        if column.additivity is not Additivity.NON_ADDITIVE:
            yield _column(column)
        if names := _NAMED.get(column.name):
            name = column.name.replace("_id", "_name")
            text = f"{column.description} Its name, or the id if no name is known."
            known = f"(SELECT name FROM {names} WHERE id = {column.name})"  # noqa: S608 - own names
            calculated = {"expression": f"coalesce({known}, {column.name})"}
            yield {**_column(Column(name, ColumnType.TEXT, text)), **calculated}


def _column(column: Column) -> Mapping[str, Any]:
    """Describe a column; measures, free text and recordings are not offered to group by."""
    warned = column.personal.is_content
    return {
        "column_name": column.name,
        "verbose_name": _title(column.name),
        "description": column.comment,
        "type": column.type.sql,
        "is_dttm": column.type in _DATES,
        "is_active": True,
        "groupby": column.additivity is None and column.personal not in (Personal.FREE_TEXT, Personal.RECORDING),
        "filterable": True,
        "extra": {"warning_markdown": f"Personal data: {column.personal}."} if warned else None,
    }


def _metrics(table: Table, currency: str) -> Iterator[Mapping[str, Any]]:
    """Yield the measures of a mart, ratios first; for other tables only the row count, as they include deleted rows."""
    if table.name not in MARTS:
        rows = Column("rows", ColumnType.INTEGER, f"Rows: {table.grain}.")
        yield _metric("count", rows, "count(*)", currency)
        return
    for ratio in ratios_of(table):
        yield _metric(ratio.name, ratio.column, _sum_over_sum(ratio), currency)
    for column in table.columns:
        if column.additivity in (Additivity.ADDITIVE, Additivity.SEMI_ADDITIVE):
            aggregate = "sum" if column.additivity is Additivity.ADDITIVE else "max"
            # Not named like the column, because an ORDER BY could mean either.
            yield _metric(f"{aggregate}_{column.name}", column, f"{aggregate}({column.name})", currency)


def _metric(name: str, measure: Column, expression: str, currency: str) -> Mapping[str, Any]:
    money = currency and measure.unit in (MONEY, MONEY_PER_MINUTE)
    return {
        "metric_name": name,
        "verbose_name": _title(measure.name),
        "expression": expression,
        "description": measure.comment,
        "d3format": _FORMATS.get(measure.unit, _COUNT_FORMAT),
        "currency": {"symbol": currency, "symbolPosition": "suffix"} if money else None,
    }


def _sum_over_sum(ratio: Ratio) -> str:
    below = " + ".join(f"sum({column})" for column in ratio.denominator)
    factor = "" if ratio.factor == 1 else f"{ratio.factor:g} * "
    return f"{factor}sum({ratio.numerator}) / nullif({below}, 0)"


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return words[0].upper() + words[1:]


def main() -> None:
    """Run the command line: write the file."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.dictionary.superset", description="Write the datasets that Apache Superset imports."
    )
    parser.add_argument("file", type=Path, metavar="FILE.zip")
    parser.add_argument("--catalog", type=Path, required=True, help="path of the catalog as Superset sees it")
    parser.add_argument("--name", default="chorus-calls", help="name of the database in Superset (chorus-calls)")
    parser.add_argument("--currency", default="", help="label shown with money, such as USD")
    parser.add_argument("--marts-only", action="store_true", help="for a catalog made with --marts-only")
    wanted = parser.parse_args()
    wanted.file.write_bytes(
        export(wanted.catalog, name=wanted.name, currency=wanted.currency, marts_only=wanted.marts_only)
    )
    sys.stdout.write(f"{wanted.file}: import it in Superset under Datasets\n")


if __name__ == "__main__":
    main()
