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

from chargeport.api.answer import Answer
from chargeport.api.lane import SignalLane, target

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

# Headers that make a request more than a plain read: it has a body, or wants something of the connection.
_SPECIAL: Final = re.compile(rb"[%?#]")
_NOT_PLAIN: Final = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"connection"})


class LaneProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a short way for signal reads. Needs a SignalLane as its application."""

    _has_more = False
    _answered_at = 0.0
    _idle_check: asyncio.TimerHandle | None = None

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
        """Answer a plain signal read; hand on everything else."""
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
        if not isinstance(lane, SignalLane) or not lane.is_immediate or not url.isascii() or _SPECIAL.search(url):
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
        if self._idle_check is None:
            self._idle_check = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)
        return True

    def _close_if_idle(self) -> None:
        """Close a connection that asked nothing for too long. One timer looks again and again: one a request costs more."""
        self._idle_check = None
        idle_s = self.loop.time() - self._answered_at
        if not self._is_idle() or self.timeout_keep_alive_task is not None:
            return  # uvicorn's own timer has taken over
        if idle_s >= self.timeout_keep_alive:
            self.timeout_keep_alive_handler()
        else:
            self._idle_check = self.loop.call_later(self.timeout_keep_alive - idle_s, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        if self._idle_check is not None:
            self._idle_check.cancel()
        super().connection_lost(exc)


# What uvicorn looks at of a request that is over, when the next one or the end of the connection comes.
_ANSWERED: Final = SimpleNamespace(response_complete=True, message_event=asyncio.Event())


def _at_once(work: "Coroutine[Any, Any, Answer]") -> Answer | None:
    """The result of a coroutine that need not wait for anything; None if it does."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    return None


def _bytes(answer: Answer, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    """The answer as it goes over the wire, just as uvicorn would write it."""
    parts = [STATUS_LINE[answer.status]]
    for name, value in (*default_headers, *answer.headers):
        parts += (name, b": ", value, b"\r\n")
    parts += (b"\r\n", answer.body)
    return b"".join(parts)
