"""The names of agents and phone numbers, whose ids are all that calls hold.

They are stored in the lake, so that every catalog made from it shows them, whether or not the API can be reached. No
name ever makes anything fail.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from pipelines.errors import ChorusCallsError
from pipelines.json_source import storable
from pipelines.lake import layout, state
from pipelines.lake.state import FORMAT, Stored
from pipelines.lake.storage import Storage

AGENTS = "agents"
PHONE_NUMBERS = "phone_numbers"
KINDS = (AGENTS, PHONE_NUMBERS)

_MAX_NAME_LENGTH = 200
_MAX_ID_LENGTH = 1_000
# Characters that break a line or change its direction.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class KnownNames(msgspec.Struct, frozen=True):
    """The names of one kind, by id.

    Attributes:
        from_api: The last name that the API gave, also of ids that it no longer lists.
        from_file: The names of data/lookups/*.csv.
    """

    from_api: dict[str, str] = msgspec.field(name="of_api", default_factory=dict)
    from_file: dict[str, str] = msgspec.field(name="by_hand", default_factory=dict)

    @property
    def shown(self) -> dict[str, str]:
        """The name of each id: the API's, otherwise the file's."""
        return {**self.from_file, **self.from_api}


class Names(msgspec.Struct, frozen=True):
    """state/names.json."""

    format: int = FORMAT
    agents: KnownNames = KnownNames()
    phone_numbers: KnownNames = KnownNames()

    def of(self, kind: str) -> KnownNames:
        """Return the names of a kind."""
        known: KnownNames = getattr(self, kind)
        return known


@dataclass(frozen=True)
class Named:
    """An id, and its name; empty if it has none."""

    id: str
    name: str


def named(raw_id: str, *names: str) -> Named | None:
    """Return an id with the first of some names that is not blank, as a single printable line.

    Returns:
        None if the id is blank or too long to be in calls.
    """
    if not raw_id.strip() or len(raw_id) > _MAX_ID_LENGTH:
        return None
    return Named(storable(raw_id), next((line for line in map(_one_line, names) if line), ""))


def load_names(storage: Storage) -> Stored[Names]:
    """Read the known names.

    Raises:
        BrokenStateError: They cannot be read.
        ChorusCallsError: A newer program wrote them.
    """
    return state.load(storage, layout.NAMES, Names, Names())


def shown_names(storage: Storage) -> Mapping[str, Mapping[str, str]]:
    """Return for each kind the names by id; none if they cannot be read, since tables do without them."""
    try:
        known = load_names(storage).value
    except ChorusCallsError:
        known = Names()
    return {kind: known.of(kind).shown for kind in KINDS}


def names_digest(names: Mapping[str, Mapping[str, str]]) -> str:
    """Return a hash of names, which tells whether a catalog shows them; empty if there are none."""
    if not any(names.values()):
        return ""
    text = repr([(kind, sorted(names[kind].items())) for kind in sorted(names)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _one_line(text: str) -> str:
    line = " ".join(_CONTROL_CHARACTERS.sub(" ", storable(text)).split())
    return line if len(line) <= _MAX_NAME_LENGTH else f"{line[: _MAX_NAME_LENGTH - 1]}…"
