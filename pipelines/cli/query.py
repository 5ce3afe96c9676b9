"""`chorus-calls query`: SQL on the catalog, for a person, a spreadsheet or a script."""

from __future__ import annotations

import csv
import math
import sys
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import click

from pipelines.cli.console import print_json, print_table
from pipelines.settings import load_settings


@click.command(epilog="Example: chorus-calls query 'SELECT outcome, count(*) FROM calls GROUP BY ALL'")
@click.argument("sql")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV with a line of headings.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with an object per row.")
def command(sql: str, *, as_csv: bool, as_json: bool) -> None:
    """Run SQL on the catalog, which it cannot change. Times are in UTC.

    'FROM _tables' lists the tables, 'FROM _columns' says what their columns mean.
    """
    if as_csv and as_json:
        message = "--csv and --json exclude each other."
        raise click.UsageError(message)
    from pipelines.serve.query import answer

    with answer(load_settings().catalog_path, sql) as result:
        rows = ([_plain(value) for value in row] for row in result.rows)
        if as_csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(result.columns)
            writer.writerows(rows)
        elif as_json:
            print_json([dict(zip(result.columns, row, strict=True)) for row in rows])
        else:
            print_table(result.columns, rows)


def _plain(value: Any) -> Any:
    """Return a value of DuckDB as JSON has it: instants as text that ends in Z, and what is no number as null."""
    if isinstance(value, datetime | date | time):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return value
