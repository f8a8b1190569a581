"""Find vehicles: from a source's name for a vehicle to the vehicle's id."""

import uuid
from typing import Final

from cachetools import TTLCache

from chargeport.clock import Clock
from chargeport.errors import ConflictError
from chargeport.store.protocols import Vehicles
from chargeport.store.records import Vehicle, is_vin

MAX_NAMES: Final = 500_000
REMEMBERED_S: Final = 10.0  # the delay after which a change of names by another process takes effect


class VehicleNames:
    """Find vehicles by the names that sources have for them, with a cache.

    Two sources may use the same short name (`1`). An alias with the source or the dialect in front (`garage:1`, `teslamate:1`)
    takes precedence over the name itself.
    """

    def __init__(self, vehicles: Vehicles, clock: Clock) -> None:
        self._vehicles = vehicles
        self._clock = clock
        self._known: TTLCache[tuple[str, str, str | None], str] = TTLCache(MAX_NAMES, REMEMBERED_S * 1000, clock.now)

    async def find(self, source: str, dialect: str, name: str, only_for: str | None = None) -> str | None:
        """Return the id of a vehicle; None for an unknown name.

        `only_for`: an application; only vehicles that it may write to are found.
        """
        key = (source, name, only_for)
        vehicle_id = self._known.get(key)
        if vehicle_id is not None:
            return vehicle_id
        for reference in dict.fromkeys((f"{source}:{name}", f"{dialect}:{name}", name)):
            vehicle = await self._vehicles.find_vehicle(reference, only_for)
            if vehicle is not None:
                self._known[key] = vehicle.id
                return vehicle.id
        return None

    async def is_known(self, name: str) -> bool:
        """Return whether a vehicle has this name: an id, a VIN or an alias."""
        return await self._vehicles.find_vehicle(name) is not None

    async def register(self, name: str) -> bool:
        """Add a vehicle with this UUID or VIN; return whether there is a vehicle of this name then."""
        vehicle = new_vehicle(name, self._clock.now())
        if vehicle is None:
            return False
        try:
            await self._vehicles.add_vehicle(vehicle)
        except ConflictError:  # it was added meanwhile
            return await self.is_known(name)
        return True

    def forget(self, vehicle_id: str) -> None:
        """Remove the names of a vehicle from the cache."""
        for key in [key for key, known in self._known.items() if known == vehicle_id]:
            del self._known[key]


def new_vehicle(name: str, now: int) -> Vehicle | None:
    """Return a new vehicle with this UUID or VIN; None for any other name."""
    try:
        vehicle_id = str(uuid.UUID(name))
    except ValueError:
        return Vehicle(id=str(uuid.uuid4()), vin=name, created_at=now) if is_vin(name) else None
    aliases = () if name == vehicle_id else (name,)  # a UUID can be written in upper case, or without its dashes
    return Vehicle(id=vehicle_id, aliases=aliases, created_at=now)
