"""The server as a socket sees it: what is sent is bytes, cut anywhere, and what comes back is HTTP, whatever was sent."""

import asyncio
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Absence, AbsenceReason, Reading
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from servers import Server

pytestmark = pytest.mark.service

CAR = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
WAIT_S = 10


class Live(NamedTuple):
    """A server with a car, and two tokens: one that may see everything, one that may see nothing."""

    server: Server
    token: bytes
    narrow: bytes

    def get(self, path: str, *headers: bytes, token: bytes | None = None) -> bytes:
        """The bytes of a GET."""
        bearer = [b"Authorization: Bearer " + (token or self.token)] if token != b"" else []
        return b"\r\n".join([b"GET " + path.encode() + b" HTTP/1.1", b"Host: cars.test", *bearer, *headers, b"", b""])


class Got(NamedTuple):
    """One answer: its first line, its headers, its body."""

    line: bytes
    headers: dict[bytes, bytes]
    body: bytes

    def masked(self) -> tuple[bytes, dict[bytes, bytes], bytes]:
        """The answer without what differs from one to the next."""
        reported = self.headers.get(b"sc-request-id", b"-")
        kept = {name: value for name, value in self.headers.items() if name not in (b"sc-request-id", b"date")}
        return self.line, kept, self.body.replace(reported, b"ID")


async def populate(database: Path) -> tuple[bytes, bytes]:
    store, clock = SqliteStore.open(database), SystemClock()
    access = Access(store, clock)
    await store.vehicles.add_vehicle(Vehicle(id=CAR, make="ACME"))
    now = clock.now()
    await store.readings.write(
        [Reading(CAR, each, bodies.parse(each, each.example), now - 9, now, "http") for each in CATALOGUE]
    )
    await store.readings.write([Absence(CAR, BY_CODE["charge-chargerphases"], AbsenceReason.NOT_CAPABLE, now, now, "http")])
    tokens = []
    for permissions in (frozenset(Permission), frozenset[Permission]()):
        application, _ = await access.register("App", permissions)
        tokens.append((await access.issue_token(application)).encode())
    await store.close()
    return tokens[0], tokens[1]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    database = tmp_path_factory.mktemp("wire") / "wire.db"
    tokens = asyncio.run(populate(database))
    settings = database.with_name("chargeport.toml")
    settings.write_text("[derive]\nenabled = false\n")  # between two requests nothing changes
    server = Server(database, options=("--config", str(settings)))
    try:
        server.start()
        yield Live(server, *tokens)
    finally:
        server.stop()


