"""What the demo puts into its database: the cars, and who may ask for them. A database that is kept has both already."""

import uuid
from typing import Any, Final

import msgspec

from chargeport.api.sign_in import PageToken
from chargeport.cli.finding import every
from chargeport.errors import StartError
from chargeport.installation import with_flag
from chargeport.service import Service
from chargeport.signals.definition import OPERATOR, READS, Permission
from chargeport.sources.simulator.profile import CarProfile
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Vehicle

USER: Final = "demo-user"
SIMULATED: Final = "simulated"  # the mode of the demo's cars, and of no others
_OWNER: Final = "demo"


class _Credentials(msgspec.Struct, frozen=True):
    """What the demo remembers of an application of its own, so that it is the same the next time."""

    client_id: str
    client_secret: str


async def refuse_other_cars(store: Store, database: str) -> None:
    """Raise StartError where the database has cars that are not simulated: they are somebody's own."""
    others = [each for each in await every(store.vehicles.vehicles) if each.mode != SIMULATED]
    if others:
        cars = "a car that is" if len(others) == 1 else f"{len(others)} cars that are"
        raise StartError(
            f"The database {database} has {cars} not simulated, and simulated ones do not belong among them: name a new file"
            f" with {with_flag('--database demo.db')}, or leave it out; chargeport serve serves this one."
        )


async def make_known(service: Service, profiles: list[CarProfile]) -> dict[str, Any]:
    """Make the cars and an application known; what a client needs to know of them."""
    application, secret = await _application(service, "Demo", frozenset(Permission))
    cars = [vehicle_of(profile, service.clock.now()) for profile in profiles]
    for car in cars:
        if await service.store.vehicles.vehicle(car.id) is None:
            await service.store.vehicles.add_vehicle(car)
        await service.store.access.add_connection(_connection(application, car))
    return {
        "token": await service.access.issue_token(application),
        "client_id": application.client_id,
        "client_secret": secret,
        "management_token": application.management_token,
        "vehicles": [{"id": car.id, "make": car.make, "model": car.model, "year": car.year} for car in cars],
    }


async def visitor(service: Service) -> Application:
    """The application as which the demo's page asks: it may do what whoever is signed in elsewhere may."""
    application, _ = await _application(service, "The demo's page", OPERATOR)
    return application


async def visitor_token(service: Service, visitor: Application) -> PageToken:
    """A token for one visit."""
    return PageToken(await service.access.issue_token(visitor), visitor.client_id)


async def guest_link(service: Service) -> str:
    """The secret of a link that signs a visitor from another device in, once."""
    if await service.store.sign_in.user(USER) is None:
        await service.sign_in.add_user(USER)
    return await service.sign_in.link(USER, replace=True)


async def _application(service: Service, name: str, permissions: frozenset[Permission]) -> tuple[Application, str]:
    """The demo's application of this name with its secret: that of the last time, or a new one."""
    kept = await service.store.notes.recall(_OWNER, name)
    if kept is not None:
        known = msgspec.json.decode(kept, type=_Credentials)
        found = await service.access.sign_in(known.client_id, known.client_secret)
        if found is not None and found.permissions >= permissions:
            return found, known.client_secret
    application, secret = await service.access.register(name, permissions)
    remembered = msgspec.json.encode(_Credentials(application.client_id, secret)).decode()
    await service.store.notes.remember(_OWNER, name, remembered)
    return application, secret


def vehicle_of(profile: CarProfile, now: int) -> Vehicle:
    """The car as the store knows it."""
    return Vehicle(
        id=profile.id, vin=profile.vin, make=profile.make, model=profile.model, year=profile.year,
        powertrain=profile.powertrain, mode=SIMULATED, created_at=now,
    )  # fmt: skip


def _connection(application: Application, car: Vehicle) -> Connection:
    return Connection(
        id=str(uuid.uuid4()),
        client_id=application.client_id,
        user_id=USER,
        vehicle=car,
        permissions=READS,
        created_at=application.created_at,
    )
