"""Live values that end while a stream listens: told once, when the car fell silent, and never of what went before."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chargeport.api import tail as tail_module
from chargeport.errors import StoreError
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Cadence, Permission
from chargeport.signals.effective import DERIVED, Ranks
from chargeport.signals.freshness import Freshness
from chargeport.signals.reading import AbsenceReason, Reading
from chargeport.staleness import expiry as expiry_module
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from listening import Event, Listener
from world import HEARD_MS, T0, Client, World

POWER, CHARGING, VOLTAGE, LIMITS = "charge-wattage", "charge-ischarging", "charge-voltage", "charge-chargelimits"
LIVE = {code for code, signal in BY_CODE.items() if signal.cadence is Cadence.LIVE}
MINUTE = 60_000


@pytest.fixture(autouse=True)
def _five_minutes(world: World) -> None:
    """What the tests' source was learnt to need; short of the hour that a token lasts."""
    world.store.readings.set_freshness(Freshness(learnt={"box": dict.fromkeys(LIVE, 5 * MINUTE)}))


@asynccontextmanager
async def listening(world: World, app: Client, query: str = "") -> AsyncIterator[Listener]:
    """A stream, once the tail has looked at everything that was there before."""
    async with Listener(world.app, app.headers, query) as stream:
        await settled(world)
        yield stream


async def settled(world: World, *, all_read: bool = True) -> None:
    """Have the tail look, until nothing is left to see and every stream has handed over what it has."""
    tail = world.service.tail
    marker = await world.car()

    def is_busy() -> bool:
        unread = [each for each in tail._everyone if not each.idle] if all_read else []
        return tail.position < newest or tail._endings.is_behind or bool(unread)

    async with asyncio.timeout(10):
        # The doorbell rings; what comes after the first change was looked for when that is in memory.
        for limit in (50, 60):
            await world.report(marker, LIMITS, {"activeLimit": limit, "unit": "percent"}, world.clock.now() + limit)
            newest = await world.store.readings.position()
            while is_busy():  # noqa: ASYNC110  (the tail tells nobody but streams)
                await asyncio.sleep(0)


def ended(stream: Listener) -> list[Event]:
    return [event for event in stream.events if event.kind == "ended"]


def codes(events: list[Event]) -> list[str]:
    return sorted(event.data["signal"]["id"] for event in events)


async def confirm(world: World, car: Vehicle, code: str = POWER, value: Any = 7200, source: str = "box") -> None:
    """The car says it (again) now."""
    at = world.clock.now()
    signal = BY_CODE[code]
    await world.store.readings.write(
        [Reading(car.id, signal, bodies.parse(signal, {"value": value}), at, at + HEARD_MS, source)]
    )


async def test_a_value_of_a_car_that_falls_silent_ends_once_as_a_read_shows_it(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app) as stream:
        await confirm(world, car)
        await settled(world)
        position = await world.store.readings.position()
        world.clock.move(299.9)
        await settled(world)
        assert not ended(stream)
        world.clock.move(0.2)
        await settled(world)
        (event,) = ended(stream)
        for _ in range(3):
            world.clock.move(120)
            await settled(world)
        assert len(ended(stream)) == 1
    read = (await world.client.get(f"/v3/vehicles/{car.id}/signals/{POWER}", headers=app.headers)).json()["data"]
    read["links"] = event.data["signal"]["links"]
    assert event.data == {"vehicle": car.id, "signal": read}
    error = event.data["signal"]["attributes"]["status"]["error"]
    assert (error["type"], error["code"]) == ("VEHICLE_STATE", "UNREACHABLE")
    assert event.value == 7200, "the last one, beside its old times"
    assert event.id is not None
    assert event.id >= position
    block = next(each for each in stream.body.decode().split("\n\n") if "event: ended" in each)
    assert not re.search("^id:", block, re.MULTILINE), "no position of its own: whoever resumes goes on in the feed"


async def test_reads_and_changes_have_the_instant_of_the_expiry_beforehand(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app, f"vehicle={car.id}") as stream:
        await confirm(world, car)
        reported = (await stream.events_of(1))[0].data["signal"]
    read = (await world.client.get(f"/v3/vehicles/{car.id}/signals/{POWER}", headers=app.headers)).json()["data"]
    assert reported["meta"] == read["meta"]
    assert read["meta"]["staleAt"] == "2026-05-01T10:04:58.000Z"
    then = await world.client.get(f"/v3/vehicles/{car.id}/signals/{POWER}?at={T0}", headers=app.headers)
    assert then.json()["data"]["meta"]["staleAt"] == read["meta"]["staleAt"]
    for moved_s, status in ((299.9, "SUCCESS"), (0.1, "ERROR")):
        world.clock.move(moved_s)
        found = (await world.client.get(f"/v3/vehicles/{car.id}/signals", headers=app.headers)).json()["data"]
        assert [each["attributes"]["status"]["value"] for each in found] == [status]


