"""Websockets that sources offer on the server's own port, such as the one that charging stations connect to."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from chargeport.api.links import Links


class Connect(Protocol):
    """Serves one connection until it ends; `over_tls` says whether nobody could read it on its way here."""

    def __call__(self, websocket: WebSocket, *, over_tls: bool | None) -> Awaitable[None]:
        """Serve it."""
        ...


def socket_routes(sockets: Mapping[str, Connect], links: Links) -> list[WebSocketRoute]:
    """A route for each path."""
    return [WebSocketRoute(path, _endpoint(connect, links)) for path, connect in sockets.items()]


def _endpoint(connect: Connect, links: Links) -> Callable[[WebSocket], Awaitable[None]]:
    async def serve(websocket: WebSocket) -> None:
        client = None if websocket.client is None else websocket.client.host
        scheme = links.scheme(websocket.scope["scheme"], client, websocket.headers.raw)
        await connect(websocket, over_tls=scheme in ("https", "wss"))

    return serve
