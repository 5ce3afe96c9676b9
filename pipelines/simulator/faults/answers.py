"""Faults of an answer with status 200: how it comes over the wire, and a body that shows no page."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import ClassVar

from pipelines.simulator.faults.fault import Fault, choice
from pipelines.simulator.messages import Request, Respond, Response

HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser.</body></html>"
_PLAIN = {"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "identity"}
_ZIPPED = {"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "gzip"}


@dataclass
class Refused(Fault):
    """The connection is reset before there is an answer."""

    name: ClassVar[str] = "refused"

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return Response(503, b"", silent=True)


@dataclass
class Disconnect(Fault):
    """The connection is closed in the middle of the body."""

    name: ClassVar[str] = "disconnect"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return replace(respond(request), sent_bytes=100)


@dataclass
class Reset(Fault):
    """The connection is reset in the middle of the body."""

    name: ClassVar[str] = "reset"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return replace(respond(request), sent_bytes=100, reset=True)


@dataclass
class Slow(Fault):
    """The answer takes `seconds` longer."""

    name: ClassVar[str] = "slow"
    seconds: float = 2.0

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        request.stopping.wait(self.seconds)
        return respond(request)


@dataclass
class Trickle(Fault):
    """The body comes byte by byte, one every `seconds`."""

    name: ClassVar[str] = "trickle"
    seconds: float = 10.0

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        return replace(respond(request), pause=self.seconds)


@dataclass
class Truncated(Fault):
    """200 and a Content-Length that fits, but the JSON ends in the middle."""

    name: ClassVar[str] = "truncated"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        whole = respond(request)
        return replace(whole, body=whole.body[: len(whole.body) // 2])


@dataclass
class WrongLength(Fault):
    """A Content-Length that is too long, or too short, for the body."""

    name: ClassVar[str] = "wrong_length"
    form: str = choice("long", "short")

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        whole = respond(request)
        length = len(whole.body) + 100 if self.form == "long" else len(whole.body) // 2
        return replace(whole, headers={**_PLAIN, "Content-Length": str(length)}, sent_bytes=len(whole.body))


@dataclass
class BrokenChunk(Fault):
    """A body in chunks, the last of which breaks off."""

    name: ClassVar[str] = "broken_chunk"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        whole = respond(request).body
        half, rest = whole[: len(whole) // 2], whole[len(whole) // 2 :]
        body = b"%x\r\n%b\r\n%x\r\n%b" % (len(half), half, len(rest) + 100, rest)
        return Response(200, body, {**_PLAIN, "Transfer-Encoding": "chunked"}, sent_bytes=len(body))


@dataclass
class Bomb(Fault):
    """A body that is unpacked to `mb` megabytes of white space."""

    name: ClassVar[str] = "bomb"
    mb: int = 1_000

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        packer = zlib.compressobj(1, wbits=31)
        body = b"".join(packer.compress(b" " * 1_000_000) for _ in range(self.mb)) + packer.flush()
        return Response(200, body, _ZIPPED)


@dataclass
class BadGzip(Fault):
    """A body that says gzip and is corrupt, cut off, or plain."""

    name: ClassVar[str] = "bad_gzip"
    form: str = choice("corrupt", "cut", "plain")

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        plain = respond(request).body
        packed = gzip.compress(plain, compresslevel=1, mtime=0)
        middle = len(packed) // 2
        bodies = {
            "corrupt": packed[:middle] + bytes(byte ^ 0xFF for byte in packed[middle:]),
            "cut": packed[:middle],
            "plain": plain,
        }
        return Response(200, bodies[self.form], _ZIPPED)


@dataclass
class Html(Fault):
    """200 and a web page, as from a proxy in between."""

    name: ClassVar[str] = "html"

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        return Response(200, HTML, {"Content-Type": "text/html; charset=utf-8"})


@dataclass
class OddBody(Fault):
    """200 and a body without a list of calls: nothing at all, null, a list, an object, or one that reports an error."""

    name: ClassVar[str] = "odd_body"
    form: str = choice("empty", "null", "list", "object", "error")

    def answer(self, _request: Request, _respond: Respond) -> Response:
        """See Fault."""
        bodies = {"empty": b"", "null": b"null", "list": b"[]", "object": b"{}", "error": b'{"error":"try later"}'}
        return Response(200, bodies[self.form])


@dataclass
class ContentType(Fault):
    """A page whose Content-Type is wrong, missing, or names another charset."""

    name: ClassVar[str] = "content_type"
    every: int = 1
    form: str = choice("wrong", "missing", "charset")

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        said = {
            "wrong": {"Content-Type": "text/plain"},
            "charset": {"Content-Type": "application/json; charset=utf-16"},
        }
        return replace(respond(request), headers=said.get(self.form, {}))


@dataclass
class ByteOrderMark(Fault):
    """A page behind a byte order mark and white space."""

    name: ClassVar[str] = "byte_order_mark"
    every: int = 1

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        whole = respond(request)
        return replace(whole, body=b"\xef\xbb\xbf \r\n\t" + whole.body + b"\n")


@dataclass
class BadUtf8(Fault):
    """A page in whose first call a text is no UTF-8."""

    name: ClassVar[str] = "bad_utf8"

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        whole = respond(request)
        return replace(whole, body=re.sub(rb'"status":\s*"', b'"status":"\xff\xfe', whole.body, count=1))


@dataclass
class SkewedClock(Fault):
    """The API's clock is `hours` ahead, or behind."""

    name: ClassVar[str] = "skewed_clock"
    every: int = 1
    hours: float = 3.0
    form: str = choice("ahead", "behind")

    def answer(self, request: Request, respond: Respond) -> Response:
        """See Fault."""
        skew = timedelta(hours=self.hours if self.form == "ahead" else -self.hours)
        return respond(request).with_headers(Date=format_datetime(datetime.now(UTC) + skew, usegmt=True))
