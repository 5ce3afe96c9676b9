"""Faults of HTTP: rate limits, outages, refusals and redirects, broken connections, and bodies that are no page."""

from __future__ import annotations

import gzip
import re
import threading
import time
import zlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import urlsplit

from pipelines.simulator.faults.fault import Fault, choice
from pipelines.simulator.messages import Request, Respond, Response, error

HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser.</body></html>"
_PLAIN = {"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "identity"}
_ZIPPED = {"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "gzip"}


def _with_retry_after(answer: Response, wait: float, form: str) -> Response:
    """Return the answer with a Retry-After header: seconds, a date, nonsense, or no header."""
    if form == "absent":
        return answer
    if form == "garbage":
        return answer.with_headers(Retry_After="soon")
    if form == "seconds":
        return answer.with_headers(Retry_After=f"{wait:g}")
    now = answer.headers.get("Date")
    moment = parsedate_to_datetime(now) if now else datetime.now(UTC)
    return answer.with_headers(
        Date=format_datetime(moment, usegmt=True),
        Retry_After=format_datetime(moment + timedelta(seconds=wait), usegmt=True),
    )


@dataclass
class RateLimit(Fault, name="rate_limit"):
    """429 with a Retry-After of `wait` seconds; `form` is how the header says it."""

    wait: float = 1.0
    form: str = choice("seconds", "date", "garbage", "absent")

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        return _with_retry_after(error(429, "Too many requests"), self.wait, self.form)


@dataclass
class Unavailable(Fault, name="unavailable"):
    """503 with a Retry-After of `wait` seconds; `form` is how the header says it."""

    wait: float = 3_600.0
    form: str = choice("seconds", "date", "garbage", "absent")

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        return _with_retry_after(error(503, "Down for maintenance"), self.wait, self.form)


@dataclass
class Quota(Fault, name="quota"):
    """`limit` requests in each `seconds`, reported in X-RateLimit headers; beyond them 429 without Retry-After."""

    every: int = 1
    limit: int = 5
    seconds: float = 1.0
    form: str = choice("seconds", "epoch")
    _began: float = field(default=0.0, init=False, repr=False)
    _used: int = field(default=0, init=False, repr=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def _answer(self, request: Request, respond: Respond) -> Response:
        with self._counting:
            now = time.monotonic()
            if now >= self._began + self.seconds:
                self._began, self._used = now, 0
            self._used += 1
            left = self.limit - self._used
            reset = self._began + self.seconds - now
        answer = respond(request) if left >= 0 else error(429, "Too many requests")
        shown = f"{reset:.3f}" if self.form == "seconds" else f"{time.time() + reset:.3f}"
        return answer.with_headers(
            X_RateLimit_Limit=str(self.limit), X_RateLimit_Remaining=str(max(left, 0)), X_RateLimit_Reset=shown
        )


@dataclass
class ServerError(Fault, name="server_error"):
    """500."""

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        return error(500, "Internal server error")


@dataclass
class Unauthorized(Fault, name="unauthorized"):
    """401, as after a key was revoked."""

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        return error(401, "Unauthorized")


@dataclass
class RotatedKey(Unauthorized, name="rotated_key"):
    """401 from the fourth request on, as when the key is replaced in the middle of a scan."""

    every: int = 1
    after: int = 3


@dataclass
class Status(Fault, name="status"):
    """Any other status, `code`."""

    code: int = 404

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        return error(self.code, "No")


@dataclass
class Redirect(Fault, name="redirect"):
    """307 to the same list elsewhere on the server, to another host, to https, or in a circle."""

    every: int = 1
    form: str = choice("same", "host", "https", "circle")

    def _answer(self, request: Request, respond: Respond) -> Response:
        asked = urlsplit(request.path)
        here = request.headers.get("host", "127.0.0.1")
        if self.form == "same" and asked.path.endswith("/"):
            return respond(request)
        to = {
            "same": f"{asked.path}/",
            "host": f"http://elsewhere.invalid{request.path}",
            "https": f"https://{here}{request.path}",
            "circle": request.path,
        }
        return error(307, "Moved").with_headers(Location=to[self.form])


@dataclass
class Refused(Fault, name="refused"):
    """The connection is reset before there is an answer."""

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        return Response(503, b"", silent=True)


@dataclass
class Disconnect(Fault, name="disconnect"):
    """The connection is closed in the middle of the body."""

    def _answer(self, request: Request, respond: Respond) -> Response:
        return replace(respond(request), sent_bytes=100)


@dataclass
class Reset(Fault, name="reset"):
    """The connection is reset in the middle of the body."""

    def _answer(self, request: Request, respond: Respond) -> Response:
        return replace(respond(request), sent_bytes=100, reset=True)


@dataclass
class Slow(Fault, name="slow"):
    """The answer takes `seconds` longer."""

    seconds: float = 2.0

    def _answer(self, request: Request, respond: Respond) -> Response:
        request.stopping.wait(self.seconds)
        return respond(request)


@dataclass
class Trickle(Fault, name="trickle"):
    """The body comes byte by byte, one every `seconds`."""

    seconds: float = 10.0

    def _answer(self, request: Request, respond: Respond) -> Response:
        return replace(respond(request), pause=self.seconds)


@dataclass
class Truncated(Fault, name="truncated"):
    """200 and a Content-Length that fits, but the JSON ends in the middle."""

    def _answer(self, request: Request, respond: Respond) -> Response:
        whole = respond(request)
        return replace(whole, body=whole.body[: len(whole.body) // 2])


@dataclass
class WrongLength(Fault, name="wrong_length"):
    """A Content-Length that is too long, or too short, for the body."""

    form: str = choice("long", "short")

    def _answer(self, request: Request, respond: Respond) -> Response:
        whole = respond(request)
        length = len(whole.body) + 100 if self.form == "long" else len(whole.body) // 2
        return replace(whole, headers={**_PLAIN, "Content-Length": str(length)}, sent_bytes=len(whole.body))


@dataclass
class BrokenChunk(Fault, name="broken_chunk"):
    """A body in chunks, the last of which breaks off."""

    def _answer(self, request: Request, respond: Respond) -> Response:
        whole = respond(request).body
        half, rest = whole[: len(whole) // 2], whole[len(whole) // 2 :]
        body = b"%x\r\n%b\r\n%x\r\n%b" % (len(half), half, len(rest) + 100, rest)
        return Response(200, body, {**_PLAIN, "Transfer-Encoding": "chunked"}, sent_bytes=len(body))


@dataclass
class Bomb(Fault, name="bomb"):
    """A body that is unpacked to `mb` megabytes of white space."""

    mb: int = 1_000

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        packer = zlib.compressobj(1, wbits=31)
        body = b"".join(packer.compress(b" " * 1_000_000) for _ in range(self.mb)) + packer.flush()
        return Response(200, body, _ZIPPED)


@dataclass
class BadGzip(Fault, name="bad_gzip"):
    """A body declared as gzip that is corrupt, cut short, or plain."""

    form: str = choice("corrupt", "cut", "plain")

    def _answer(self, request: Request, respond: Respond) -> Response:
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
class Html(Fault, name="html"):
    """200 and a web page, as from a proxy in between."""

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        return Response(200, HTML, {"Content-Type": "text/html; charset=utf-8"})


@dataclass
class OddBody(Fault, name="odd_body"):
    """200 and a body without a list of calls: nothing at all, null, a list, an object, or one that reports an error."""

    form: str = choice("empty", "null", "list", "object", "error")

    def _answer(self, _request: Request, _respond: Respond) -> Response:
        bodies = {"empty": b"", "null": b"null", "list": b"[]", "object": b"{}", "error": b'{"error":"try later"}'}
        return Response(200, bodies[self.form])


@dataclass
class ContentType(Fault, name="content_type"):
    """A page whose Content-Type is wrong, missing, or names another charset."""

    every: int = 1
    form: str = choice("wrong", "missing", "charset")

    def _answer(self, request: Request, respond: Respond) -> Response:
        headers = {
            "wrong": {"Content-Type": "text/plain"},
            "charset": {"Content-Type": "application/json; charset=utf-16"},
        }
        return replace(respond(request), headers=headers.get(self.form, {}))


@dataclass
class ByteOrderMark(Fault, name="byte_order_mark"):
    """A page behind a byte order mark and white space."""

    every: int = 1

    def _answer(self, request: Request, respond: Respond) -> Response:
        whole = respond(request)
        return replace(whole, body=b"\xef\xbb\xbf \r\n\t" + whole.body + b"\n")


@dataclass
class BadUtf8(Fault, name="bad_utf8"):
    """A page in whose first call a text is no UTF-8."""

    def _answer(self, request: Request, respond: Respond) -> Response:
        whole = respond(request)
        return replace(whole, body=re.sub(rb'"status":\s*"', b'"status":"\xff\xfe', whole.body, count=1))


@dataclass
class SkewedClock(Fault, name="skewed_clock"):
    """The API's clock is `hours` ahead, or behind."""

    every: int = 1
    hours: float = 3.0
    form: str = choice("ahead", "behind")

    def _answer(self, request: Request, respond: Respond) -> Response:
        skew = timedelta(hours=self.hours if self.form == "ahead" else -self.hours)
        return respond(request).with_headers(Date=format_datetime(datetime.now(UTC) + skew, usegmt=True))
