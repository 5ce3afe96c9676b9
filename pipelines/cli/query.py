"""`chorus-calls query`: SQL on the catalog, for a person, a spreadsheet or a script."""

from __future__ import annotations

import csv
import sys

import click

from pipelines.cli.console import plain, print_json, print_table
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
    from pipelines.serve.query import run_query

    with run_query(load_settings().catalog_path, sql) as result:
        rows = ([plain(value) for value in row] for row in result.rows)
        if as_csv:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(result.columns)
            writer.writerows(rows)
        elif as_json:
            print_json([dict(zip(result.columns, row, strict=True)) for row in rows])
        else:
            print_table(result.columns, rows)
