"""The names of agents and phone numbers, which calls know by their ids alone.

They are kept in the lake, so that its catalog shows them whoever makes it and wherever, whether the API can be asked
then or not. A name is never a reason for anything to fail.
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

_LONGEST_NAME = 200
_LONGEST_ID = 1_000
# What would break a line, or turn the rest of one around.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class KnownNames(msgspec.Struct, frozen=True):
    """The names of one kind of things, each by its id.

    Attributes:
        of_api: What the API said last of each, also of those that it lists no more.
        by_hand: What a person wrote down.
    """

    of_api: dict[str, str] = {}
    by_hand: dict[str, str] = {}

    @property
    def shown(self) -> dict[str, str]:
        """The name of each: the API's, else the one written by hand."""
        return {**self.by_hand, **self.of_api}


class Names(msgspec.Struct):
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
    """The id of something, and its name where it has one."""

    id: str
    name: str


def named(raw_id: str, *names: str) -> Named | None:
    """Return an id with the first of some names that is not blank, as one line that any tool can show.

    Returns:
        None where the id is none that calls could have.
    """
    if not raw_id.strip() or len(raw_id) > _LONGEST_ID:
        return None
    return Named(storable(raw_id), next((line for line in map(_one_line, names) if line), ""))


def load_names(storage: Storage) -> Stored[Names]:
    """Read the names that are known.

    Raises:
        BrokenStateError: They cannot be read.
        ChorusCallsError: A newer program wrote them.
    """
    return state.load(storage, layout.NAMES, Names, Names())


def shown_names(storage: Storage) -> Mapping[str, Mapping[str, str]]:
    """Return for each kind the names by id; none where they cannot be read, which is no reason to do without tables."""
    try:
        known = load_names(storage).value
    except ChorusCallsError:
        known = Names()
    return {kind: known.of(kind).shown for kind in KINDS}


def names_digest(names: Mapping[str, Mapping[str, str]]) -> str:
    """Return a hash of names, by which a catalog can tell whether it shows them; empty where there are none."""
    if not any(names.values()):
        return ""
    text = repr([(kind, sorted(names[kind].items())) for kind in sorted(names)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _one_line(text: str) -> str:
    line = " ".join(_UNSEEN.sub(" ", storable(text)).split())
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"
