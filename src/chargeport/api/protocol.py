"""HTTP on one connection: uvicorn's protocol, with the fast path for plain signal reads and with limits for all input.

The overhead of ASGI for a request (a scope, a task, two messages) is larger than that of a read itself. When the parser has
finished the head of a plain read on an idle connection, the fast path's answer is written immediately. Every other request is
passed to the router.

uvicorn does not limit its input. Here the head has a maximum size and time, trailers are counted and never merged into the
headers, a request with two hosts or two tokens is rejected, pipelined requests wait as bytes, and invalid input is answered
with one error before the connection is closed. The base class is not part of uvicorn's documented interface: pyproject.toml
has an upper bound of its version.
"""

import asyncio
import re
from types import SimpleNamespace
from typing import Any, Final, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chargeport.api.app import WebApp
from chargeport.api.client_transport import ClientTransport
from chargeport.api.closing_answers import EarlyAnswer, refusal_bytes
from chargeport.api.fast_path import Head, RepeatedHead
from chargeport.api.handover import Handover
from chargeport.api.head_rules import NOT_PLAIN, check_head, check_trailer, check_unfinished
from chargeport.errors import MALFORMED, TOO_SLOW, Problem
from chargeport.tls import set_client_names
from chargeport.wire.errors import as_problem

HEAD_WITHIN_S: Final = 10
PORTION: Final = 8_192  # bytes parsed at a time: limits the number of pipelined requests that exist as objects
MAX_WAITING_BYTES: Final = 262_144  # pipelined and not parsed: one read of the loop

_SPECIAL: Final = re.compile(rb"[%?#]")
_CODING: Final = b"transfer-encoding"
_FRAMING: Final = (b"content-length", _CODING)


