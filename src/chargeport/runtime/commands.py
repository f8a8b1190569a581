"""Commands to cars: to the first source that can, each logged in the store with what came of it."""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final

import msgspec

from chargeport.clock import Clock
from chargeport.errors import Problem, StoreError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import effective
from chargeport.sources.base import Command, Commandable, CommandError, Done
from chargeport.store.command_log import KeptCommand
from chargeport.store.protocols import Store
from chargeport.store.records import Grant, Vehicle

SET_LIMIT: Final = "charge-set-limit"
_SOC, _CAPACITY, _POWER = "tractionbattery-stateofcharge", "tractionbattery-nominalcapacity", "charge-wattage"

Meeting = Callable[[str], AbstractAsyncContextManager[None]]
"""What a command is carried out in, by the id of its vehicle. Raises Problem where it does not come through."""

_log = logging.getLogger("chargeport.commands")


class Commands:
    """Has cars do things."""

    def __init__(
        self, store: Store, clock: Clock, sources: Sequence[Commandable], meeting: Meeting = lambda _: nullcontext()
    ) -> None:
        """Give commands to sources. `meeting` is what a command to a vehicle may meet on its way: the faults of a simulator."""
        self._store = store
        self._meeting = meeting
        self._clock = clock
        self._sources = sources
        self._under_way: set[str] = set()

    def is_under_way(self, command_id: str) -> bool:
        """Tell whether this process waits for the outcome of a command."""
        return command_id in self._under_way

    async def execute(self, who: Grant, vehicle: Vehicle, kind: str, parameters: Mapping[str, Any]) -> KeptCommand:
        """Execute a command on the vehicle; return its log entry. Raises CommandError, Problem, StoreError, NotFoundError.

        It is logged before anybody is asked, so that one which is cut short by a crash is known to have been given.
        """
        begun = KeptCommand(
            id=f"exec_{uuid.uuid4().hex}", vehicle_id=vehicle.id, client_id=who.client_id, user_uuid=who.user_uuid, kind=kind,
            parameters=msgspec.json.encode(parameters).decode(), started_at=self._clock.now(),
        )  # fmt: skip
        self._under_way.add(begun.id)
        try:
            await self._store.commands.begin(begun)
            async with self._meeting(vehicle.id):
                return await self._given(begun, vehicle, parameters)
        except Problem as fault:
            await self._end(begun, None, "/".join(filter(None, (fault.kind.type, fault.kind.code))), fault.detail)
            raise
        finally:
            self._under_way.discard(begun.id)

    async def _given(self, begun: KeptCommand, vehicle: Vehicle, parameters: Mapping[str, Any]) -> KeptCommand:
        """Give a command that is logged, and log what comes of it. Raises CommandError."""
        limit = parameters.get("percent") if begun.kind == SET_LIMIT else None
        left_s = None if limit is None else await self._seconds_to(vehicle.id, limit)
        command = Command(kind=begun.kind, names=_names(vehicle), parameters=parameters, seconds_left=left_s)
        source, outcome = await self._asked(command)
        if isinstance(outcome, CommandError):
            await self._end(begun, source, f"{outcome.type}/{outcome.code}", str(outcome))
            raise outcome
        return await self._end(begun, source, outcome.value)

    async def _asked(self, command: Command) -> tuple[str | None, Done | CommandError]:
        """Ask the first source that can; return its name and what came of it. Of those that can't, the first says why."""
        unable: tuple[str, CommandError] | None = None
        for source in self._sources:
            try:
                done = await source.command(command)
            except CommandError as error:
                if error.type != "COMPATIBILITY":
                    return source.name, error
                unable = unable or (source.name, error)
                continue
            if done is not None:
                return source.name, done
        if unable is not None:
            return unable
        sentence = f"No source of this vehicle can do {command.kind}: docs/commands.md lists those."
        return None, CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", sentence)

    async def _end(self, begun: KeptCommand, source: str | None, outcome: str, detail: str | None = None) -> KeptCommand:
        """Log what came of a command. It has happened, so whoever gave it is told that, even if it can't be stored."""
        ended = msgspec.structs.replace(
            begun, source=source, ended_at=self._clock.now(), outcome=outcome, detail=detail
        )  # fmt: skip
        _log.info("%s of %s by %s: %s", begun.kind, begun.vehicle_id, begun.client_id, outcome)
        try:
            await self._store.commands.end(ended)
        except StoreError as error:
            _log.warning("the outcome of %s can't be stored: %s", begun.id, error)
        return ended

    async def _seconds_to(self, vehicle_id: str, percent: float) -> float | None:
        """Return how long charging to a state of charge takes at the present power; None where something of it is not known."""
        found = await self._store.readings.signals(vehicle_id)
        if found is None:
            return None
        values = {}
        for code in (_SOC, _POWER, _CAPACITY):
            counts = effective(BY_CODE[code], found.known, self._store.readings.ranks, self._clock.now())
            if counts is None or counts.unavailability is not None:
                return None
            values[code] = counts.state.value
        capacity_kwh, power_w, soc_percent = _number(values[_CAPACITY]), _number(values[_POWER]), _number(values[_SOC])
        if capacity_kwh is None or power_w is None or soc_percent is None or power_w <= 0:
            return None
        return max(0.0, percent - soc_percent) / 100 * capacity_kwh * 3_600_000 / power_w


def _names(vehicle: Vehicle) -> frozenset[str]:
    """Return all that a car goes by: an alias whole, and without the source in front."""
    aliases = [name for alias in vehicle.aliases for name in (alias, alias.rpartition(":")[2])]
    return frozenset([vehicle.id, *aliases, *([] if vehicle.vin is None else [vehicle.vin])])


def _number(value: Any) -> float | None:
    """Return a number; that of a document about a capacity, too."""
    if isinstance(value, str):
        value = msgspec.json.decode(value).get("capacity")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
