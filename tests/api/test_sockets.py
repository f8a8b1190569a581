"""Input of websockets: taken in slices, so that one connection neither blocks the others nor fills the memory."""

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode

from chargeport.api import sockets
from chargeport.api.sockets import REST, SLICE_BYTES, watched

SLICE_S = 0.25  # by the clock of these tests, which counts each look at it


class Behind(WebSocketsSansIOProtocol):
    """The protocol behind, without a server: it records what it receives."""

    def __init__(self) -> None:
        self.logger = SimpleNamespace(level=30)  # type: ignore[assignment]
        self.conn = SimpleNamespace(sent=[], send_close=lambda *what: self.conn.sent.append(what), data_to_send=list)  # type: ignore[assignment]
        self.queue = asyncio.Queue()
        self.loop = SimpleNamespace(call_later=self.call_later)  # type: ignore[assignment]
        self.transport = Transport()  # type: ignore[assignment]
        self.writable = asyncio.Event()
        self.writable.set()
        self.read_paused = False
        self.frames = []
        self.received: list[bytes] = []
        self.timers: list[tuple[float, Any]] = []

    def call_later(self, delay_s: float, function: Any) -> Any:
        self.timers.append((delay_s, function))
        return SimpleNamespace(cancel=lambda: None)

    def data_received(self, data: bytes) -> None:
        self.received.append(data)


class Transport:
    """A transport that says whether it reads."""

    def __init__(self) -> None:
        self.reads = True
        self.closed = False

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes) -> None:
        """Discard."""

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def protocol(monkeypatch: pytest.MonkeyPatch) -> Any:
    looks = itertools.count()
    monkeypatch.setattr(sockets, "perf_counter", lambda: next(looks) * SLICE_S)
    return watched(Behind)()


def rested(protocol: Any) -> float:
    delay_s, go_on = protocol.timers.pop()
    go_on()
    return float(delay_s)


def test_a_usual_message_is_processed_when_it_comes(protocol: Any) -> None:
    protocol.data_received(b"a message")
    assert protocol.received == [b"a message"]
    assert protocol.transport.reads


def test_after_each_slice_the_connection_rests_for_many_times_as_long_as_that_took(protocol: Any) -> None:
    protocol.data_received(b"x" * (2 * SLICE_BYTES + 1))
    assert [len(part) for part in protocol.received] == [SLICE_BYTES]
    assert not protocol.transport.reads, "what waits is enough"
    assert rested(protocol) == REST * SLICE_S
    assert [len(part) for part in protocol.received] == [SLICE_BYTES, SLICE_BYTES]
    rested(protocol)
    assert b"".join(protocol.received) == b"x" * (2 * SLICE_BYTES + 1)
    assert protocol.transport.reads


def test_what_comes_during_the_rest_waits_and_the_end_of_the_connection_is_read_after_it(protocol: Any) -> None:
    protocol.data_received(b"first")
    protocol.data_received(b"second")
    assert protocol.received == [b"first"]
    assert not protocol.transport.reads
    rested(protocol)
    assert protocol.received == [b"first", b"second"]
    assert protocol.transport.reads


async def test_a_message_that_the_application_takes_does_not_resume_reading_while_input_waits(protocol: Any) -> None:
    protocol.data_received(b"x" * (SLICE_BYTES + 1))
    protocol.read_paused = True
    protocol.queue.put_nowait({"type": "websocket.receive", "text": "[]"})
    await protocol.receive()
    assert not protocol.transport.reads
    rested(protocol)
    assert protocol.transport.reads


def test_while_the_client_does_not_read_nothing_is_processed_that_it_would_be_answered(protocol: Any) -> None:
    protocol.data_received(b"ping")
    rested(protocol)
    protocol.pause_writing()
    protocol.data_received(b"another")
    assert protocol.received == [b"ping"]
    assert not protocol.transport.reads
    protocol.resume_writing()
    assert protocol.received == [b"ping", b"another"]


def test_a_message_of_too_many_fragments_ends_the_connection(protocol: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "MAX_FRAGMENTS", 3)
    for _ in range(5):
        protocol.handle_cont(Frame(Opcode.CONT, b"", fin=False))
    assert protocol.conn.sent == [(1009, "a message has at most 3 fragments")]
    assert protocol.transport.closed
    assert len(protocol.frames) == 3
