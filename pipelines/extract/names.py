"""Names of agents and phone numbers, from the API or from data/lookups/*.csv, read at the end of a sync.

The tables need no name, so whatever goes wrong here costs names and nothing else: it is asked for a short time only,
no answer makes a sync fail, and what was known stays known. Agents carry prompts and secrets: of each item the id and
the name are taken, and the rest is let go at once.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pipelines.errors import ChorusCallsError, KeyRefusedError, disk_trouble
from pipelines.extract.http.client import CallsClient, ListEndpoint
from pipelines.extract.http.rate_limit import PageUnavailableError
from pipelines.extract.http.response import PermanentResponseError
from pipelines.json_source import decode
from pipelines.lake import state
from pipelines.lake.maintenance.reconcile import reconcile
from pipelines.lake.names import AGENTS, KINDS, PHONE_NUMBERS, KnownNames, Named, Names, load_names, named
from pipelines.lake.publish import Catalog
from pipelines.lake.storage import Storage, SwapConflictError

LOOKUPS: Final = Path("data/lookups")
"""The folder of these files, below the working folder."""


class UnusableLookupError(Exception):
    """A file of names that cannot be used; the text is a sentence for whoever wrote it."""


def lookup_file(folder: Path, kind: str) -> Path:
    """Return the file in which the names of a kind are written down."""
    return folder / f"{kind}.csv"


def read_lookup(path: Path) -> dict[str, str] | None:
    """Read names by id from a CSV file with the columns `id` and `name`; it may have others.

    Returns:
        The names; None where there is no such file.

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


_MOST_PAGES: Final = 50
_ALL_SECONDS: Final = 10.0
"""After that no further page is asked for."""
_LISTS: Final[Mapping[str, ListEndpoint]] = MappingProxyType(
    {
        AGENTS: ListEndpoint("agents", retry_seconds=2, request_seconds=5),
        PHONE_NUMBERS: ListEndpoint("phone-numbers", retry_seconds=2, request_seconds=5),
    }
)


@dataclass
class NamesReport:
    """What became of the names.

    Attributes:
        known: How many names of each kind are known now.
        notes: What a person may want to know, a sentence each.
        warnings: What a person should mend, a sentence each.
    """

    known: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def sentences(self) -> list[str]:
        """All of them, to be printed."""
        return [*(f"Warning: {warning}" for warning in self.warnings), *self.notes]


def refresh_names(
    storage: Storage, client: CallsClient, catalog: Catalog, keep_versions: timedelta, *, lookups: Path = LOOKUPS
) -> NamesReport:
    """Keep the names of the API and those written by hand, and let the catalog show them.

    Args:
        storage: The lake's files; the caller holds none of its locks.
        client: The client of the calls.
        catalog: The readers' catalog, made again where names have changed.
        keep_versions: How long a version of a day stays after it ceased to be published.
        lookups: The folder of the names written by hand.
    """
    report = NamesReport()
    with _sparing(report):
        if _renew(storage, lookups, client, report):
            reconcile(storage, catalog, keep_versions)
    return report


def keep_names_by_hand(storage: Storage, lookups: Path = LOOKUPS) -> NamesReport:
    """Keep the names written by hand, for who makes the catalog next."""
    report = NamesReport()
    with _sparing(report):
        _renew(storage, lookups, None, report)
    return report


@contextmanager
def _sparing(report: NamesReport) -> Iterator[None]:
    """Let a block that fails cost a warning alone."""
    try:
        yield
    except ChorusCallsError as error:
        report.warnings.append(f"Names were not refreshed: {error.message}")
    except OSError as error:
        report.warnings.append(f"Names were not refreshed: {disk_trouble(error)}")


def _renew(storage: Storage, lookups: Path, client: CallsClient | None, report: NamesReport) -> bool:
    """Read names and keep them; say whether others are known than before."""
    before = load_names(storage).value
    by_hand = dict(_by_hand(lookups, report))
    of_api = _of_api(client, [kind for kind in KINDS if kind not in by_hand], report) if client else {}
    known = _keep(storage, of_api, by_hand)
    report.known = {kind: len(known.of(kind).shown) for kind in KINDS}
    return known != before


def _by_hand(folder: Path, report: NamesReport) -> Iterator[tuple[str, dict[str, str]]]:
    for kind in KINDS:
        try:
            found = read_lookup(lookup_file(folder, kind))
        except UnusableLookupError as error:
            report.warnings.append(str(error))
        else:
            if found is not None:
                yield kind, found


def _of_api(client: CallsClient, missed: Iterable[str], report: NamesReport) -> dict[str, dict[str, str]]:
    """Read all lists; where names of a kind that is missed could not be read, that is noted."""
    deadline = time.monotonic() + _ALL_SECONDS
    found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    failed: dict[str, list[str]] = {}
    for kind in KINDS:
        try:
            for one in _listed(client, kind, deadline):
                if one.name:
                    found[kind][one.id] = one.name
        except ChorusCallsError as error:
            if kind in missed:
                failed.setdefault(_reason(error), []).append(kind.replace("_", " "))
    if failed:
        what = ", ".join(f"{' and '.join(words)} ({reason})" for reason, words in failed.items())
        report.notes.append(f"Names could not be read of {what}; where none is known, ids are shown.")
    return found


def _listed(client: CallsClient, kind: str, deadline: float) -> Iterator[Named]:
    """Yield what a list shows, until a page shows nothing new: it may have pages, or come whole each time."""
    seen: set[str] = set()
    offset = 0
    for _ in range(_MOST_PAGES):
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
    """Take the id and the name of an item; of a phone number without one, the number stands for it."""
    try:
        fields = decode(item)
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    texts = [value if isinstance(value := fields.get(key), str) else "" for key in ("id", "name", "number")]
    return named(*texts)


def _keep(storage: Storage, of_api: Mapping[str, dict[str, str]], by_hand: Mapping[str, dict[str, str]]) -> Names:
    """Lay what was read over what is known, and write it down where that changes anything."""
    while True:
        kept = load_names(storage)
        known = kept.value
        agents, numbers = (
            KnownNames({**known.of(kind).of_api, **of_api.get(kind, {})}, by_hand.get(kind, known.of(kind).by_hand))
            for kind in (AGENTS, PHONE_NUMBERS)
        )
        kept.value = Names(agents=agents, phone_numbers=numbers)
        if kept.value == known:
            return known
        with suppress(SwapConflictError):  # another sync has just written down what it read
            state.commit(storage, kept)
            return kept.value


def _reason(error: ChorusCallsError) -> str:
    if isinstance(error, KeyRefusedError):
        return "the API refused the key for them"
    if isinstance(error, PageUnavailableError | PermanentResponseError):
        return error.reason
    return error.message.partition(". ")[0]
