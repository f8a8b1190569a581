"""Charging stations made of the OCPP package's own charge-point class, and a web server for them to connect to."""

import asyncio
import base64
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import uvicorn
import websockets
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call_result as result201
from ocpp.v201.datatypes import ComponentType, GetVariableResultType, SetVariableResultType, VariableType
from source_world import T0, WITHIN_S, Heard, KeptMemory, Listener, Running, source_context
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import ClientConnection

from chargeport.clock import ManualClock
from chargeport.sources.base import Delivery
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.sources.ocpp.source import PATH, OcppSource

PASSWORD = "a password of 24 letters"
SAMPLED = "MeterValuesSampledData"
NOW = T0 + 120_000  # stations tell of the two minutes before
QUIET = logging.getLogger("test.station")
SETTINGS = OcppSettings(
    stations={"box": StationSettings(password=PASSWORD, id_tags={"CARD-A": "car-a", "CARD-B": "car-b"})},
    sample_interval_s=15,
    measurands=("Energy.Active.Import.Register", "Current.Import", "Voltage", "SoC"),
)


class Delivered(NamedTuple):
    """What is to be compared of a delivery."""

    topic: str
    vehicle: str | None
    observed_at: int | None
    headers: dict[str, Any]


def decoded(delivery: Delivery) -> Delivered:
    headers: dict[str, Any] = dict(delivery.headers)
    for name in ("record", "energy"):
        if name in headers:
            headers[name] = json.loads(headers[name])
    if headers.get("energy") == []:
        del headers["energy"]
    return Delivered(delivery.topic, delivery.vehicle, delivery.observed_at, headers)


class Station16(ChargePoint16):  # type: ignore[misc]
    """A station that speaks 1.6, with one connector; `refused` are measurands that it does not know."""

    def __init__(self, name: str, connection: ClientConnection) -> None:
        super().__init__(name, connection, logger=QUIET)
        self.configuration = {"MeterValueSampleInterval": "60", SAMPLED: "Energy.Active.Import.Register"}
        self.refused: frozenset[str] = frozenset()
        self.forgets = False
        self.asked: list[tuple[str, str]] = []
        self.is_asked = asyncio.Event()

    @on("GetConfiguration")
    def on_get_configuration(self, key: Sequence[str]) -> Any:
        keys = [
            {"key": name, "readonly": False, "value": self.configuration[name]} for name in key if name in self.configuration
        ]
        return result16.GetConfiguration(configuration_key=keys)

    @on("ChangeConfiguration")
    def on_change_configuration(self, key: str, value: str) -> Any:
        self.asked.append((key, value))
        if self.refused & set(value.split(",")):
            return result16.ChangeConfiguration(status="Rejected")
        if not self.forgets:
            self.configuration[key] = value
        return result16.ChangeConfiguration(status="Accepted")

    @on("TriggerMessage")
    def on_trigger_message(self, requested_message: str) -> Any:
        self.asked.append(("TriggerMessage", requested_message))
        return result16.TriggerMessage(status="Accepted")

    @after("TriggerMessage")
    def after_trigger_message(self, requested_message: str) -> None:
        if requested_message == "MeterValues":
            self.is_asked.set()


class Station201(ChargePoint201):  # type: ignore[misc]
    """A station that speaks 2.0.1, with one EVSE."""

    def __init__(self, name: str, connection: ClientConnection) -> None:
        super().__init__(name, connection, logger=QUIET)
        self.variables = {"TxUpdatedInterval": "15", "TxUpdatedMeasurands": "Energy.Active.Import.Register"}
        self.refused: frozenset[str] = frozenset()
        self.asked: list[tuple[str, Any]] = []
        self.is_asked = asyncio.Event()

    @on("GetVariables")
    def on_get_variables(self, get_variable_data: Sequence[dict[str, Any]]) -> Any:
        return result201.GetVariables([self._get(one["variable"]["name"]) for one in get_variable_data])

    def _get(self, name: str) -> GetVariableResultType:
        value = self.variables.get(name)
        status = "UnknownVariable" if value is None else "Accepted"
        return GetVariableResultType(status, ComponentType("SampledDataCtrlr"), VariableType(name), attribute_value=value)

    @on("SetVariables")
    def on_set_variables(self, set_variable_data: Sequence[dict[str, Any]]) -> Any:
        return result201.SetVariables([self._set(one["variable"]["name"], one["attribute_value"]) for one in set_variable_data])

    def _set(self, name: str, value: str) -> SetVariableResultType:
        self.asked.append((name, value))
        is_refused = bool(self.refused & set(value.split(",")))
        if not is_refused:
            self.variables[name] = value
        return SetVariableResultType(
            "Rejected" if is_refused else "Accepted", ComponentType("SampledDataCtrlr"), VariableType(name)
        )

    @on("TriggerMessage")
    def on_trigger_message_201(self, requested_message: str, evse: Any = None) -> Any:
        self.asked.append((requested_message, evse))
        return result201.TriggerMessage(status="Accepted")

    @after("TriggerMessage")
    def after_trigger_message_201(self, requested_message: str, **_: Any) -> None:
        if requested_message == "TransactionEvent":
            self.is_asked.set()