async def test_a_confirmed_value_stays_valid_without_a_change_in_the_feed(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app) as stream:
        await confirm(world, car)
        for _ in range(12):
            world.clock.move(240)
            await confirm(world, car)
            await settled(world)
        assert not ended(stream)
        assert len([event for event in stream.events if event.data["vehicle"] == car.id]) == 1
        world.clock.move(301)
        await settled(world)
        assert codes(ended(stream)) == [POWER]


async def test_a_value_confirmed_by_another_process_stays_valid(world: World, app: Client, car: Vehicle) -> None:
    other = SqliteStore.open(world.database)
    async with listening(world, app) as stream:
        await confirm(world, car)
        await settled(world)
        world.clock.move(240)
        at = world.clock.now()
        await other.readings.write([Reading(car.id, BY_CODE[POWER], 7200, at, at + HEARD_MS, "box")])
        world.clock.move(100)
        await settled(world)
        assert not ended(stream)
    await other.close()


@pytest.mark.parametrize("named", [True, False])
async def test_what_was_fresh_before_the_stream_began_ends_too(
    world: World, app: Client, car: Vehicle, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_module, "SWEEP_BATCH", 2)
    monkeypatch.setattr(tail_module, "MAX_CHANGES", 0)
    for _ in range(5):
        await world.car()
    await confirm(world, car)
    async with listening(world, app, f"vehicle={car.id}" if named else "") as stream:
        world.clock.move(301)
        await settled(world)
        assert codes(ended(stream)) == [POWER]


async def test_what_ended_before_the_stream_began_is_not_sent(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app) as first:
        await confirm(world, car)
        await settled(world)
        world.clock.move(301)
        async with Listener(world.app, app.headers, last_id=0) as late:
            await settled(world)
            await late.until(lambda: len(late.events) >= 2)
            assert codes(ended(first)) == [POWER]
            assert not ended(late)
    async with listening(world, app) as stream, Listener(world.app, app.headers, last_id=0) as again:
        world.clock.move(600)
        await settled(world)
        assert not ended(stream) + ended(again)


async def test_what_lasts_never_ends(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app) as stream:
        await world.report_all(car)
        world.clock.move(3000)
        await settled(world)
        assert set(codes(ended(stream))) == LIVE


async def test_what_is_over_with_its_session_ends_by_the_change_of_charging_alone(
    world: World, app: Client, car: Vehicle
) -> None:
    async with listening(world, app) as stream:
        await confirm(world, car)
        await confirm(world, car, CHARGING, True)
        world.clock.move(60)
        await confirm(world, car, CHARGING, False)
        world.clock.move(3000)
        await settled(world)
        assert codes(ended(stream)) == [CHARGING], "whether it still does not charge, nobody knows"


async def test_an_absence_that_a_source_reported_is_not_sent_twice(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app) as stream:
        await confirm(world, car)
        world.clock.move(60)
        await world.absent(car, POWER, AbsenceReason.UNREACHABLE, world.clock.now())
        world.clock.move(3000)
        await settled(world)
        assert not ended(stream)


async def test_old_readings_that_come_late_end_nothing(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app) as stream:
        await world.report(car, POWER, {"value": 1}, T0 - 3600_000)
        await settled(world)
        world.clock.move(3000)
        await settled(world)
        assert not ended(stream)


async def test_a_value_that_comes_back_unchanged_is_sent_again_though_it_is_no_change(
    world: World, app: Client, car: Vehicle
) -> None:
    async with listening(world, app, f"vehicle={car.id}") as stream:
        await confirm(world, car)
        await settled(world)
        world.clock.move(400)
        await settled(world)
        await confirm(world, car)
        for _ in range(5):
            world.clock.move(40)
            await settled(world)
        assert [event.kind for event in stream.events] == ["signal", "ended", "signal"]
        assert stream.events[-1].data["signal"]["attributes"]["status"] == {"value": "SUCCESS"}
        world.clock.move(400)
        await settled(world)
        assert [event.kind for event in stream.events][3:] == ["ended"]


async def test_a_value_that_comes_back_changed_is_sent_once(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app, f"vehicle={car.id}") as stream:
        await confirm(world, car)
        await settled(world)
        world.clock.move(400)
        await settled(world)
        await confirm(world, car, value=5000)
        world.clock.move(100)
        await settled(world)
        assert [(event.kind, event.value) for event in stream.events] == [("signal", 7200), ("ended", 7200), ("signal", 5000)]


async def test_a_derived_value_ends_alike_and_a_reported_one_not_while_a_derived_one_replaces_it(
    world: World, app: Client, car: Vehicle
) -> None:
    async with listening(world, app, f"signal={POWER}") as stream:
        await confirm(world, car)
        world.clock.move(200)
        at = world.clock.now()
        await world.store.readings.write([Reading(car.id, BY_CODE[POWER], 7000.0, at, at + HEARD_MS, DERIVED, "wattage")])
        world.clock.move(200)
        await settled(world)
        assert not ended(stream)
        world.clock.move(1700)
        await settled(world)
        assert codes(ended(stream)) == [POWER]
        assert {event.value for event in stream.events} == {7200, 7000}


