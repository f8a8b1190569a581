"""Which car a source means: its names for cars, and ours."""

import uuid
from collections import OrderedDict
from typing import Final

from chargeport.clock import Clock
from chargeport.errors import ConflictError
from chargeport.store.protocols import Vehicles
from chargeport.store.records import Vehicle, is_vin

MAX_KNOWN: Final = 500_000


class Identities:
    """Finds cars by the names that sources have for them.

    A source may have short names that another has too (`1`): such a name is an alias with the source or the dialect in front
    (`garage:1`, `teslamate:1`), which is looked for first.
    """

    def __init__(self, vehicles: Vehicles, clock: Clock, *, auto_register: bool = False) -> None:
        self._vehicles = vehicles
        self._clock = clock
        self._auto_register = auto_register
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def of(self, source: str, dialect: str, name: str, *, may_register: bool = True) -> str | None:
        """The id of the car; None when no car has such a name and it can't be made known by it."""
        key = (source, name)
        found = self._known.get(key)
        if found is not None:
            return found
        found = await self._found(source, dialect, name, may_register=may_register)
        if found is not None:
            self._known[key] = found
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        return found

    def forget(self, vehicle_id: str) -> None:
        """A car is not there any more: its names are looked for anew."""
        for key in [key for key, known in self._known.items() if known == vehicle_id]:
            del self._known[key]

    async def _found(self, source: str, dialect: str, name: str, *, may_register: bool) -> str | None:
        for reference in dict.fromkeys((f"{source}:{name}", f"{dialect}:{name}", name)):
            vehicle = await self._vehicles.find_vehicle(reference)
            if vehicle is not None:
                return vehicle.id
        if not (self._auto_register and may_register):
            return None
        await register(self._vehicles, name, self._clock.now())
        vehicle = await self._vehicles.find_vehicle(name)
        return None if vehicle is None else vehicle.id


def new_vehicle(name: str, now: int) -> Vehicle | None:
    """A vehicle that goes by a UUID or a VIN; None for any other name."""
    try:
        vehicle_id = str(uuid.UUID(name))
    except ValueError:
        return Vehicle(id=str(uuid.uuid4()), vin=name, created_at=now) if is_vin(name) else None
    aliases = () if name == vehicle_id else (name,)  # a UUID can be written in capitals, or without its dashes
    return Vehicle(id=vehicle_id, aliases=aliases, created_at=now)


async def register(vehicles: Vehicles, name: str, now: int) -> None:
    """Make a vehicle known by a UUID or a VIN; any other name stays unknown."""
    vehicle = new_vehicle(name, now)
    if vehicle is None:
        return
    try:
        await vehicles.add_vehicle(vehicle)
    except ConflictError:  # somebody else was quicker
        return
