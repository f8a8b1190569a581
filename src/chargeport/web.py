"""The web server around the application: uvicorn on a socket of our own, stopped cleanly."""

import asyncio
import errno
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from chargeport.api.protocol import LaneProtocol
from chargeport.errors import StartError
from chargeport.installation import with_flag

BACKLOG = 2048
MAX_WS_MESSAGE_BYTES = 1 << 24
STOP_WITHIN_S = 5  # for requests under way; then they are cut


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises StartError with one sentence."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _no_listening(host, port, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _no_listening(host, port, error) from error
    return listening


def _no_listening(host: str, port: int, error: OSError) -> StartError:
    why = error.strerror or error
    return StartError(f"Can't listen on {host} port {port}: {why}; {_another(error)}.")


def _another(error: OSError) -> str:
    """What to try instead: another port where this one is taken, else another address."""
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        return f"name another port, such as {with_flag('--port 9000')}"
    return f"name an address of this machine, such as {with_flag('--host 127.0.0.1')}"


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to us: it would end the process before the store is closed."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so once requests are answered."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Have the answers that would never end come to an end; wait for the others."""
        self._stopping()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing to capture."""
        yield


async def serve(
    app: ASGIApp,
    listening: socket.socket,
    ready: Callable[[str], None],
    log: str = "info",
    *,
    stopping: Callable[[], None] = lambda: None,
    certificate: tuple[str, str] | None = None,
) -> None:
    """Response requests until SIGINT or SIGTERM.

    `ready` is called with the URL once they are answered, `stopping` when no more are taken. `certificate` names the PEM files
    of a certificate and its key, for TLS. Raises StartError where they are no such files.
    """
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=LaneProtocol,
        interface="asgi3",
        lifespan="off",
        ws="auto",  # charging stations, with the extra that brings a websocket library; else there are none
        ws_max_size=MAX_WS_MESSAGE_BYTES,
        access_log=False,  # a path names a vehicle
        log_level=log,
        log_config=None,
        server_header=False,
        date_header=True,
        ssl_certfile=None if certificate is None else certificate[0],
        ssl_keyfile=None if certificate is None else certificate[1],
        proxy_headers=False,  # api.links believes trusted proxies only
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
    _load(config, certificate)
    server = _Server(config, lambda: ready(url_of(listening, secure=certificate is not None)), stopping)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    await server.serve(sockets=[listening])


def _load(config: uvicorn.Config, certificate: tuple[str, str] | None) -> None:
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise StartError(f"Can't answer over TLS with {' and '.join(certificate or ())}: {error}.") from error


def url_of(listening: socket.socket, *, secure: bool = False) -> str:
    """The URL of a listening socket, as a browser on this machine would write it."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  (what it listens on, not what we choose)
        host = "127.0.0.1"
    scheme = "https" if secure else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
