"""What applications may see of cars, remembered between two commits, so that many streams of one application ask once."""

from typing import Final

from chargeport.api.access import Access
from chargeport.errors import Problem
from chargeport.signals.definition import Permission
from chargeport.store.protocols import Store
from chargeport.store.records import Grant

_NOTHING: Final[frozenset[Permission]] = frozenset()


class Permits:
    """Permissions on cars as of the newest known commit: a commit calls `forget`."""

    def __init__(self, access: Access, store: Store) -> None:
        self._access = access
        self._store = store
        self._known: dict[tuple[str, str | None, str, str | None], frozenset[Permission]] = {}
        self._there: dict[str, bool] = {}

    def forget(self) -> None:
        """Ask the store again: a connection may have been made, changed or ended, a car erased."""
        self._known.clear()
        self._there.clear()

    async def is_there(self, vehicle_id: str) -> bool:
        """Tell whether the car has not been erased."""
        found = self._there.get(vehicle_id)
        if found is None:
            found = self._there[vehicle_id] = await self._store.vehicles.vehicle(vehicle_id) is not None
        return found

    async def of(self, grant: Grant, vehicle_id: str, user_id: str | None) -> frozenset[Permission]:
        """Return what the application (for this user) may do with the car; nothing where it may not know that there is one."""
        if user_id is None and grant.sees_all:
            return grant.permissions
        key = (grant.client_id, grant.user_uuid, vehicle_id, user_id)
        found = self._known.get(key)
        if found is None:
            try:
                found = await self._access.permissions(grant, vehicle_id, user_id)
            except Problem:
                found = _NOTHING
            self._known[key] = found
        return found
