"""OCPP security profile 3: a station proves itself with a certificate, over our own TLS, with the ocpp package's station."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
import websockets
from ocpp.v16 import call
from ocpp_peers import PASSWORD, Station16, basic, booted
from source_world import WITHIN_S, Heard, Running, source_context
from starlette.applications import Starlette

from chargeport.api.app import WebApp
from chargeport.api.sockets import socket_routes
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.sources.ocpp.source import PATH, OcppSource
from chargeport.tls import TlsFiles
from serving import served
from world import World

SETTINGS = OcppSettings(
    stations={"box": StationSettings(security_profile=3), "old": StationSettings(security_profile=2, password=PASSWORD)}
)


class Stations:
    """A server over TLS that stations connect to."""

    def __init__(self, ca: trustme.CA, port: int, folder: Path) -> None:
        self._ca, self._port, self._folder = ca, port, folder

    def connect(self, station: str, certified: str | None = None, **more: Any) -> Any:
        context = ssl.create_default_context()
        self._ca.configure_trust(context)
        if certified is not None:
            self._ca.issue_cert(certified, common_name=certified).configure_cert(context)
        url = f"wss://localhost:{self._port}/ocpp/{station}"
        return websockets.connect(url, subprotocols=["ocpp1.6"], ssl=context, proxy=None, **more)


async def _boots(name: str, socket: Any) -> None:
    station = Station16(name, socket)
    listens = asyncio.create_task(station.start())
    answer = await booted(station, call.BootNotification(charge_point_model="One", charge_point_vendor="ACME"))
    assert answer.status == "Accepted"
    listens.cancel()


@pytest.fixture
async def stations(world: World, tmp_path: Path) -> AsyncIterator[Stations]:
    ca = trustme.CA()
    made = ca.issue_cert("localhost")
    made.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    files = TlsFiles(str(tmp_path / "server.pem"), str(tmp_path / "server.pem"), str(tmp_path / "ca.pem"))
    source = OcppSource(SETTINGS, source_context("boxes", "ocpp"))
    async with Running(source.run(Heard())), _serving(world, source, files) as port:
        yield Stations(ca, port, tmp_path)


@asynccontextmanager
async def _serving(world: World, source: OcppSource, files: TlsFiles) -> AsyncIterator[int]:
    app = Starlette(routes=socket_routes({PATH: partial(source.connect)}, world.served.errors.links))

    async def rest(scope: Any, receive: Any, send: Any) -> None:
        await (app if scope["type"] == "websocket" else world.app)(scope, receive, send)

    async with served(WebApp(rest, world.served.errors, world.served.bodies, world.served.fast_path), tls=files) as serving:
        yield serving.port


async def test_a_connection_over_tls_ends_once_both_sides_have_closed_it(stations: Stations) -> None:
    async with asyncio.timeout(WITHIN_S):
        socket = await stations.connect("box", "BOX", close_timeout=2 * WITHIN_S)
        await socket.close()
    assert socket.close_code == 1000


async def test_a_station_with_its_certificate_needs_no_password(stations: Stations) -> None:
    async with stations.connect("box", "BOX") as socket:
        await _boots("box", socket)


@pytest.mark.parametrize(("certified", "headers"), [(None, {}), (None, basic("box", PASSWORD)), ("other", {})])
async def test_no_certificate_and_another_stations_are_refused(
    stations: Stations, certified: str | None, headers: dict[str, str]
) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await stations.connect("box", certified, additional_headers=headers)
    assert refused.value.response.status_code == 403


async def test_a_certificate_of_another_authority_ends_the_handshake(stations: Stations) -> None:
    context = ssl.create_default_context()
    stations._ca.configure_trust(context)
    trustme.CA().issue_cert("box", common_name="box").configure_cert(context)
    with pytest.raises((OSError, websockets.InvalidMessage)):
        await websockets.connect(f"wss://localhost:{stations._port}/ocpp/box", ssl=context, proxy=None)


async def test_profile_2_wants_the_password_over_tls_and_no_certificate(stations: Stations) -> None:
    async with stations.connect("old", additional_headers=basic("old", PASSWORD)) as socket:
        await _boots("old", socket)
    with pytest.raises(websockets.InvalidStatus) as refused:
        await stations.connect("old", "old")
    assert refused.value.response.status_code == 401
