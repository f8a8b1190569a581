"""The central system behind Chargeport's own web server: the upgrade passes the fast path, and the connection lasts."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import websockets
from ocpp.v16 import call
from ocpp_peers import PASSWORD, SETTINGS, Station16, basic, booted
from source_world import WITHIN_S, Heard, Running, source_context
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from chargeport import web
from chargeport.api.app import WebApp
from chargeport.api.protocol import FastPathProtocol
from chargeport.sources.ocpp.source import PATH, OcppSource
from world import World


@asynccontextmanager
async def served(app: WebApp) -> AsyncIterator[str]:
    """The URL at which Chargeport's web server answers; it is stopped as a user stops it."""
    listening = web.listen("127.0.0.1", 0)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(web.serve(app, listening, ready.set_result, "warning"))
    try:
        async with asyncio.timeout(WITHIN_S):
            yield await ready
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            await serving
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)


async def test_refused_stations_do_not_fill_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    source = OcppSource(SETTINGS, source_context("boxes", "ocpp"))
    with caplog.at_level("INFO"):
        async with Running(source.run(Heard())), served(with_stations(world, source)) as url:
            for number in range(20):
                with pytest.raises(websockets.InvalidStatus):
                    await websockets.connect(
                        f"{url.replace('http', 'ws')}/ocpp/box",
                        subprotocols=["ocpp1.6"],
                        additional_headers=basic("box", f"guess {number}"),
                        proxy=None,
                    )
    assert [each for each in caplog.records if each.name == "uvicorn.error" and "box" in each.getMessage()] == []
    assert not [each for each in caplog.records if each.levelname == "ERROR"], "who is refused is no error of ours"
    assert len([each for each in caplog.records if each.name == "chargeport.sources.ocpp"]) == 2, "each reason once"


async def test_invented_stations_do_not_fill_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    source = OcppSource(SETTINGS, source_context("boxes", "ocpp"))
    with caplog.at_level("INFO"):
        async with Running(source.run(Heard())), served(with_stations(world, source)) as url:
            for number in range(100):
                with pytest.raises(websockets.InvalidStatus):
                    await websockets.connect(
                        f"{url.replace('http', 'ws')}/ocpp/n{number}", subprotocols=["ocpp1.6"], proxy=None
                    )
    lines = [each for each in caplog.records if each.name == "chargeport.sources.ocpp" and "refus" in each.getMessage()]
    assert len(lines) == 21, "twenty, and one that says there are more"
    assert "not logged" in lines[-1].getMessage()
    assert [each for each in caplog.records if "connection rejected" in each.getMessage()] == []


async def test_wrong_passwords_of_stations_are_counted_for_the_audit_log(world: World) -> None:
    refused: list[tuple[str, str]] = []
    source = OcppSource(SETTINGS, source_context("boxes", "ocpp", refused=lambda *what: refused.append(what)))
    async with Running(source.run(Heard())), served(with_stations(world, source)) as url:
        for station in ("box", "nobody"):
            with pytest.raises(websockets.InvalidStatus):
                await websockets.connect(
                    f"{url.replace('http', 'ws')}/ocpp/{station}", subprotocols=["ocpp1.6"],
                    additional_headers=basic(station, "a guess"), proxy=None,
                )  # fmt: skip
    assert refused == [("password of station box", "127.0.0.1")], "who is not known has shown no credential of anybody's"


def with_stations(world: World, source: OcppSource) -> WebApp:
    """The application with stations beside it."""
    stations = Starlette(routes=[WebSocketRoute(PATH, source.connect)])

    async def rest(scope: Any, receive: Any, send: Any) -> None:
        await (stations if scope["type"] == "websocket" else world.app)(scope, receive, send)

    return WebApp(rest, world.served.errors, world.served.bodies, world.served.fast_path)


async def test_a_station_reaches_the_central_system_through_the_web_server(world: World) -> None:
    source, received = OcppSource(SETTINGS, source_context("boxes", "ocpp")), Heard()
    async with Running(source.run(received)), served(with_stations(world, source)) as url:
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(f"{url.replace('http', 'ws')}/ocpp/other", subprotocols=["ocpp1.6"], proxy=None)
        assert refused.value.response.status_code == 404
        async with websockets.connect(
            f"{url.replace('http', 'ws')}/ocpp/box",
            subprotocols=["ocpp1.6"],
            additional_headers=basic("box", PASSWORD),
            proxy=None,
        ) as connection:
            station = Station16("box", connection)
            listens = asyncio.create_task(station.start())
            await booted(station, call.BootNotification(charge_point_model="One", charge_point_vendor="ACME"))
            await station.call(call.StatusNotification(connector_id=1, error_code="NoError", status="Available"))
            async with httpx.AsyncClient(base_url=url) as client:
                assert (await client.get("/healthz")).status_code == 200
            listens.cancel()
        assert [one.topic for one in await received.count(2)] == ["station other", "StatusNotification"]


async def test_a_connection_that_is_silent_is_not_taken_for_an_idle_http_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_after: list[FastPathProtocol] = []
    original = FastPathProtocol.look

    def look(protocol: FastPathProtocol, now: float) -> None:
        looked_after.append(protocol)
        original(protocol, now + 3600)

    monkeypatch.setattr(FastPathProtocol, "look", look)
    source = OcppSource(SETTINGS, source_context("boxes", "ocpp"))
    async with Running(source.run(Heard())), served(with_stations(world, source)) as url:
        async with websockets.connect(
            f"{url.replace('http', 'ws')}/ocpp/box",
            subprotocols=["ocpp1.6"],
            additional_headers=basic("box", PASSWORD),
            proxy=None,
        ) as connection:
            idle = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
            idle.setblocking(False)
            async with asyncio.timeout(WITHIN_S):  # an HTTP connection that came later is hung up on as idle
                assert await asyncio.get_running_loop().sock_recv(idle, 1) == b""
            idle.close()
            await connection.send('[2,"h","Heartbeat",{}]')
            assert json.loads(await connection.recv())[1] == "h"
        assert len(set(looked_after)) == 1, "only the HTTP connection"
