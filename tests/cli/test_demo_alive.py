"""The demo minutes later: its cars are what they stand for, and only the one that is meant to is out of reach."""

from pathlib import Path

import msgspec
import pytest

from chargeport.api.reads import ReadRequest
from chargeport.clock import ManualClock
from chargeport.demo import register
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, Settings
from chargeport.signals.definition import Permission
from chargeport.sources.simulator import Reporter, demo_fleet
from derived_cars import catch_up

BEGUN_AT = 1_777_629_598_000
LOOKS_MIN = (1, 6, 15, 40, 90)


async def unreachable(service: Service, reporters: list[Reporter]) -> list[str]:
    """The models of the cars of which any signal is said to be out of reach."""
    found = []
    for each in reporters:
        read = ReadRequest(each.profile.id, None, base="", request_id="", authorization=None)
        document = msgspec.json.decode(await service_document(service, read))
        statuses = [signal["attributes"]["status"] for signal in document["data"]]
        if any(status.get("error", {}).get("code") == "UNREACHABLE" for status in statuses):
            found.append(each.profile.model)
    return found


async def service_document(service: Service, read: ReadRequest) -> str:
    from chargeport.api.reads import Reads

    return await Reads(service.store, service.access, service.clock).document(read, frozenset(Permission))


@pytest.mark.parametrize(
    "begun_at", [BEGUN_AT, *(pytest.param(BEGUN_AT + hours * 3_600_000, marks=pytest.mark.long) for hours in (9, 17))]
)
async def test_exactly_one_car_is_out_of_reach_however_long_the_demo_runs(begun_at: int, tmp_path: Path) -> None:
    clock = ManualClock(begun_at)
    service = Service.open(Settings(database=DatabaseSettings(url=f"sqlite:///{tmp_path}/demo.db")), clock)
    reporters = demo_fleet(begun_at)
    await register(service, [each.profile for each in reporters])
    await service.cadences.begin()
    for minute in range(LOOKS_MIN[-1] + 1):
        messages = [message for each in reporters for message in each.due(clock.now())]
        await service.feeds.pipeline.take(messages)
        if minute % 5 == 0 or minute in LOOKS_MIN:
            await service.cadences.update()
            await catch_up(service.derivation)
        if minute in LOOKS_MIN:
            assert await unreachable(service, reporters) == ["Fjord"], f"after {minute} minutes"
        clock.move(60)
    await service.close()
