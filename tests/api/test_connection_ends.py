"""Connections of clients that mean no good, or no longer listen: every one of them gets one answer at most, and an end."""

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from chargeport.api import client_transport
from chargeport.api.client_transport import IDLE_S, LINGER_S, TAKEN_WITHIN_S, UNREAD_S, ClientTransport
from chargeport.api.head_rules import MAX_TRAILER_BYTES
from chargeport.settings import LimitSettings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Reading
from chargeport.tls import TlsFiles
from serving import Serving, reached, served
from world import T0, Client, World

pytestmark = pytest.mark.service

MANY = 2_000  # readings: more than the kernel takes of them as events

HOST = b"Host: car.test\r\n"
IN_CHUNKS = b"POST /ingest/readings HTTP/1.1\r\n" + HOST + b"%sTransfer-Encoding: chunked\r\n\r\n"
HALF_BODY = b"POST /ingest/readings HTTP/1.1\r\n" + HOST + b"Content-Length: 500\r\n\r\n[{"
ALIVE = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
READY = b"GET /readyz HTTP/1.1\r\n" + HOST + b"\r\n"
UPGRADE = b"GET /nowhere HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"


class Peer:
    """A client that sends bytes, and may do what no client should."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *parts: bytes) -> "Peer":
        with contextlib.suppress(ConnectionError):  # the server may have had enough
            for part in parts:
                self.writer.write(part)
                await self.writer.drain()
        return self

    def end(self) -> "Peer":
        self.writer.write_eof()
        return self

    async def head(self) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        """All up to the end of the server's side."""
        async with asyncio.timeout(10):
            return await self.reader.read()

    async def statuses(self) -> list[int]:
        return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d+)", await self.rest())]


Connect = Callable[[], Any]


@pytest.fixture
async def serving(world: World) -> AsyncIterator[Serving]:
    async with served(world.served, LimitSettings(connections=12, connections_by_address=12)) as serving:
        yield serving


@pytest.fixture
async def connect(serving: Serving) -> AsyncIterator[Connect]:
    writers = []

    async def connected() -> Peer:
        reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
        writers.append(writer)
        return Peer(reader, writer)

    yield connected
    for writer in writers:
        writer.close()


def authorized(app: Client) -> bytes:
    return b"Authorization: " + app.headers["Authorization"].encode() + b"\r\n"


def one(serving: Serving) -> ClientTransport:
    """The only connection."""
    (client,) = serving.server.clients._all
    return client


