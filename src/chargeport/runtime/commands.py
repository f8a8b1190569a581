"""Commands to cars: executed by the first source that can, and logged in the store with their outcomes."""

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
from chargeport.store.command_log import StoredCommand
from chargeport.store.protocols import Store
from chargeport.store.records import Grant, Vehicle

SET_LIMIT: Final = "charge-set-limit"
_SOC, _CAPACITY, _POWER = "tractionbattery-stateofcharge", "tractionbattery-nominalcapacity", "charge-wattage"

FaultContext = Callable[[str], AbstractAsyncContextManager[None]]
"""Returns the context in which a command is executed, by the id of its vehicle. The context may raise Problem."""

_log = logging.getLogger("chargeport.commands")


class Commands:
    """Execute commands to cars."""

    def __init__(
        self, store: Store, clock: Clock, sources: Sequence[Commandable], faults: FaultContext = lambda _: nullcontext()
    ) -> None:
        """Prepare the execution by these sources. `faults` applies the faults of a simulator to a command."""
        self._store = store
        self._faults = faults
        self._clock = clock
        self._sources = sources
        self._under_way: set[str] = set()

    def is_under_way(self, command_id: str) -> bool:
        """Return whether this process waits for the outcome of a command."""
        return command_id in self._under_way

    async def execute(self, who: Grant, vehicle: Vehicle, kind: str, parameters: Mapping[str, Any]) -> StoredCommand:
        """Execute a command on the vehicle; return its log entry. Raises CommandError, Problem, StoreError, NotFoundError.

        It is logged before it is executed, so that the log also has a command that a crash interrupts.
        """
        entry = StoredCommand(
            id=f"exec_{uuid.uuid4().hex}", vehicle_id=vehicle.id, client_id=who.client_id, user_uuid=who.user_uuid, kind=kind,
            parameters=msgspec.json.encode(parameters).decode(), started_at=self._clock.now(),
        )  # fmt: skip
        self._under_way.add(entry.id)
        try:
            await self._store.commands.begin(entry)
            async with self._faults(vehicle.id):
                return await self._execute_logged(entry, vehicle, parameters)
        except Problem as fault:
            await self._end(entry, None, "/".join(filter(None, (fault.kind.type, fault.kind.code))), fault.detail)
            raise
        finally:
            self._under_way.discard(entry.id)

    async def _execute_logged(self, entry: StoredCommand, vehicle: Vehicle, parameters: Mapping[str, Any]) -> StoredCommand:
        """Execute a command, and log its outcome. Raises CommandError."""
        limit = parameters.get("percent") if entry.kind == SET_LIMIT else None
        left_s = None if limit is None else await self._seconds_to(vehicle.id, limit)
        command = Command(kind=entry.kind, names=_names(vehicle), parameters=parameters, seconds_left=left_s)
        source, outcome = await self._dispatch(command)
        if isinstance(outcome, CommandError):
            await self._end(entry, source, f"{outcome.type}/{outcome.code}", str(outcome))
            raise outcome
        return await self._end(entry, source, outcome.value)

    async def _dispatch(self, command: Command) -> tuple[str | None, Done | CommandError]:
        """Return the name of the first source that can execute a command, and the outcome; else the first source's error."""
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

    async def _end(self, entry: StoredCommand, source: str | None, outcome: str, detail: str | None = None) -> StoredCommand:
        """Log the outcome of a command, and return it even if it can't be stored: the command was executed."""
        ended = msgspec.structs.replace(
            entry, source=source, ended_at=self._clock.now(), outcome=outcome, detail=detail
        )  # fmt: skip
        _log.info("%s of %s by %s: %s", entry.kind, entry.vehicle_id, entry.client_id, outcome)
        try:
            await self._store.commands.end(ended)
        except StoreError as error:
            _log.warning("the outcome of %s can't be stored: %s", entry.id, error)
        return ended

    async def _seconds_to(self, vehicle_id: str, percent: float) -> float | None:
        """Return how long charging to a state of charge takes at the present power; None if a value for it is not known."""
        found = await self._store.readings.signals(vehicle_id)
        if found is None:
            return None
        values = {}
        for code in (_SOC, _POWER, _CAPACITY):
            current = effective(BY_CODE[code], found.known, self._store.readings.ranks, self._clock.now())
            if current is None or current.unavailability is not None:
                return None
            values[code] = current.state.value
        capacity_kwh, power_w, soc_percent = _number(values[_CAPACITY]), _number(values[_POWER]), _number(values[_SOC])
        if capacity_kwh is None or power_w is None or soc_percent is None or power_w <= 0:
            return None
        return max(0.0, percent - soc_percent) / 100 * capacity_kwh * 3_600_000 / power_w


def _names(vehicle: Vehicle) -> frozenset[str]:
    """Return all names of a car: id, VIN, and each alias with and without its source prefix."""
    aliases = [name for alias in vehicle.aliases for name in (alias, alias.rpartition(":")[2])]
    return frozenset([vehicle.id, *aliases, *([] if vehicle.vin is None else [vehicle.vin])])


def _number(value: Any) -> float | None:
    """Return a number, or the `capacity` of a document; None for other values."""
    if isinstance(value, str):
        value = msgspec.json.decode(value).get("capacity")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
