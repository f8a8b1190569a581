"""Read a request's body, limited in size before and after decompression; and bodies in Smartcar's form."""

import asyncio
import zlib
from collections.abc import Coroutine
from typing import Any, Final, Generic, TypeVar, cast

import msgspec
from starlette.types import Message

from chargeport.api.body_budget import Held
from chargeport.api.request import Request
from chargeport.errors import MALFORMED, TOO_LARGE, TOO_SLOW, UNSUPPORTED_MEDIA, Problem
from chargeport.tasks import without_waiting

MAX_MEMBERS: Final = 64  # of one gzip body: each needs a copy of the following data

BODY_WITHIN_S: Final = 60  # 8 MiB at a megabit a second

_GZIP: Final = zlib.MAX_WBITS | 16

_UNEXPECTED: Final = "The body is not as expected"

T = TypeVar("T")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body, unpacked if it is gzip, never more than `max_bytes`. Raises Problem (400, 408, 413, 415, 503).

    The body of a caller without a token counts against a budget that all such callers share.
    """
    encoding = (request.header(b"content-encoding") or b"identity").decode("latin-1").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise Problem(UNSUPPORTED_MEDIA, f"The content encoding {encoding[:40]!r} is not understood: use gzip or none.")
    length = request.header(b"content-length") or b"0"
    if length.isdigit() and int(length[:20]) > max_bytes:
        raise _too_large(max_bytes)
    if request.is_authorized:
        body = await _received(request, max_bytes, None)
    else:
        with request.caller.bodies.held(request.caller.address) as held:
            body = await _received(request, max_bytes, held)
    return body if encoding == "identity" else unpacked(body, max_bytes)


async def _received(request: Request, max_bytes: int, held: Held | None) -> bytes:
    """Return the body as it was received. A small one has come with the head: no timer is needed then."""
    receive, received = request.raw.receive, _Received(max_bytes, held)
    message = without_waiting(cast("Coroutine[Any, Any, Message]", receive()))
    if message is not None and received.add(message):
        return received.body
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while not received.add(await receive()):
                pass
    except TimeoutError:
        raise Problem(TOO_SLOW, f"The body was not there within {BODY_WITHIN_S} s: send less at once.") from None
    return received.body


class _Received:
    """The parts of a body that have been received."""

    def __init__(self, max_bytes: int, held: Held | None) -> None:
        self._max_bytes = max_bytes
        self._held = held
        self._chunks: list[bytes] = []
        self._size = 0

    @property
    def body(self) -> bytes:
        return b"".join(self._chunks)

    def add(self, message: Message) -> bool:
        """Add the part of a message; return whether it was the last one. Raises Problem (400, 413, 503)."""
        if message["type"] == "http.disconnect":
            raise Problem(MALFORMED, "The connection ended before the body did.")
        chunk: bytes = message.get("body", b"")
        self._size += len(chunk)
        if self._size > self._max_bytes:
            raise _too_large(self._max_bytes)
        if self._held is not None:
            self._held.add(len(chunk))
        self._chunks.append(chunk)
        return not message.get("more_body", False)


def unpacked(body: bytes, max_bytes: int) -> bytes:
    """Return the unpacked body; unpacking stops at the limit, so a small bomb stays small."""
    parts: list[bytes] = []
    size = 0
    while body:
        if len(parts) == MAX_MEMBERS:
            raise Problem(MALFORMED, f"The body is made of more than {MAX_MEMBERS} gzip files: pack it as one.")
        unpacker = zlib.decompressobj(_GZIP)
        try:
            part = unpacker.decompress(body, max_bytes - size + 1)
        except zlib.error as error:
            raise Problem(MALFORMED, f"The body is not gzip, although Content-Encoding is gzip: {error}.") from None
        size += len(part)
        if size > max_bytes or unpacker.unconsumed_tail:
            raise _too_large(max_bytes)
        if not unpacker.eof:
            raise Problem(MALFORMED, "The gzip body ends too early.")
        parts.append(part)
        body = unpacker.unused_data  # gzip files may be concatenated
    return b"".join(parts)


def _too_large(max_bytes: int) -> Problem:
    return Problem(TOO_LARGE, f"The body is larger than {max_bytes} bytes: send it in parts.")


class Attributes(msgspec.Struct, frozen=True, rename="camel"):
    """The `data.attributes` of a body. Unknown members are ignored, as Smartcar does."""


class Data(msgspec.Struct, Generic[T], frozen=True):
    """The `data` of a body."""

    attributes: T


class Body(msgspec.Struct, Generic[T], frozen=True):
    """A whole body."""

    data: Data[T]


async def attributes(request: Request, form: type[T], max_bytes: int) -> T:
    """Return the `data.attributes` of the request's body. Raises Problem (400, 413)."""
    what = 'The body is not {"data": {"attributes": …}} as expected'
    body: Body[T] = await json_body(request, Body[form], max_bytes, wrong=what)  # type: ignore[valid-type]
    return body.data.attributes


async def json_body(
    request: Request,
    form: Any,
    max_bytes: int,
    *,
    wrong: str = "The body is not as expected",
    may_be_empty: bool = False,
) -> Any:
    """Return the body, JSON of the type `form`. Raises Problem (400, 413), whose detail begins with `wrong`.

    With `may_be_empty` an empty body is an object without members.
    """
    body = await read_body(request, max_bytes)
    try:
        return msgspec.json.decode(body or (b"{}" if may_be_empty else b""), type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(MALFORMED, f"{wrong}: {error}.") from None
