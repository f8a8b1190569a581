"""Responses: status, headers and body, independent of the transport of requests; and streams of parts."""

import asyncio
import itertools
import re
import uuid
import zlib
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any, Final

import msgspec
from starlette.responses import Response as StarletteResponse
from starlette.types import Receive, Scope, Send

from chargeport.wire.encoding import encode

Header = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
# A client may cache an answer but must revalidate it, which is cheap with the ETag.
_ALWAYS: Final[tuple[Header, ...]] = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"authorization, host, sc-user-id"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),  # a path contains the id of a vehicle
)
# A stream must not be cached, and no proxy may buffer it.
_STREAMED: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    *_ALWAYS[1:],
    (b"x-accel-buffering", b"no"),
)
_BODILESS: Final = (204, 304)  # without headers about a body, which would describe that of another answer (RFC 9110, 8.6)


_GZIP: Final = re.compile(rb"(?:^|[\s,])(?:x-)?gzip(?!\s*;\s*q=0(?:\.0*)?(?:[\s,]|$))")
_WORTH_IT: Final = 1024  # bytes: less fits into one packet without compression
_GZIP_FORM: Final = 16 + zlib.MAX_WBITS
_SMALL_GZIP_FORM: Final = 16 + 12  # a window of 4 kB: 32 kB of memory for each stream


class Response(msgspec.Struct, frozen=True):
    """A complete response; or, with `parts`, the head of a response that lasts until they end."""

    status: int
    headers: list[Header]
    body: bytes = b""
    parts: AsyncGenerator[bytes, None] | None = None


def request_ids() -> "itertools.chain[str]":
    """Return endless ids in the form of a UUID: random per process, then counted, which takes a tenth of the time of a UUID."""
    prefix = str(uuid.uuid4())[:-12]
    first = uuid.uuid4().node & 0x0FFF_FFFF_FFFF
    return itertools.chain(f"{prefix}{number & 0xFFFF_FFFF_FFFF:012x}" for number in itertools.count(first))


def answer(status: int, body: bytes, request_id: str, *headers: Header, kind: Header = JSON) -> Response:
    """Return a response with the headers that all responses have."""
    about = [] if status in _BODILESS else [kind, (b"content-length", b"%d" % len(body))]
    return Response(status, [*about, (b"sc-request-id", request_id.encode()), *_ALWAYS, *headers], body)


def takes_gzip(accepted: bytes | None) -> bool:
    """Return whether a client that sent this Accept-Encoding reads gzip.

    >>> takes_gzip(b"gzip, deflate, br"), takes_gzip(b"br;q=1, gzip;q=0"), takes_gzip(None)
    (True, False, False)
    """
    return accepted is not None and _GZIP.search(accepted.lower()) is not None


def gzipped(body: bytes) -> bytes:
    """Return the body as gzip."""
    packing = zlib.compressobj(6, zlib.DEFLATED, _GZIP_FORM)
    return packing.compress(body) + packing.flush()


def packed_answer(accepted: bytes | None, body: bytes, request_id: str, *headers: Header, kind: Header = JSON) -> Response:
    """Return a response that is compressed if it is long and this Accept-Encoding allows it."""
    if len(body) >= _WORTH_IT:
        headers = (*headers, (b"vary", b"accept-encoding"))
        if takes_gzip(accepted):
            headers, body = (*headers, (b"content-encoding", b"gzip")), gzipped(body)
    return answer(200, body, request_id, *headers, kind=kind)


def json_answer(status: int, body: Any, request_id: str, headers: Iterable[Header] = ()) -> Response:
    """Return a response with a JSON body (builtins or structs)."""
    return answer(status, encode(body), request_id, *headers)


def event_answer(parts: AsyncGenerator[bytes, None], request_id: str, accepted: bytes | None = None) -> Response:
    """Return a stream of server-sent events, compressed if this Accept-Encoding allows it."""
    headers = [(b"sc-request-id", request_id.encode()), *_STREAMED, (b"vary", b"accept-encoding")]
    if not takes_gzip(accepted):
        return Response(200, headers, parts=parts)
    return Response(200, [*headers, (b"content-encoding", b"gzip")], parts=_gzipped_parts(parts))


def file_answer(
    parts: AsyncGenerator[bytes, None], request_id: str, name: str, kind: Header, accepted: bytes | None = None
) -> Response:
    """Return a file of unknown length, compressed if this Accept-Encoding allows it."""
    named = (b"content-disposition", f'attachment; filename="{name}"'.encode())
    headers = [header for header in answer(200, b"", request_id, named, kind=kind).headers if header[0] != b"content-length"]
    if takes_gzip(accepted):
        packed = [*headers, (b"vary", b"accept-encoding"), (b"content-encoding", b"gzip")]
        return Response(200, packed, parts=_gzipped_parts(parts))
    return Response(200, headers, parts=parts)


async def _gzipped_parts(parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield each part compressed so that it can be read immediately. Events resemble each other: they shrink to a tenth."""
    packing = zlib.compressobj(6, zlib.DEFLATED, _SMALL_GZIP_FORM, 5)
    async with aclosing(parts):
        async for part in parts:
            yield packing.compress(part) + packing.flush(zlib.Z_SYNC_FLUSH)
    yield packing.flush()


class EndlessResponse(StarletteResponse):
    """Send the parts of an answer, each when the client can receive it. Starlette's class needs twice as many tasks."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all parts, or stop when the client has disconnected."""
        await send({"type": "http.response.start", "status": self._answer.status, "headers": self._answer.headers})
        if scope["method"] != "HEAD":
            try:
                await self._send_parts(receive, send)
            except TimeoutError:  # by `_hang_up`: the client has disconnected
                return
        await send({"type": "http.response.body", "body": b""})

    async def _send_parts(self, receive: Receive, send: Send) -> None:
        assert self._answer.parts is not None  # noqa: S101  (what makes it an endless one)
        async with asyncio.timeout(None) as connected, aclosing(self._answer.parts) as parts:
            listening = asyncio.create_task(_hang_up(receive, connected))
            try:
                async for part in parts:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            finally:
                listening.cancel()


async def _hang_up(receive: Receive, connected: asyncio.Timeout) -> None:
    """Stop the sending when the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    connected.reschedule(0)
