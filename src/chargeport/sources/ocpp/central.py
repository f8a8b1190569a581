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
from chargeport.sources.ocpp.occupancy import Occupancy
from chargeport.sources.ocpp.ocpp16 import Ocpp16
from chargeport.sources.ocpp.ocpp201 import Ocpp201
from chargeport.sources.ocpp.pace import Pace
from chargeport.sources.ocpp.session import GOING_AWAY, POLICY, Session
from chargeport.sources.ocpp.settings import OcppSettings
from chargeport.sources.ocpp.station import Station, StationMessage
from chargeport.sources.ocpp.transactions import Numbering

BOOT_WITHIN_S: Final = 10  # a station that starts says so first; one that only reconnects may say nothing for long


class Conversation(Protocol):
    """What a station is answered and asked, in its version of OCPP."""

    async def answer(self, call: Call) -> Payload:
        """Return the answer to a call, once its content is stored. Raises Refused, StoreError."""
        ...

    async def ask(self, session: Session) -> None:
        """Ask the station to measure what we want, and to report its status."""
        ...


class Central:
    """Serves stations from one start of the source to its end."""

    def __init__(self, settings: OcppSettings, context: SourceContext, emit: Emit) -> None:
        self._settings = settings
        self._context = context
        self._emit = emit
        self._numbering = Numbering(context.memory)
        self._occupancy = Occupancy(context.clock)
        self._stations: dict[str, Station] = {}

    async def serve(self, websocket: WebSocket, name: str, version: str) -> None:
        """Serve a connection until it ends. A newer one of the same station replaces an older one, which may be dead."""
        settings = self._settings
        station = self._stations.setdefault(name, Station(name, settings, self._context, self._emit, self._occupancy))
        pace = Pace(self._context.clock, settings.max_messages_per_s)
        session = Session(websocket, name, version, pace, settings.max_message_bytes)
        older, station.session = station.session, session
        try:
            if older is not None:
                await older.close(POLICY, "this station has connected anew")
            async with station.turn:
                await station.connected(version)
            self._context.status.connected()
            await self._talk(station, session, version)
        finally:
            if station.session is session:
                del self._stations[name]
                await station.gone()

    async def _talk(self, station: Station, session: Session, version: str) -> None:
        is_16 = version == "1.6"
        conversation: Conversation = Ocpp16(station, self._numbering) if is_16 else Ocpp201(station, version)
        due, is_heard, was_off = asyncio.Event(), False, False

        async def answer(call: Call) -> Payload:
            async with station.turn:
                said = await conversation.answer(call)
                await station.is_alive()
                await station.memory.look()
                return said

        async def refusing(error: Refused, action: str, payload: bytes) -> None:
            more = {"error": f"{error.code}: {error.sentence}"}
            await station.tell(StationMessage(action=action, payload=payload, vehicle=None, more=more))

        def answered(call: Call) -> None:
            nonlocal is_heard, was_off
            is_off = is_off_schedule(station)
            if call.action == "BootNotification" or not is_heard or (is_off and not was_off):
                due.set()
            is_heard, was_off = True, is_off

        asking = asyncio.create_task(_keep_asking(conversation, station, session, due))
        try:
            await session.serve(answer, refusing, answered)
        finally:
            await tasks.end(asking)

    async def command(self, wanted: Command) -> Done | None:
        """Command the station that a car is at; return None where it is at none of ours. Raises CommandError."""
        return await command(self._stations.values(), self._settings, self._context.vehicle, wanted)

    async def keep(self, subject: str, sentence: str) -> None:
        """Keep an issue about somebody who could not connect; a store that fails now loses it."""
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
        """End all connections: the stations come back when we are there again."""
        await asyncio.gather(*(one.session.close(GOING_AWAY, "going away") for one in self._stations.values() if one.session))


async def _keep_asking(conversation: Conversation, station: Station, session: Session, due: asyncio.Event) -> None:
    """Ask once the station has sent something, and again whenever it has started anew."""
    with suppress(TimeoutError):
        async with asyncio.timeout(BOOT_WITHIN_S):
            await due.wait()
    while True:
        due.clear()
        await conversation.ask(session)
        await mend_schedules(station, session)
        await due.wait()
