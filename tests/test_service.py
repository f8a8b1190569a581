"""The way of a message through the whole of it, and what a failing source may not do."""

import asyncio
from pathlib import Path

import pytest

from chargeport import service as wiring
from chargeport.clock import ManualClock
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.sources.base import Emit, RawMessage
from chargeport.store.records import Page, Vehicle

NOW = 1_777_629_598_000
CAR = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", make="ACME", model="One", year=2026)


def message(power_w: object) -> RawMessage:
    return RawMessage(
        source="fake", dialect="simulator", vehicle=CAR.id, fields={"power_w": power_w}, received_at=NOW, observed_at=NOW
    )


class Fake:
    """A source that fails at first, then reports once and says when that is on disk."""

    name = "fake"

    def __init__(self) -> None:
        self.stored = asyncio.Event()
        self.runs = 0

    async def run(self, emit: Emit) -> None:
        self.runs += 1
        if self.runs == 1:
            raise OSError("no route to the car")
        await emit([message(7200)])
        self.stored.set()
        await asyncio.Event().wait()


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service.open(Settings(database=DatabaseSettings(url=f"sqlite:///{tmp_path}/a.db")), ManualClock(NOW))


async def test_a_message_is_stored_before_the_source_may_acknowledge_it(service: Service) -> None:
    await service.store.vehicles.add_vehicle(CAR)
    source = Fake()
    await service.start([source])
    async with asyncio.timeout(10):
        await source.stored.wait()
    wattage = BY_CODE["charge-wattage"]
    found = await service.store.readings.signal(CAR.id, wattage)
    assert found is not None
    assert found.series[wattage.key][0].value == 7200
    await service.close()


async def test_a_source_that_fails_is_started_again(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    source = Fake()
    await service.start([source])
    async with asyncio.timeout(10):
        await source.stored.wait()
    assert source.runs == 2
    assert "source fake failed" in caplog.text
    await service.close()


async def test_what_is_not_understood_is_stored_and_counted(service: Service) -> None:
    await service.store.vehicles.add_vehicle(CAR)
    await service.feeds.pipeline.take([message("lots"), message("lots")])
    found, total = await service.store.issues.issues(Page())
    assert total == 1
    assert (found[0].count, found[0].issue.subject, found[0].issue.source) == (2, "power_w", "fake")
    assert "lots" in found[0].issue.raw
    await service.close()


async def test_the_doorbell_rings_after_something_was_stored(service: Service) -> None:
    await service.store.vehicles.add_vehicle(CAR)
    waiting = asyncio.create_task(service.doorbell.wait(10))
    await asyncio.sleep(0)
    await service.feeds.pipeline.take([message(1)])
    assert await waiting
    await service.close()


async def test_the_doorbell_gives_up_in_time() -> None:
    assert not await wiring.Doorbell().wait(0.01)
