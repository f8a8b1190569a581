"""The connected clients, in total and by address: limits of their number, and time limits.

At a limit, an unused connection is closed to make room: one that lingers after its answer, one without a request, or one with
an unfinished request, the oldest first. Connections in use are never closed for this purpose; if all are in use, the new
connection is refused.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from chargeport.api.client_transport import ClientTransport
from chargeport.attempts import network

SAID_AGAIN_S: Final = 60.0  # between two log messages about the same limit
MAX_SPARED: Final = 64  # new connections for which a full server searches its connections once

_log = logging.getLogger("chargeport.api")


class Clients:
    """All connections of the server."""

    def __init__(
        self, most: int, most_by_address: int, now: Callable[[], float], is_exempt: Callable[[str], bool] = lambda _: False
    ) -> None:
        """Set the limits. `is_exempt` returns whether an address has no limit: that of a reverse proxy."""
        self.most = most
        self.most_by_address = most_by_address
        self._now = now
        self._is_exempt = is_exempt
        self._all: dict[ClientTransport, None] = {}  # in the order of their arrival
        self._by_address: dict[str, dict[ClientTransport, None]] = {}
        self._spared: list[ClientTransport] = []
        self._said_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, address: str) -> ClientTransport | None:
        """Return the transport of a new connection; None if it is refused."""
        key = network(address)
        own = self._by_address.get(key, {})
        if len(own) >= self.most_by_address and not self._is_exempt(address):
            self._say(f"{self.most_by_address} connections from {key} (limits.connections_by_address)")
            if not _make_room(own, 1):
                return None
        if len(self._all) >= self.most:
            self._say(f"{self.most} connections in all (limits.connections, or the limit of open files)")
            if not self._spare_one():
                return None
        client = ClientTransport(address, self._now, self._remove)
        self._all[client] = None
        self._by_address.setdefault(key, {})[client] = None
        return client

    @property
    def is_full(self) -> bool:
        """Whether the limit is reached; connections that are being closed still count."""
        return len(self._all) >= self.most

    def relieve(self) -> bool:
        """Close an unused connection to free its descriptor; return False if there is none."""
        return self._spare_one()

    def sweep(self, now: float) -> None:
        """Close the connections that have taken too long."""
        for client in list(self._all):
            client.look(now)

    def cut_unread(self) -> None:
        """Close the connections whose client does not read its output: the server is stopping."""
        for client in list(self._all):
            if client.get_write_buffer_size() or client.spare() == 0:
                client.abort()

    def _spare_one(self) -> bool:
        while self._spared:
            client = self._spared.pop()
            if client in self._all and client.spare() is not None:
                client.abort()
                return True
        self._spared = _spare(self._all, MAX_SPARED if self.most > MAX_SPARED * 16 else 1)
        if not self._spared:
            return False
        self._spared.pop().abort()
        return True

    def _remove(self, client: ClientTransport) -> None:
        self._all.pop(client, None)
        key = network(client.address)
        own = self._by_address.get(key, {})
        own.pop(client, None)
        if not own:
            self._by_address.pop(key, None)

    def _say(self, limit: str) -> None:
        now = self._now()
        if now - self._said_at.get(limit, -SAID_AGAIN_S) < SAID_AGAIN_S:
            return
        if len(self._said_at) >= MAX_SPARED:
            self._said_at.clear()
        self._said_at[limit] = now
        _log.warning("a limit is met: %s; idle connections are closed, others refused", limit)


def _spare(clients: Iterable[ClientTransport], count: int) -> list[ClientTransport]:
    """Return up to `count` unused connections, the one to close first last."""
    ranked = [(rank, client) for client in clients if (rank := client.spare()) is not None]
    ranked.sort(key=lambda pair: pair[0])  # stable: the oldest of each rank first
    return [client for _, client in reversed(ranked[:count])]


def _make_room(clients: Iterable[ClientTransport], count: int) -> bool:
    found = _spare(clients, count)
    for client in found:
        client.abort()
    return bool(found)
