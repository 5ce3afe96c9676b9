"""What can go wrong on the way to the API and in its list, to be switched on by name.

A fault stands between a request and its answer: it sees the request, may ask for the real answer, and may give another.
"""

from __future__ import annotations

from pipelines.simulator.faults.answers import (
    HTML,
    BadGzip,
    BadUtf8,
    Bomb,
    BrokenChunk,
    ByteOrderMark,
    ContentType,
    Disconnect,
    Html,
    OddBody,
    Refused,
    Reset,
    SkewedClock,
    Slow,
    Trickle,
    Truncated,
    WrongLength,
)
from pipelines.simulator.faults.fault import Fault, FaultError, line, options, parse
from pipelines.simulator.faults.moves import Deletions, Insertions, Moves, Updates
from pipelines.simulator.faults.pages import (
    Clamp,
    Cycle,
    Duplicate,
    EmptyPage,
    IgnoreOffset,
    More,
    Ordered,
    OtherAccount,
    RepeatLast,
    ShortPage,
    Total,
)
from pipelines.simulator.faults.refusals import (
    Quota,
    RateLimit,
    Redirect,
    RotatedKey,
    ServerError,
    Status,
    Unauthorized,
    Unavailable,
)

_REFUSALS = (RateLimit, Unavailable, Quota, ServerError, Unauthorized, RotatedKey, Status, Redirect)
_CONNECTIONS = (Refused, Disconnect, Reset, Slow, Trickle, Truncated, WrongLength, BrokenChunk, Bomb, BadGzip)
_BODIES = (Html, OddBody, ContentType, ByteOrderMark, BadUtf8, SkewedClock)
_PAGES = (Clamp, More, EmptyPage, ShortPage, RepeatLast, IgnoreOffset, Cycle, Total, Ordered, Duplicate, OtherAccount)
_MOVES = (Insertions, Deletions, Moves, Updates)

FAULTS: dict[str, type[Fault]] = {kind.name: kind for kind in (*_REFUSALS, *_CONNECTIONS, *_BODIES, *_PAGES, *_MOVES)}

__all__ = [
    "FAULTS",
    "HTML",
    "BadGzip",
    "BadUtf8",
    "Bomb",
    "BrokenChunk",
    "ByteOrderMark",
    "Clamp",
    "ContentType",
    "Cycle",
    "Deletions",
    "Disconnect",
    "Duplicate",
    "EmptyPage",
    "Fault",
    "FaultError",
    "Html",
    "IgnoreOffset",
    "Insertions",
    "More",
    "Moves",
    "OddBody",
    "Ordered",
    "OtherAccount",
    "Quota",
    "RateLimit",
    "Redirect",
    "Refused",
    "RepeatLast",
    "Reset",
    "RotatedKey",
    "ServerError",
    "ShortPage",
    "SkewedClock",
    "Slow",
    "Status",
    "Total",
    "Trickle",
    "Truncated",
    "Unauthorized",
    "Unavailable",
    "Updates",
    "WrongLength",
    "line",
    "options",
    "parse_faults",
]


def parse_faults(text: str) -> list[Fault]:
    """Read a list of faults such as `rate_limit,server_error:every=5,slow:seconds=0.5:times=3`.

    Raises:
        FaultError: An unknown fault or option, or a value that the option does not take.
    """
    return parse(text, FAULTS)