def exchange(live: Live, *pieces: bytes, answers: int = 1) -> list[Got]:
    """Send pieces over one connection, each by itself, and read so many answers."""
    with socket.create_connection(("127.0.0.1", live.server.port), WAIT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        with connection.makefile("rb") as stream:
            return [answer(stream) for _ in range(answers)]


def answer(stream: "socket.SocketIO | object") -> Got:
    line = stream.readline().strip()  # type: ignore[attr-defined]
    headers: dict[bytes, bytes] = {}
    while header := stream.readline().strip():  # type: ignore[attr-defined]
        name, _, value = header.partition(b":")
        assert name.lower() not in headers, f"{name!r} stands there twice"
        headers[name.lower()] = value.strip()
    return Got(line, headers, stream.read(int(headers.get(b"content-length", b"0"))))  # type: ignore[attr-defined]


SIGNALS = f"/v3/vehicles/{CAR}/signals"
PATHS = [
    SIGNALS, f"/vehicles/{CAR}/signals/", f"{SIGNALS}/charge-voltage", f"{SIGNALS}/charge-chargerphases", f"{SIGNALS}/nothing",
    f"{SIGNALS}/charge-voltage/", f"{SIGNALS}//", f"/v3/vehicles//signals/{CAR}", "/v3/vehicles/nobody/signals",
    f"/v3/vehicles/{CAR.upper()}/signals", f"/v3/vehicles/{CAR}/signals/charge%2Dvoltage", f"{SIGNALS}/charge-voltage%0A",
    f"{SIGNALS}/%F0%9F%98%80", f"{SIGNALS}/charge-voltage%00", f"//v3/vehicles/{CAR}/signals", f"/v3/vehicles/../{CAR}/signals",
    f"{SIGNALS}/charge-voltage?", f"{SIGNALS}?page[size]=2", f"/v3/v3/vehicles/{CAR}/signals", f"/V3/vehicles/{CAR}/signals",
    f"{SIGNALS};x", f"{SIGNALS}/charge-voltage;x", f"{SIGNALS}/a+b", f"/vehicles/{CAR}/signals/charge-voltage/x",
    "/v3/vehicles",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_however_a_read_is_asked_for_the_answer_is_the_same(live: Live, path: str) -> None:
    """A plain read takes the shortest way. A header that names the connection, or a cut in the bytes, makes it take another."""
    for token in (live.token, live.narrow, b"", b"wrong"):
        for more in ((), (b"If-None-Match: *",), (b"sc-user-id: nobody",), (b"X-Forwarded-Host: evil.test",)):
            plain = live.get(path, *more, token=token)
            longer = live.get(path, *more, b"Connection: keep-alive", token=token)
            cut = [plain[:30], plain[30:]]
            shapes = [exchange(live, plain), exchange(live, longer), exchange(live, *cut)]
            assert len({str(got.masked()) for (got,) in shapes}) == 1, shapes
            assert shapes[0][0].headers[b"date"].endswith(b"GMT")


def test_requests_in_one_go_are_answered_in_their_order(live: Live) -> None:
    paths = [
        SIGNALS,
        f"{SIGNALS}/charge-voltage",
        "/v3/vehicles",
        f"{SIGNALS}/nothing",
        "/healthz",
        f"{SIGNALS}/charge-wattage",
    ] * 5
    singly = [exchange(live, live.get(path))[0].masked() for path in paths]
    together = [got.masked() for got in exchange(live, b"".join(map(live.get, paths)), answers=len(paths))]
    assert together == singly


def test_a_read_behind_a_write_sees_what_was_written(live: Live) -> None:
    for value in range(100, 130):
        body = f'{{"vehicle":"{CAR}","signal":"charge-amperagemax","body":{{"value":{value}}}}}'.encode()
        head = b"POST /ingest/readings HTTP/1.1\r\nHost: cars.test\r\nAuthorization: Bearer " + live.token
        write = head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        taken, read = exchange(live, write + live.get(f"{SIGNALS}/charge-amperagemax"), answers=2)
        assert taken.line == b"HTTP/1.1 200 OK"
        assert b'"body":{"value":%d,' % value in read.body


def test_a_request_may_come_byte_by_byte(live: Live) -> None:
    request = live.get(f"{SIGNALS}/charge-voltage")
    (got,) = exchange(live, *[request[at : at + 1] for at in range(len(request))])
    assert got.line == b"HTTP/1.1 200 OK"


def test_head_sends_no_body_and_the_connection_goes_on(live: Live) -> None:
    head = live.get(SIGNALS).replace(b"GET ", b"HEAD ")
    with socket.create_connection(("127.0.0.1", live.server.port), WAIT_S) as connection:
        connection.sendall(head + live.get("/healthz"))
        data = b""
        while b'{"status":"ok"}' not in data:
            data += connection.recv(65_536)
    assert data.count(b"HTTP/1.1 200 OK") == 2
    assert re.search(rb"\r\n\r\nHTTP/1\.1 200", data), "nothing stands between them"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x00\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"{}\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /ingest/readings HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"GET foo/v3/vehicles/x/signals HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_gets_4xx_and_harms_nobody(live: Live, request_bytes: bytes) -> None:
    with socket.create_connection(("127.0.0.1", live.server.port), WAIT_S) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        data = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert not data or re.match(rb"HTTP/1\.1 4\d\d ", data), data[:200]
    assert exchange(live, live.get("/healthz"))[0].line == b"HTTP/1.1 200 OK"


def test_clients_that_leave_in_the_middle_leave_no_trace(live: Live) -> None:
    before = failures(live)
    head = b"POST /ingest/readings HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\nAuthorization: Bearer " + live.token
    for sent in (head, head + b"\r\n\r\n[{", live.get(SIGNALS)[:-2], live.get(SIGNALS)):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", live.server.port), WAIT_S) as connection:
                connection.sendall(sent)
    assert exchange(live, live.get(SIGNALS))[0].line == b"HTTP/1.1 200 OK"
    assert failures(live) == before


def failures(live: Live) -> list[bytes]:
    """The counters of answers that were our own fault."""
    (got,) = exchange(live, live.get("/metrics"))
    return re.findall(rb'.*status="5\d\d".*', got.body)