async def test_only_streams_with_permission_and_selection_get_it(world: World, app: Client, car: Vehicle) -> None:
    other = await world.car()
    battery = await world.application(frozenset({Permission.READ_BATTERY}))
    async with (
        listening(world, app, f"vehicle={car.id}&signal={VOLTAGE}") as voltage,
        listening(world, app, f"vehicle={other.id}") as others,
        listening(world, battery) as forbidden,
        listening(world, app) as everything,
    ):
        await confirm(world, car)
        await confirm(world, car, VOLTAGE, 230)
        world.clock.move(400)
        await settled(world)
        assert codes(ended(everything)) == [VOLTAGE, POWER]
        assert codes(ended(voltage)) == [VOLTAGE]
        assert not ended(others) + ended(forbidden)


async def test_a_car_that_was_erased_ends_nothing(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app) as stream:
        await confirm(world, car)
        await settled(world)
        await world.store.vehicles.remove_vehicle(car.id)
        world.clock.move(400)
        await settled(world)
        assert not ended(stream)
        assert car.id not in world.service.tail._endings._cars


async def test_an_ending_is_between_the_changes_where_it_happened_for_slow_readers_too(
    world: World, app: Client, car: Vehicle
) -> None:
    async with Listener(world.app, app.headers, f"vehicle={car.id}") as slow:
        slow.reading.clear()
        await confirm(world, car, value=0)
        for value in range(1, 300):
            world.clock.move(0.01)
            await confirm(world, car, value=value)
        await settled(world, all_read=False)
        world.clock.move(400)
        await settled(world, all_read=False)
        for value in range(300, 600):
            world.clock.move(0.01)
            await confirm(world, car, value=value)
        slow.reading.set()
        events = await slow.events_of(601)
        assert [event.kind for event in events].index("ended") == 300
        assert [event.value for event in events] == [*range(300), 299, *range(300, 600)]


async def test_shorter_times_hold_for_what_is_watched_already(world: World, app: Client, car: Vehicle) -> None:
    world.store.readings.set_freshness(Freshness())
    async with listening(world, app) as stream:
        await confirm(world, car)
        await settled(world)
        world.clock.move(400)
        await settled(world)
        assert not ended(stream)
        world.store.readings.set_freshness(Freshness(learnt={"box": {POWER: 5 * MINUTE}}))
        await settled(world)
        assert codes(ended(stream)) == [POWER]


async def test_a_store_that_fails_for_a_moment_delays_an_ending(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals, failed = world.store.readings.signals, asyncio.Event()

    async def fail(vehicle_id: str) -> Any:
        failed.set()
        raise StoreError("The disk is on holiday.")

    async with listening(world, app) as stream:
        await confirm(world, car)
        await settled(world)
        monkeypatch.setattr(world.store.readings, "signals", fail)
        world.clock.move(400)
        await world.car()
        await failed.wait()
        monkeypatch.setattr(world.store.readings, "signals", signals)
        await settled(world)
        assert codes(ended(stream)) == [POWER]


async def test_many_cars_end_together_and_memory_stays_within_bounds(
    world: World, app: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_module, "BATCH", 7)
    monkeypatch.setattr(expiry_module, "MAX_CARS", 40)
    cars = [await world.car() for _ in range(50)]
    async with listening(world, app, f"signal={POWER}") as stream:
        for car in cars:
            await confirm(world, car)
        await settled(world)
        endings = world.service.tail._endings
        assert len(endings._cars) <= 40
        world.clock.move(400)
        await settled(world)
        assert len({event.data["vehicle"] for event in ended(stream)}) == len(ended(stream)) == 40
        assert len(endings._due) < 200


async def test_nothing_is_watched_when_nobody_listens(world: World, app: Client, car: Vehicle) -> None:
    async with listening(world, app):
        await confirm(world, car)
        await settled(world)
        assert world.service.tail._endings._cars
    tail = world.service.tail
    assert tail._task
    await world.car()
    async with asyncio.timeout(10):
        await tail._task
    assert not tail._endings._cars


async def test_where_the_preferred_source_falls_silent_the_value_of_the_next_is_sent(
    world: World, app: Client, car: Vehicle
) -> None:
    world.store.readings.set_ranks(Ranks({BY_CODE[POWER]: ["box", "cloud"]}))
    await confirm(world, car, value=7200)
    await confirm(world, car, value=6900, source="cloud")
    async with listening(world, app, f"vehicle={car.id}&signal={POWER}") as stream:
        world.clock.move(5 * 60)
        await settled(world)
        (event,) = stream.events
        assert (event.kind, event.value) == ("signal", 6900)
        assert event.data["signal"]["meta"]["source"] == "cloud"


async def test_a_yes_gives_way_in_time_to_a_no_that_was_already_there(world: World, app: Client, car: Vehicle) -> None:
    await confirm(world, car, CHARGING, value=True, source="cloud")
    world.clock.move(30)
    await confirm(world, car, CHARGING, value=False)
    async with listening(world, app, f"vehicle={car.id}&signal={CHARGING}") as stream:
        world.clock.move(60)
        await settled(world)
        assert stream.events == []
        world.clock.move(30)
        await settled(world)
        (event,) = stream.events
        assert (event.kind, event.value) == ("signal", False)
