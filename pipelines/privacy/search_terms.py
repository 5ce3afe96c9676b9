"""Search terms: phone numbers in any notation, and ids, for any text and for Arrow in bulk.

A number is found with any separators between its digits, with or without its country code, and in the digits of several
scripts. It is not found where it is spelled out in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pipelines.api_values import Number

_ZEROS = "0\u0660\u06f0\u0966\u09e6\u0e50\uff10"
_BETWEEN = "[ \t\r\n().,/\\-\u00a0\u00b7\u2010-\u2015\u202f]{0,3}"
_MIN_NATIONAL_DIGITS = 7
"""A number with fewer digits is searched only with its country code: without it, it would match unrelated digits."""
_MIN_ID_LENGTH = 6
"""Shorter ids match only whole values: within a text they mean nothing."""
_DISTINCTIVE_ID_LENGTH = 12
"""Ids from this length on match within longer words too."""
_IDS_PER_PATTERN = 200


class SearchTerms:
    """Numbers and ids to search for.

    Attributes:
        ids: Ids, and other texts to be found as they are.
    """

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self._numbers: dict[str, tuple[str, str]] = {}
        self._whole: set[str] = set()
        self._exact: tuple[int, list[re.Pattern[str]]] | None = None

    def __bool__(self) -> bool:
        """Say whether there is anything to search for."""
        return bool(self.ids or self._numbers)

    def add_number(self, number: Number) -> None:
        """Add a number, in any notation."""
        country, national = _spaced(number.country), _spaced(number.national)
        zero = _spaced("0")
        self._whole.add(rf"(?<!\d){number.country}{number.national}(?!\d)")
        if len(number.national) < _MIN_NATIONAL_DIGITS:
            plain = country + _BETWEEN + national
            self._numbers[number.e164] = (plain, rf"(?<!\d)(?:{zero}){{0,2}}{plain}(?!\d)")
            return
        before = f"(?:{zero}){{0,2}}{country}{_BETWEEN}(?:{zero}{_BETWEEN})?|{zero}{_BETWEEN}"
        self._numbers[number.e164] = (national, rf"(?<!\d)(?:{before})?{national}(?!\d)")

    def add_numbers(self, texts: Iterable[str]) -> None:
        """Add numbers as they were sent, unless they are found as numbers already."""
        self.add_ids(text for text in texts if not self.find(text))

    def add_ids(self, ids: Iterable[str]) -> None:
        """Add ids."""
        self.ids.update(ids)

    def find(self, text: str) -> bool:
        """Say whether a text is or contains one of the terms."""
        return text in self.ids or any(pattern.search(text) for pattern in self._patterns())

    def bulk_patterns(self) -> list[str]:
        """Return RE2 patterns that together match whatever `find` does, and possibly more."""
        return [plain for plain, _ in self._numbers.values()] + [*_alternatives(self.ids)]

    def in_bytes(self, data: bytes) -> bool:
        """Say whether bytes contain an id, or a number in the notation of programs."""
        text = data.decode("utf-8", "replace")
        ids = (id_ for id_ in self.ids if len(id_) >= _MIN_ID_LENGTH)
        return any(id_ in text for id_ in ids) or any(re.search(whole, text) for whole in self._whole)

    def _patterns(self) -> Sequence[re.Pattern[str]]:
        marks = len(self.ids) + len(self._numbers)
        if self._exact is None or self._exact[0] != marks:
            patterns = [exact for _, exact in self._numbers.values()]
            patterns += _alternatives(text for text in self.ids if len(text) >= _DISTINCTIVE_ID_LENGTH)
            words = _alternatives(text for text in self.ids if _MIN_ID_LENGTH <= len(text) < _DISTINCTIVE_ID_LENGTH)
            patterns += [rf"(?<![\w-])(?:{inner})(?![\w-])" for inner in words]
            self._exact = (marks, [re.compile(pattern) for pattern in patterns])
        return self._exact[1]


def _alternatives(texts: Iterable[str]) -> Iterator[str]:
    """Yield patterns that match any of some texts, a limited number in each."""
    listed = sorted(texts)
    for start in range(0, len(listed), _IDS_PER_PATTERN):
        yield "|".join(map(re.escape, listed[start : start + _IDS_PER_PATTERN]))


def _spaced(digits: str) -> str:
    """Return a pattern for digits of several scripts, with or without separators."""
    return _BETWEEN.join("[" + "".join(chr(ord(zero) + int(digit)) for zero in _ZEROS) + "]" for digit in digits)
