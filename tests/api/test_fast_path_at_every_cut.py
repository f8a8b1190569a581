"""A plain read is answered alike wherever the network cuts it in two, with the fast path and without it, byte for byte."""

import asyncio
from typing import Any, cast

import pytest
from test_protocol import IDS
from uvicorn.server import ServerState

from chargeport import web
from chargeport.api.app import WebApp
from chargeport.api.client_transport import ClientTransport
from chargeport.api.protocol import FastPathProtocol
from chargeport.dashboard import page
from serving import reached
from world import World

ONE, ALL, ODD = "/v3/vehicles/car/signals/charge-wattage", "/vehicles/car/signals", "/v3/vehicles/nobody/signals"
HOST = "Host: cars.test\r\n"


def read(path: str, more: str = "", host: str = HOST, by: str = "Authorization: Bearer {token}\r\n") -> str:
    return f"GET {path} HTTP/1.1\r\n{host}{by}{more}\r\n"


REQUESTS = {
    "one signal": read(ONE),
    "all signals": read(ALL),
    "two in one go": read(ONE) + read(ALL),
    "two of the same head": read(ONE) + read(ONE),
    "an unknown vehicle before a read": read(ODD) + read(ONE),
    "a read before another route": read(ONE) + read("/v3/vehicles"),
    "accept twice": read(ONE, "Accept: text/html\r\nAccept: application/json\r\n"),
    "tabs around values": read(ONE, "Accept:\t*/*\t\r\n", "Host:\tcars.test \t\r\n", "Authorization: \tBearer {token}\t \r\n"),
    "lower case": read(ONE, host=HOST.lower(), by="authorization: Bearer {token}\r\n"),
    "upper case": read(ONE, host="HOST: cars.test\r\n", by="AUTHORIZATION: Bearer {token}\r\n"),
    "to be closed": read(ONE, "Connection: close\r\n"),
    "to be closed before another": read(ONE, "Connection: close\r\n") + read(ALL),
    "unknown headers": read(ONE, "X-Unknown: \x80\xff\r\nX-Empty:\r\nX-Colons: a: b: c\r\n"),
    "any tag": read(ONE, "If-None-Match: *\r\n"),
    "another tag": read(ONE, 'If-None-Match: "0", W/"1"\r\n'),
    "a user": read(ONE, "sc-user-id: owner\r\n"),
    "a user of nobody": read(ONE, "SC-User-Id:  nobody \r\n"),
    "a host with a port": read(ONE, host="Host: cars.test:8080\r\n"),
    "a host in capitals": read(ONE, host="Host: CARS.TEST\r\n"),
    "an address": read(ONE, host="Host: [::1]:8080\r\n"),
    "an empty host": read(ONE, host="Host:\r\n"),
    "no host": read(ONE, host=""),
    "two hosts": read(ONE, host=HOST + "Host: other.test\r\n"),
    "a host that is none": read(ONE, host='Host: a"b\r\n'),
    "a blank before the colon": read(ONE, "Accept : */*\r\n"),
    "a folded line": read(ONE, "Accept: a,\r\n b\r\n"),
}


class Wire(asyncio.Transport):
    """The network of one connection, in memory."""

    def __init__(self) -> None:
        super().__init__({"peername": ("203.0.113.9", 49_152), "sockname": ("127.0.0.1", 8080)})
        self.written = b""
        self.has_ended = False
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.has_ended

    def close(self) -> None:
        self.has_ended = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_ended = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol


async def answered(app: WebApp, *parts: bytes, waits: bool = False) -> tuple[bytes, bool]:
    """What is sent back when these arrive one after the other, and whether the connection ends then.

    With `waits`, what can be answered is answered before the next part arrives.
    """
    loop, wire = asyncio.get_running_loop(), Wire()
    client = ClientTransport("203.0.113.9", loop.time, lambda _: None)
    protocol = FastPathProtocol(web.configuration(app, "warning"), ServerState(), {}, loop, client=client)
    wire.protocol = protocol
    protocol.connection_made(wire)
    for part in parts:
        cast("Any", wire.get_protocol()).data_received(part)
        if waits:
            await reached(protocol._is_idle)
    await reached(protocol._is_idle)
    assert not protocol.pipeline
    protocol.connection_lost(None)
    return IDS.sub(b"ID", wire.written), wire.has_ended


async def populated(world: World) -> str:
    """Return the token of an application, which one user has connected a car of many signals to."""
    car, client = await world.car("car"), await world.application()
    await world.report_all(car)
    await world.connect(client, car, "owner")
    return client.headers["Authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("name", REQUESTS)
async def test_wherever_a_read_is_cut_the_answer_is_the_routers(world: World, name: str, *, waits: bool) -> None:
    sent = REQUESTS[name].replace("{token}", await populated(world)).encode("latin-1")
    with_fast_path, without = world.served, world.service.app(page.handlers(), fast_path=False)
    expected = await answered(without, sent)
    assert expected[0].startswith(b"HTTP/1.1 ")
    assert await answered(with_fast_path, sent) == expected
    for cut in range(1, len(sent)):
        assert await answered(with_fast_path, sent[:cut], sent[cut:], waits=waits) == expected, (sent[:cut], sent[cut:])


@pytest.mark.parametrize("name", ["one signal", "all signals", "two in one go", "accept twice", "tabs around values"])
async def test_a_read_that_is_cut_is_the_lanes_still(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse(_: FastPathProtocol) -> None:
        raise AssertionError("the request went on to the router")

    monkeypatch.setattr(FastPathProtocol, "_hand_on", refuse)
    sent = REQUESTS[name].replace("{token}", await populated(world)).encode("latin-1")
    for cut in range(1, len(sent)):
        answers, has_ended = await answered(world.served, sent[:cut], sent[cut:])
        assert answers.count(b"HTTP/1.1 200 ") == sent.count(b" HTTP/1.1\r\n")
        assert not has_ended
