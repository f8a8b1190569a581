"""The store of charging sessions: windows replaced whole, what was told last, edits in order, and of whom something came in."""

import pytest

from chargeport.errors import NotFoundError
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.flags import flag
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import Reading
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store.protocols import Store
from chargeport.store.records import DirtyVehicle, ReportedSession, StoredSession, Vehicle

T0 = 1_777_629_598_000
CAR = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", aliases=("one",))
OTHER = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c12")
WATTAGE, STATUS = BY_CODE["charge-wattage"], BY_CODE["charge-detailedchargingstatus"]
EVER = 1 << 62

pytestmark = pytest.mark.parametrize("store", ["sqlite", "postgres", "memory"], indirect=True)


@pytest.fixture
async def cars(store: Store) -> Store:
    for car in (CAR, OTHER):
        await store.vehicles.add_vehicle(car)
    return store


def session(at: int, *, is_open: bool = False, body: str = "{}") -> StoredSession:
    return StoredSession(at, f"id-{at}", is_open, body)


async def test_a_window_is_replaced_whole_and_nothing_beside_it(cars: Store) -> None:
    await cars.sessions.replace_sessions(CAR.id, 0, EVER, [session(1), session(5), session(9)])
    await cars.sessions.replace_sessions(OTHER.id, 0, EVER, [session(5)])
    await cars.sessions.replace_sessions(CAR.id, 5, 9, [session(6), session(7)])
    assert [each.started_at for each in await cars.sessions.sessions(CAR.id, 0, EVER)] == [1, 6, 7, 9]
    assert [each.started_at for each in await cars.sessions.sessions(CAR.id, 6, 9)] == [6, 7]
    assert await cars.sessions.sessions(OTHER.id, 0, EVER) == [session(5)]


async def test_sessions_of_a_car_that_was_removed_are_not_kept(cars: Store) -> None:
    await cars.vehicles.remove_vehicle(CAR.id)
    await cars.sessions.replace_sessions(CAR.id, 0, EVER, [session(1)])
    await cars.sessions.keep_reported(CAR.id, [ReportedSession("box", "a", 1, 1, "{}")])
    with pytest.raises(NotFoundError):
        await cars.sessions.add_edit(CAR.id, T0, "{}")
    await cars.vehicles.add_vehicle(CAR)
    assert await cars.sessions.sessions(CAR.id, 0, EVER) == []
    assert await cars.sessions.reported_sessions(CAR.id, 0) == []


async def test_cars_with_a_session_that_may_go_on_are_known(cars: Store) -> None:
    await cars.sessions.replace_sessions(CAR.id, 0, EVER, [session(1), session(5, is_open=True), session(9, is_open=True)])
    await cars.sessions.replace_sessions(OTHER.id, 0, EVER, [session(1)])
    assert await cars.sessions.cars_with_open_sessions() == [(CAR.id, 5)]


async def test_what_was_told_last_holds_in_any_order(cars: Store) -> None:
    reported = [ReportedSession("box", "a", at, 100, f'{{"at":{at}}}') for at in (2, 3, 1)]
    for each in reported:
        await cars.sessions.keep_reported(CAR.id, [each])
    await cars.sessions.keep_reported(CAR.id, [ReportedSession("other", "a", 1, 50, "{}")])
    assert await cars.sessions.reported_sessions(CAR.id, 0) == [ReportedSession("other", "a", 1, 50, "{}"), reported[1]]
    assert await cars.sessions.reported_sessions(CAR.id, 51) == [reported[1]]
    assert await cars.sessions.reported_sessions(OTHER.id, 0) == []


async def test_edits_stay_in_order_and_their_numbers_are_never_given_again(cars: Store) -> None:
    first = await cars.sessions.add_edit(CAR.id, T0, '{"a":1}')
    second = await cars.sessions.add_edit(OTHER.id, T0, '{"b":1}')
    third = await cars.sessions.add_edit(CAR.id, T0 + 1, '{"a":2}')
    assert [(each.number, each.body) for each in await cars.sessions.edits(CAR.id)] == [(first, '{"a":1}'), (third, '{"a":2}')]
    assert sorted(await cars.sessions.edited_since(0)) == [(CAR.id, third), (OTHER.id, second)]
    assert await cars.sessions.edited_since(second) == [(CAR.id, third)]
    erased = await cars.vehicles.remove_vehicle(CAR.id)
    assert erased is not None
    assert erased.edits == 2
    assert await cars.sessions.add_edit(OTHER.id, T0, "{}") > third


