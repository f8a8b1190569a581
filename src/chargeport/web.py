"""The web server of the application: uvicorn with our own listener, limits, and a clean stop."""

import asyncio
import errno
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from chargeport.api.app import WebApp
from chargeport.api.client_transport import ClientTransport
from chargeport.api.clients import Clients
from chargeport.api.closing_answers import refusal_bytes
from chargeport.api.handover import Handover, Receiver
from chargeport.api.listener import Listener
from chargeport.api.protocol import FastPathProtocol
from chargeport.api.sockets import watched
from chargeport.errors import OVERLOADED, Problem, StartError
from chargeport.installation import with_flag
from chargeport.settings import LimitSettings
from chargeport.tls import Certificate, TlsFiles

BACKLOG = 2048
MAX_WS_MESSAGE_BYTES = 1 << 24
STOP_WITHIN_S = 5  # for requests in progress, which are then cancelled
STALLED_S = 1.0  # after a stop: then connections of clients that do not read are closed
HANDSHAKE_WITHIN_S = 10.0
RESERVED_FILES = 16  # for the database and temporary files

_log = logging.getLogger("chargeport.api")


def listen_shared(host: str, port: int, count: int) -> list[socket.socket]:
    """Return listening sockets of one address, one for each process: the kernel divides connections. Raises StartError."""
    if not hasattr(socket, "SO_REUSEPORT") or sys.platform == "darwin":  # it would give all connections to the last socket
        return [listen(host, port)] * count
    listen(host, port).close()  # raises if another server uses the port, which sharing would not detect
    first = listen(host, port, is_shared=True)
    return [first, *(listen(host, first.getsockname()[1], is_shared=True) for _ in range(1, count))]


