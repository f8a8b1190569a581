"""Websockets that sources offer on the server's own port, such as the one that charging stations connect to."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from chargeport.api.client_transport import ClientTransport
from chargeport.api.links import Links
from chargeport.tls import client_names, set_client_names


class Connect(Protocol):
    """Serves one connection until it ends; `over_tls`: whether it was encrypted from the client on.

    `certified` are the names in the certificate that the client showed.
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
    """Return the web server's protocol for websockets, as our connections need it; None where there is none."""
    return None if kind is None else type("WatchedWebSocket", (_Watched, kind), {})


class _Watched(asyncio.Protocol):
    """A wrapper of the protocol for websockets: it reports when its connection is gone, and logs no query and no header.

    A handshake that was refused counts as complete: else the protocol logs each refusal as an error of ours.
    """

    transport: ClientTransport
    logger: Any
    conn: Any
    scope: MutableMapping[str, Any]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.logger = _WithoutQuery(self.logger)
        self.conn.logger = self.logger
        self.conn.debug = False  # at that level the library logs every header, passwords too

    async def run_asgi(self) -> None:
        """Pass the connection to the application, with the names in the client's certificate."""
        set_client_names(self.scope, self.transport.get_extra_info("ssl_object"))
        await super().run_asgi()  # type: ignore[misc]  # the protocol behind has it

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a message of the application's."""
        await super().send(message)  # type: ignore[misc]  # the protocol behind has it
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def handle_close(self, event: Any) -> None:
        """Close once both sides have closed: nothing more comes, and over TLS a client can't see that our side has ended."""
        super().handle_close(event)  # type: ignore[misc]  # the protocol behind has it
        self.transport.close_now()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is gone."""
        super().connection_lost(exc)
        self.transport.lost()


class _WithoutQuery(logging.LoggerAdapter[logging.Logger]):
    """Logs paths without their query, which has tokens; and single connections, as of HTTP, at the level debug only."""

    @property
    def level(self) -> int:
        """The level of the logger behind it."""
        return self.logger.level

    def log(self, level: int, msg: object, *args: object, **more: Any) -> None:
        """Log a line."""
        level = logging.DEBUG if level == logging.INFO else level
        super().log(level, msg, *(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in args), **more)
