"""A client's transport: it can be written to, paused and closed at any time, and has a time limit for every state.

It differs from the transport of the event loop in three ways. `close` lingers: it shuts down our side for writing, then
discards what the client still sends, so that a client that is sending its body can read the answer (RFC 9112, 9.6: closing
immediately would reset the connection). If the client does not read data within TAKEN_WITHIN_S, the connection is aborted. A
call on a closed transport does nothing, where the loop's own raises. `Clients` calls `look` once a second; there is no timer
for each connection.
"""

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final, Protocol

IDLE_S: Final = 2.0  # without input on a lingering connection: none is expected any more
LINGER_S: Final = 30.0  # in total, from when the answer was sent
DISCARD_BYTES: Final = 64 << 20  # eight times the largest body taken by default
TAKEN_WITHIN_S: Final = 30.0
UNREAD_S: Final = 5.0  # after which a connection that does not read its output may be closed
LEAST_TAKEN: Final = 4096  # bytes within that time: with less, the client counts as not reading


class Watched(Protocol):
    """The methods of a connection's protocol that end it."""

    def look(self, now: float) -> None:
        """Close the connection if it has taken too long."""
        ...

    def spare(self) -> int | None:
        """Return the rank in which the connection may be closed, 1 first; None while it is in use."""
        ...


class _State(Enum):
    OPENING = auto()  # accepted; over TLS, shaking hands
    OPEN = auto()
    LINGERING = auto()  # shut down for writing
    CLOSING = auto()  # closed once the output is sent
    ABORTED = auto()
    LOST = auto()


class ClientTransport(asyncio.Transport):
    """One client's connection, from when it was accepted until it is lost."""

    __slots__ = (
        "_heard_at", "_inner", "_lingers_since", "_lost", "_now", "_protocol", "_state", "_taken", "_taken_at", "_written",
        "address", "discarded", "has_ended", "is_secure", "opening", "watched",
    )  # fmt: skip

    def __init__(self, address: str, now: Callable[[], float], lost: Callable[["ClientTransport"], None]) -> None:
        """Prepare the transport. `lost` is called once, when the connection is lost."""
        super().__init__()
        self.address = address
        self.watched: Watched | None = None
        self.opening: asyncio.Task[Any] | None = None
        """The task that establishes the connection: over TLS, the handshake."""
        self.has_ended = False
        """Whether the client has shut down its side."""
        self.discarded = 0
        """The number of bytes that were received while lingering."""
        self.is_secure = False
        self._inner: asyncio.Transport = _NOT_YET
        self._protocol: asyncio.BaseProtocol | None = None  # of a lingering connection: the former one
        self._now = now
        self._lost = lost
        self._state = _State.OPENING
        self._heard_at = self._taken_at = now()
        self._lingers_since: float | None = None
        self._written = self._taken = 0

    def attach(self, inner: asyncio.Transport) -> None:
        """Attach the transport of the connection, once it is established."""
        self._inner = inner
        self.is_secure = bool(inner.get_extra_info("sslcontext"))
        if self._state is _State.OPENING:
            self._state = _State.OPEN
        else:  # aborted meanwhile
            inner.abort()

    def lost(self) -> None:
        """Record that the connection is lost."""
        if self._state is not _State.LOST:
            self._state = _State.LOST
            self.watched = None
            self._lost(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send data, if the connection is open."""
        if self._state is _State.OPEN:
            self._written += len(data)
            self._inner.write(data)

    def is_closing(self) -> bool:
        """Return whether no more data can be sent."""
        return self._state is not _State.OPEN or self._inner.is_closing()

    def close(self) -> None:
        """Send the output, shut down our side, discard further input, then close."""
        if self._state is not _State.OPEN:
            return
        if self.has_ended or self._inner.is_closing():
            self.close_now()
            return
        self._state = _State.LINGERING
        self._heard_at = self._now()
        self._protocol = self._inner.get_protocol()
        self._inner.set_protocol(_Discard(self))
        if self._inner.can_write_eof():  # not over TLS: there the client uses `Connection: close`
            self._inner.write_eof()
        self._inner.resume_reading()

    def close_now(self) -> None:
        """Send the output, then close."""
        if self._state in (_State.OPEN, _State.LINGERING):
            self._state = _State.CLOSING
            self._inner.close()

    def abort(self) -> None:
        """Close without sending the output."""
        if self._state is _State.OPENING and self.opening is not None:
            self.opening.cancel()
        elif self._state is not _State.LOST:
            self._inner.abort()
        self._state = _State.LOST if self._state is _State.LOST else _State.ABORTED

    def look(self, now: float) -> None:
        """Apply the time limits: of output that is not read, of a lingering close, and those of the protocol."""
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
        """Count the bytes that the client of a lingering connection still sends."""
        self.discarded += size
        self._heard_at = self._now()
        if self.discarded > DISCARD_BYTES:
            self.abort()

    def spare(self) -> int | None:
        """Return the rank in which the connection may be closed, 0 first; None while it is in use, or after its end."""
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
        """Pass the input to another protocol; of a lingering connection, only its end."""
        if self._state is _State.LINGERING:
            self._protocol = protocol
        else:
            self._inner.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of the connection; of a lingering one, the former protocol."""
        return self._protocol or self._inner.get_protocol()

    def pause_reading(self) -> None:
        """Stop reading input."""
        if not self.is_closing():
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Read input again."""
        if not self.is_closing():
            self._inner.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return extra information of the loop's transport."""
        return self._inner.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        """Return the number of bytes that wait to be sent."""
        return self._inner.get_write_buffer_size()


class _NotYet(asyncio.Transport):
    """A placeholder until there is a transport of the loop."""

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        pass


_NOT_YET: Final = _NotYet()


class _Discard(asyncio.Protocol):
    """The protocol of a lingering connection: discard its input, and report its end to the former protocol."""

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
