"""A service that simulates one plain car by a clock that stands still, for tests of what controls it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from simulated_cars import profile

import contract
from chargeport import demo
from chargeport.clock import SimulatedClock
from chargeport.dashboard import page
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, Settings, StalenessSettings, WebhookSettings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import effective
from chargeport.simulation.control import Simulation
from chargeport.sources.simulator import Car, Limit, Reporter, Simulator
from new_database import new_database
from world import T0, bearer

CAR = profile(limits=(Limit(type="GLOBAL", limit=80.0),), start_soc_percent=40.0)


class Simulated(NamedTuple):
    service: Service
    control: Simulation
    client: httpx.AsyncClient

    async def do(self, action: str, **body: Any) -> dict[str, Any]:
        return await self.control.act(CAR.id, action, body)

    async def value(self, code: str) -> Any:
        """What a reader is shown of the signal now; None where it may not be shown."""
        found = await self.service.store.readings.signals(CAR.id)
        assert found is not None
        counts = effective(BY_CODE[code], found.known, self.service.store.readings.ranks, self.control.clock.now())
        return None if counts is None or counts.unavailability is not None else counts.state.value


@asynccontextmanager
async def simulated(folder: Path, *, speed: float = 0, **reporting: Any) -> AsyncIterator[Simulated]:
    clock = SimulatedClock(speed, T0)
    settings = Settings(
        database=DatabaseSettings(f"sqlite:///{new_database(folder / 'simulated.db')}"),
        staleness=StalenessSettings(learn=False),
        webhooks=WebhookSettings(allow_private_targets=True, retry_jitter=0),
    )
    service = Service.open(settings, clock, anew=True)
    facts = await demo.register(service, [CAR])
    await service.simulate(Simulator("simulator", [Reporter(Car(CAR, 1, T0), 1, **reporting)], clock), clock)
    transport = httpx.ASGITransport(service.app(page.handlers()))
    client = httpx.AsyncClient(
        transport=transport, base_url="http://cars.test", headers=bearer(facts["token"]),
        event_hooks={"response": [contract.check_successes]},
    )  # fmt: skip
    assert service.simulation is not None
    yield Simulated(service, service.simulation, client)
    await client.aclose()
    await service.close()
