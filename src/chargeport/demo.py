"""A server of simulated cars, with its applications, for `chargeport demo` and tests.

A database of an earlier run already contains the cars and the applications.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from chargeport.clock import SimulatedClock
from chargeport.settings import DatabaseSettings, Settings, StalenessSettings, WebhookSettings
from chargeport.signals.definition import OPERATOR, READS, Permission
from chargeport.simulation.scenario import Scenario, named
from chargeport.sources.simulator import CarProfile, Simulator, demo_fleet
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Vehicle

if TYPE_CHECKING:
    from chargeport.api.sign_in import PageToken
    from chargeport.service import Service

USER: Final = "demo-user"
SIMULATED: Final = "simulated"  # the mode of the demo's cars only
_OWNER: Final = "demo"
_APPLICATION: Final = "Demo"
_TOKEN_LIFE_S: Final = 365 * 86_400  # for a clock that can be set forward by days
_CONTROLS: Final = frozenset({Permission.CONTROL_CHARGE, Permission.CONTROL_SIMULATOR})


class _Credentials(msgspec.Struct, frozen=True):
    """The stored credentials of an application of the demo, for the next run."""

    client_id: str
    client_secret: str


async def begin(service: "Service", clock: SimulatedClock, scenario: Scenario | None = None, count: int = 0) -> dict[str, Any]:
    """Simulate the cars of a scenario, or `count` of the demo's; return the data that a client needs. Raises Problem."""
    clock.set(await service.last_received_at())
    reporters = demo_fleet(clock.now(), count=count)
    facts = await register(service, [reporter.profile for reporter in reporters])
    simulator = Simulator("simulator", reporters, clock)
    simulation = await service.simulate(simulator, clock, lambda profiles: add_vehicles(service, profiles))
    if scenario is not None:
        await simulation.play(scenario)
        facts["vehicles"] = [_facts(reporter.profile) for reporter in simulator.reporters]
    return facts


@asynccontextmanager
async def answering(file: Path, scenario: str, at: datetime) -> AsyncIterator[dict[str, Any]]:
    """Serve a built-in scenario, or a file's, on loopback while the block runs, with a stopped clock; for tests."""
    from chargeport import web
    from chargeport.dashboard import page
    from chargeport.service import Service

    settings = Settings(
        database=DatabaseSettings(f"sqlite:///{file}"),
        staleness=StalenessSettings(learn=False),  # it would depend on earlier tests
        webhooks=WebhookSettings(allow_private_targets=True, retry_jitter=0),
    )
    clock = SimulatedClock(0, round(at.timestamp() * 1000))
    with web.listen("127.0.0.1", 0) as listening:
        service = Service.open(settings, clock, anew=True)
        try:
            facts = await begin(service, clock, named(scenario))
            async with web.answering(service.app(page.handlers()), listening, service.stop_answers) as url:
                yield {"url": url, **facts}
        finally:
            await service.close()


async def register(service: "Service", profiles: list[CarProfile]) -> dict[str, Any]:
    """Add the cars and an application; return the data that a client needs."""
    application, secret = await _application(service, _APPLICATION, frozenset(Permission))
    await add_vehicles(service, profiles)
    return {
        "token": await service.access.issue_token(application, _TOKEN_LIFE_S),
        "client_id": application.client_id,
        "client_secret": secret,
        "management_token": application.management_token,
        "vehicles": [_facts(profile) for profile in profiles],
    }


def _facts(profile: CarProfile) -> dict[str, Any]:
    return {"id": profile.id, "make": profile.make, "model": profile.model, "year": profile.year}


async def add_vehicles(service: "Service", profiles: Sequence[CarProfile]) -> None:
    """Add these cars, with connections to the demo's application."""
    application, _ = await _application(service, _APPLICATION, frozenset(Permission))
    cars = [vehicle_of(profile, service.clock.now()) for profile in profiles]
    for car in cars:
        if await service.store.vehicles.vehicle(car.id) is None:
            await service.store.vehicles.add_vehicle(car)
        await service.store.access.add_connection(_connection(application, car))


async def visitor(service: "Service") -> Application:
    """Return the application of the demo's page: it may read, manage, and control the simulation."""
    application, _ = await _application(service, "The demo's page", OPERATOR | _CONTROLS)
    return application


async def visitor_token(service: "Service", visitor: Application) -> "PageToken":
    """Return a token of the page's application."""
    from chargeport.api.sign_in import PageToken

    token = await service.access.issue_token(visitor, _TOKEN_LIFE_S)
    return PageToken(token, visitor.client_id, visitor.permissions)


async def guest_link(service: "Service") -> str:
    """Return the secret of a link that signs a visitor in once, from another device."""
    if await service.store.sign_in.user(USER) is None:
        await service.sign_in.add_user(USER)
    return await service.sign_in.link(USER, replace=True)


async def credentials(store: Store) -> tuple[str, str] | None:
    """Return the id and the secret of the demo's application on a database; None if it has none."""
    stored = await _stored_credentials(store, _APPLICATION)
    return None if stored is None else (stored.client_id, stored.client_secret)


async def _stored_credentials(store: Store, name: str) -> _Credentials | None:
    text = await store.notes.recall(_OWNER, name)
    return None if text is None else msgspec.json.decode(text, type=_Credentials)


async def _application(service: "Service", name: str, permissions: frozenset[Permission]) -> tuple[Application, str]:
    """Return the demo's application of this name with its secret: that of the last run, or a new one."""
    stored = await _stored_credentials(service.store, name)
    if stored is not None:
        known = await service.access.sign_in(stored.client_id, stored.client_secret)
        if known is not None and known.permissions >= permissions:
            return known, stored.client_secret
    application, secret = await service.access.register(name, permissions)
    text = msgspec.json.encode(_Credentials(application.client_id, secret)).decode()
    await service.store.notes.remember(_OWNER, name, text)
    return application, secret


def vehicle_of(profile: CarProfile, now: int) -> Vehicle:
    """Return a simulated car as a vehicle of the store."""
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
        permissions=READS | {Permission.CONTROL_CHARGE},
        created_at=application.created_at,
    )
