"""state/erased.json: whose calls were erased, so that no sync brings them back.

Only hashes are kept, under a salt of their own: the key of the pseudonyms may be changed, and that must not undo an
erasure. Where nothing was ever erased there is no such file, and nothing is asked of it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from datetime import date

import msgspec

from pipelines.api_values import Number, read_number
from pipelines.lake import layout, state
from pipelines.lake.state import FORMAT, LakeRecord, Stored
from pipelines.lake.storage import Storage, SwapConflictError

_DIGITS = 32
_CACHE_SIZE = 100_000


class SuppressionRecord(msgspec.Struct):
    """What state/erased.json holds, hashed but for the days.

    Attributes:
        salt: The key of the hashes.
        numbers: Numbers in E.164.
        calls: Ids of erased calls: those that were named, those of erased numbers, and their child items.
        legs: Ids of legs that were taken out of calls of others; child items with such an id are the same leg.
        items: Payload hashes of items that could not be placed.
        pending: Days of which files may still hold what is listed; None where nothing is left to do.
    """

    salt: str = ""
    format: int = FORMAT
    numbers: list[str] = []
    calls: list[str] = []
    legs: list[str] = []
    items: list[str] = []
    pending: list[date] | None = None


class SuppressionList:
    """What was erased, to be asked and to be added to.

    Attributes:
        news: How often something was added that was not covered before.
    """

    def __init__(self, kept: Stored[SuppressionRecord]) -> None:
        self.news = 0
        self._kept = kept
        self._salt = bytes.fromhex(kept.value.salt)
        self._numbers = set(kept.value.numbers)
        self._calls = set(kept.value.calls)
        self._legs = set(kept.value.legs)
        self._items = set(kept.value.items)
        self._known: dict[str, bool] = {}

    @property
    def empty(self) -> bool:
        """Whether nothing is covered at all."""
        return not (self._numbers or self._calls or self._legs or self._items)

    @property
    def pending(self) -> list[date] | None:
        """Days of which files may still hold what is listed; None where nothing is left to do."""
        return self._kept.value.pending

    def covers_call(self, call_id: str | None) -> bool:
        """Say whether a call was erased, by its id."""
        return bool(self._calls) and call_id is not None and self._hash("call", call_id) in self._calls

    def covers_leg(self, leg_id: str | None) -> bool:
        """Say whether a leg was taken out of a call of somebody else, by its id."""
        return bool(self._legs) and leg_id is not None and self._hash("leg", leg_id) in self._legs

    def covers_number(self, text: str | None) -> bool:
        """Say whether a customer was erased, by the number as it was sent."""
        if text is None or not self._numbers:
            return False
        found = self._known.get(text)
        if found is None:
            if len(self._known) > _CACHE_SIZE:
                self._known.clear()
            number = customers_number(text)
            found = number is not None and self._hash("number", number.e164) in self._numbers
            self._known[text] = found
        return found

    def covers_item(self, payload_hash: str) -> bool:
        """Say whether an item that could not be placed was erased."""
        return bool(self._items) and self._hash("item", payload_hash) in self._items

    def alias(self, call_id: str) -> str:
        """Return what stands for an erased call where something must: not its id, and always the same."""
        return f"erased {self._hash('alias', call_id)}"

    def add_number(self, number: Number) -> None:
        """Cover a customer from now on; `commit` makes it last."""
        self._add("number", self._numbers, number.e164)
        self._known.clear()

    def add_call(self, call_id: str) -> None:
        """Cover a call from now on."""
        self._add("call", self._calls, call_id)

    def add_leg(self, leg_id: str) -> None:
        """Cover a leg from now on."""
        self._add("leg", self._legs, leg_id)

    def add_item(self, payload_hash: str) -> None:
        """Cover an item that could not be placed from now on."""
        self._add("item", self._items, payload_hash)

    def commit(self, storage: Storage, pending: Iterable[date] | None) -> None:
        """Write down what is covered, and of which days files may still hold it (None: of none, it is done).

        Raises:
            SwapConflictError: Another writer was there; all of them hold the lock `sync`.
        """
        record = self._kept.value
        record.numbers, record.calls = sorted(self._numbers), sorted(self._calls)
        record.legs, record.items = sorted(self._legs), sorted(self._items)
        record.pending = None if pending is None else sorted(set(pending))
        state.commit(storage, self._kept)
        _require_list(storage)

    def _add(self, kind: str, known: set[str], text: str) -> None:
        if not self._salt:
            self._salt = secrets.token_bytes(32)
            self._kept.value.salt = self._salt.hex()
        hashed = self._hash(kind, text)
        if hashed not in known:
            known.add(hashed)
            self.news += 1

    def _hash(self, kind: str, text: str) -> str:
        return hmac.digest(self._salt, f"{kind} {text}".encode("utf-8", "replace"), "sha256").hex()[:_DIGITS]


def load_suppression_list(storage: Storage) -> SuppressionList:
    """Read what was erased; nothing where there is no list."""
    return SuppressionList(state.load(storage, layout.ERASED, SuppressionRecord, SuppressionRecord()))


def list_is_lost(storage: Storage) -> bool:
    """Say whether something was erased and the list of it is not there: syncs would bring all of it back."""
    lake = state.read(storage, layout.LAKE, LakeRecord)
    return lake is not None and lake.value.has_erasures and storage.size(layout.ERASED) is None


def _require_list(storage: Storage) -> None:
    """Let the lake remember that there is a list."""
    lake = state.read(storage, layout.LAKE, LakeRecord)
    if lake is None or lake.value.has_erasures:
        return
    lake.value.has_erasures = True
    try:
        state.commit(storage, lake)
    except SwapConflictError:  # settings were accepted meanwhile
        _require_list(storage)


def customers_number(text: str) -> Number | None:
    """Read a number as calls are compared by it: with its country code, also where that follows `00` in place of `+`.

    Digits alone are nobody's: a number of one country without its code is another's with one.
    """
    number = read_number(text)
    stripped = text.strip()
    return read_number(f"+{stripped[2:]}") if number is None and stripped.startswith("00") else number
