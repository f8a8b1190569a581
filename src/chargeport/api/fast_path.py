"""The fast path: plain signal reads, answered by the protocol as soon as their head is parsed.

It handles exactly the plain requests (GET, no query) for `[/v3]/vehicles/{id}/signals[/{code}]`. The router has the same routes
and answers them with the same functions; `tests/api/test_fast_path_equals_router.py` checks that the two are equal, byte for
byte. The most frequent read (one signal, for a reader of every vehicle whose token is cached) is answered without a coroutine,
and its head is one template. It is the most frequent request by far: a microsecond here is a twentieth of a read.
"""

import re
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NamedTuple, Self

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from chargeport.api.error_boundary import ErrorBoundary
from chargeport.api.head_rules import NOT_PLAIN
from chargeport.api.links import Links
from chargeport.api.rate_limits import REQUESTS
from chargeport.api.reads import ReadRequest, Reads, etag
from chargeport.api.response import Header, Response, answer
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal
from chargeport.tasks import without_waiting

ONE: Final = "/vehicles/{vehicle_id}/signals/{code}"
ALL: Final = "/vehicles/{vehicle_id}/signals"

_ONE: Final = (ONE, 200)
_ALL: Final = (ALL, 200)
_LINE: Final = b": ".join  # name and value of a header
_MARK: Final = b"\0"  # occurs in no header

_REPEATED_LINE: Final = re.compile(rb"GET (/[!-\"$&->@-~]*) HTTP/1\.1")  # a path without percent-encoding and query
_HEAD_END: Final = b"\r\n\r\n"
_NOTHING_REPEATED: Final = b""  # never follows the first line of a request


class Head(NamedTuple):
    """The relevant parts of the head of a request besides its path."""

    base: str
    authorization: bytes | None
    user_id: bytes | None
    if_none_match: bytes | None
    headers: dict[bytes, bytes]
    client: str | None

    @classmethod
    def of(cls, headers: dict[bytes, bytes], links: Links, scheme: str, client: str | None) -> Self:
        """Return the relevant headers of a request on a connection of this client."""
        base = links.quick(scheme, headers.get(b"host", b"")) or links.base(scheme, client, [*headers.items()])
        authorization, user_id = headers.get(b"authorization"), headers.get(b"sc-user-id")
        return cls(base, authorization, user_id, headers.get(b"if-none-match"), headers, client)


class FastPath:
    """Answer plain signal reads: without waiting if the store supports it, else without the router."""

    def __init__(self, reads: Reads, errors: ErrorBoundary) -> None:
        self._reads = reads
        self._errors = errors
        self._is_usual = not errors.rate_limits.has(REQUESTS)  # else answers need the remaining quota
        self._defaults: Sequence[Header] = ()
        self._template = _template(())

    def answer(self, path: str, head: Head, defaults: Sequence[Header] = ()) -> bytes | None:
        """Return the whole answer to a GET of a path without a query; None if the router has to answer it.

        `defaults` are the headers that the web server puts before ours.
        """
        found = target(path) if self._reads.are_immediate else None
        if found is None:
            return None
        vehicle_id, code = found
        request_id = next(self._errors.request_ids)
        signal = None if code is None else BY_CODE.get(code)
        if (
            self._is_usual and head.user_id is None and head.if_none_match is None
            and (signal is not None or code is None)
        ):  # fmt: skip
            body = self._plain(vehicle_id, signal, head)
            if body is not None:
                self._errors.answered[_ALL if signal is None else _ONE] += 1
                if defaults is not self._defaults:
                    self._defaults, self._template = defaults, _template(defaults)
                return self._template % (len(body), request_id.encode(), etag(body), body)
        read = ReadRequest(vehicle_id, code, head.base, request_id, head.authorization, head.user_id, head.if_none_match)
        given = without_waiting(self._guarded(read, head))
        return None if given is None else written(given, defaults)

    async def later(self, scope: Scope) -> Response | None:
        """Return the answer to a request that the protocol passed on, for a store that has to be awaited; None as `answer`.

        The other work of the router takes as long as the read.
        """
        if not self._reads.have_to_wait or scope["method"] != "GET" or scope["query_string"] or b"%" in scope["raw_path"]:
            return None
        found, headers = target(scope["path"]), dict(scope["headers"])
        if found is None or not NOT_PLAIN.isdisjoint(headers):
            return None
        client = scope.get("client")
        head = Head.of(headers, self._errors.links, scope["scheme"], client[0] if client else None)
        request_id = next(self._errors.request_ids)
        read = ReadRequest(*found, head.base, request_id, head.authorization, head.user_id, head.if_none_match)
        return await self._guarded(read, head)

    def _plain(self, vehicle_id: str, signal: Signal | None, head: Head) -> bytes | None:
        """Return the body of the most frequent read; None for any other read and for errors."""
        try:
            return self._reads.usual(vehicle_id, signal, head.base, head.authorization)
        except Exception:  # noqa: BLE001  (the complete path meets it again, and answers it)
            return None

    def _guarded(self, read: ReadRequest, head: Head) -> Coroutine[Any, Any, Response]:
        errors, allowance = self._errors, self._errors.rate_limits.allowance(REQUESTS)
        return errors.guarded(
            ONE if read.code else ALL,
            self._reads.answer(read, allowance),
            read.request_id,
            read.base,
            lambda: errors.links.client(head.client, [*head.headers.items()]),
            allowance=allowance,
        )


