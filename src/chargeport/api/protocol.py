"""The read lane one floor further down: uvicorn's own HTTP protocol, which answers plain signal reads where their headers end.

What ASGI adds to a request (a scope, a task, two messages) costs more than the read itself. Here the parser has just finished
the headers; if they are those of a plain read on an idle connection, the lane's answer is written at once. Every other request
goes on untouched: the lane and the router behind it answer it with the same function.
"""

import asyncio
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from chargeport.api.fast_path import FastPath, target
from chargeport.api.response import Response
from chargeport.errors import HEAD_TOO_LARGE, MALFORMED, TOO_SLOW, Problem

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

MAX_HEAD_BYTES: Final = 65_536  # of path and headers together: what proxies allow at most
HEAD_WITHIN_S: Final = 10
STALLED_S: Final = 1.0  # after a stop: who has not read by then what was sent to him is cut off

# Headers that make a request more than a plain read: it has a body, or wants something of the connection.
_SPECIAL: Final = re.compile(rb"[%?#]")
_NOT_PLAIN: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"connection"})


class LaneProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a short way for signal reads. Needs a FastPath as its application."""

    _has_more = False
    _in_head = True
    _head_bytes = 0
    _began_at = 0.0
    _answered_at = 0.0
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, and look after it: one timer looks again and again, since one a request costs more."""
        super().connection_made(transport)
        self._answered_at = self.loop.time()
        self._watch = self.loop.call_later(self.timeout_keep_alive, self._look_after)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server stops: whoever does not read what was sent to him is not waited for as long as the others."""
        super().shutdown()
        self.loop.call_later(STALLED_S, self._cut_if_stalled)

    def _cut_if_stalled(self) -> None:
        if self.flow.write_paused:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse what came; refuse a head that is too long before it fills the memory."""
        if self._in_head:
            if self._head_bytes == 0:
                self._began_at = self.loop.time()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(Problem(HEAD_TOO_LARGE, f"Path and headers are more than {MAX_HEAD_BYTES} bytes."))

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over; it is not ours any more to look after, and silence is no reason to close it."""
        if self._watch is not None:
            self._watch.cancel()
        super().handle_websocket_upgrade()

    def _look_after(self) -> None:
        """Close a connection that asks nothing, or that takes too long to say what it asks."""
        if self.transport.is_closing():
            return
        now = self.loop.time()
        if self._in_head and self._head_bytes and now - self._began_at >= HEAD_WITHIN_S:
            self._refuse(Problem(TOO_SLOW, f"Path and headers were not there within {HEAD_WITHIN_S} s."))
        elif self._in_head and not self._head_bytes and now - self._answered_at >= self.timeout_keep_alive and self._is_idle():
            self.timeout_keep_alive_handler()
        else:
            self._watch = self.loop.call_later(self.timeout_keep_alive / 2, self._look_after)

    def _refuse(self, problem: Problem) -> None:
        """Response in our own words what never became a request, and hang up."""
        if isinstance(self.app, FastPath) and not self.transport.is_closing() and self._is_idle():
            answer = self.app.refusal(problem, self.scheme or "http")
            self.transport.write(_bytes(answer, [*self.server_state.default_headers, (b"connection", b"close")]))
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Response what is not HTTP at all."""
        self._refuse(Problem(MALFORMED, msg))

    def on_response_complete(self) -> None:
        """Note when the last answer of uvicorn's own way was given."""
        self._answered_at = self.loop.time()
        super().on_response_complete()

    def on_message_complete(self) -> None:
        """What follows is the head of the next request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def on_message_begin(self) -> None:
        """Begin a request; the scope that a plain read does without is made in `_hand_on`."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._has_more = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header, and whether it makes the request more than a plain read."""
        name = name.lower()
        if name in _NOT_PLAIN:
            self._has_more = True
            self.expect_100_continue |= name == b"expect" and value.lower() == b"100-continue"
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Response a plain signal read; hand on everything else."""
        self._in_head = False
        if not self._is_plain() or not self._answered():
            self._hand_on()

    def _hand_on(self) -> None:
        """Let uvicorn have the request, in the state in which it would have it."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def _is_plain(self) -> bool:
        """Whether it is a GET of HTTP/1.1 without a body, on a connection that has nothing else under way."""
        return (
            not self._has_more
            and self.parser.get_method() == b"GET"
            and self.parser.get_http_version() == "1.1"
            and self._is_idle()
            and not self.flow.write_paused
        )

    def _is_idle(self) -> bool:
        """Whether the request before has been answered, if there was one."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _answered(self) -> bool:
        """Write the lane's answer, if the path is one of its own and the store needs no waiting for."""
        lane, url = self.app, self.url
        if not isinstance(lane, FastPath) or not lane.is_immediate or not url.isascii() or _SPECIAL.search(url):
            return False
        found = target(url.decode())
        if found is None:
            return False
        client = self.client[0] if self.client else None
        answer = _at_once(lane.answer(self.headers, self.scheme or "http", client, *found))
        if answer is None:
            lane.is_immediate = False  # a store behind a socket: asking it twice would cost more than the lane saves
            return False
        self.cycle = cast("RequestResponseCycle", _ANSWERED)
        self.transport.write(_bytes(answer, self.server_state.default_headers))
        self.server_state.total_requests += 1
        self._answered_at = self.loop.time()
        return True


# What uvicorn looks at of a request that is over, when the next one or the end of the connection comes.
_ANSWERED: Final = SimpleNamespace(response_complete=True, message_event=asyncio.Event())


def _at_once(work: "Coroutine[Any, Any, Response]") -> Response | None:
    """The result of a coroutine that need not wait for anything; None if it does."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    return None


def _bytes(answer: Response, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    """The answer as it goes over the wire, just as uvicorn would write it."""
    parts = [STATUS_LINE[answer.status]]
    for name, value in (*default_headers, *answer.headers):
        parts += (name, b": ", value, b"\r\n")
    parts += (b"\r\n", answer.body)
    return b"".join(parts)
