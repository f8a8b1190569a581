"""The central system behind Chargeport's own web server: the upgrade passes the read lane, and the connection lasts."""

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
from chargeport.api.protocol import LaneProtocol
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


def with_stations(world: World, source: OcppSource) -> WebApp:
    """The application with stations beside it."""
    stations = Starlette(routes=[WebSocketRoute(PATH, source.connect)])

    async def rest(scope: Any, receive: Any, send: Any) -> None:
        await (stations if scope["type"] == "websocket" else world.app)(scope, receive, send)

    return WebApp(rest, world.served.errors, world.served.bodies, world.served.lane)


async def test_a_station_reaches_the_central_system_through_the_web_server(world: World) -> None:
    source, heard = OcppSource(SETTINGS, source_context("boxes", "ocpp")), Heard()
    async with Running(source.run(heard)), served(with_stations(world, source)) as url:
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
        assert [one.topic for one in await heard.count(2)] == ["station other", "StatusNotification"]


async def test_a_connection_that_is_silent_is_not_taken_for_an_idle_http_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_after: list[LaneProtocol] = []
    original = LaneProtocol.look

    def look(protocol: LaneProtocol, now: float) -> None:
        looked_after.append(protocol)
        original(protocol, now + 3600)

    monkeypatch.setattr(LaneProtocol, "look", look)
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
