"""A cache of vehicles that were read last, with their keys: nearly every read is of a cached one.

No values are cached. The cache is valid as long as the database's count of changes to vehicles stays the same; the count is
read once for each snapshot.
"""

from typing import Final

from chargeport.store.records import Vehicle
from chargeport.store.sqlite.reader import Reader
from chargeport.store.tables import rows

MAX_VEHICLES: Final = 200_000  # some 65 MB

_CHANGES: Final = "SELECT value FROM sequences WHERE name = 'vehicle changes'"
_VEHICLE: Final = f"SELECT {rows.VEHICLE}, v.key FROM vehicles v WHERE v.id = ?"


class KnownVehicles:
    """Finds vehicles by id. Belongs to the reader's event loop."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: dict[str, tuple[int, Vehicle]] = {}
        self._changes = -1
        self._snapshot = -1  # in which the count was last read

    def find(self, vehicle_id: str) -> tuple[int, Vehicle] | None:
        """Return the key of a vehicle and the vehicle; None if there is none."""
        snapshot = self._reader.snapshot or self._reader.share()
        if snapshot != self._snapshot:
            self._look(snapshot)
        found = self._known.get(vehicle_id)
        if found is None:
            row = self._reader.row(_VEHICLE, (vehicle_id,))
            if row is None:
                return None
            if len(self._known) >= MAX_VEHICLES:
                self._known.clear()
            found = self._known[vehicle_id] = row[-1], rows.vehicle(row)
        return found

    def _look(self, snapshot: int) -> None:
        """Clear the cache if a vehicle was changed or removed since."""
        changes = self._reader.count(_CHANGES)
        if changes != self._changes:
            self._known.clear()
            self._changes = changes
        self._snapshot = snapshot