def listen(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Return a listening socket; if it is shared, others may listen at its address. Raises StartError with one sentence."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # an invalid name
        raise _no_listening(host, port, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _no_listening(host, port, error) from error
    return listening


def _no_listening(host: str, port: int, error: OSError | UnicodeError) -> StartError:
    reason = (error.strerror or error) if isinstance(error, OSError) else "this is no name of a machine"
    if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
        hint = f"name another port, such as {with_flag('--port 9000')}"
    else:
        hint = f"name an address of this machine, such as {with_flag('--host 127.0.0.1')}"
    return StartError(f"Can't listen on {host} port {port}: {reason}; {hint}.")


class Server(uvicorn.Server):
    """uvicorn's server with our listener, and without its signal handlers, which end the process before the store is closed."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: WebApp,
        limits: LimitSettings,
        tls: TlsFiles | None = None,
        handover: Handover | socket.socket | None = None,
    ) -> None:
        """Prepare the server.

        `handover` passes connections with other requests than reads to the first worker; in that one it is the receiving end.
        Raises StartError if the files for TLS are invalid.
        """
        super().__init__(config)
        loop = asyncio.get_running_loop()
        self._certificate = None if tls is None else Certificate(tls, loop.time)
        self.clients = Clients(
            _possible_connections(limits.connections), limits.connections_by_address, loop.time, app.errors.links.trusts
        )
        app.share(self.clients.most)
        self.ready: Callable[[], None] = lambda: None
        self.stopping: Callable[[], None] = lambda: None
        self._app = app
        self._listeners: list[Listener] = []
        self._handover = handover if isinstance(handover, Handover) else None
        self._receiver = Receiver(handover, self._received) if isinstance(handover, socket.socket) else None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections."""
        self.servers = []
        await self.lifespan.startup()
        refusal = b""  # over TLS, no answer is possible before the handshake
        if self._certificate is None:
            refusal = refusal_bytes(self._app, Problem(OVERLOADED, "Too many connections are open.", retry_after_s=5))
        for listening in sockets or ():
            self._listeners.append(Listener(listening, self.clients, self._connect, refusal))
            self._listeners[-1].start()
        if self._receiver is not None:
            self._receiver.start()
        self.started = True
        self.ready()

    def _received(self, accepted: socket.socket, already: bytes) -> None:
        """Serve a connection that another worker has accepted."""
        try:
            address = str(accepted.getpeername()[0])
        except OSError:  # it was closed
            accepted.close()
            return
        self._listeners[0].take(accepted, address, already)

    async def _connect(self, accepted: socket.socket, client: ClientTransport, already: bytes) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.Protocol:
            return FastPathProtocol(
                self.config, self.server_state, self.lifespan.state, loop,
                client=client, handover=self._handover, already=already,
            )  # fmt: skip

        tls = None if self._certificate is None else self._certificate.context
        within = HANDSHAKE_WITHIN_S if tls else None
        await loop.connect_accepted_socket(protocol, accepted, ssl=tls, ssl_handshake_timeout=within)

    async def on_tick(self, counter: int) -> bool:
        """Close idle connections and refresh the certificate, once a second."""
        if counter % 10 == 0:
            self.clients.sweep(asyncio.get_running_loop().time())
            if self._certificate is not None:
                self._certificate.refresh()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams, and wait for other answers."""
        if self._receiver is not None:
            self._receiver.stop()
        for listener in self._listeners:
            listener.stop()
        self.stopping()
        asyncio.get_running_loop().call_later(STALLED_S, self.clients.cut_unread)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing."""
        yield


def _possible_connections(configured: int) -> int:
    """Raise the limit of open files as needed; return how many connections it allows, at most `configured`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    folder = Path("/proc/self/fd")
    used = len(os.listdir(folder)) if folder.is_dir() else 2 * RESERVED_FILES  # noqa: PTH208  (the fastest way)
    needed = configured + used + RESERVED_FILES
    if soft < needed and soft != resource.RLIM_INFINITY:
        raised = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        with suppress(OSError, ValueError):  # macOS refuses limits that it reports as possible
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return configured
    possible = max(4, soft - used - RESERVED_FILES)
    _log.warning(
        "the limit of open files, %d, leaves room for %d connections (limits.connections: %d)", soft, possible, configured
    )
    return possible


async def serve(
    app: WebApp,
    listening: socket.socket,
    ready: Callable[[str], None],
    log: str = "info",
    *,
    stopping: Callable[[], None] = lambda: None,
    tls: TlsFiles | None = None,
    limits: LimitSettings = LimitSettings(),  # noqa: B008  (frozen)
    handover: Handover | socket.socket | None = None,
    ends: int | None = None,
) -> None:
    """Answer requests until SIGINT or SIGTERM.

    `ready` is called with the URL once requests are answered, `stopping` before the stop. The server also stops when the
    descriptor `ends` becomes readable, because its other end was closed. Raises StartError if the files for TLS are invalid.
    """
    server = Server(configuration(app, log), app, limits, tls, handover)
    server.ready = lambda: ready(url_of(listening, secure=tls is not None))
    server.stopping = stopping
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    if ends is not None:
        loop.add_reader(ends, _end, server, ends)
    await server.serve(sockets=[listening])


def _end(server: Server, ends: int) -> None:
    """Stop the server, as the parent process has ended."""
    asyncio.get_running_loop().remove_reader(ends)
    server.should_exit = True


@asynccontextmanager
async def answering(app: WebApp, listening: socket.socket, stopping: Callable[[], None]) -> AsyncIterator[str]:
    """Answer requests while the block runs, without signal handlers; yield the URL."""
    config = configuration(app, "warning")
    server = Server(config, app, LimitSettings())
    server.lifespan = config.lifespan_class(config)
    server.stopping = stopping
    await server.startup(sockets=[listening])
    try:
        yield url_of(listening)
    finally:
        await server.shutdown(sockets=[listening])


def configuration(app: WebApp, log: str = "info", **more: Any) -> uvicorn.Config:
    """Return the configuration of uvicorn, without TLS: see `chargeport.tls`."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=FastPathProtocol,
        interface="asgi3",
        lifespan="off",
        ws="auto",  # for charging stations, if an extra with a websocket library is installed
        ws_max_size=MAX_WS_MESSAGE_BYTES,
        access_log=False,  # paths contain ids of vehicles
        log_level=log,
        log_config=None,
        server_header=False,
        date_header=True,
        proxy_headers=False,  # api.links reads them from trusted proxies only
        timeout_graceful_shutdown=STOP_WITHIN_S,
        **more,
    )
    config.load()
    config.ws_protocol_class = watched(config.ws_protocol_class)
    return config


def url_of(listening: socket.socket, *, secure: bool = False) -> str:
    """Return the URL of a listening socket for a browser on this machine."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  (compared, not bound)
        host = "127.0.0.1"
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
