"""What there is to work out: of which cars something was stored, observed when, and how far everything is worked off.

A mark is in memory only. What is kept on disk is a place in the feed, and an instant, before which nothing waits: after a crash
whatever came behind them is marked again, and working it out twice makes no difference.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from chargeport.store.protocols import Vehicles

KNOWN_NAMES: Final = 500_000


class Progress(msgspec.Struct, frozen=True):
    """Worked off is the feed up to `position`, what came in before `heard_at`, edits up to `edit`, erasures up to `erasure`."""

    position: int = 0
    heard_at: int = 0
    edit: int = 0
    erasure: int = 0


class Mark(msgspec.Struct):
    """What changed of a car was observed between two instants. It came in behind a place in the feed, not before `heard_at`."""

    first_at: int
    last_at: int
    position: int
    heard_at: int

    def take(self, other: "Mark") -> None:
        """Something else changed, too."""
        self.first_at, self.last_at = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        self.position, self.heard_at = min(self.position, other.position), min(self.heard_at, other.heard_at)


class Marks:
    """The marks of cars, by id, in the order in which they were made."""

    def __init__(self) -> None:
        self._by_car: dict[str, Mark] = {}
        self._erasure = 0  # up to which nothing waits

    def add(self, vehicle_id: str, mark: Mark) -> None:
        """Something changed of this car."""
        known = self._by_car.get(vehicle_id)
        if known is None:
            self._by_car[vehicle_id] = mark
        else:
            known.take(mark)

    def remove(self, vehicle_id: str) -> Mark | None:
        """Take a car's mark away; None where it has none."""
        return self._by_car.pop(vehicle_id, None)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._by_car))

    def __len__(self) -> int:
        return len(self._by_car)

    def worked_off(self, reached: Progress, under_way: Iterable[Mark] = ()) -> Progress:
        """How far everything is worked off, once the feed and what was heard have been looked through up to `reached`."""
        waiting = [*self._by_car.values(), *under_way]
        if not waiting:
            self._erasure = reached.erasure
        return Progress(
            min((each.position for each in waiting), default=reached.position),
            min((each.heard_at for each in waiting), default=reached.heard_at),
            reached.edit,
            self._erasure,
        )


class Names:
    """The ids of cars by what sources call them. What was found is remembered."""

    def __init__(self, vehicles: Vehicles) -> None:
        self._vehicles = vehicles
        self._known: dict[str, str] = {}

    async def id_of(self, name: str) -> str | None:
        """The id of the car that is called so."""
        known = self._known.get(name)
        if known is None:
            vehicle = await self._vehicles.find_vehicle(name)
            if vehicle is None:
                return None
            if len(self._known) >= KNOWN_NAMES:
                self._known.clear()
            known = self._known[name] = vehicle.id
        return known
