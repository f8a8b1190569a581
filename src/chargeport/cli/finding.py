"""Finding what a command was given a name of, and going through lists that come in pages."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from chargeport.cli.typed import quoted
from chargeport.errors import NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Page, Vehicle

PAGE_SIZE: Final = 1000

T = TypeVar("T")


async def vehicle_called(store: Store, name: str) -> Vehicle:
    """The vehicle with this id, VIN (in small letters, too) or alias. Raises NotFoundError."""
    for spelling in dict.fromkeys((name, name.strip().upper(), name.strip().lower())):
        vehicle = await store.vehicles.find_vehicle(spelling)
        if vehicle is not None:
            return vehicle
    raise NotFoundError(f"No vehicle is called {quoted(name)}: chargeport vehicle list shows those there are.")


async def application_with(store: Store, client_id: str) -> Application:
    """The application with this id, if it is not revoked. Raises NotFoundError."""
    found = await store.access.application(client_id)
    if found is None:
        raise NotFoundError(f"No application has the id {quoted(client_id)}: chargeport app list shows those there are.")
    if found[0].revoked_at is not None:
        raise NotFoundError(f"The application {quoted(client_id)} is revoked: chargeport app create makes another.")
    return found[0]


async def every(ask: Callable[[Page], Awaitable[tuple[list[T], int]]]) -> list[T]:
    """All entries of a list, whatever its length."""
    found: list[T] = []
    number = 1
    while True:
        part, total = await ask(Page(number, PAGE_SIZE))
        found += part
        if not part or len(found) >= total:
            return found
        number += 1