async def test_what_stirred_is_told_by_car_with_the_time_of_what_matters(cars: Store) -> None:
    await cars.readings.write([
        Reading("one", WATTAGE, 1.0, T0 + 5, T0 + 9, "box"), Reading(CAR.id, WATTAGE, 2.0, T0 + 3, T0 + 9, "box"),
        Reading(CAR.id, STATUS, "CHARGING", T0 + 99, T0 + 99, "box"), Reading(OTHER.id, STATUS, "CHARGING", T0, T0, "box"),
        Reading(OTHER.id, IS_CHARGING, True, T0 + 7, T0 + 7, "derived"),
    ])  # fmt: skip
    dirty, reached = await cars.sessions.changed_since(0, 100, frozenset({WATTAGE}))
    assert sorted(dirty, key=lambda each: each.vehicle_id) == [
        DirtyVehicle(CAR.id, T0 + 3, T0 + 5),
        DirtyVehicle(OTHER.id, None, None),
    ]
    assert reached == await cars.readings.position()
    assert await cars.sessions.changed_since(reached, 100, frozenset({WATTAGE})) == ([], reached)
    await cars.readings.write([Reading(OTHER.id, IS_CHARGING, False, T0 + 8, T0 + 8, "derived")])
    assert (await cars.sessions.changed_since(reached, 100, frozenset({WATTAGE})))[0] == [], "derived values are left out"


async def test_the_feed_is_gone_through_in_portions_without_a_gap(cars: Store) -> None:
    await cars.readings.write([Reading(CAR.id, WATTAGE, float(number), T0 + number, T0, "box") for number in range(10)])
    position, seen = 0, []
    while True:
        dirty, reached = await cars.sessions.changed_since(position, 3, frozenset({WATTAGE}))
        if reached == position:
            break
        seen += [(each.first_at, each.last_at) for each in dirty]
        position = reached
    assert seen == [(T0, T0 + 2), (T0 + 3, T0 + 5), (T0 + 6, T0 + 8), (T0 + 9, T0 + 9)]


async def test_cars_are_found_by_when_they_were_heard_and_not_by_what_we_derived(cars: Store) -> None:
    await cars.readings.write([
        Reading(CAR.id, STATUS, "CHARGING", T0 - 500, T0, "box"), Reading(CAR.id, WATTAGE, 1.0, T0 - 900, T0 + 1, "box"),
        Reading(OTHER.id, STATUS, "CHARGING", T0 - 1, T0 - 1, "box"),
        Reading(OTHER.id, IS_CHARGING, True, T0 - 1, T0 + 5, "derived"),
    ])  # fmt: skip
    assert await cars.sessions.received_since(T0, 0, 10) == ([DirtyVehicle(CAR.id, T0 - 900, T0 - 500)], None)
    found, after = await cars.sessions.received_since(T0 - 1, 0, 1)
    assert [each.vehicle_id for each in found] == [CAR.id]
    assert after is not None
    found, after = await cars.sessions.received_since(T0 - 1, after, 1)
    assert [each.vehicle_id for each in found] == [OTHER.id]
    assert after is None or await cars.sessions.received_since(T0 - 1, after, 1) == ([], None)


async def test_the_flag_that_ends_a_live_value_is_the_same_in_both_reads(cars: Store) -> None:
    """`signal` reads the flags beside it by their keys, `signals` with all else."""
    steps = [
        Reading(CAR.id, WATTAGE, 1.0, T0, T0, "box"),
        Reading(CAR.id, IS_CHARGING, True, T0, T0, "derived"),
        Reading(CAR.id, IS_CHARGING, True, T0 + 1, T0 + 1, "box"),
        Reading(CAR.id, IS_CHARGING, False, T0 + 1 + LIVE_FOR_MS, T0, "derived"),
        Reading(CAR.id, IS_CHARGING, True, T0 + 2 + LIVE_FOR_MS, T0, "derived"),
        Reading(CAR.id, IS_CHARGING, False, T0 + 3 + LIVE_FOR_MS, T0, "box"),
    ]
    for step in steps:
        await cars.readings.write([step])
        one, every = await cars.readings.signal(CAR.id, WATTAGE), await cars.readings.signals(CAR.id)
        assert one is not None
        assert every is not None
        picked, expected = (flag(IS_CHARGING, each.series, Ranks(), step.observed_at) for each in (one, every))
        assert picked == expected, step
        assert (picked.is_on is None) is (step.signal is WATTAGE), step
