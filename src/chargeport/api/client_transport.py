"""A client's transport: it can be written to, paused and closed at any time, and nothing on it lasts for ever.

Three things differ from the transport of the event loop. `close` lingers: it sends the end of our side, then discards what the
client still sends, so that a client that is sending its body can read the answer (RFC 9112, 9.6: to close immediately would
reset the connection). What the client does not take within TAKEN_WITHIN_S ends the connection. A call on a closed transport
does nothing, where the loop's own raises. `Clients` calls `look` once a second; there is no timer by connection.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final, Protocol

IDLE_S: Final = 2.0  # of a lingering client: nothing comes, nothing more is expected
LINGER_S: Final = 30.0  # in all, from when the answer was taken
DISCARD_BYTES: Final = 64 << 20  # eight times the largest body taken by default
TAKEN_WITHIN_S: Final = 30.0
UNREAD_S: Final = 5.0  # then a connection that does not read what is sent can be spared
LEAST_TAKEN: Final = 4096  # bytes within that time: less is no reading


class Watched(Protocol):
    """The protocol of a connection, as far as its end is concerned."""

    def look(self, now: float) -> None:
        """End what has taken too long."""
        ...

    def spare(self) -> int | None:
        """Return how readily the connection can be spared, 1 first; None while it is in use."""
        ...


class _State(Enum):
    OPENING = auto()  # accepted; over TLS, shaking hands
    OPEN = auto()
    LINGERING = auto()  # our side has ended
    CLOSING = auto()  # closed once what was written is sent
    ABORTED = auto()
    LOST = auto()


class ClientTransport(asyncio.Transport):
    """One client's connection, from when it was accepted until it is lost."""

    __slots__ = (
        "_heard_at", "_inner", "_lingers_since", "_lost", "_now", "_protocol", "_state", "_taken", "_taken_at", "_written",
        "address", "discarded", "has_ended", "is_secure", "opening", "watched",
    )  # fmt: skip

    def __init__(self, address: str, now: Callable[[], float], lost: Callable[["ClientTransport"], None]) -> None:
        """Prepare the transport. `lost` is called once, when the connection is gone."""
        super().__init__()
        self.address = address
        self.watched: Watched | None = None
        self.opening: asyncio.Task[Any] | None = None
        """What makes the connection: over TLS, the handshake."""
        self.has_ended = False
        """Whether the client has ended its side."""
        self.discarded = 0
        """How many bytes came while it lingered."""
        self.is_secure = False
        self._inner: asyncio.Transport = _NOT_YET
        self._protocol: asyncio.BaseProtocol | None = None  # of a lingering connection: what it had before
        self._now = now
        self._lost = lost
        self._state = _State.OPENING
        self._heard_at = self._taken_at = now()
        self._lingers_since: float | None = None
        self._written = self._taken = 0

    def attach(self, inner: asyncio.Transport) -> None:
        """Attach the transport of the connection, once that is made."""
        self._inner = inner
        self.is_secure = bool(inner.get_extra_info("sslcontext"))
        if self._state is _State.OPENING:
            self._state = _State.OPEN
        else:  # given up meanwhile
            inner.abort()

    def lost(self) -> None:
        """Note that the connection is gone."""
        if self._state is not _State.LOST:
            self._state = _State.LOST
            self.watched = None
            self._lost(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send this, if anything can be sent."""
        if self._state is _State.OPEN:
            self._written += len(data)
            self._inner.write(data)

    def is_closing(self) -> bool:
        """Return whether nothing more can be sent."""
        return self._state is not _State.OPEN or self._inner.is_closing()

    def close(self) -> None:
        """Send what was written and the end of our side, discard what comes, then close."""
        if self._state is not _State.OPEN:
            return
        if self.has_ended or self._inner.is_closing():
            self.close_now()
            return
        self._state = _State.LINGERING
        self._heard_at = self._now()
        self._protocol = self._inner.get_protocol()
        self._inner.set_protocol(_Discard(self))
        if self._inner.can_write_eof():  # not over TLS: there the client goes by `Connection: close`
            self._inner.write_eof()
        self._inner.resume_reading()

    def close_now(self) -> None:
        """Send what was written, then close."""
        if self._state in (_State.OPEN, _State.LINGERING):
            self._state = _State.CLOSING
            self._inner.close()

    def abort(self) -> None:
        """Close without sending anything more."""
        if self._state is _State.OPENING and self.opening is not None:
            self.opening.cancel()
        elif self._state is not _State.LOST:
            self._inner.abort()
        self._state = _State.LOST if self._state is _State.LOST else _State.ABORTED

    def look(self, now: float) -> None:
        """End what has taken too long: a write that is not taken, a lingering close, whatever the protocol waits for."""
        waiting = self._inner.get_write_buffer_size()
        taken = self._written - waiting
        if not waiting or taken - self._taken >= LEAST_TAKEN:
            self._taken, self._taken_at = taken, now
        elif now - self._taken_at >= TAKEN_WITHIN_S:
            self.abort()
        if self._state is _State.LINGERING and not waiting:
            since = self._lingers_since = now if self._lingers_since is None else self._lingers_since
            if now - self._heard_at >= IDLE_S or now - since >= LINGER_S:
                self.close_now()
        elif self._state is _State.OPEN and self.watched is not None:
            self.watched.look(now)

    def discard(self, size: int) -> None:
        """Note that the client of a lingering connection still sends."""
        self.discarded += size
        self._heard_at = self._now()
        if self.discarded > DISCARD_BYTES:
            self.abort()

    def spare(self) -> int | None:
        """Return how readily the connection can be spared, 0 first; None while it is in use, or ended already."""
        if self._state in (_State.LINGERING, _State.CLOSING):
            return 0
        if self._state is _State.OPENING:
            return 2
        if self._state is not _State.OPEN:
            return None
        if self._now() - self._taken_at >= UNREAD_S:
            return 1
        return None if self.watched is None else self.watched.spare()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Pass what comes to another protocol; of a lingering connection, its end alone."""
        if self._state is _State.LINGERING:
            self._protocol = protocol
        else:
            self._inner.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of the connection; of a lingering one, what it had before."""
        return self._protocol or self._inner.get_protocol()

    def pause_reading(self) -> None:
        """Let what comes wait."""
        if not self.is_closing():
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Take what comes."""
        if not self.is_closing():
            self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return extra information of the loop's transport."""
        return self._inner.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._inner.get_write_buffer_size()


class _NotYet(asyncio.Transport):
    """Replaces the loop's transport until there is one."""

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass


_NOT_YET: Final = _NotYet()


class _Discard(asyncio.Protocol):
    """Receive for a lingering connection: discard its bytes, and report its end to its former protocol."""

    def __init__(self, client: ClientTransport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.discard(len(data))

    def pause_writing(self) -> None:
        self._client.get_protocol().pause_writing()

    def resume_writing(self) -> None:
        self._client.get_protocol().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.get_protocol().connection_lost(exc)
