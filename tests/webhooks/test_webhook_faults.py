"""Events that go astray on demand: dropped, repeated, late, out of order."""

from typing import Any

import pytest

from chargeport.simulation.faults import Faults
from chargeport.store.records import Vehicle
from webhook_receiver import Made, Receiver, pump
from world import World


@pytest.fixture
def faults(world: World) -> Faults:
    world.service.webhooks.deliveries.faults = Faults()
    return world.service.webhooks.deliveries.faults


async def charging(world: World, car: Vehicle, value: bool) -> None:
    """The car reports that it charges, or does not, a second after what it reported before."""
    world.clock.move(1)
    await world.report(car, "charge-ischarging", {"value": value}, at=world.clock.now())
    await pump(world)


def events_of(receiver: Receiver) -> list[Any]:
    return [event["data"]["signals"][0]["body"]["value"] for event in receiver.events()]


async def test_a_dropped_event_never_comes(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, faults: Faults
) -> None:
    await webhook()
    faults.add({"webhook": "DROP", "times": 1})
    await charging(world, car, True)
    world.clock.move(600)
    await pump(world)
    assert events_of(receiver) == []
    await charging(world, car, False)
    assert events_of(receiver) == [False]
    assert await world.store.webhooks.due_webhooks() == {}


async def test_events_before_it_are_spared(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, faults: Faults
) -> None:
    await webhook()
    faults.add({"webhook": "DROP", "after": 1, "times": 1})
    for value in (True, False, True):
        await charging(world, car, value)
    assert events_of(receiver) == [True, True]


async def test_a_repeated_event_comes_twice_with_one_id(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, faults: Faults
) -> None:
    await webhook()
    faults.add({"webhook": "REPEAT", "vehicle": car.id, "times": 1})
    await charging(world, car, True)
    first, second = receiver.events()
    assert first["eventId"] == second["eventId"]
    assert first["meta"]["deliveryId"] != second["meta"]["deliveryId"]


async def test_a_late_event_comes_when_its_time_has_come(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, faults: Faults
) -> None:
    await webhook()
    faults.add({"webhook": "DELAY", "delaySeconds": 300})
    await charging(world, car, True)
    world.clock.move(299)
    await pump(world)
    assert events_of(receiver) == []
    world.clock.move(1)
    await pump(world)
    assert events_of(receiver) == [True]


async def test_an_event_out_of_order_comes_behind_the_next_one(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, faults: Faults
) -> None:
    await webhook()
    faults.add({"webhook": "REORDER", "times": 1})
    await charging(world, car, True)
    assert events_of(receiver) == []
    await charging(world, car, False)
    assert events_of(receiver) == [False, True]
    world.clock.move(600)
    await pump(world)
    assert events_of(receiver) == [False, True], "and it comes once"


async def test_an_event_that_no_newer_one_follows_comes_late(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, faults: Faults
) -> None:
    await webhook()
    faults.add({"webhook": "REORDER", "delaySeconds": 60, "times": 1})
    await charging(world, car, True)
    world.clock.move(60)
    await pump(world)
    await charging(world, car, False)
    assert events_of(receiver) == [True, False]


async def test_other_cars_and_verifications_meet_no_fault(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, faults: Faults
) -> None:
    faults.add({"webhook": "DROP", "vehicle": "another"})
    faults.add({"type": "SERVER"})
    await webhook()
    await charging(world, car, True)
    assert events_of(receiver) == [True]
    assert len(receiver.events("VERIFY")) == 1
