"""What to search for: a number however it may be written, and ids; in any text, and in bulk by Arrow.

A number is found whatever stands between its digits, with its country code or without, in the digits of several
scripts. It is not found where it is spelled in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pipelines.api_values import Number

_ZEROS = "0\u0660\u06f0\u0966\u09e6\u0e50\uff10"
_BETWEEN = "[ \t\r\n().,/\\-\u00a0\u00b7\u2010-\u2015\u202f]{0,3}"
_SHORTEST_NATIONAL = 7
"""Fewer digits are somebody else's sooner than a number without its country code."""
_SHORTEST_ID = 6
"""Shorter ids are looked for as whole values alone: in a text they say nothing."""
_DISTINCT_ID = 12
"""Ids from this length on are found within longer words too."""
_AT_ONCE = 200


class SearchTerms:
    """Numbers and ids to search for.

    Attributes:
        ids: Ids, and whatever else is to be found as it is.
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
        """Search for a number, however it is written."""
        country, national = _spaced(number.country), _spaced(number.national)
        zero = _spaced("0")
        self._whole.add(rf"(?<!\d){number.country}{number.national}(?!\d)")
        if len(number.national) < _SHORTEST_NATIONAL:
            plain = country + _BETWEEN + national
            self._numbers[number.e164] = (plain, rf"(?<!\d)(?:{zero}){{0,2}}{plain}(?!\d)")
            return
        before = f"(?:{zero}){{0,2}}{country}{_BETWEEN}(?:{zero}{_BETWEEN})?|{zero}{_BETWEEN}"
        self._numbers[number.e164] = (national, rf"(?<!\d)(?:{before})?{national}(?!\d)")

    def add_numbers(self, texts: Iterable[str]) -> None:
        """Search for numbers as they were sent, as far as they are not found as numbers anyway."""
        self.add_ids(text for text in texts if not self.find(text))

    def add_ids(self, ids: Iterable[str]) -> None:
        """Search for ids."""
        self.ids.update(ids)

    def find(self, text: str) -> bool:
        """Say whether a text is one of these, or has one in it."""
        return text in self.ids or any(pattern.search(text) for pattern in self._patterns())

    def bulk_patterns(self) -> list[str]:
        """Return patterns for RE2, one of which finds whatever `find` does, and perhaps more."""
        return [plain for plain, _ in self._numbers.values()] + [*_alternatives(self.ids)]

    def in_bytes(self, data: bytes) -> bool:
        """Say whether one of these is anywhere in bytes: an id, or a number written whole, as a program writes it."""
        text = data.decode("utf-8", "replace")
        ids = (id_ for id_ in self.ids if len(id_) >= _SHORTEST_ID)
        return any(id_ in text for id_ in ids) or any(re.search(whole, text) for whole in self._whole)

    def _patterns(self) -> Sequence[re.Pattern[str]]:
        marks = len(self.ids) + len(self._numbers)
        if self._exact is None or self._exact[0] != marks:
            patterns = [exact for _, exact in self._numbers.values()]
            patterns += _alternatives(text for text in self.ids if len(text) >= _DISTINCT_ID)
            words = _alternatives(text for text in self.ids if _SHORTEST_ID <= len(text) < _DISTINCT_ID)
            patterns += [rf"(?<![\w-])(?:{inner})(?![\w-])" for inner in words]
            self._exact = (marks, [re.compile(pattern) for pattern in patterns])
        return self._exact[1]


def _alternatives(texts: Iterable[str]) -> Iterator[str]:
    """Yield patterns for any of some texts, not too many in one."""
    listed = sorted(texts)
    for start in range(0, len(listed), _AT_ONCE):
        yield "|".join(map(re.escape, listed[start : start + _AT_ONCE]))


def _spaced(digits: str) -> str:
    """A pattern for digits of any of some scripts, with or without something between them."""
    return _BETWEEN.join("[" + "".join(chr(ord(zero) + int(digit)) for zero in _ZEROS) + "]" for digit in digits)
