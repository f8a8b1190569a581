"""The central system while it runs: its stations, each with one connection."""

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from starlette.websockets import WebSocket

from chargeport import tasks
from chargeport.errors import StoreError
from chargeport.sources.base import REFUSED, Command, Delivery, Done, Emit, SourceContext
from chargeport.sources.ocpp.commanding import command, is_off_schedule, mend_schedules
from chargeport.sources.ocpp.frames import Call, Payload, Refused
from chargeport.sources.ocpp.message_rate import MessageRate
from chargeport.sources.ocpp.occupancy import Occupancy
from chargeport.sources.ocpp.ocpp16 import Ocpp16
from chargeport.sources.ocpp.ocpp201 import Ocpp201
from chargeport.sources.ocpp.settings import OcppSettings
from chargeport.sources.ocpp.station import Station, StationMessage
from chargeport.sources.ocpp.station_connection import GOING_AWAY, POLICY, StationConnection
from chargeport.sources.ocpp.transactions import Numbering

BOOT_WITHIN_S: Final = 10  # a station that starts sends it first; one that reconnects may send nothing for a long time


class Conversation(Protocol):
    """The answers and requests to a station in its version of OCPP."""

    async def answer(self, call: Call) -> Payload:
        """Return the answer to a call, once its content is stored. Raises Refused, StoreError."""
        ...

    async def ask(self, connection: StationConnection) -> None:
        """Write the desired settings, and request the station's status."""
        ...


class Central:
    """Serves stations while the source runs."""

    def __init__(self, settings: OcppSettings, context: SourceContext, emit: Emit) -> None:
        self._settings = settings
        self._context = context
        self._emit = emit
        self._numbering = Numbering(context.memory)
        self._occupancy = Occupancy(context.clock)
        self._stations: dict[str, Station] = {}

    async def serve(self, websocket: WebSocket, name: str, version: str) -> None:
        """Serve a connection until it ends. A newer one of the same station replaces an older one, which may be broken."""
        settings = self._settings
        station = self._stations.setdefault(name, Station(name, settings, self._context, self._emit, self._occupancy))
        rate = MessageRate(self._context.clock, settings.max_messages_per_s)
        connection = StationConnection(websocket, name, version, rate, settings.max_message_bytes)
        older, station.connection = station.connection, connection
        try:
            if older is not None:
                await older.close(POLICY, "this station has connected again")
            async with station.turn:
                await station.connected(version)
            self._context.status.connected()
            await self._talk(station, connection, version)
        finally:
            if station.connection is connection:
                del self._stations[name]
                await station.gone()

    async def _talk(self, station: Station, connection: StationConnection, version: str) -> None:
        is_16 = version == "1.6"
        conversation: Conversation = Ocpp16(station, self._numbering) if is_16 else Ocpp201(station, version)
        due, has_called, was_off = asyncio.Event(), False, False

        async def answer(call: Call) -> Payload:
            async with station.turn:
                reply = await conversation.answer(call)
                await station.confirm()
                await station.memory.check_erased()
                return reply

        async def refusing(error: Refused, action: str, payload: bytes) -> None:
            more = {"error": f"{error.code}: {error.sentence}"}
            await station.emit(StationMessage(action=action, payload=payload, vehicle=None, more=more))

        def answered(call: Call) -> None:
            nonlocal has_called, was_off
            is_off = is_off_schedule(station)
            if call.action == "BootNotification" or not has_called or (is_off and not was_off):
                due.set()
            has_called, was_off = True, is_off

        asking = asyncio.create_task(_ask_after_each_start(conversation, station, connection, due))
        try:
            await connection.serve(answer, refusing, answered)
        finally:
            await tasks.end(asking)

    async def command(self, wanted: Command) -> Done | None:
        """Command the station of a car; return None if the car is at no station of this source. Raises CommandError."""
        return await command(self._stations.values(), self._settings, self._context.vehicle, wanted)

    async def keep(self, subject: str, sentence: str) -> None:
        """Emit an issue about a client that could not connect; it is lost if the store fails."""
        context = self._context
        refused = Delivery(
            source=context.name,
            dialect=context.dialect,
            payload=b"{}",
            received_at=context.clock.now(),
            topic=subject,
            headers={REFUSED: sentence},
        )
        with suppress(StoreError):
            await self._emit([refused])

    async def close(self) -> None:
        """End all connections; stations reconnect by themselves."""
        await asyncio.gather(
            *(one.connection.close(GOING_AWAY, "going away") for one in self._stations.values() if one.connection)
        )


async def _ask_after_each_start(
    conversation: Conversation, station: Station, connection: StationConnection, due: asyncio.Event
) -> None:
    """Send the requests after the station's first call, and again after each start or a change of the local clock."""
    with suppress(TimeoutError):
        async with asyncio.timeout(BOOT_WITHIN_S):
            await due.wait()
    while True:
        due.clear()
        await conversation.ask(connection)
        await mend_schedules(station, connection)
        await due.wait()