@pytest.mark.parametrize(
    "trailers",
    [
        [b"X-%d: some text\r\n" % number for number in range(MAX_TRAILER_BYTES // 10)],
        [b"X: " + b"x" * 3 * MAX_TRAILER_BYTES + b"\r\n"],
        [b"X: ", *[b"x" * 30_000] * 4],
    ],
    ids=["many", "long", "without end"],
)
async def test_trailers_are_bounded(connect: Connect, app: Client, trailers: list[bytes]) -> None:
    peer = await (await connect()).send(IN_CHUNKS % authorized(app), b"2\r\n[]\r\n0\r\n", *trailers)
    assert await peer.statuses() == [431]


async def test_what_is_between_two_chunks_is_bounded(connect: Connect, app: Client) -> None:
    peer = await (await connect()).send(IN_CHUNKS % authorized(app), b"1;why=", *[b"x" * 9_000] * 2)
    assert await peer.statuses() == [431]


@pytest.mark.parametrize("trailer", ["Authorization: {}", "authorization: {}", "Host: other.test", "Cookie: a=b"])
async def test_a_trailer_is_no_header(connect: Connect, app: Client, trailer: str) -> None:
    request = b"POST /ingest/readings HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n"
    trailers = trailer.format(app.headers["Authorization"]).encode() + b"\r\n\r\n"
    peer = await (await connect()).send(request + trailers + ALIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answers = await peer.rest()
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"401", b"200"]
    assert b"other.test" not in answers


@pytest.mark.parametrize(
    "trailer", [b"Connection: close", b"content-length: 7", b"Transfer-Encoding: chunked", b"UPGRADE: h2c"]
)
async def test_a_trailer_that_would_change_the_connection_is_refused(connect: Connect, app: Client, trailer: bytes) -> None:
    peer = await (await connect()).send(IN_CHUNKS % authorized(app) + b"2\r\n[]\r\n0\r\n" + trailer + b"\r\n\r\n" + ALIVE)
    assert await peer.statuses() == [400]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("chunk", [b"zz\r\n", b"-2\r\n[]", b"2\r\n[]XX", b"fffffffffffffffff\r\n", b"\r\n\r\n"])
async def test_a_bad_chunk_gets_its_400(connect: Connect, app: Client, chunk: bytes, *, split: bool) -> None:
    head = IN_CHUNKS % authorized(app)
    peer = await (await connect()).send(*([head, chunk] if split else [head + chunk]))
    answer = await peer.rest()
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"code":"INVALID_INPUT_FORMAT"' in answer


HEADS = {
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n",
    "the same host twice": b"GET /healthz HTTP/1.1\r\nHost: a.test\r\nhost: a.test\r\n\r\n",
    "two tokens": b"GET /v3/vehicles HTTP/1.1\r\n" + HOST + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "no version": b"GET /healthz\r\n",
    "HTTP/0.9": b"GET /healthz HTTP/0.9\r\n\r\n",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n",
    "two lengths": b"POST /ingest/readings HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n[]",
    "a length and chunks": b"POST /ingest/readings HTTP/1.1\r\n" + HOST
    + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("before", [b"", READY, ALIVE + READY], ids=["first", "behind one", "behind two"])
@pytest.mark.parametrize("name", [name for name in HEADS if name != "no version"])
async def test_an_ambiguous_head_is_refused_behind_the_requests_before_it(connect: Connect, name: str, before: bytes) -> None:
    peer = await (await connect()).send(before + HEADS[name])
    assert await peer.statuses() == [200] * before.count(b"GET") + [400]


async def test_a_request_line_without_a_version_is_refused_immediately(connect: Connect) -> None:
    assert await (await (await connect()).send(HEADS["no version"])).statuses() == [400]


BODY = b'[{"vehicle":"nobody","signal":"charge-voltage","body":{"value":231}}]'
OTHER_PROTOCOL = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
FRAMED = {
    "a length": b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:]),
    "a length of zero": b"Content-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("piece", [1, 7, 10_000], ids=["byte by byte", "in pieces", "at once"])
@pytest.mark.parametrize("framing", FRAMED)
async def test_an_offer_of_another_protocol_changes_nothing(connect: Connect, app: Client, framing: str, piece: int) -> None:
    answers = []
    for offer in (b"", OTHER_PROTOCOL):
        head = b"POST /ingest/readings HTTP/1.1\r\n" + HOST + authorized(app) + offer
        last = ALIVE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        sent = head + FRAMED[framing] + READY.replace(b"\r\n\r\n", b"\r\n" + offer + b"\r\n") + last
        peer = await (await connect()).send(*(sent[at : at + piece] for at in range(0, len(sent), piece)))
        answers.append(re.sub(rb"[0-9a-f-]{36}", b"ID", await peer.rest()))
    assert answers[0] == answers[1]
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers[1])[1:] == [b"200", b"200"], "nothing behind it is lost"


@pytest.mark.parametrize("coding", [b"gzip, chunked", b"gzip\r\nTransfer-Encoding: chunked", b"identity, chunked"])
async def test_a_transfer_coding_that_is_not_decoded_is_refused(connect: Connect, app: Client, coding: bytes) -> None:
    request = (IN_CHUNKS % authorized(app)).replace(b": chunked", b": " + coding)
    assert await (await (await connect()).send(request + b"2\r\n[]\r\n0\r\n\r\n")).statuses() == [400]


async def test_a_host_is_not_demanded_of_an_old_client(connect: Connect) -> None:
    assert await (await (await connect()).send(b"GET /healthz HTTP/1.0\r\n\r\n")).statuses() == [200]


async def test_a_bad_chunk_behind_other_requests_is_answered_last(connect: Connect, app: Client) -> None:
    peer = await (await connect()).send(READY + ALIVE + IN_CHUNKS % authorized(app) + b"nonsense\r\n")
    assert await peer.statuses() == [200, 200, 400]


async def test_a_websocket_cannot_begin_behind_a_request_that_is_not_answered(connect: Connect) -> None:
    peer = await (await connect()).send(READY + UPGRADE + b"\r\n")
    assert await peer.statuses() == [200, 400]


@pytest.mark.parametrize("asked", [READY, ALIVE + READY + ALIVE])
async def test_who_ends_its_side_is_answered_still(connect: Connect, asked: bytes) -> None:
    peer = (await (await connect()).send(asked)).end()
    assert await peer.statuses() == [200] * asked.count(b"GET")


async def test_a_client_that_ends_its_side_within_a_body_gets_an_error(connect: Connect, app: Client) -> None:
    peer = (await (await connect()).send(HALF_BODY.replace(b"\r\n\r\n", b"\r\n" + authorized(app) + b"\r\n"))).end()
    assert await peer.statuses() == [400]


async def test_an_answer_before_the_end_of_the_body_says_that_the_connection_closes(connect: Connect) -> None:
    peer = await (await connect()).send(HALF_BODY)
    assert b"\r\nconnection: close\r\n" in await peer.head()
    await peer.rest()  # the server's side has ended


async def test_a_connection_lingers_only_while_something_comes(connect: Connect, serving: Serving) -> None:
    peer = await (await connect()).send(HALF_BODY)
    await peer.rest()
    serving.after(0)
    assert serving.clients == 1, "what is under way is discarded"
    await peer.send(b"x" * 1000)
    await reached(lambda: one(serving).discarded >= 1000)
    serving.after(IDLE_S - 0.5)
    assert serving.clients == 1
    serving.after(IDLE_S + 0.5)
    await reached(lambda: serving.clients == 0)


async def test_a_connection_does_not_linger_for_ever(
    connect: Connect, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_transport, "IDLE_S", 1e9)  # it goes on sending
    await (await (await connect()).send(HALF_BODY)).rest()
    serving.after(0)
    serving.after(LINGER_S - 1)
    assert serving.clients == 1
    serving.after(LINGER_S + 1)
    await reached(lambda: serving.clients == 0)


async def test_a_lingering_connection_takes_a_bounded_number_of_bytes(
    connect: Connect, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_transport, "DISCARD_BYTES", 50_000)
    peer = await (await connect()).send(HALF_BODY)
    await peer.rest()
    await peer.send(*[b"x" * 30_000] * 3)
    await reached(lambda: serving.clients == 0)


@pytest.mark.parametrize("head", [b"", b"Connection: close\r\n"], ids=["keep-alive", "close"])
async def test_a_client_in_the_middle_of_nine_megabytes_reads_its_413(connect: Connect, app: Client, head: bytes) -> None:
    size = 9_000_000
    asks = b"POST /ingest/readings HTTP/1.1\r\n" + HOST + authorized(app) + head + b"Content-Length: %d\r\n\r\n" % size
    peer = await (await connect()).send(asks, *[b" " * 100_000] * (size // 100_000))
    assert (await peer.rest()).startswith(b"HTTP/1.1 413")


async def test_a_refused_websocket_lingers_too(connect: Connect, serving: Serving) -> None:
    peer = await (await connect()).send(UPGRADE + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    assert await peer.statuses() == [403]
    await peer.send(b"x" * 10_000)
    await reached(lambda: one(serving).discarded == 10_000)
    serving.after(IDLE_S + 0.5)
    await reached(lambda: serving.clients == 0)


def unread(serving: Serving, asks: bytes, times: int = 100_000) -> socket.socket:
    """A client that asks and asks and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", serving.port))
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        for _ in range(times):
            client.send(asks)
    return client


@pytest.mark.parametrize("path", ["/docs", "/healthz", "/vehicles/x/signals"])
async def test_a_client_that_sends_requests_and_reads_no_answers_is_disconnected(
    serving: Serving, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = unread(serving, b"GET %s HTTP/1.1\r\n" % path.encode() + HOST + b"\r\n")
    await reached(lambda: serving.clients == 1 and one(serving).get_write_buffer_size() > 0)
    serving.after(0)
    held = one(serving).watched
    assert len(getattr(held, "pipeline")) < 1000, "requests wait as bytes"  # noqa: B009  (not of the interface)
    serving.after(TAKEN_WITHIN_S - 1)
    assert serving.clients == 1
    serving.after(TAKEN_WITHIN_S + 1)
    await reached(lambda: serving.clients == 0)
    client.close()
    assert not [record for record in caplog.records if record.exc_info]


async def test_a_stream_whose_client_does_not_read_is_ended(serving: Serving, world: World, app: Client) -> None:
    car, power = await world.car(), BY_CODE["charge-wattage"]
    for begin in range(0, MANY, 1000):
        await world.store.readings.write(
            [Reading(car.id, power, at, T0 + at, T0 + at, "box") for at in range(begin, begin + 1000)]
        )
    client = unread(serving, b"GET /stream HTTP/1.1\r\n" + HOST + authorized(app) + b"Last-Event-ID: 0\r\n\r\n", times=1)
    await reached(lambda: serving.clients == 1 and one(serving).get_write_buffer_size() > 0)
    serving.after(0)
    serving.after(TAKEN_WITHIN_S - 1)
    assert len(world.service.tail._everyone) == 1
    serving.after(TAKEN_WITHIN_S + 1)
    await reached(lambda: not world.service.tail._everyone and serving.clients == 0)
    client.close()


async def test_a_stream_with_a_request_behind_it_ends_with_its_connection(
    serving: Serving, connect: Connect, world: World, app: Client
) -> None:
    peer = await (await connect()).send(b"GET /stream HTTP/1.1\r\n" + HOST + authorized(app) + b"\r\n" + ALIVE)
    await peer.head()
    await reached(lambda: bool(world.service.tail._everyone))
    one(serving).abort()
    await reached(lambda: not world.service.tail._everyone)


async def test_a_full_server_closes_who_can_be_spared_and_says_so_once(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    idle = [await (await connect()).send(ALIVE) for _ in range(4)]
    for peer in idle:
        await peer.head()
    answered = [await (await connect()).send(HALF_BODY) for _ in range(8)]
    for peer in answered:
        await peer.rest()
    for _ in range(30):
        newcomer = await (await connect()).send(ALIVE)
        assert (await newcomer.head()).startswith(b"HTTP/1.1 200")
        newcomer.writer.close()
        await reached(lambda: serving.clients <= 12)
    assert [record.message for record in caplog.records if "limit is met" in record.message] != []
    assert len([record for record in caplog.records if "limit is met" in record.message]) <= 2, "one of each limit"


async def test_who_is_in_use_is_never_closed_for_a_newcomer(
    serving: Serving, connect: Connect, world: World, app: Client
) -> None:
    other = await world.application()
    asked = [b"GET /stream HTTP/1.1\r\n" + HOST + authorized(each) + b"\r\n" for each in (app, other) for _ in range(6)]
    for peer in [await (await connect()).send(each) for each in asked]:
        assert (await peer.head()).startswith(b"HTTP/1.1 200")
    newcomer = await (await connect()).send(ALIVE)
    answer = await newcomer.rest()
    assert answer.startswith(b"HTTP/1.1 503")
    assert b'"code":"OVERLOADED"' in answer
    assert b"retry-after: 5" in answer
    assert len(world.service.tail._everyone) == 12


async def test_an_address_has_a_limit_of_its_own(world: World) -> None:
    async with served(world.served, LimitSettings(connections=100, connections_by_address=4)) as serving:
        peers = []
        for _ in range(9):
            reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
            peers.append(await Peer(reader, writer).send(ALIVE))
            await peers[-1].head()
        assert serving.clients <= 5
        for peer in peers:
            peer.writer.close()


async def test_a_client_that_does_not_read_can_be_spared_soon(serving: Serving) -> None:
    client = unread(serving, b"GET /docs HTTP/1.1\r\n" + HOST + b"\r\n")
    await reached(lambda: serving.clients == 1 and one(serving).get_write_buffer_size() > 0)
    serving.after(0)
    assert one(serving).spare() is None
    one(serving)._taken_at -= UNREAD_S
    assert one(serving).spare() == 1
    client.close()


async def test_over_tls_early_answers_are_read_too(world: World, app: Client, tmp_path: Path) -> None:
    authority, chain, key = trustme.CA(), tmp_path / "chain.pem", tmp_path / "key.pem"
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with served(world.served, tls=TlsFiles(str(chain), str(key))) as serving:
        for asks, status in ((HALF_BODY, 401), (HEADS["two hosts"], 400), (IN_CHUNKS % b"" + b"zz\r\n", 400)):
            reader, writer = await asyncio.open_connection("127.0.0.1", serving.port, ssl=trusting, server_hostname="localhost")
            peer = await Peer(reader, writer).send(asks)
            assert (await peer.head()).startswith(b"HTTP/1.1 %d" % status)
            serving.after(0)
            serving.after(IDLE_S + 1)
            await peer.rest()
            writer.close()
            await reached(lambda: serving.clients == 0)
