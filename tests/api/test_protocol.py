"""The way of a request down at the socket: the fast path and the router answer alike, whatever is sent."""

import asyncio
import contextlib
import random
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chargeport.api.access import hashed
from chargeport.api.fast_path import FastPath
from chargeport.api.protocol import HEAD_WITHIN_S, PORTION, FastPathProtocol
from chargeport.clock import ManualClock
from chargeport.dashboard import page
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.records import Application, Vehicle
from serving import reached, served

pytestmark = pytest.mark.service

NOW = 1_777_629_598_000
CAR = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", make="ACME", model="One", year=2026)
ONE = f"/v3/vehicles/{CAR.id}/signals/charge-wattage"
ALL = f"/vehicles/{CAR.id}/signals"
TOKEN = "cpt_test"
HEAD = f"Host: car.test\r\nAuthorization: Bearer {TOKEN}\r\n"


def get(path: str, more: str = "", method: str = "GET", version: str = "1.1") -> bytes:
    return f"{method} {path} HTTP/{version}\r\n{HEAD}{more}\r\n".encode("latin-1")


KEEP_ALIVE_S = 5
IDS = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(?=\"|\r\n)")

REQUESTS = {
    "one signal": get(ONE),
    "all signals": get(ALL),
    "a slash at the end": get(ONE + "/"),
    "an unknown code": get(ALL + "/charge-nonsense"),
    "an unknown vehicle": get("/v3/vehicles/nobody/signals"),
    "no token": f"GET {ONE} HTTP/1.1\r\nHost: car.test\r\n\r\n".encode(),
    "a wrong token": get(ONE).replace(TOKEN.encode(), b"nonsense"),
    "two hosts": get(ONE, "Host: other.test\r\n"),
    "a host that is none": get(ONE).replace(b"car.test", b'a"b'),
    "two tokens": get(ONE, "Authorization: Bearer other\r\n"),
    "an etag that holds": get(ONE, "If-None-Match: *\r\n"),
    "a query": get(ALL + "?filter[code]=charge-wattage"),
    "a percent sign": get(f"/v3/vehicles/{CAR.id}/signals/charge%2Dwattage"),
    "a fragment": get(ONE + "#x"),
    "an absolute form": get("http://car.test" + ONE),
    "a double slash": get("/" + ONE),
    "another route": get("/healthz"),
    "no route": get("/nothing"),
    "another method": get(ONE, method="HEAD"),
    "a method that is not there": get(ONE, method="DELETE"),
    "an old version": get(ONE, version="1.0"),
    "a connection that is to close": get(ONE, "Connection: close\r\n"),
    "an upgrade": get(ONE, "Connection: upgrade\r\nUpgrade: websocket\r\n"),
    "a body": get(ONE, "Content-Length: 2\r\n") + b"{}",
    "a body in chunks": get(ONE, "Transfer-Encoding: chunked\r\n") + b"2\r\n{}\r\n0\r\n\r\n",
    "an expectation": get(ONE, "Expect: 100-continue\r\nContent-Length: 2\r\n") + b"{}",
    "three in one go": get(ONE) + get("/healthz") + get(ALL),
    "a slow route before a quick one": get("/readyz") + get(ONE) + get("/readyz") + get(ALL),
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    opened = Service.open(Settings(database=DatabaseSettings(url=f"sqlite:///{tmp_path}/a.db")), ManualClock(NOW))
    await opened.store.vehicles.add_vehicle(CAR)
    await opened.store.access.add_application(
        Application(client_id="client", name="test", permissions=frozenset(Permission)), hashed("secret")
    )
    await opened.store.access.add_token(hashed(TOKEN), "client", NOW + 3_600_000)
    values: dict[str, Any] = {"charge-wattage": 7200, "charge-ischarging": True, "charge-chargerphases": 3}
    await opened.store.readings.write(
        [Reading(CAR.id, BY_CODE[code], value, NOW, NOW, "test") for code, value in values.items()]
    )
    yield opened
    await opened.close()


async def exchange(port: int, *sent: bytes) -> bytes:
    """Send the parts one after the other, close our side, and read all that comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in sent:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    received = b""
    async with asyncio.timeout(10):
        while not is_whole(received, b"".join(sent)):
            part = await reader.read(65536)
            if not part:
                break
            received += part
    writer.close()
    return IDS.sub(b"ID", received)


def is_whole(received: bytes, sent: bytes) -> bool:
    """Whether every request sent has its whole answer."""
    answers, rest = 0, received
    while b"\r\n\r\n" in rest:
        head, rest = rest.split(b"\r\n\r\n", 1)
        if b" 100 " in head.split(b"\r\n")[0]:
            continue
        length = re.search(rb"content-length: (\d+)", head)
        size = int(length[1]) if length and not sent.startswith(b"HEAD") else 0
        if len(rest) < size:
            return False
        rest = rest[size:]
        answers += 1
    return answers >= max(1, len(re.findall(rb" HTTP/1\.\d\r\n", sent)))


@pytest.mark.parametrize("name", REQUESTS)
async def test_with_the_lane_and_without_it_the_same_bytes_are_answered(service: Service, name: str) -> None:
    with_fast_path, without = service.app(page.handlers()), service.app(page.handlers(), fast_path=False)
    async with served(with_fast_path) as quick, served(without) as plain:
        assert await exchange(quick.port, REQUESTS[name]) == await exchange(plain.port, REQUESTS[name])


SAME_HEAD = [  # sent between plain reads, from whose heads they differ in little or nothing
    *(get(path) for path in (ONE, ONE, ALL, ONE + "/", "/" + ONE, "x" + ONE, ONE + "\x7f", "/healthz", ALL + "?page[size]=1")),
    *(get(f"{ALL}/{code}") for code in ("charge-ischarging", "charge-nonsense", "charge%2Dwattage", "charge-wattage x")),
    *(get(ONE, more) for more in ("If-None-Match: *\r\n", "sc-user-id: somebody\r\n", "Connection: close\r\n")),
    *(get(ONE).replace(*pair) for pair in ((b"cpt", b"x"), (b"car.test", b"b"), (b"\r\n", b"\n"), (b" H", b"  H"))),
    get(ONE, version="1.0"), get(ONE, method="HEAD"), get(ONE) + get(ALL), get(ONE)[1:], b"\r\n" + get(ONE), get(ONE)[:-2],
    get(ONE, "Content-Length: 2\r\n") + b"{}", get(ONE, "Content-Length: 2\r\n"),
]  # fmt: skip


async def conversation(port: int, requests: list[bytes]) -> list[bytes]:
    """What comes after each request; the next one is sent once that was answered, or nothing comes for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    deliveries = []
    for request in requests:
        writer.write(request)
        received = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while not is_whole(received, request) and (part := await reader.read(65536)):
                    received += part
        deliveries.append(IDS.sub(b"ID", received))
    writer.close()
    return deliveries


@pytest.mark.parametrize("seed", range(12))
async def test_requests_with_the_head_of_the_one_before_are_answered_as_any_other(service: Service, seed: int) -> None:
    draw = random.Random(seed)
    requests = [request for _ in range(8) for request in (get(ONE), draw.choice(SAME_HEAD))]
    with_fast_path, without = service.app(page.handlers()), service.app(page.handlers(), fast_path=False)
    async with served(with_fast_path) as quick, served(without) as plain:
        deliveries, expected = await asyncio.gather(conversation(quick.port, requests), conversation(plain.port, requests))
    assert deliveries == expected


async def test_a_head_that_is_repeated_is_not_parsed_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    parse = FastPathProtocol._parse
    monkeypatch.setattr(FastPathProtocol, "_parse", lambda self, data: (parsed.append(data), parse(self, data))[1])
    async with served(service.app(page.handlers())) as quick:
        deliveries = await conversation(quick.port, [get(ONE), get(ALL), get(ONE), get(ONE, "X-Other: 1\r\n"), get(ONE)])
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in deliveries)
    assert parsed == [get(ONE), get(ONE, "X-Other: 1\r\n"), get(ONE)]


