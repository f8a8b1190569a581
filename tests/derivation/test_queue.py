"""One queue for all vehicles: who is due, in which order, and what is known to be derived when the process dies."""

import random
from collections.abc import Sequence

import msgspec
import pytest

from chargeport.derivation.queue import Changed, Job, Progress, Queue, Reason
from chargeport.signals.reading import Entry
from chargeport.store.records import Vehicle
from derived_cars import AMPERAGE, CABLE, CAR, CHARGING, HOUR, PHASES, T0, VOLTAGE, WATTAGE, House, night, reading

DAY = 24 * HOUR
REASONS: tuple[Reason, ...] = ("sessions", "values")


def test_jobs_come_by_the_instant_at_which_they_are_due_and_then_by_how_long_they_have_waited() -> None:
    queue = Queue()
    for name in "abc":
        queue.mark(name, "values", Changed(Progress()))
        queue.done(begun(queue, 0), not_before={"a": 30, "b": 10, "c": 20}[name])
    for name in "abc":
        queue.mark(name, "values", Changed(Progress()))
    assert queue.due(9) is None
    assert [begun(queue, 30).vehicle_id for _ in "abc"] == ["b", "c", "a"]


def begun(queue: Queue, now: int) -> Job:
    job = queue.due(now)
    assert job is not None
    queue.begin(job, Changed(Progress()))
    return job


def test_a_job_that_is_not_done_goes_behind_those_that_are_due() -> None:
    queue = Queue()
    queue.mark("long", "sessions", Changed(Progress()))
    queue.mark("short", "values", Changed(Progress()))
    queue.later(begun(queue, 5), 5)
    assert [begun(queue, 5).vehicle_id, begun(queue, 5).vehicle_id] == ["short", "long"]
    assert queue.due(1 << 60) is None


def test_a_job_that_is_done_is_forgotten_once_it_may_be_done_again() -> None:
    queue = Queue()
    queue.mark("a", "values", Changed(Progress()))
    queue.done(begun(queue, 0), not_before=10)
    assert queue.due(10) is None
    assert queue.next_due_at() is None


def test_a_job_is_due_by_time_alone_at_the_instant_that_was_given() -> None:
    queue = Queue()
    queue.mark("a", "values", Changed(Progress()))
    queue.done(begun(queue, 0), not_before=10, look_at=500)
    assert queue.due(499) is None
    assert begun(queue, 500).vehicle_id == "a"


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_waits_lies_before_the_oldest_and_nothing_is_lost(seed: int) -> None:
    rng, queue, reached = random.Random(seed), Queue(), Progress()
    waiting: dict[tuple[str, Reason], list[Progress]] = {}
    working: list[tuple[Job, list[Progress]]] = []
    now = 0
    for _ in range(400):
        now += rng.randint(0, 5)
        what = rng.random()
        if what < 0.5:
            reached = msgspec.structs.replace(reached, position=reached.position + 1, received_at=now)
            key = (rng.choice("abcdef"), rng.choice(REASONS))
            queue.mark(*key, Changed(reached))
            waiting.setdefault(key, []).append(reached)
        elif what < 0.75 and (job := queue.due(now)) is not None:
            is_new = job.begun is None
            queue.begin(job, Changed(reached))
            begun_with = waiting.pop((job.vehicle_id, job.reason), []) if is_new else next(b for j, b in working if j is job)
            working = [(j, b) for j, b in working if j is not job]
            if rng.random() < 0.5:
                queue.done(job, now + rng.randint(0, 20), rng.choice([None, now + 30]))
            else:
                queue.later(job, now)
                working.append((job, begun_with))
        undone = [each for since in waiting.values() for each in since] + [each for _, since in working for each in since]
        assert all(queue.oldest(reached) <= each for each in undone)
        assert queue.oldest(reached) >= min([reached, *undone]), "and nothing that is done holds it back"
    while (job := queue.due(now := now + 1)) is not None or len(queue) or any(w for w in working):
        if job is not None:
            queue.begin(job, Changed(reached))
            working = [(j, b) for j, b in working if j is not job]
            waiting.pop((job.vehicle_id, job.reason), None)
            queue.done(job, now)
    assert not waiting


def other(number: int) -> Vehicle:
    return Vehicle(id=f"00000000-0000-4000-8000-{number:012}", make="ACME", model="One")


def of(car: Vehicle, entries: Sequence[Entry]) -> list[Entry]:
    return [msgspec.structs.replace(each, vehicle=car.id) for each in entries]  # type: ignore[type-var]


VOLTS = [
    reading(VOLTAGE, 230, T0),
    reading(AMPERAGE, 16, T0),
    reading(PHASES, 3, T0),
    reading(CABLE, True, T0),
    reading(CHARGING, True, T0),
]