def target(path: str) -> tuple[str, str | None] | None:
    """Return vehicle id and code of a signal read; None for any other path."""
    parts = path.removesuffix("/").removeprefix("/v3").split("/")
    if len(parts) == 5:  # noqa: PLR2004
        start, vehicles, vehicle_id, signals, code = parts
    elif len(parts) == 4:  # noqa: PLR2004
        (start, vehicles, vehicle_id, signals), code = parts, None
    else:
        return None
    if start or vehicles != "vehicles" or signals != "signals" or not vehicle_id or code == "":
        return None
    return vehicle_id, code


def written(answer: Response, defaults: Sequence[Header]) -> bytes:
    """Return an answer as bytes on the wire, exactly as uvicorn would write it."""
    lines = b"\r\n".join(map(_LINE, (*defaults, *answer.headers)))
    return b"%b%b\r\n\r\n%b" % (STATUS_LINE[answer.status], lines, answer.body)


def _template(defaults: Sequence[Header]) -> bytes:
    """Return the template of an answer, with placeholders for the length of its body, the request's id, ETag and body."""
    mark = _MARK.decode()
    whole = written(answer(200, b"", mark, (b"etag", _MARK)), defaults).replace(b"%", b"%%")
    return whole.replace(b"content-length: 0", b"content-length: %d").replace(_MARK, b"%b") + b"%b"


class RepeatedHead:
    """The head of the last plain read on a connection, stored so that its headers need not be parsed again.

    The parser has no state between two requests, so requests that are answered from here can bypass it.
    """

    __slots__ = ("_begun", "_head", "_rest")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Discard the head: another request is parsed now."""
        self._head: Head | None = None
        self._rest = _NOTHING_REPEATED
        self._begun = 0

    def begins(self) -> None:
        """Count another request that begins in the parsed data."""
        self._begun += 1

    def was_answered(self, head: Head) -> None:
        """Store the head of a plain read that was answered."""
        self._head = head

    def note(self, data: bytes) -> None:
        """Store the text of the head, if the parsed data is exactly one plain read that was answered."""
        line, _, rest = data.partition(b"\r\n")
        if (
            self._head is not None
            and self._begun == 1
            and rest.find(_HEAD_END) == len(rest) - len(_HEAD_END)
            and _REPEATED_LINE.fullmatch(line)
        ):
            self._rest = rest

    def found(self, data: bytes) -> tuple[str, Head] | None:
        """Return the path and head of a request whose head equals the last one except for the path; None for any other."""
        line, _, rest = data.partition(b"\r\n")
        path = _REPEATED_LINE.fullmatch(line) if rest == self._rest else None
        return None if path is None or self._head is None else (path[1].decode(), self._head)