@contextlib.asynccontextmanager
async def listening(source: OcppSource, *, over_tls: bool | None = None) -> AsyncIterator[str]:
    """The URL at which the source is mounted, without the station's name."""
    app = Starlette(
        routes=[
            WebSocketRoute(PATH, partial(source.connect, over_tls=over_tls)),
            WebSocketRoute("/{path:path}", partial(source.connect_elsewhere, over_tls=over_tls)),
        ]
    )
    opened = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, interface="asgi3", lifespan="off", ws="auto", access_log=False, log_config=None)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[opened])
    try:
        yield f"ws://127.0.0.1:{opened.getsockname()[1]}{PATH.removesuffix('{station:path}')}"
    finally:
        await server.shutdown(sockets=[opened])


class Central:
    """A source that runs, and what was heard of it."""

    def __init__(self, url: str, received: Heard, source: OcppSource, reporter: Listener | None = None) -> None:
        self.url = url
        self.source = source
        self.received = received
        self.reporter = reporter or Listener()

    @property
    def reported(self) -> list[Delivered]:
        return [decoded(delivery) for delivery in self.received.deliveries]

    async def is_told(self, count: int) -> list[Delivered]:
        """Exactly so much was heard, as soon as it was."""
        received = [decoded(delivery) for delivery in await self.received.count(count)]
        assert len(received) == count, received
        return received

    def connect(
        self, name: str = "box", password: str | None = PASSWORD, protocols: Sequence[str] | None = ("ocpp1.6",), **more: Any
    ) -> websockets.connect:
        """A bare connection, as a station opens it."""
        headers = {} if password is None else basic(name, password)
        return websockets.connect(
            self.url + name, subprotocols=protocols, additional_headers=headers, proxy=None, ping_interval=None, **more
        )

    @contextlib.asynccontextmanager
    async def station(self, kind: Any = Station16, name: str = "box") -> AsyncIterator[Any]:
        """A station that is connected, and listens to what it is asked."""
        protocol = f"ocpp{kind._ocpp_version}"
        async with self.connect(name, protocols=(protocol,)) as connection:
            station = kind(name, connection)
            listens = asyncio.create_task(station.start())
            try:
                yield station
            finally:
                listens.cancel()
                await asyncio.wait({listens})
                if not listens.cancelled():
                    assert isinstance(listens.exception(), websockets.ConnectionClosed)


def basic(name: str, password: str) -> dict[str, str]:
    """The header with which a station proves itself."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@contextlib.asynccontextmanager
async def central(
    settings: OcppSettings = SETTINGS,
    memory: KeptMemory | None = None,
    received: Heard | None = None,
    *,
    over_tls: bool | None = None,
    **given: Any,
) -> AsyncIterator[Central]:
    """A central system as long as it runs; the memory is what it has from one run to the next."""
    reporter = given.setdefault("status", Listener())
    given.setdefault("clock", ManualClock(NOW))
    source = OcppSource(settings, source_context("boxes", "ocpp", memory=memory or KeptMemory(), **given))
    running = received or Heard()
    async with listening(source, over_tls=over_tls) as url, Running(source.run(running)):
        await asyncio.sleep(0)
        yield Central(url, running, source, reporter)


async def booted(station: Any, request: Any) -> Any:
    """Tell that the station has started, and wait until it was asked what it is asked then."""
    answer = await station.call(request)
    async with asyncio.timeout(WITHIN_S):
        await station.is_asked.wait()
    return answer


async def answer_to(connection: ClientConnection, frame: str | bytes) -> list[Any]:
    """The next answer after this frame; what the station is asked in between is left unanswered."""
    await connection.send(frame)
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = json.loads(await connection.recv())
            if found[0] in (3, 4):
                return list(found)


async def closed_with(connection: ClientConnection) -> int | None:
    """The code with which the other side has closed, as soon as it has."""
    async with asyncio.timeout(WITHIN_S):
        await connection.wait_closed()
    return connection.close_code