async def derived_watts(house: House, car: Vehicle) -> object:
    found = await house.store.readings.signals(car.id)
    assert found is not None
    return next((each.value for each in found.series.get(WATTAGE.key, ()) if each.source == "derived"), None)


async def test_a_car_with_years_of_history_delays_nobody(house: House) -> None:
    """Each step takes a second here. The other car reports in the middle of it, and is served within two steps."""
    await house.store.vehicles.add_vehicle(other(1))

    async def rest(_: float) -> None:
        house.clock.move(1)

    house.derivation._rest = rest
    house.derivation._owed_s = 1e9
    years = [each for week in range(60) for each in night(T0 - week * 7 * DAY, every_s=3600)]
    house.clock.move(HOUR / 1000)
    await house.take(years)
    steps = 0
    while await house.derivation.work():
        house.derivation._owed_s = 1e9
        steps += 1
        if steps == 20:
            at = house.clock.now() - 1000
            await house.take(of(other(1), [msgspec.structs.replace(each, observed_at=at) for each in VOLTS]))  # type: ignore[type-var]
        if steps == 24:
            assert await derived_watts(house, other(1)) == 11_040
            assert len(await house.store.sessions.sessions(CAR.id, 0, 1 << 62)) < 50, "and the first is far from its end"
    assert steps > 60
    assert len(await house.records()) == 60


async def test_while_too_much_waits_the_feed_is_not_read_on_and_nothing_is_lost(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chargeport.derivation.collector.MAX_WAITING", 3)
    monkeypatch.setattr("chargeport.derivation.collector.PORTION", 5)
    for number in range(8):
        await house.store.vehicles.add_vehicle(other(number))
        await house.store.readings.write(of(other(number), VOLTS))  # another process, so that only the feed tells
    await house.derivation._collector.collect()
    assert len(house.derivation._queue) < 8
    assert house.derivation._collector.reached.position < await house.store.readings.position()
    for _ in range(8):
        await house.work()
    assert [await derived_watts(house, other(number)) for number in range(8)] == [11_040] * 8


async def test_what_there_was_no_room_to_note_is_found_by_the_time_of_its_receipt(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A confirmation changes nothing that the feed would tell."""
    monkeypatch.setattr("chargeport.derivation.collector.MAX_WRITTEN", 1)
    await house.store.vehicles.add_vehicle(other(1))
    await house.take([*VOLTS, *of(other(1), VOLTS)])
    await house.work()
    house.clock.move(600)
    again = [msgspec.structs.replace(each, observed_at=T0 + 600_000, received_at=T0 + 600_000) for each in VOLTS]  # type: ignore[type-var]
    await house.take([*again, *of(other(1), again)])
    await house.work()
    for car in (CAR, other(1)):
        found = await house.store.readings.signals(car.id)
        assert found is not None
        (derived,) = [each for each in found.series[WATTAGE.key] if each.source == "derived"]
        assert derived.observed_at == T0 + 600_000


async def test_a_search_by_the_time_of_receipt_lets_other_work_be_done_between_its_portions(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chargeport.derivation.collector.PORTION", 2)
    cars = [CAR, *map(other, range(1, 6))]
    for car in cars[1:]:
        await house.store.vehicles.add_vehicle(car)
    await house.take([each for car in cars for each in of(car, VOLTS)])
    await house.work()
    house.clock.move(600)
    again = [msgspec.structs.replace(each, observed_at=T0 + 600_000, received_at=T0 + 600_000) for each in VOLTS]  # type: ignore[type-var]
    for car in cars:
        await house.store.readings.write(of(car, again))  # the process dies before these confirmations are noted
    house.restart()
    await house.derivation.resume()
    counts = []
    while True:
        is_more = await house.derivation.work()
        found = [await house.store.readings.signals(car.id) for car in cars]
        derived = [each for car in found if car for each in car.series[WATTAGE.key] if each.source == "derived"]
        counts.append(sum(each.observed_at == T0 + 600_000 for each in derived))
        if not is_more:
            break
    assert counts[0] < 6
    assert sorted(counts) == counts
    assert counts[-1] == 6


async def test_progress_waits_for_values_that_are_not_due_yet(house: House) -> None:
    """The process dies while a value waits for its turn; the next one derives it, however much later it starts."""
    house.clock.move(24 * 3600)
    at = house.clock.now()
    await house.take([msgspec.structs.replace(each, observed_at=at, received_at=at) for each in VOLTS])  # type: ignore[type-var]
    await house.derivation.work()
    await house.take([msgspec.structs.replace(reading(AMPERAGE, 10, at + 200), received_at=at + 200)])
    house.clock.move(0.5)
    await house.derivation.work()
    assert await derived_watts(house, CAR) == 11_040, "a second has not passed"
    house.restart()
    house.clock.move(300)
    await house.derivation.resume()
    await house.derivation.work()
    assert await derived_watts(house, CAR) == 6_900
