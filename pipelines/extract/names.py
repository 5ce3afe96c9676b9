"""Read the names of agents and phone numbers from the API and from data/lookups/*.csv at the end of a sync.

No table needs a name, so an error here costs only names: the API is asked for a short time, no answer fails a sync, and
known names stay. Agents hold prompts and secrets: only id and name of each item are kept.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pipelines.errors import ChorusCallsError, KeyRefusedError, disk_trouble
from pipelines.extract.http.client import CallsClient, ListEndpoint
from pipelines.extract.http.rate_limit import PageUnavailableError
from pipelines.extract.http.response import PermanentResponseError
from pipelines.json_source import decode
from pipelines.lake import layout, state
from pipelines.lake.names import AGENTS, KINDS, PHONE_NUMBERS, KnownNames, Named, Names, load_names, named
from pipelines.lake.storage import Storage

LOOKUPS: Final = Path("data/lookups")
"""The folder of the lookup files, below the working folder."""
_MAX_PAGES: Final = 50
_TIME_LIMIT: Final = 10.0
"""Seconds after which no further page is requested."""
_LISTS: Final[Mapping[str, ListEndpoint]] = MappingProxyType(
    {
        AGENTS: ListEndpoint("agents", retry_seconds=2, request_seconds=5),
        PHONE_NUMBERS: ListEndpoint("phone-numbers", retry_seconds=2, request_seconds=5),
    }
)


class UnusableLookupError(Exception):
    """A lookup file that cannot be used; the message is for the person who wrote it."""


def read_lookup(path: Path) -> dict[str, str] | None:
    """Read names by id from a CSV file with the columns `id` and `name`, and possibly others.

    Returns:
        The names; None if the file is missing.

    Raises:
        UnusableLookupError: It cannot be used.
    """
    try:
        rows = csv.DictReader(StringIO(path.read_text("utf-8-sig")), skipinitialspace=True)
        if not {"id", "name"} <= set(rows.fieldnames or ()):
            raise _unusable(path, "it has no columns id and name")
        listed = [named(row["id"] or "", row["name"] or "") for row in rows]
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise _unusable(path, "it is not UTF-8") from None
    except csv.Error as error:
        raise _unusable(path, f"it is no CSV ({error})") from None
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be read") from None
    return {one.id: one.name for one in listed if one and one.name}


def _unusable(path: Path, reason: str) -> UnusableLookupError:
    message = (
        f"{path} is not used: {reason}. It must be a UTF-8 file with commas and a first line that names the columns "
        "id and name."
    )
    return UnusableLookupError(message)


@dataclass
class NamesReport:
    """The result of refreshing names.

    Attributes:
        changed: Whether a name is new or another one; the catalog then has to be reconciled.
        known: How many names of each kind are known now.
        notes: Sentences that a person may want to read.
        warnings: Sentences about what a person should fix.
    """

    changed: bool = False
    known: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """All sentences, for printing."""
        return [*(f"Warning: {warning}" for warning in self.warnings), *self.notes]


def refresh_names(storage: Storage, client: CallsClient | None, *, lookups: Path = LOOKUPS) -> NamesReport:
    """Store the names of the API and of the lookup files; `reconcile` makes the catalog show them.

    An error becomes a warning of the report.
    Without a client, only the lookup files are read.
    """
    report = NamesReport()
    try:
        before = load_names(storage).value
        from_file = dict(_from_files(lookups, report))
        from_api = _from_api(client, [kind for kind in KINDS if kind not in from_file], report) if client else {}
        known = _store(storage, from_api, from_file)
        report.changed = known != before
        report.known = {kind: len(known.of(kind).shown) for kind in KINDS}
    except ChorusCallsError as error:
        report.warnings.append(f"Names were not refreshed: {error.message}")
    except OSError as error:
        report.warnings.append(f"Names were not refreshed: {disk_trouble(error)}")
    return report


def _from_files(folder: Path, report: NamesReport) -> Iterator[tuple[str, dict[str, str]]]:
    for kind in KINDS:
        try:
            found = read_lookup(folder / f"{kind}.csv")
        except UnusableLookupError as error:
            report.warnings.append(str(error))
        else:
            if found is not None:
                yield kind, found


def _from_api(client: CallsClient, needed: Iterable[str], report: NamesReport) -> dict[str, dict[str, str]]:
    """Read all lists; note in the report where the names of a needed kind could not be read."""
    deadline = time.monotonic() + _TIME_LIMIT
    found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    failed: dict[str, list[str]] = {}
    for kind in KINDS:
        try:
            for one in _listed(client, kind, deadline):
                if one.name:
                    found[kind][one.id] = one.name
        except ChorusCallsError as error:
            if kind in needed:
                failed.setdefault(_reason(error), []).append(kind.replace("_", " "))
    if failed:
        what = ", ".join(f"{' and '.join(words)} ({reason})" for reason, words in failed.items())
        report.notes.append(f"Names could not be read of {what}; if none is known, ids are shown.")
    return found


def _listed(client: CallsClient, kind: str, deadline: float) -> Iterator[Named]:
    """Yield the entries of a list until a page has nothing new: some lists have pages, others come whole each time."""
    seen: set[str] = set()
    offset = 0
    for _ in range(_MAX_PAGES):
        if time.monotonic() > deadline:
            reason = "it answers too slowly"
            raise PageUnavailableError(reason, reason)
        page = client.page(offset, endpoint=_LISTS[kind])
        new = [one for item in page.items if (one := _read(item)) and one.id not in seen]
        yield from new
        seen.update(one.id for one in new)
        offset += len(page.items)
        is_last = len(page.items) < page.limit and page.total is not None and offset >= page.total
        if is_last or not new:
            return


def _read(item: bytes) -> Named | None:
    """Return the id and the name of an item; a phone number without a name is named by its number."""
    try:
        fields = decode(item)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    texts = [value if isinstance(value := fields.get(key), str) else "" for key in ("id", "name", "number")]
    return named(*texts)


def _store(storage: Storage, from_api: Mapping[str, dict[str, str]], from_file: Mapping[str, dict[str, str]]) -> Names:
    """Merge new names into the known ones."""

    def merged(stored: Names | None) -> Names | None:
        names = stored or Names()
        agents, numbers = (
            KnownNames(
                {**names.of(kind).from_api, **from_api.get(kind, {})}, from_file.get(kind, names.of(kind).from_file)
            )
            for kind in (AGENTS, PHONE_NUMBERS)
        )
        new = Names(agents=agents, phone_numbers=numbers)
        return None if stored is None and new == Names() else new

    return state.update(storage, layout.NAMES, Names, merged) or Names()


def _reason(error: ChorusCallsError) -> str:
    if isinstance(error, KeyRefusedError):
        return "the API refused the key for them"
    if isinstance(error, PageUnavailableError | PermanentResponseError):
        return error.reason
    return error.message.partition(". ")[0]
