"""Search and description of the vehicles and applications that a command names, and lists in pages."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from chargeport.cli.typed import quoted
from chargeport.errors import NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Page, Vehicle

PAGE_SIZE: Final = 1000
LEAST_TYPED: Final = 4  # characters of the prefix of a name or an id
SHOWN: Final = 3

T = TypeVar("T")

ERASED: Final = {
    "latest": "latest values", "history": "runs of history", "sessions": "charging sessions", "edits": "edits of sessions",
    "connections": "connections", "names": "names", "issues": "issues",
    "hours": "hours of older history", "events": "events for webhooks", "audited": "mentions in the audit log",
    "notes": "notes of sources", "commands": "commands",
}  # fmt: skip
UNWIPED: Final = "Bytes of it may stay in the file's free space until something is erased without --no-rewrite."
TRACES: Final = (
    "A reader has an older state of the database open: bytes of it stay in the log until it ends and the server stops."
)


async def vehicle_called(store: Store, name: str) -> Vehicle:
    """Return the vehicle with this id, VIN (any case) or alias, else the only one with this model or this beginning of its id.

    Raises NotFoundError.
    """
    for spelling in dict.fromkeys((name, name.strip().upper(), name.strip().lower())):
        vehicle = await store.vehicles.find_vehicle(spelling)
        if vehicle is not None:
            return vehicle
    typed_name = name.strip().lower()
    matches = [vehicle for vehicle in await every(store.vehicles.vehicles) if _is_meant(vehicle, typed_name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        ids = ", ".join(vehicle.id for vehicle in matches[:SHOWN])
        raise NotFoundError(f"{quoted(name)} may be any of {len(matches)} vehicles: {ids}: write more of the name, or the id.")
    raise NotFoundError(f"No vehicle is called {quoted(name)}: chargeport vehicle list shows those there are.")


def _is_meant(vehicle: Vehicle, typed_name: str) -> bool:
    """Return whether the typed text is a vehicle's model, its make and model, or the beginning of its id."""
    if len(typed_name) < LEAST_TYPED:
        return False
    names = (vehicle.model or "", " ".join(part for part in (vehicle.make, vehicle.model) if part))
    return vehicle.id.startswith(typed_name) or typed_name in (name.lower() for name in names)


async def fleet(store: Store) -> list[Vehicle]:
    """Return all vehicles."""
    return await every(store.vehicles.vehicles)


async def application_with(store: Store, client_id: str) -> Application:
    """Return the application with this id, if it is not revoked. Raises NotFoundError."""
    found = await store.access.application(client_id)
    if found is None:
        raise NotFoundError(f"No application has the id {quoted(client_id)}: chargeport app list shows those there are.")
    if found[0].revoked_at is not None:
        raise NotFoundError(f"The application {quoted(client_id)} is revoked: chargeport app create makes another.")
    return found[0]


async def every(page_of: Callable[[Page], Awaitable[tuple[list[T], int]]], limit: int = 0) -> list[T]:
    """Return all entries of a list, whatever its length, or at most `limit`; 0: all."""
    found: list[T] = []
    number = 1
    while True:
        part, total = await page_of(Page(number, PAGE_SIZE))
        found += part
        if not part or len(found) >= total or (limit and len(found) >= limit):
            return found[: limit or None]
        number += 1


def described(vehicle: Vehicle) -> str:
    """Return the known ones of a vehicle's make, model and year."""
    return " ".join(str(part) for part in (vehicle.make, vehicle.model, vehicle.year) if part) or "a vehicle"


def called(vehicle: Vehicle) -> str:
    """Return the short name of a vehicle: make and model, else VIN, else id."""
    return " ".join(part for part in (vehicle.make, vehicle.model) if part) or vehicle.vin or vehicle.id


def recognised(vehicle: Vehicle) -> str:
    """Return a description for people: make, model and year, and the VIN, else the first alias, else the id."""
    return f"{described(vehicle)} ({vehicle.vin or next(iter(vehicle.aliases), vehicle.id)})"


def fields(vehicle: Vehicle) -> dict[str, Any]:
    """Return the facts of the vehicle itself."""
    from chargeport.wire.envelope import iso

    return {
        "id": vehicle.id, "vin": vehicle.vin, "aliases": list(vehicle.aliases), "make": vehicle.make, "model": vehicle.model,
        "year": vehicle.year, "powertrain": vehicle.powertrain, "mode": vehicle.mode, "created_at": iso(vehicle.created_at),
    }  # fmt: skip
