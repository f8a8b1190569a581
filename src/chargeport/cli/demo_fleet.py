"""What the demo puts into its database: the cars, and who may ask for them."""

import uuid
from typing import Any, Final

from chargeport.cli.applications import READS
from chargeport.service import Service
from chargeport.signals.definition import Permission
from chargeport.sources.simulator.profile import CarProfile
from chargeport.store.records import Application, Connection, Vehicle

USER: Final = "demo-user"


async def make_known(service: Service, profiles: list[CarProfile]) -> dict[str, Any]:
    """Make the cars and an application known; what a client needs to know of them."""
    application, secret = await service.access.register("Demo", frozenset(Permission))
    cars = [_vehicle(profile, service.clock.now()) for profile in profiles]
    for car in cars:
        if await service.store.vehicles.vehicle(car.id) is None:  # a database that is kept has them from the last time
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
    """The application as which the demo's page asks: it may read, and nothing else."""
    application, _ = await service.access.register("The demo's page", READS)
    return application


def _vehicle(profile: CarProfile, now: int) -> Vehicle:
    """The car as the store knows it."""
    return Vehicle(
        id=profile.id, vin=profile.vin, make=profile.make, model=profile.model, year=profile.year,
        powertrain=profile.powertrain, mode="simulated", created_at=now,
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
