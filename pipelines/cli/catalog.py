"""`chorus-calls catalog`: makes the DuckDB catalog again, for a lake that was moved, or a copy to hand out."""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.cli.console import say
from pipelines.errors import ChorusCallsError
from pipelines.settings import load_settings


@click.command(epilog="Example: chorus-calls catalog --marts-only metrics.duckdb")
@click.option(
    "--marts-only",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Make another catalog instead, which needs no lake beside it: only the aggregated tables, no text of calls.",
)
def command(target: Path | None) -> None:
    """Make the DuckDB catalog again from what is published."""
    from pipelines.extract.names import refresh_names
    from pipelines.lake import state
    from pipelines.lake.local import LocalStorage
    from pipelines.lake.locks import PUBLISH
    from pipelines.serve.catalog import DuckDBCatalog

    settings = load_settings()
    storage = LocalStorage(settings.lake_path)
    catalog = DuckDBCatalog(settings.catalog_path, storage, currency=settings.currency)
    for sentence in refresh_names(storage, None).sentences:
        say(sentence)
    try:
        with storage.lock(PUBLISH):
            manifest = state.load_manifest(storage).value
            if target is None:
                catalog.make_anew(manifest)
            else:
                catalog.make_marts_only(manifest, target)
    except FileExistsError as error:
        message = f"{target} is not a catalog to hand out, so it stays as it is. Name another file."
        raise ChorusCallsError(message) from error
    click.echo(f"{target or catalog.path}: {len(manifest.days):,} days, generation {manifest.generation}")
