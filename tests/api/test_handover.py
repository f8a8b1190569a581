"""Connections that go from one process to another: no byte of an answer or a request is lost on the way."""

import asyncio
import re
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

import pytest

from chargeport.api.handover import INLINE_BYTES, Handover, Receiver
from serving import Serving, reached, served
from world import Client, World

pytestmark = pytest.mark.service

GET = b"GET /docs HTTP/1.1\r\nHost: car.test\r\n\r\n"
POST = b"POST /ingest/readings HTTP/1.1\r\nHost: car.test\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n"


class Pair(NamedTuple):
    """Two servers of one application: what asks for more than reads goes from the one to the other."""

    reader: Serving
    writer: Serving


@asynccontextmanager
async def paired(world: World) -> AsyncIterator[Pair]:
    giving, taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with giving, taking:
        async with served(world.served, handover=taking) as writer, served(world.served, handover=Handover(giving)) as reader:
            yield Pair(reader, writer)


@pytest.fixture
async def pair(world: World) -> AsyncIterator[Pair]:
    async with paired(world) as found:
        yield found


def post(app: Client, body: bytes) -> bytes:
    return POST % (b"Authorization: " + app.headers["Authorization"].encode() + b"\r\n", len(body)) + body


async def statuses(reader: asyncio.StreamReader) -> list[int]:
    """The status of each answer; all of them have to be whole."""
    async with asyncio.timeout(20):
        rest, found = await reader.read(), []
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        status, length = re.match(rb"HTTP/1\.1 (\d+)", head), re.search(rb"content-length: (\d+)", head)
        assert status, head[:80]
        assert length
        assert len(rest) >= int(length[1])
        rest = rest[int(length[1]) :]
        found.append(int(status[1]))
    return found


async def test_a_request_that_writes_is_answered_by_the_other_process(pair: Pair, app: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.reader.port)
    writer.write(post(app, b"[]"))
    await reached(lambda: pair.writer.clients == 1)
    assert pair.reader.clients == 0
    assert await statuses(reader) == [422]
    writer.close()


async def test_an_answer_that_is_not_read_yet_is_not_lost_when_the_next_request_writes(pair: Pair, app: Client) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.connect(("127.0.0.1", pair.reader.port))
    connection.setblocking(False)
    connection.send(GET.replace(b"/docs", b"/"))
    await reached(lambda: any(each.get_write_buffer_size() for each in pair.reader.server.clients._all))
    connection.send(post(app, b"[]"))
    await asyncio.sleep(0)
    reader, writer = await asyncio.open_connection(sock=connection)
    assert await statuses(reader) == [200, 422]
    writer.close()


async def test_what_is_too_long_for_a_datagram_comes_whole(pair: Pair, app: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.reader.port)
    writer.write(post(app, b"[" + b" " * 2 * INLINE_BYTES + b"]"))
    assert await statuses(reader) == [422]
    writer.close()


@pytest.mark.parametrize("failure", ["no file", "no room"])
async def test_where_the_disk_is_full_the_process_answers_by_itself(
    pair: Pair, app: Client, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    class Full:
        def __init__(self, **_: Any) -> None:
            if failure == "no file":
                raise OSError(28, "No space left on device")

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, data: bytes) -> int:
            return len(data) // 2

    monkeypatch.setattr(tempfile, "TemporaryFile", Full)
    reader, writer = await asyncio.open_connection("127.0.0.1", pair.reader.port)
    writer.write(post(app, b"[" + b" " * 8 * INLINE_BYTES + b"]"))
    assert await statuses(reader) == [422]
    assert pair.writer.clients == 0
    writer.close()


async def test_a_connection_without_its_descriptors_is_ended_and_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    giving, taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    taken: list[bytes] = []
    ours, theirs = socket.socketpair()
    answers = [(b"\0", [theirs.detach()], socket.MSG_CTRUNC, None)]

    def received(*_: Any) -> Any:
        if not answers:
            raise BlockingIOError
        return answers.pop()

    monkeypatch.setattr(socket, "recv_fds", received)
    with giving, taking, ours:
        receiver = Receiver(taking, lambda _, data: taken.append(data))
        receiver._receive()
        assert taken == []
        assert ours.recv(1) == b"", "the client sees the end"
    assert "no descriptor is left" in caplog.text
