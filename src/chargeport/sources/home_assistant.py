"""Home Assistant as a transport: its WebSocket, limited to the entities that the settings assign to a car.

At each connection it subscribes first and then requests every state, so that no change is missed in between, and changes
during an outage are received after it.
"""

import asyncio
from datetime import datetime
from typing import Final

import msgspec

from chargeport.sources.base import (
    BEGINNING,
    Cause,
    Command,
    Delivery,
    Done,
    Emit,
    SourceContext,
    SourceError,
    SourceType,
)
from chargeport.sources.home_assistant_commanding import Commanding
from chargeport.sources.home_assistant_link import House, State
from chargeport.sources.home_assistant_settings import HomeAssistantSettings

CONNECT_S: Final = 10.0
MAX_WAITING: Final = 10_000  # changes that may wait to be stored; beyond that, all states are requested again


class HomeAssistantSource:
    """Follows the entities of cars in a Home Assistant."""

    def __init__(self, settings: HomeAssistantSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context
        self._commanding = Commanding(settings)
        self._vehicles = {entity: vehicle for vehicle, entities in settings.entities.items() for entity in entities}

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._context.name

    async def run(self, emit: Emit) -> None:
        """Emit the state of every entity, and then each change, until cancelled. Raises SourceError."""
        async with House(self._settings, CONNECT_S) as house:
            changes: asyncio.Queue[State] = asyncio.Queue(MAX_WAITING)
            await house.subscribe(lambda state: self._keep(state, changes))
            states = await house.states()
            self._context.status.connected()
            self._commanding.connected(house, states)
            try:
                await self._hand_on(states, emit)
                while not changes.full():
                    batch = [await house.alive(changes.get())]
                    batch += [changes.get_nowait() for _ in range(changes.qsize())]
                    await self._hand_on(batch, emit)
            finally:
                self._commanding.disconnected()
        raise SourceError(Cause.UNREACHABLE, f"{self._settings.url}: changes came faster than they could be stored.")

    async def command(self, command: Command) -> Done | None:
        """Start or stop charging, or set the limit, through Home Assistant. Raises CommandError."""
        return await self._commanding.command(command)

    async def check(self, timeout_s: float) -> None:
        """Connect once, and check that each entity of the settings exists. Raises SourceError."""
        async with House(self._settings, timeout_s) as house:
            known = [str(state.get("entity_id", "")) for state in await house.states()]
        for name, entities in (("entities", list(self._vehicles)), ("commands", sorted(self._commanding.entities))):
            absent = [entity for entity in entities if not any(_covers(entity, one) for one in known)]
            if absent:
                raise SourceError(Cause.CONFIGURATION, f"{name}: {self._settings.url} has none that is {', '.join(absent)}.")

    def vehicle_of(self, state: State) -> str | None:
        """Return the car that an entity belongs to, by the most exact of the settings' names; None: to no car."""
        return self._vehicles.get(self._named(state))

    def _named(self, state: State) -> str:
        """Return the settings' most exact name for an entity; an empty text where they have none."""
        entity_id = str(state.get("entity_id", ""))
        return max((entity for entity in self._vehicles if _covers(entity, entity_id)), key=len, default="")

    def _keep(self, state: State, changes: asyncio.Queue[State]) -> None:
        """Queue a change that concerns a car; a queue that was full once is given up."""
        self._commanding.note(state)
        if self.vehicle_of(state) is not None and not changes.full():
            changes.put_nowait(state)

    async def _hand_on(self, states: list[State], emit: Emit) -> None:
        received_at = self._context.clock.now()
        deliveries = [
            Delivery(
                source=self._context.name,
                dialect=self._context.dialect,
                payload=msgspec.json.encode(state),
                received_at=received_at,
                topic=str(state["entity_id"]),
                vehicle=vehicle,
                observed_at=_instant(state.get("last_updated")),
                headers=_headers(self._named(state)),
            )
            for state in states
            if (vehicle := self.vehicle_of(state)) is not None
        ]
        if deliveries:
            await emit(deliveries)


def _covers(entity: str, entity_id: str) -> bool:
    return entity_id.startswith(entity[:-1]) if entity.endswith("*") else entity_id == entity


def _headers(entity: str) -> dict[str, str]:
    """Return the header with the beginning of a car's entities, from `sensor.model_3_*`; none for an entity named by itself."""
    if not entity.endswith("*"):
        return {}
    beginning = entity.partition(".")[2].removesuffix("*")
    return {BEGINNING: beginning.removesuffix("_") if beginning.endswith("_") else ""}


def _instant(text: object) -> int | None:
    """Return milliseconds since the epoch, from ISO 8601 with its zone; None for anything else."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return None if at.tzinfo is None else round(at.timestamp() * 1000)


HOME_ASSISTANT: Final = SourceType(
    name="home_assistant",
    summary="The entities of cars in a Home Assistant, over its WebSocket",
    settings=HomeAssistantSettings,
    build=HomeAssistantSource,
    dialect="home_assistant",
)
