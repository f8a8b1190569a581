"""Websockets of sources on the server's own port, such as that for charging stations."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from time import perf_counter
from typing import Any, Final, Protocol

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from chargeport.api.client_transport import ClientTransport
from chargeport.api.links import Links
from chargeport.tls import client_names, set_client_names

SLICE_BYTES: Final = 2_048  # of input at once: at most 340 frames, 7 ms; a usual message is one slice
REST: Final = 9  # times the duration of a slice: one connection gets at most a tenth of the event loop's time
MAX_FRAGMENTS: Final = 10_000  # of one message; empty ones do not add to its size

_TOO_LARGE: Final = 1009


class Connect(Protocol):
    """Serve one connection until it ends; `over_tls`: whether it was encrypted at the client.

    `certified` are the names in the client's certificate.
    """

    def __call__(self, websocket: WebSocket, *, over_tls: bool | None, certified: Sequence[str]) -> Awaitable[None]:
        """Serve it."""
        ...


def socket_routes(sockets: Mapping[str, Connect], links: Links) -> list[WebSocketRoute]:
    """Return a route for each path."""
    return [WebSocketRoute(path, _endpoint(connect, links)) for path, connect in sockets.items()]


def _endpoint(connect: Connect, links: Links) -> Callable[[WebSocket], Awaitable[None]]:
    async def serve(websocket: WebSocket) -> None:
        client = None if websocket.client is None else websocket.client.host
        scheme = links.scheme(websocket.scope["scheme"], client, websocket.headers.raw)
        await connect(websocket, over_tls=scheme in ("https", "wss"), certified=client_names(websocket.scope))

    return serve


def watched(kind: Any) -> Any:
    """Return the web server's protocol for websockets, adapted to our connections; None if there is none."""
    return None if kind is None else type("WatchedWebSocket", (_Watched, kind), {})


class _Watched(asyncio.Protocol):
    """A wrapper of the protocol for websockets: it reports the end of its connection, and logs no query and no header.

    A refused handshake counts as complete: else the protocol logs each refusal as an error of the server.

    Input is processed in slices with rests between them, and not while the client does not read: a frame of six bytes costs
    20 us, and a ping is answered in full, so that a connection could block the others, or fill the memory.
    """

    transport: ClientTransport
    logger: Any
    conn: Any
    loop: asyncio.AbstractEventLoop
    scope: MutableMapping[str, Any]
    writable: asyncio.Event
    read_paused: bool
    frames: list[bytes]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._unprocessed = bytearray()
        self._resting: asyncio.TimerHandle | None = None
        self.logger = _WithoutQuery(self.logger)
        self.conn.logger = self.logger
        self.conn.debug = False  # at that level the library logs every header, with passwords

    def data_received(self, data: bytes) -> None:
        """Receive input; process it now, or after the pause."""
        self._unprocessed += data
        if self._resting is None:
            self._process()
        self._pause_or_resume()

    def resume_writing(self) -> None:
        """Continue with the input: the client reads again."""
        super().resume_writing()
        if self._resting is None:
            self._continue()

    async def receive(self) -> Any:
        """Return the next message for the application."""
        message = await super().receive()  # type: ignore[misc]  # the protocol behind has it
        self._pause_or_resume()  # the base class has resumed it
        return message

    def _process(self) -> None:
        """Process a slice of the input, then pause."""
        if not self.writable.is_set():
            return
        part = bytes(self._unprocessed[:SLICE_BYTES])
        del self._unprocessed[:SLICE_BYTES]
        began_s = perf_counter()
        super().data_received(part)
        self._resting = self.loop.call_later((perf_counter() - began_s) * REST, self._continue)

    def _continue(self) -> None:
        self._resting = None
        if self._unprocessed and not self.transport.is_closing():
            self._process()
        self._pause_or_resume()

    def _pause_or_resume(self) -> None:
        """Read unless input waits, which the end of the connection would discard, or a message for the application."""
        if self._unprocessed:
            self.transport.pause_reading()
        elif not self.read_paused:
            self.transport.resume_reading()

    def handle_cont(self, event: Any) -> None:
        """Receive a fragment of a message; close the connection if there are too many."""
        if len(self.frames) < MAX_FRAGMENTS:
            super().handle_cont(event)  # type: ignore[misc]  # the protocol behind has it
        elif not self.transport.is_closing():
            self.conn.send_close(_TOO_LARGE, f"a message has at most {MAX_FRAGMENTS} fragments")
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    async def run_asgi(self) -> None:
        """Pass the connection to the application, with the names in the client's certificate."""
        set_client_names(self.scope, self.transport.get_extra_info("ssl_object"))
        await super().run_asgi()  # type: ignore[misc]  # the protocol behind has it

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a message of the application."""
        await super().send(message)  # type: ignore[misc]  # the protocol behind has it
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def handle_close(self, event: Any) -> None:
        """Close once both sides have closed: over TLS a client can't detect that only our side has ended."""
        super().handle_close(event)  # type: ignore[misc]  # the protocol behind has it
        self.transport.close_now()

    def connection_lost(self, exc: Exception | None) -> None:
        """Record that the connection is lost."""
        self._unprocessed.clear()
        if self._resting is not None:
            self._resting.cancel()
        super().connection_lost(exc)
        self.transport.lost()


class _WithoutQuery(logging.LoggerAdapter[logging.Logger]):
    """Log paths without their query, which has tokens; and single connections, as for HTTP, at the level debug only."""

    @property
    def level(self) -> int:
        """The level of the wrapped logger."""
        return self.logger.level

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        """Log a line."""
        level = logging.DEBUG if level == logging.INFO else level
        super().log(level, msg, *(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in args), **more)
