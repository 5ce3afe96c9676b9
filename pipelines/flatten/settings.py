"""The settings that shape tables, as flattening uses them: outcome maps, and pseudonyms of phone numbers."""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from pipelines.api_values import read_number
from pipelines.errors import SettingsError

OUTCOMES = ("completed", "failed", "no_answer", "busy", "voicemail", "canceled", "in_progress", "unknown")
TRANSFER_OUTCOMES = ("success", "failed", "pending", "unknown")
_CLASSES = {"status": OUTCOMES, "ended_reason": OUTCOMES, "transfer_status": TRANSFER_OUTCOMES}
_AS_SPACE = str.maketrans("-_", "  ")


def normal(word: str) -> str:
    """Return a word as in the maps: lower case, with `-` and `_` as spaces."""
    return word.lower().translate(_AS_SPACE).strip()


@dataclass(frozen=True)
class OutcomeMaps:
    """The three maps from normalised words to classes."""

    status: Mapping[str, str]
    ended_reason: Mapping[str, str]
    transfer_status: Mapping[str, str]

    def outcome(self, status: str | None, ended_reason: str | None) -> str:
        """Return how a call ended: one of OUTCOMES.

        The status decides. If it is unknown or only says that the call is over, a known reason decides, since many
        platforms send status `ended` with reason `voicemail`.
        """
        by_status = self.status.get(normal(status)) if status is not None else None
        if by_status not in (None, "completed"):
            return str(by_status)
        by_reason = self.ended_reason.get(normal(ended_reason)) if ended_reason is not None else None
        return by_reason or by_status or "unknown"

    def knows_status(self, status: str) -> bool:
        """Return whether a status word is in the map."""
        return normal(status) in self.status

    def transfer_outcome(self, transfer_status: str | None) -> str:
        """Return the result of a transfer: one of TRANSFER_OUTCOMES."""
        return (
            self.transfer_status.get(normal(transfer_status), "unknown") if transfer_status is not None else "unknown"
        )

    def knows_transfer_status(self, transfer_status: str) -> bool:
        """Return whether a transfer status word is in the map."""
        return normal(transfer_status) in self.transfer_status

    @property
    def digest(self) -> str:
        """A hash of all words of the maps, since other maps give other tables."""
        text = msgspec.json.encode([self.status, self.ended_reason, self.transfer_status], order="deterministic")
        return hashlib.sha256(text).hexdigest()[:16]


def load_outcomes(path: Path | None) -> OutcomeMaps:
    """Read the shipped maps and override them with a file of the same form.

    Raises:
        SettingsError: The file is not TOML, or has unknown tables or outcomes.
    """
    shipped = tomllib.loads(resources.files("pipelines.flatten").joinpath("outcomes.toml").read_text("utf-8"))
    own = _read(path) if path else {}
    maps = {
        name: {normal(word): outcome for words in (shipped, own) for word, outcome in words.get(name, {}).items()}
        for name in _CLASSES
    }
    return OutcomeMaps(**maps)


def _read(path: Path) -> dict[str, dict[str, str]]:
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"CHORUS_OUTCOMES: {path} cannot be read as TOML: {error}"
        raise SettingsError([message]) from error
    if problems := [f"CHORUS_OUTCOMES: {path} {problem}" for problem in _problems(tables)]:
        raise SettingsError(problems)
    return tables


def _problems(tables: Mapping[str, Any]) -> Iterator[str]:
    for name, words in tables.items():
        allowed = _CLASSES.get(name)
        if allowed is None:
            yield f"has a table [{name}]; allowed are [{'], ['.join(_CLASSES)}]"
        elif not isinstance(words, dict):
            yield f"sets {name} to {words!r}; it must be a table [{name}]"
        else:
            for word, outcome in words.items():
                if outcome not in allowed:
                    yield f'maps "{word}" in [{name}] to {outcome!r}; allowed are {", ".join(allowed)}'


_CACHE_SIZE = 100_000
_KEY_DIGITS = 32

Customer = tuple[str | None, str | None]
"""The pseudonym of a number and its masked form, both None if it is not a usable number."""


class Customers:
    """Pseudonyms of numbers under one key. Recent numbers are cached, since the same ones keep coming."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._keyed = hmac.new(key, digestmod=hashlib.sha256)
        self._cached = lru_cache(_CACHE_SIZE)(self._customer)

    def __reduce__(self) -> tuple[type[Customers], tuple[bytes]]:
        """Pickle the key alone: an HMAC in progress cannot be sent to another process."""
        return Customers, (self._key,)

    def look_up(self, numbers: Iterable[str | None]) -> list[Customer]:
        """Return the pseudonym and the masked form of each number.

        The pseudonym is the first 32 hex digits of HMAC-SHA256(key, E.164); the masked form keeps the country code and
        the last two digits.
        """
        return list(map(self._cached, numbers))

    def _customer(self, number: str | None) -> Customer:
        read = read_number(number) if number is not None else None
        if read is None:
            return None, None
        pseudonym = self._keyed.copy()
        pseudonym.update(read.e164.encode())
        return pseudonym.hexdigest()[:_KEY_DIGITS], read.masked


@dataclass(frozen=True)
class FlattenSettings:
    """The settings that shape the tables.

    Attributes:
        mask: Whether numbers are masked and recordings dropped.
        outcomes: What the API's words mean.
    """

    timezone: str
    mask: bool
    outcomes: OutcomeMaps
    customers: Customers
