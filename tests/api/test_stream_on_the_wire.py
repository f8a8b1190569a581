"""The live stream of a real server: how it comes over the wire, and how soon a server with open streams stops."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from listening import Event, Parser
from servers import Server
from world import bearer

pytestmark = pytest.mark.service

CAR = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
MANY = 30_000  # changes: more than the buffers between server and client can take
STOP_WITHIN_S = 4  # after five uvicorn would cut what still goes on


async def _fill(database: Path, count: int) -> str:
    """A token, and a car whose power was another one every second."""
    store, clock = SqliteStore.open(database), SystemClock()
    access = Access(store, clock)
    application, _ = await access.register("Listener", frozenset(Permission))
    await store.vehicles.add_vehicle(Vehicle(id=CAR))
    start = clock.now() - count * 1000
    power = BY_CODE["charge-wattage"]
    await store.readings.write(
        [Reading(CAR, power, each, start + each * 1000, start + each * 1000, "box") for each in range(count)]
    )
    token = await access.issue_token(application)
    await store.close()
    return token


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A server with many changes, and a token for it."""
    server = Server(tmp_path / "cars.db")
    token = asyncio.run(_fill(server.database, MANY))
    try:
        server.start()
        yield server, token
    finally:
        server.stop()


def reported(parser: Parser) -> list[Event]:
    """The events of what the car reported; from its power the server derives more."""
    return [event for event in parser.events if event.data["signal"]["id"] == "charge-wattage"]


def listen(server: Server, token: str, more: str = "", *, receive_bytes: int | None = None) -> socket.socket:
    """A connection on which a stream was asked for. With few `receive_bytes` the server soon notices who does not read."""
    connection = socket.socket()
    if receive_bytes is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(f"GET /stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{more}\r\n".encode())
    return connection


def test_a_whole_history_comes_over_the_wire_once_and_in_order(served: tuple[Server, str]) -> None:
    server, token = served
    parser = Parser()
    with httpx.stream("GET", f"{server.url}/stream", headers=bearer(token) | {"Last-Event-ID": "0"}, timeout=10) as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        for part in answer.iter_bytes():
            parser.feed(part)
            if len(reported(parser)) >= MANY:
                break
    assert [event.value for event in reported(parser)] == list(range(MANY))


def test_a_server_with_open_streams_stops_immediately_and_sends_a_last_event(served: tuple[Server, str]) -> None:
    server, token = served
    connections = [listen(server, token) for _ in range(20)]
    for connection in connections:
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < STOP_WITHIN_S
    for connection in connections:
        rest = b""
        while part := connection.recv(65_536):
            rest += part
        assert b"event: end\n" in rest
        assert rest.endswith(b"0\r\n\r\n"), "a whole answer, not a cut one"
        connection.close()


def test_a_client_that_does_not_read_does_not_keep_the_server_from_stopping(served: tuple[Server, str]) -> None:
    server, token = served
    stuck = listen(server, token, "Last-Event-ID: 0\r\n", receive_bytes=4096)
    with httpx.stream("GET", f"{server.url}/stream", headers=bearer(token) | {"Last-Event-ID": "0"}, timeout=10) as answer:
        seen = 0
        for part in answer.iter_bytes():  # by the time that one client has all of it, the other one's buffers are full
            seen += part.count(b"event: signal\n")
            if seen > MANY - 100:
                break
    started = time.monotonic()
    server.stop()
    assert time.monotonic() - started < STOP_WITHIN_S
    stuck.close()
