"""Commands to a Home Assistant: the service of an entity that starts, stops or limits charging, and the outcome of the call.

A service that returns has passed the command on. Where the entity has a state of its own (a switch, a number), the
requested state is awaited for a moment; a button or a script has no such state.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from chargeport.sources.base import Cause, Command, CommandError, Done, SourceError
from chargeport.sources.charge_windows import windows
from chargeport.sources.home_assistant_link import House, State
from chargeport.sources.home_assistant_settings import Controls, HomeAssistantSettings

ANSWER_WITHIN_S: Final = 30.0
CONFIRMED_WITHIN_S: Final = 5.0
_PRESS: Final = ("press", None)
_SERVICES: Final[Mapping[str, Mapping[str, tuple[str, str | None]]]] = {
    "charge-start": {
        "switch": ("turn_on", "on"), "input_boolean": ("turn_on", "on"), "script": ("turn_on", None),
        "button": _PRESS, "input_button": _PRESS,
    },
    "charge-stop": {
        "switch": ("turn_off", "off"), "input_boolean": ("turn_off", "off"), "script": ("turn_on", None),
        "button": _PRESS, "input_button": _PRESS,
    },
}  # fmt: skip
"""By command and domain of the entity: the service, and the state of the entity after the command is executed."""


class ServiceCall(msgspec.Struct, frozen=True, kw_only=True):
    """A service to call for an entity. `becomes` is the entity's state after the command is executed, where it has one."""

    entity: str
    service: str
    data: Mapping[str, Any] = {}
    becomes: str | float | None = None

    @property
    def domain(self) -> str:
        """The domain of the entity, which is that of the service."""
        return self.entity.partition(".")[0]


class Commanding:
    """Calls services of the connected Home Assistant, and tracks the state of the entities that the settings name for it."""

    def __init__(self, settings: HomeAssistantSettings) -> None:
        self._url = settings.url
        self._commands = settings.commands
        self.entities: Final = {
            entity for own in self._commands.values() for entity in msgspec.structs.astuple(own) if entity is not None
        }
        self._house: House | None = None
        self._states: dict[str, str] = {}
        self._changed = asyncio.Event()

    def connected(self, house: House, states: Iterable[State]) -> None:
        """Use this connection from now on. A change that was noted already is not older than these states."""
        self._house = house
        known = {str(each.get("entity_id")): str(each.get("state")) for each in states}
        self._states = {entity: known[entity] for entity in self.entities & known.keys()} | self._states

    def disconnected(self) -> None:
        """Remove the connection after it has ended."""
        self._house = None
        self._states = {}

    def note(self, state: State) -> None:
        """Note the state of an entity, if commands go to it."""
        entity = str(state.get("entity_id"))
        if entity in self.entities:
            self._states[entity] = str(state.get("state"))
            self._changed.set()

    async def command(self, wanted: Command) -> Done | None:
        """Call the service of the command; return None where the settings name no entity for it. Raises CommandError."""
        own = next((own for name, own in self._commands.items() if name in wanted.names), None)
        call = None if own is None else service_call(own, wanted)
        if call is None:
            return None
        if self._house is None:
            raise CommandError("UPSTREAM", "NO_RESPONSE", f"{self._url} is not connected.")
        state = self._states.get(call.entity)
        if state is None:
            raise CommandError("UPSTREAM", "UNKNOWN_ISSUE", f"{self._url} has no {call.entity}, which commands names.")
        if state == "unavailable":
            raise CommandError("VEHICLE_STATE", "UNREACHABLE", f"{call.entity} is unavailable.")
        await self._called(self._house, call)
        return await self._confirmed(call)

    async def _called(self, house: House, call: ServiceCall) -> None:
        try:
            await house.call_service(call.domain, call.service, call.entity, call.data, ANSWER_WITHIN_S)
        except SourceError as error:
            code = "NO_RESPONSE" if error.cause is Cause.UNREACHABLE else "UNKNOWN_ISSUE"
            raise CommandError("UPSTREAM", code, str(error)) from error

    async def _confirmed(self, call: ServiceCall) -> Done:
        """Wait a moment for the entity to reach the requested state; return OBEYED if it does, else TAKEN."""
        if call.becomes is None:
            return Done.TAKEN
        try:
            async with asyncio.timeout(CONFIRMED_WITHIN_S):
                while not _is(self._states.get(call.entity, ""), call.becomes):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return Done.TAKEN
        return Done.OBEYED


def service_call(own: Controls, wanted: Command) -> ServiceCall | None:
    """Return the service that executes the command; None where no entity is named for it."""
    if wanted.kind == "charge-set-limit" and own.limit is not None:
        percent = wanted.parameters["percent"]
        if own.limit.startswith("script."):
            return ServiceCall(entity=own.limit, service="turn_on", data={"variables": {"percent": percent}})
        return ServiceCall(entity=own.limit, service="set_value", data={"value": percent}, becomes=float(percent))
    if wanted.kind.startswith("charge-schedule-") and own.schedule is not None:
        variables = {
            "schedule_id": wanted.parameters["scheduleId"],
            "windows": [each._asdict() for each in windows(wanted.parameters)],
        }
        return ServiceCall(entity=own.schedule, service="turn_on", data={"variables": variables})
    entity = {"charge-start": own.start, "charge-stop": own.stop}.get(wanted.kind)
    if entity is None:
        return None
    service, becomes = _SERVICES[wanted.kind][entity.partition(".")[0]]
    return ServiceCall(entity=entity, service=service, becomes=becomes)


def _is(state: str, wanted: str | float) -> bool:
    if isinstance(wanted, str):
        return state == wanted
    try:
        return float(state) == wanted
    except ValueError:  # unknown, unavailable
        return False
