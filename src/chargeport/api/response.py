"""What is sent back: status, headers and body, the same for every way a request can come in."""

import itertools
import uuid
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Final

import msgspec

from chargeport.wire.encoding import encode

Header = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
# A client may keep an answer but must ask whether it still holds: the ETag makes that cheap.
_ALWAYS: Final[tuple[Header, ...]] = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"authorization, host, sc-user-id"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),  # a path names a vehicle
)
# A stream is of its moment: nothing may keep it, and no proxy may hold it back to fill a buffer.
_STREAMED: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    *_ALWAYS[1:],
    (b"x-accel-buffering", b"no"),
)
_BODILESS: Final = (204, 304)  # these say nothing of a body: what stood here would describe another answer's (RFC 9110, 8.6)


class Response(msgspec.Struct, frozen=True):
    """A whole response; or, where there are `parts`, the beginning of one that goes on until they end."""

    status: int
    headers: list[Header]
    body: bytes = b""
    parts: AsyncGenerator[bytes, None] | None = None


def request_ids() -> "itertools.chain[str]":
    """Endless ids in the form of a UUID: random for this process, then counted, which costs a tenth of a new one each."""
    prefix = str(uuid.uuid4())[:-12]
    first = uuid.uuid4().node & 0x0FFF_FFFF_FFFF
    return itertools.chain(f"{prefix}{number & 0xFFFF_FFFF_FFFF:012x}" for number in itertools.count(first))


def answer(status: int, body: bytes, request_id: str, *headers: Header, kind: Header = JSON) -> Response:
    """A response with the headers that every one has."""
    about = [] if status in _BODILESS else [kind, (b"content-length", b"%d" % len(body))]
    return Response(status, [*about, (b"sc-request-id", request_id.encode()), *_ALWAYS, *headers], body)


def json_answer(status: int, body: Any, request_id: str, headers: Iterable[Header] = ()) -> Response:
    """A response with a JSON body (builtins or structs)."""
    return answer(status, encode(body), request_id, *headers)


def event_answer(parts: AsyncGenerator[bytes, None], request_id: str) -> Response:
    """A stream of server-sent events."""
    return Response(200, [(b"sc-request-id", request_id.encode()), *_STREAMED], parts=parts)
