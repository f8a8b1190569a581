"""Commands to cars: to the first source that can, logged with what came of it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from chargeport.clock import Clock
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import effective
from chargeport.sources.base import Command, Commandable, CommandError, Done
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle

SET_LIMIT: Final = "charge-set-limit"
_SOC, _CAPACITY, _POWER = "tractionbattery-stateofcharge", "tractionbattery-nominalcapacity", "charge-wattage"

_log = logging.getLogger("chargeport.commands")


class Commands:
    """Has cars do things."""

    def __init__(self, store: Store, clock: Clock, sources: Sequence[Commandable]) -> None:
        self._store = store
        self._clock = clock
        self._sources = sources

    async def execute(self, client_id: str, vehicle: Vehicle, kind: str, parameters: Mapping[str, Any]) -> Done:
        """Have the car do it. Raises CommandError."""
        limit = parameters.get("percent") if kind == SET_LIMIT else None
        left_s = None if limit is None else await self._seconds_to(vehicle.id, limit)
        command = Command(kind=kind, names=_names(vehicle), parameters=parameters, seconds_left=left_s)
        try:
            outcome = await self._outcome(command)
        except CommandError as error:
            _log.info("%s of %s by %s: %s/%s: %s", kind, vehicle.id, client_id, error.type, error.code, error)
            raise
        _log.info("%s of %s by %s: %s", kind, vehicle.id, client_id, outcome.value)
        return outcome

    async def _outcome(self, command: Command) -> Done:
        for source in self._sources:
            outcome = await source.command(command)
            if outcome is not None:
                return outcome
        raise CommandError(
            "COMPATIBILITY",
            "VEHICLE_NOT_CAPABLE",
            f"No source of this vehicle can do {command.kind}: docs/commands.md lists those.",
        )

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
