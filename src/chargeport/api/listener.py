"""Accept connections within the limits, and continue after the system has run out of resources."""

import asyncio
import errno
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from chargeport.api.client_transport import TAKEN_WITHIN_S, ClientTransport
from chargeport.api.clients import SAID_AGAIN_S, Clients

MAX_ACCEPTED: Final = 64  # connections before other tasks run
ACCEPT_AGAIN_S: Final = 0.2  # after the system had no descriptor or memory

# Errors of `accept` if there is no descriptor or no memory for a waiting connection.
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_log = logging.getLogger("chargeport.api")


class Listener:
    """Accept connections within the limits."""

    def __init__(
        self,
        listening: socket.socket,
        clients: Clients,
        connect: Callable[[socket.socket, ClientTransport, bytes], Awaitable[Any]],
        refusal: bytes,
    ) -> None:
        """Prepare. `connect` serves an accepted socket with the data read from it; the `refusal` is sent to refused clients."""
        self._listening = listening
        self._clients = clients
        self._connect = connect
        self._refusal = refusal
        self._loop = asyncio.get_running_loop()
        self._said_at = -SAID_AGAIN_S
        self._again: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Start to accept connections."""
        self._listening.setblocking(False)
        self._loop.add_reader(self._listening, self._accept)

    def stop(self) -> None:
        """Stop accepting connections."""
        self._loop.remove_reader(self._listening)
        if self._again is not None:
            self._again.cancel()
        for task in self._tasks:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(MAX_ACCEPTED):
            try:
                accepted, address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._relieve(error)
                    return
                continue  # the connection was closed before it was accepted
            self.take(accepted, str(address[0]))
            if self._clients.is_full:
                return  # connections that were closed to make room are removed in the next turn of the loop

    def _relieve(self, error: OSError) -> None:
        """Close an unused connection after the system ran out of resources, and try again soon."""
        freed = self._clients.relieve()
        if self._loop.time() - self._said_at >= SAID_AGAIN_S:
            self._said_at = self._loop.time()
            done = "an idle one was closed" if freed else "none is idle"
            _log.error("no connection can be accepted: %s; %d are open, %s", error.strerror, len(self._clients), done)
        self._loop.remove_reader(self._listening)
        self._again = self._loop.call_later(ACCEPT_AGAIN_S, self.start)

    def take(self, accepted: socket.socket, address: str, already: bytes = b"") -> None:
        """Serve an accepted socket, if the limits allow it; `already` is the data read from it."""
        accepted.setblocking(False)
        client = self._clients.admit(address)
        if client is None:
            _turn_away(accepted, self._refusal)
            return
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # also for data in the kernel that the client does not acknowledge
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(TAKEN_WITHIN_S * 1000))
        task = self._loop.create_task(self._open(accepted, client, already))
        client.opening = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, accepted: socket.socket, client: ClientTransport, already: bytes) -> None:
        try:
            await self._connect(accepted, client, already)
        except (OSError, asyncio.CancelledError):  # the TLS handshake failed or was too slow
            accepted.close()
            client.lost()
        finally:
            client.opening = None


def _turn_away(accepted: socket.socket, refusal: bytes) -> None:
    with suppress(OSError):
        if refusal:
            accepted.send(refusal)
            accepted.shutdown(socket.SHUT_WR)
            accepted.recv(65_536)  # unread input would reset the connection before the client reads the answer
    accepted.close()