class FastPathProtocol(HttpToolsProtocol):
    """One connection. Needs a WebApp."""

    transport: ClientTransport

    def __init__(
        self, *args: Any, client: ClientTransport, handover: Handover | None = None, already: bytes = b"", **more: Any
    ) -> None:
        """Prepare the protocol. `handover` passes connections to another process; `already` is the data read by another one."""
        super().__init__(*args, **more)
        self._client = client
        self._handover = handover
        self._already = already
        self.url = b""
        self._has_more = False
        self._in_head = True
        self._head_bytes = 0
        self._since = self.loop.time()  # when the last answer was given, or the head began
        self._framing = 0  # bytes of chunk framing since the last piece of the body
        self._trailer = 0
        self._waiting = b""
        self._repeated = RepeatedHead()
        self._wrong: Problem | None = None  # the last answer; nothing more is parsed
        self._framed_by = b""  # the framing headers of a body after a refused upgrade
        self._is_resuming = False
        self._running: RequestResponseCycle | None = None

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin a connection."""
        self._client.attach(cast("asyncio.Transport", transport))
        self._client.watched = self
        super().connection_made(self._client)
        if self._already:
            self.data_received(self._already)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection and the requests in progress on it."""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        self.pipeline.clear()
        self._waiting = b""
        self._client.lost()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Process the end of the client's side: its requests are still answered, as far as it can read the answers."""
        self._client.has_ended = True
        if self._client.is_secure or self._is_idle():  # TLS has no half-closed connections
            return False
        running = self._running
        if running is not None and running.response_started and running.chunked_encoding:
            return False  # a stream: a client that has gone can't be distinguished from one that only reads
        if self._in_head is False:
            self._refuse(Problem(MALFORMED, "The connection ended before the body did."))
        return not self.transport.is_closing()

    def shutdown(self) -> None:
        """Close the connection, because the server stops: immediately if it is idle, else after the answer."""
        if self._is_idle():
            self.transport.close_now()
        else:
            self.cycle.keep_alive = False

    def look(self, now: float) -> None:
        """Close the connection if the client sends no request, or takes too long to send one."""
        if not self._in_head or not self._is_idle():
            return
        if self._head_bytes and now - self._since >= HEAD_WITHIN_S:
            self._refuse(Problem(TOO_SLOW, f"Path and headers were not there within {HEAD_WITHIN_S} s."))
        elif not self._head_bytes and now - self._since >= self.timeout_keep_alive:
            self.transport.close_now()

    def spare(self) -> int | None:
        """Return the rank in which the connection may be closed: first an idle one, then one in a head, then one in a body."""
        if self._in_head and self._is_idle():
            return 2 if self._head_bytes else 1
        return None if self._in_head or self.cycle.response_started else 3

    # Input

    def data_received(self, data: bytes) -> None:
        """Parse the input in portions; pipelined requests wait."""
        if self._wrong is not None:
            self.flow.pause_reading()  # the application in progress has resumed it
        elif self._waiting:
            self._keep_waiting(data)
        elif self._handover is not None and self._handover.takes(data) and self._is_given_away(self._handover, data):
            return
        elif len(data) <= PORTION:
            self._take(data)
        else:
            self._waiting = data
            self._parse_waiting()

    def _is_given_away(self, handover: Handover, data: bytes) -> bool:
        """Pass the connection on if a request begins here and all earlier ones are answered; return whether that succeeded."""
        if not self._in_head or self._head_bytes or not self._is_idle() or self._client.get_write_buffer_size():
            return False  # an answer that is not sent yet would be lost
        connection = self.transport.get_extra_info("socket")
        if self._client.is_secure or connection is None or not handover.give(connection.fileno(), data):
            return False
        self._client.abort()  # the connection stays open in the other process: nothing is sent
        return True

    def _take(self, data: bytes) -> None:
        """Answer a plain read whose head equals that of the previous one; parse everything else."""
        is_begin = self._in_head and not self._head_bytes
        known = self._repeated.found(data) if is_begin else None
        if known is not None and self._answered(*known):
            self._since = self.loop.time()
            return
        self._repeated.forget()
        self._parse(data)
        if is_begin:
            self._repeated.note(data)

    def _keep_waiting(self, data: bytes) -> None:
        if len(self._waiting) + len(data) > MAX_WAITING_BYTES:
            self._refuse(Problem(MALFORMED, "Too many requests were sent ahead of their answers."))
            return
        self._waiting += data
        self.flow.pause_reading()

    def _parse_waiting(self) -> None:
        """Parse the waiting input, up to the first request that has to wait for an earlier answer.

        After a portion with answered requests, other connections are served first: the loop would read several megabytes of
        such requests otherwise.
        """
        data, at, answered = self._waiting, 0, self.server_state.total_requests
        while at < len(data) and (self._is_idle() or not self._in_head):
            self._parse(data[at : at + PORTION])
            at += PORTION
            if self._client.watched is None or self._wrong is not None or self.transport.is_closing():
                self._waiting = b""
                return
            if self.server_state.total_requests != answered:
                self.loop.call_soon(self._go_on)
                break
        self._waiting = data[at:]
        if self._waiting:
            self.flow.pause_reading()

    def _go_on(self) -> None:
        """Parse the next portion of the waiting input."""
        if self._wrong is None and self._is_idle() and not self.transport.is_closing():
            self.flow.resume_reading()
            self._parse_waiting()

    def _parse(self, data: bytes) -> None:
        if self._in_head:
            if self._head_bytes == 0:
                self._since = self.loop.time()
            self._head_bytes += len(data)
        else:
            self._framing += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            else:
                self._pass_over_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._refuse(_problem_of(error))
        else:
            if self._head_bytes or not self._in_head:
                self._check_length(data)

    def _pass_over_upgrade(self, rest: bytes) -> None:
        """Continue in HTTP/1.1 after a request for a protocol that is not supported (h2c, by Java's client and curl).

        The parser treats the following data as that protocol and skips the body. A new parser is given the framing of the body.
        """
        if self._framed_by:
            framing, self._framed_by = self._framed_by, b""
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self._in_head = self._is_resuming = True
            self.parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % framing)
            self._is_resuming = False
        if rest:
            self._parse(rest)

    def _check_length(self, data: bytes) -> None:
        """Reject a head or trailers that are too long before they fill the memory."""
        try:
            if not self._in_head:
                check_trailer(b"", self._framing)
            else:
                check_unfinished(
                    self._head_bytes, self.parser.get_http_version() if data.endswith(b"\n") and self.url else None
                )
        except Problem as problem:
            self._refuse(problem)

    def on_message_begin(self) -> None:
        """Begin a request; the scope, which a plain read does not need, is created in `_hand_on`."""
        self._repeated.begins()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []
        self._has_more = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header, and whether the request is not a plain read because of it. Trailers are only counted."""
        if not self._in_head:
            self._trailer += len(name) + len(value) + 4  # colon, space and the end of the line
            check_trailer(name, self._trailer)
            return
        name = name.lower()
        if name in NOT_PLAIN:
            self._has_more = True
            self.expect_100_continue |= name == b"expect" and value.lower() == b"100-continue"
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Answer a plain signal read; pass on everything else."""
        self._in_head = False
        self._framing = self._trailer = 0
        if self._is_resuming:
            return
        version = self.parser.get_http_version()
        headers = dict(self.headers)
        if len(headers) != len(self.headers) or b"host" not in headers or version != "1.1":
            check_head(self.headers, version)
        app = self.app
        if self._has_more or version != "1.1" or self.parser.get_method() != b"GET" or not isinstance(app, WebApp):
            self._hand_on()
            return
        head = Head.of(headers, app.errors.links, self.scheme or "http", self.client[0] if self.client else None)
        url = self.url
        if url.isascii() and not _SPECIAL.search(url) and self._answered(url.decode(), head):
            self._repeated.was_answered(head)
        else:
            self._hand_on()

    def _answered(self, path: str, head: Head) -> bool:
        """Write the fast path's answer to a GET, if it has one and no other request is in progress."""
        app = self.app
        if not self._is_idle() or self.flow.write_paused or not isinstance(app, WebApp) or app.fast_path is None:
            return False
        answer = app.fast_path.answer(path, head, self.server_state.default_headers)
        if answer is None:
            return False
        self.cycle = _ANSWERED
        self.transport.write(answer)
        self.server_state.total_requests += 1
        return True

    def _hand_on(self) -> None:
        """Pass the request to uvicorn, in the state that uvicorn expects."""
        framing = [each for each in self.headers if each[0] in _FRAMING]
        if any(name == _CODING and value.lower() != b"chunked" for name, value in framing):
            raise Problem(MALFORMED, "Transfer-Encoding can only be chunked; a body in gzip needs Content-Encoding.")
        if self.parser.should_upgrade():
            if not self._should_upgrade():
                self._framed_by = b"".join(b"%b: %b\r\n" % each for each in framing)
            elif not self._is_idle():
                raise Problem(MALFORMED, "A websocket can't begin before the request before it is answered.")
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        if self._client.is_secure:
            set_client_names(self.scope, self._client.get_extra_info("ssl_object"))
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Receive a piece of the body."""
        self._framing = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the head of the next request."""
        if self._framed_by:
            return  # the skipped body follows
        self._in_head, self._head_bytes = True, 0
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Pass the connection to the websocket protocol: the time limits of HTTP no longer apply."""
        self._client.watched = None
        super().handle_websocket_upgrade()

    # Output

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, EarlyAnswer(app, cycle))

    def on_response_complete(self) -> None:
        """Continue with the waiting input after an answer of the router."""
        self.server_state.total_requests += 1
        self._since = self.loop.time()
        if self.transport.is_closing():
            self.pipeline.clear()
            return
        if not self._client.has_ended:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._wrong is not None:
            self._write_refusal(self._wrong)
        elif self._waiting:
            self._parse_waiting()
        if self._client.has_ended and self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        """Return whether every request has been answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _refuse(self, problem: Problem) -> None:
        """Answer invalid input with an error, after the earlier requests, and close the connection."""
        if self._wrong is not None or self.transport.is_closing():
            return
        self._wrong, self._waiting = problem, b""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete and cycle.more_body:  # its own body is wrong
            if cycle is not self._running:
                self.pipeline.popleft()
                self.cycle = self.pipeline[0][0] if self.pipeline else self._running  # type: ignore[assignment]  # it runs
            elif cycle.response_started:
                return
            else:
                cycle.disconnected = True
                cycle.message_event.set()
                self._write_refusal(problem)
                return
        if self._is_idle():
            self._write_refusal(problem)
        else:
            self.flow.pause_reading()

    def _write_refusal(self, problem: Problem) -> None:
        if isinstance(self.app, WebApp):
            self.transport.write(refusal_bytes(self.app, problem, self.scheme or "http", self.server_state.default_headers))
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer input that is not HTTP."""
        self._refuse(Problem(MALFORMED, msg))


# The attributes of a finished request that uvicorn reads at the next request or the end of the connection.
_ANSWERED: Final = cast("RequestResponseCycle", SimpleNamespace(response_complete=True, message_event=asyncio.Event()))


def _problem_of(error: httptools.HttpParserError) -> Problem:
    """Return the error of the request: that of our callback, if one has raised it."""
    found = error.__context__
    if isinstance(found, Problem | MemoryError):
        return as_problem(found)
    return Problem(MALFORMED, f"This is not HTTP: {error}.")
