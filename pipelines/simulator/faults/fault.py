"""What all faults share: which requests they affect, and how a list of them is read from the command line."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final

from pipelines.simulator.messages import Request, Respond, Response


class FaultError(ValueError):
    """A list of faults that cannot be read; the message names what is allowed."""


def choice(*words: str) -> Any:
    """Declare an option with a fixed set of values; the first is the default."""
    return field(default=words[0], metadata={"words": words})


FAULTS: Final[dict[str, type[Fault]]] = {}
"""Every fault by its name, in the order of definition."""


@dataclass
class Fault(ABC):
    """Something that goes wrong with some of the page requests.

    A subclass with a `name` can be asked for by it.

    Attributes:
        every: Every so many-th request is affected; 1 is all of them.
        after: The first so many requests are not affected.
        times: At most so many requests are affected; 0 means no limit.
        place: If given, only pages that would show the item at this place of the list are affected.
    """

    name: ClassVar[str]
    every: int = 7
    after: int = 0
    times: int = 0
    place: int = -1
    _affected: int = field(default=0, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __init_subclass__(cls, *, name: str = "") -> None:
        super().__init_subclass__()
        if name:
            cls.name = name
            FAULTS[name] = cls

    def __call__(self, request: Request, respond: Respond) -> Response:
        """Answer a request; with the fault if it is affected."""
        return self._answer(request, respond) if self._affects(request) else respond(request)

    @abstractmethod
    def _answer(self, request: Request, respond: Respond) -> Response:
        """Answer an affected request; `respond` gives the answer without the fault."""

    def _affects(self, request: Request) -> bool:
        turn = request.number - self.after
        if turn <= 0 or turn % self.every:
            return False
        if self.place >= 0 and not request.offset <= self.place < request.offset + request.limit:
            return False
        with self._lock:
            if self.times and self._affected >= self.times:
                return False
            self._affected += 1
            return True


def line(kind: type[Fault]) -> str:
    """Return what a fault does, in one line."""
    return (kind.__doc__ or "").partition("\n")[0]


def options(kind: type[Fault]) -> list[str]:
    """Return `every` and the fault's own options with defaults, as in `every=7` or `form=seconds|date`."""
    common = {one.name for one in fields(Fault)} - {"every"}
    return [
        f"{one.name}={'|'.join(one.metadata.get('words', ())) or one.default}"
        for one in fields(kind)
        if one.init and one.name not in common
    ]


def parse_faults(text: str) -> list[Fault]:
    """Read a list of faults such as `rate_limit,server_error:every=5,slow:seconds=0.5:times=3`.

    Raises:
        FaultError: An unknown fault or option, or a value that the option does not take.
    """
    return [_fault(part.strip()) for part in text.split(",") if part.strip()]


def _fault(text: str) -> Fault:
    name, *settings = text.split(":")
    kind = FAULTS.get(name)
    if kind is None:
        msg = f"unknown fault {name!r}; known are {', '.join(sorted(FAULTS))}"
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