@pytest.mark.parametrize("cut", [1, 10, 40, 90, -3, -1])
async def test_a_request_that_comes_in_pieces_is_answered_as_one(service: Service, cut: int) -> None:
    request = REQUESTS["one signal"]
    async with served(service.app(page.handlers())) as quick:
        assert await exchange(quick.port, request[:cut], request[cut:]) == await exchange(quick.port, request)


async def test_many_requests_on_one_connection_are_answered_in_their_order(service: Service) -> None:
    async with served(service.app(page.handlers())) as quick:
        answers = await exchange(quick.port, (get(ONE) + get("/healthz")) * 50)
    assert re.findall(rb'"name":"Wattage"|"status":"ok"', answers) == [b'"name":"Wattage"', b'"status":"ok"'] * 50


async def test_many_requests_on_one_connection_leave_turns_of_the_loop_to_others(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, answers = 0, Counter[int]()
    original = FastPath.answer

    def counted(fast_path: FastPath, *args: Any) -> bytes | None:
        answers[turn] += 1
        return original(fast_path, *args)

    monkeypatch.setattr(FastPath, "answer", counted)

    async def count_turns() -> None:
        nonlocal turn
        while True:
            await asyncio.sleep(0)
            turn += 1

    counting = asyncio.create_task(count_turns())
    async with served(service.app(page.handlers())) as server:
        received = await exchange(server.port, get(ONE) * 1000)
    counting.cancel()
    assert received.count(b"HTTP/1.1 200 OK") == 1000
    assert max(answers.values()) <= PORTION // len(get(ONE)) + 1


async def test_who_asks_too_much_and_reads_no_answer_is_not_read_from(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0
    original = FastPathProtocol.data_received

    def counted(protocol: FastPathProtocol, data: bytes) -> None:
        nonlocal read
        read += len(data)
        original(protocol, data)

    monkeypatch.setattr(FastPathProtocol, "data_received", counted)
    async with served(service.app(page.handlers())) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.setblocking(False)
            for _ in range(20_000):  # turns of the loop
                with contextlib.suppress(BlockingIOError):
                    connection.send(get("/", "Accept: text/html\r\n") * 1000)
                await asyncio.sleep(0)
    assert read < 8 << 20


async def test_a_connection_without_further_requests_is_closed(service: Service) -> None:
    async with served(service.app(page.handlers())) as quick:
        reader, writer = await asyncio.open_connection("127.0.0.1", quick.port)
        writer.write(get(ONE))
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            quick.after(KEEP_ALIVE_S - 1)
            assert quick.clients == 1
            quick.after(KEEP_ALIVE_S)
            await reader.read()  # up to the end: the server hung up
        writer.close()


async def test_plain_reads_really_take_the_fast_path(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("the request went on to uvicorn")

    monkeypatch.setattr(FastPathProtocol, "_hand_on", refuse)
    async with served(service.app(page.handlers())) as quick:
        assert (await exchange(quick.port, get(ONE))).startswith(b"HTTP/1.1 200")
        assert (await exchange(quick.port, get(ALL))).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"NONSENSE\r\n\r\n", get("/v3/vehicles/\xe9/signals"), get(ONE, "no colon\r\n")])
async def test_what_is_not_http_gets_the_same_error_body_as_everything_else(service: Service, sent: bytes) -> None:
    async with served(service.app(page.handlers())) as quick:
        answer = await exchange(quick.port, sent)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"connection: close" in answer
    assert b'"code":"INVALID_INPUT_FORMAT"' in answer


@pytest.mark.parametrize("more", ["X: " + "x" * 90_000 + "\r\n", "".join(f"X-{n}: {n}\r\n" for n in range(9_000))])
async def test_a_head_that_is_too_long_is_refused_before_it_is_all_there(service: Service, more: str) -> None:
    async with served(service.app(page.handlers())) as quick:
        answer = await exchange(quick.port, get(ONE, more)[:-2])  # the empty line that ends it never comes
    assert answer.startswith(b"HTTP/1.1 431")
    assert b'"code":"HEADERS_TOO_LARGE"' in answer


async def test_a_head_that_takes_too_long_is_refused(service: Service) -> None:
    async with served(service.app(page.handlers())) as quick:
        reader, writer = await asyncio.open_connection("127.0.0.1", quick.port)
        writer.write(get(ONE)[:40])
        await reached(lambda: any(client.spare() == 2 for client in quick.server.clients._all))
        quick.after(HEAD_WITHIN_S - 1)
        quick.after(HEAD_WITHIN_S)
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_a_connection_without_a_request_is_closed(service: Service) -> None:
    async with served(service.app(page.handlers())) as quick:
        reader, writer = await asyncio.open_connection("127.0.0.1", quick.port)
        await reached(lambda: quick.clients == 1)
        quick.after(KEEP_ALIVE_S)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
