"""The suppression list, state/erased.json: whose calls were erased, so that no sync brings them back.

It holds only hashes, under a salt of its own: a change of the PII key must not undo an erasure. Where nothing was ever
erased there is no such file.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from datetime import date

import msgspec

from pipelines.api_values import Number, read_number
from pipelines.lake import layout, state
from pipelines.lake.identity import load_lake
from pipelines.lake.state import FORMAT, LakeRecord, Stored
from pipelines.lake.storage import Storage

_DIGITS = 32
_CACHE_SIZE = 100_000


class SuppressionRecord(msgspec.Struct):
    """state/erased.json; everything but the days is hashed.

    Attributes:
        salt: The key of the hashes.
        numbers: Phone numbers in E.164.
        calls: Ids of erased calls: those that were requested, those of erased numbers, and their child items.
        legs: Ids of legs that were removed from other customers' calls; child items with such an id are the same leg.
        items: Payload hashes of rejected items.
        pending: Days whose files may still hold what is listed; None if the erasure is finished.
    """

    salt: str = ""
    format: int = FORMAT
    numbers: list[str] = []
    calls: list[str] = []
    legs: list[str] = []
    items: list[str] = []
    pending: list[date] | None = None


class SuppressionList:
    """The suppression list in memory.

    Attributes:
        additions: How many entries were added since it was read.
    """

    def __init__(self, stored: Stored[SuppressionRecord]) -> None:
        self.additions = 0
        self._stored = stored
        self._salt = bytes.fromhex(stored.value.salt)
        self._entries = {kind: set(getattr(stored.value, f"{kind}s")) for kind in ("number", "call", "leg", "item")}
        self._known: dict[str, bool] = {}

    @property
    def empty(self) -> bool:
        """Whether the list covers nothing."""
        return not any(self._entries.values())

    @property
    def pending(self) -> list[date] | None:
        """Days whose files may still hold what is listed; None if the erasure is finished."""
        return self._stored.value.pending

    def covers_call(self, call_id: str | None) -> bool:
        """Return whether a call was erased, by its id."""
        return self._covers("call", call_id)

    def covers_leg(self, leg_id: str | None) -> bool:
        """Return whether a leg was removed from another customer's call, by its id."""
        return self._covers("leg", leg_id)

    def covers_number(self, text: str | None) -> bool:
        """Return whether a customer was erased, by the number as it was sent."""
        if text is None or not self._entries["number"]:
            return False
        found = self._known.get(text)
        if found is None:
            if len(self._known) > _CACHE_SIZE:
                self._known.clear()
            number = customers_number(text)
            found = number is not None and self._covers("number", number.e164)
            self._known[text] = found
        return found

    def covers_item(self, payload_hash: str) -> bool:
        """Return whether a rejected item was erased."""
        return self._covers("item", payload_hash)

    def alias(self, call_id: str) -> str:
        """Return a stable substitute for the id of an erased call."""
        return f"erased {self._hash('alias', call_id)}"

    def add_number(self, number: Number) -> None:
        """Add a customer; `commit` stores the list."""
        self._add("number", number.e164)
        self._known.clear()

    def add_call(self, call_id: str) -> None:
        """Add a call."""
        self._add("call", call_id)

    def add_leg(self, leg_id: str) -> None:
        """Add a leg."""
        self._add("leg", leg_id)

    def add_item(self, payload_hash: str) -> None:
        """Add a rejected item."""
        self._add("item", payload_hash)

    def commit(self, storage: Storage, pending: Iterable[date] | None) -> None:
        """Store the list.

        Args:
            storage: The lake's files.
            pending: Days whose files may still hold what is listed; None once the erasure is finished.

        Raises:
            SwapConflictError: Another writer changed the file without holding the lock `SYNC`.
        """
        record = self._stored.value
        for kind, hashes in self._entries.items():
            setattr(record, f"{kind}s", sorted(hashes))
        record.pending = None if pending is None else sorted(set(pending))
        state.commit(storage, self._stored)
        state.update(storage, layout.LAKE, LakeRecord, _with_erasures)

    def _covers(self, kind: str, text: str | None) -> bool:
        hashes = self._entries[kind]
        return bool(hashes) and text is not None and self._hash(kind, text) in hashes

    def _add(self, kind: str, text: str) -> None:
        if not self._salt:
            self._salt = secrets.token_bytes(32)
            self._stored.value.salt = self._salt.hex()
        hashed = self._hash(kind, text)
        if hashed not in self._entries[kind]:
            self._entries[kind].add(hashed)
            self.additions += 1

    def _hash(self, kind: str, text: str) -> str:
        return hmac.digest(self._salt, f"{kind} {text}".encode("utf-8", "replace"), "sha256").hex()[:_DIGITS]


def load_suppression_list(storage: Storage) -> SuppressionList:
    """Read the suppression list; it is empty if there is no file."""
    return SuppressionList(state.load(storage, layout.ERASED, SuppressionRecord, SuppressionRecord()))


def list_is_lost(storage: Storage) -> bool:
    """Return whether calls were erased and the list is missing: syncs would bring them back."""
    lake = load_lake(storage)
    return lake is not None and lake.has_erasures and storage.size(layout.ERASED) is None


def _with_erasures(lake: LakeRecord | None) -> LakeRecord | None:
    """Note in the lake's identity that the list must exist."""
    return msgspec.structs.replace(lake, has_erasures=True) if lake else None


def customers_number(text: str) -> Number | None:
    """Parse a phone number with its country code after `+` or `00`; None for any other text.

    Digits without a country code are ambiguous: they can be another country's number with its code.
    """
    number = read_number(text)
    stripped = text.strip()
    return read_number(f"+{stripped[2:]}") if number is None and stripped.startswith("00") else number
