"""What all faults have in common: which requests they strike, and how they are read from words."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from pipelines.simulator.messages import Request, Respond, Response


class FaultError(ValueError):
    """A list of faults that cannot be read, with what can be said instead."""


def choice(*words: str) -> Any:
    """Declare an option that takes one of some words, the first where it is not given."""
    return field(default=words[0], metadata={"words": words})


@dataclass
class Fault(ABC):
    """Something that goes wrong with some of the page requests.

    Attributes:
        every: It strikes each so many-th request; 1 is every one.
        after: It leaves so many requests alone first.
        times: It strikes at most so often; 0 is without end.
        place: Where given, it strikes only pages that would show the item at this place of the list.
    """

    name: ClassVar[str]
    every: int = 7
    after: int = 0
    times: int = 0
    place: int = -1
    _struck: int = field(default=0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __call__(self, request: Request, respond: Respond) -> Response:
        """Answer a request, wrongly where it is struck."""
        return self.answer(request, respond) if self._strikes(request) else respond(request)

    @abstractmethod
    def answer(self, request: Request, respond: Respond) -> Response:
        """Answer a request that is struck; `respond` gives what would be answered without the fault."""

    def _strikes(self, request: Request) -> bool:
        turn = request.number - self.after
        if turn <= 0 or turn % self.every:
            return False
        if self.place >= 0 and not request.offset <= self.place < request.offset + request.limit:
            return False
        with self._lock:
            if self.times and self._struck >= self.times:
                return False
            self._struck += 1
            return True


def line(kind: type[Fault]) -> str:
    """What a fault does, in one line."""
    return (kind.__doc__ or "").partition("\n")[0]


def options(kind: type[Fault]) -> list[str]:
    """How often a fault strikes and its own options, as in `every=7`, `wait=1` or `form=seconds|date`."""
    common = {one.name for one in fields(Fault)} - {"every"}
    return [
        f"{one.name}={'|'.join(one.metadata.get('words', ())) or one.default}"
        for one in fields(kind)
        if one.init and one.name not in common
    ]


def parse(text: str, known: Mapping[str, type[Fault]]) -> list[Fault]:
    """Read a list of faults such as `rate_limit,server_error:every=5,slow:seconds=0.5:times=3`.

    Raises:
        FaultError: An unknown fault or option, or a value that the option does not take.
    """
    return [_fault(part.strip(), known) for part in text.split(",") if part.strip()]


def _fault(text: str, known: Mapping[str, type[Fault]]) -> Fault:
    name, *settings = text.split(":")
    kind = known.get(name)
    if kind is None:
        msg = f"unknown fault {name!r}; known are {', '.join(sorted(known))}"
        raise FaultError(msg)
    own = {one.name: one for one in fields(kind) if one.init}
    given: dict[str, Any] = {}
    for setting in settings:
        option, _, value = setting.partition("=")
        if option not in own:
            msg = f"{name} has no option {option!r}; it has {', '.join(own)}"
            raise FaultError(msg)
        given[option] = _value(f"{name}:{option}", value, own[option].default, own[option].metadata.get("words"))
    numbers = [value for value in given.values() if not isinstance(value, str)]
    if given.get("every", 1) < 1 or min(numbers, default=0) < 0:
        msg = f"{text!r}: every is at least 1, and nothing is below 0"
        raise FaultError(msg)
    return kind(**given)


def _value(what: str, text: str, default: object, words: tuple[str, ...] | None) -> object:
    if words:
        if text not in words:
            msg = f"{what} takes {', '.join(words)}, not {text!r}"
            raise FaultError(msg)
        return text
    try:
        return float(text) if isinstance(default, float) else int(text)
    except ValueError:
        msg = f"{what} takes a number, not {text!r}"
        raise FaultError(msg) from None
