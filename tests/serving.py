"""The web server in this process, on a free port, without its main loop: time passes when a test says so."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from chargeport import web
from chargeport.api.app import WebApp
from chargeport.api.handover import Handover
from chargeport.settings import LimitSettings
from chargeport.tls import TlsFiles

TURNS = 100_000  # of the event loop: some seconds


class Serving:
    """A server that answers. `sweep` is what its main loop does once a second."""

    def __init__(self, server: web.Server, port: int) -> None:
        self.server = server
        self.port = port

    @property
    def clients(self) -> int:
        """How many connections are open."""
        return len(self.server.clients)

    def after(self, passed_s: float) -> None:
        """Look after the connections as if so many seconds had passed."""
        self.server.clients.sweep(self.server.clients._now() + passed_s)


@asynccontextmanager
async def served(
    app: WebApp,
    limits: LimitSettings | None = None,
    tls: TlsFiles | None = None,
    handover: Handover | socket.socket | None = None,
    **settings: Any,
) -> AsyncIterator[Serving]:
    """A server on a port of this machine, stopped at the end."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # accepted ones have it too: what is not read is seen soon
    config = web.configuration(app, "warning", **settings)
    server = web.Server(config, app, limits or LimitSettings(), tls, handover)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listening])
    try:
        yield Serving(server, listening.getsockname()[1])
    finally:
        await server.shutdown(sockets=[listening])


async def reached(condition: Callable[[], bool]) -> None:
    """Let the server work until this holds."""
    for _ in range(TURNS):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it was never reached")
