"""`chorus-calls forget`: erase a customer or a call from raw, tables and catalog, and search for what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.console import print_json, print_table, say
from pipelines.errors import ChorusCallsError
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from pipelines.privacy.forget import ErasureResult
    from pipelines.privacy.rewrite import Erased
    from pipelines.privacy.search import Hit, Proof


@click.command("forget", epilog="Example: chorus-calls forget --number +15550100123")
@click.option("--number", metavar="NUMBER", help="A customer's number with its country code: all their calls.")
@click.option("--call-id", metavar="ID", help="One call, with its child calls and its copies in other calls.")
@click.option("--listed", is_flag=True, help="Erase again everything erased before: for a restored backup.")
@click.option("--list-anyway", is_flag=True, help="List it even if the lake has no such call; later syncs skip it.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def forget_command(*, number: str | None, call_id: str | None, listed: bool, list_anyway: bool, as_json: bool) -> None:
    """Erase a customer or a call for good, from raw and from all tables, and search the lake for what is left.

    Later syncs do not bring it back. What others said about the customer is listed, not changed.
    """
    from pipelines.lake import layout
    from pipelines.lake.local import LocalStorage
    from pipelines.privacy.forget import read_request
    from pipelines.workflows import forget
    from pipelines.workspace import open_workspace

    if listed and (number or call_id):
        message = "--listed erases again everything erased before; leave out --number and --call-id."
        raise click.UsageError(message)
    request = None if listed else read_request(number, call_id)
    settings = load_settings()
    if LocalStorage(settings.lake_path).size(layout.LAKE) is None:
        message = f"There is no lake in {settings.lake_path} yet: nothing has landed. Run `chorus-calls sync`."
        raise ChorusCallsError(message)
    done = forget.run(open_workspace(settings), request, unknown_too=list_anyway, notify=say)
    if as_json:
        print_json(_as_dict(done))
    else:
        _print_result(done)
    _require_complete(done)


def _print_result(done: ErasureResult) -> None:
    from pipelines.privacy.rewrite import plural

    click.echo(_erased_sentence(done.erased))
    click.echo(_proof_sentence(done.proof))
    if done.proof.mentions:
        calls = {(hit.call_date, hit.call_id) for hit in done.proof.mentions}
        click.echo(f"In {plural(len(calls), 'call')} of others there is a mention, which was not changed:")
        _print_hits(done.proof.mentions)
    if done.proof.found:
        click.echo("Found where it must not be:")
        _print_hits(done.proof.found)
    for place in done.proof.unreadable:
        click.echo(f"Cannot be read, so it was not searched: {place}")


def _print_hits(hits: Sequence[Hit]) -> None:
    print_table(
        ("call_id", "call_date", "table", "place"),
        [(hit.call_id, hit.call_date, hit.table, hit.place) for hit in hits],
    )


def _erased_sentence(erased: Erased) -> str:
    from pipelines.privacy.rewrite import plural

    seen = erased.matches
    if not seen.files and not erased.rebuilt and not erased.emptied:
        return "Nothing of it was left in the lake."
    parts = [f"{plural(len(seen.calls), 'call')} in {plural(seen.versions, 'version')}"]
    parts += [plural(len(seen.children), "child call")] if seen.children else []
    parts += [plural(len(seen.legs), "leg") + " in calls of others"] if seen.legs else []
    parts += [plural(seen.items, "rejected item")] if seen.items else []
    days = f"{plural(len(erased.rebuilt), 'day')} rebuilt"
    if erased.emptied:
        days += f", {plural(len(erased.emptied), 'day')} now without calls"
    return f"Erased: {', '.join(parts)}. {days}, {plural(erased.versions, 'old version')} of days removed."


def _proof_sentence(proof: Proof) -> str:
    from pipelines.privacy.rewrite import plural

    if not proof.searched:
        return "There was nothing to search for: the list holds no numbers and ids, only hashes of them."
    size, tables = f"{proof.bytes / 1e6:,.1f} MB", plural(proof.tables, "table")
    searched = f"{plural(proof.files, 'file')} ({size}) and {tables} of the catalog"
    if proof.found or proof.unreadable:
        return f"Searched {searched}."
    outside = " outside of what others said or typed" if proof.mentions else ""
    return f"Searched {searched}: found nowhere{outside}."


def _as_dict(done: ErasureResult) -> dict[str, Any]:
    erased, seen, proof = done.erased, done.erased.matches, done.proof
    return {
        "calls": len(seen.calls),
        "versions": seen.versions,
        "child_calls": len(seen.children),
        "legs": len(seen.legs),
        "rejected_items": seen.items,
        "days_built": [str(day) for day in erased.rebuilt],
        "days_emptied": [str(day) for day in erased.emptied],
        "days_lost": {str(day): why for day, why in sorted(erased.lost.items())},
        "day_versions_removed": erased.versions,
        "searched": {"files": proof.files, "bytes": proof.bytes, "tables": proof.tables} if proof.searched else None,
        "unreadable": proof.unreadable,
        "found": [asdict(hit) for hit in proof.found],
        "mentions": [asdict(hit) for hit in proof.mentions],
    }


def _require_complete(done: ErasureResult) -> None:
    """Raise if something is left, or readers have lost a day.

    Raises:
        ChorusCallsError: Something is left, or could not be searched, or a day is lost.
    """
    from pipelines.privacy.forget import require_all_days
    from pipelines.privacy.rewrite import plural

    require_all_days(done.erased)
    if done.proof.unreadable:
        message = (
            f"{plural(len(done.proof.unreadable), 'file')} of the lake cannot be read. Remove files that nobody "
            "needs, or run `chorus-calls doctor`; then run this again."
        )
        raise ChorusCallsError(message)
    if done.proof.found:
        message = (
            f"It is still in {plural(len(done.proof.found), 'place')} where it must not be. A call whose number was "
            "sent without its country code is erased by --call-id."
        )
        raise ChorusCallsError(message)
