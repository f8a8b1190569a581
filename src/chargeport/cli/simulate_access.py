"""The additions of `chargeport simulate` to the local database: its cars, and an application for the duration of the run."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from chargeport.api.access import Access
from chargeport.cli.database import opened, resolved
from chargeport.cli.demo import refuse_other_cars
from chargeport.cli.finding import every
from chargeport.clock import SystemClock
from chargeport.demo import vehicle_of
from chargeport.signals.definition import Permission
from chargeport.sources.simulator import demo_fleet as fleet
from chargeport.store.urls import shown

T = TypeVar("T")

NAME: Final = "chargeport simulate"
AT_ONCE: Final = 500  # cars that are added in one commit


def with_access(database: str | None, seed: int, vehicles: int, work: Callable[[str], Awaitable[T]]) -> T:
    """Return the result of `work` with a token. Raises StartError if the database has cars that are not simulated."""

    async def job() -> T:
        async with opened(database) as store:
            await refuse_other_cars(store, shown(resolved(database)))
            clock = SystemClock()
            known = {vehicle.id for vehicle in await every(store.vehicles.vehicles)}
            profiles = [reporter.profile for reporter in fleet(clock.now(), seed, vehicles)]
            new = [vehicle_of(profile, clock.now()) for profile in profiles if profile.id not in known]
            for start in range(0, len(new), AT_ONCE):
                await asyncio.gather(*map(store.vehicles.add_vehicle, new[start : start + AT_ONCE]))
            access = Access(store, clock)
            application, _ = await access.register(NAME, frozenset(Permission))
            try:
                return await work(await access.issue_token(application))
            finally:
                await store.access.revoke_application(application.client_id, clock.now())

    return asyncio.run(job())
