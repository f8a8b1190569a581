"""One suite over every store: what is written, in whatever order and however often, comes back right."""

import asyncio
import random
import uuid
from collections.abc import Iterable

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_tables import reopened

from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal, Value
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, Vehicle

WATTAGE = BY_CODE["charge-wattage"]
CHARGING = BY_CODE["charge-ischarging"]
CAR = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", make="ACME", model="One", year=2026, vin="WVWZZZ00000000001")
T0 = 1_777_629_598_000


def reading(value: Value, at: int, signal: Signal = WATTAGE, vehicle: str = CAR.id, source: str = "test") -> Reading:
    return Reading(vehicle, signal, value, at, at + 5, source)


def absence(reason: AbsenceReason, at: int) -> Absence:
    return Absence(CAR.id, WATTAGE, reason, at, at + 5, "test")


async def test_what_was_written_is_read_back_with_its_times_and_source(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    assert await any_store.readings.write([reading(7200, T0)]) == [Outcome.ACCEPTED]
    found = await any_store.readings.signal(CAR.id, WATTAGE)
    assert found is not None
    assert found.vehicle == CAR
    state = found.series[WATTAGE.key][0]
    assert (state.value, state.observed_at, state.changed_at, state.received_at, state.source) == (7200, T0, T0, T0 + 5, "test")


async def test_vehicles_are_gone_through_by_id_though_some_come_and_go(store: Store) -> None:
    cars = [Vehicle(id=str(uuid.UUID(int=number)), created_at=T0) for number in range(7)]
    for car in random.sample(cars, len(cars)):
        await store.vehicles.add_vehicle(car)
    assert await store.vehicles.vehicles_after("", 3) == cars[:3]
    await store.vehicles.remove_vehicle(cars[2].id)
    await store.vehicles.remove_vehicle(cars[3].id)
    assert await store.vehicles.vehicles_after(cars[2].id, 2) == cars[4:6]
    assert await store.vehicles.vehicles_after(cars[5].id, 5) == cars[6:]
    assert await store.vehicles.vehicles_after(cars[6].id, 5) == []
    assert await store.vehicles.vehicles_after("", 5, connected_to="nobody") == []
    assert await store.vehicles.vehicles_after("", 2, not_ended_by="nobody") == cars[:2]


async def test_a_vehicle_is_found_by_each_of_its_names_and_an_unknown_one_is_refused(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    assert CAR.vin
    outcomes = await any_store.readings.write([reading(1, T0, vehicle=CAR.vin), reading(2, T0 + 1, vehicle="nobody")])
    assert outcomes == [Outcome.ACCEPTED, Outcome.UNKNOWN_VEHICLE]


async def test_a_page_of_vehicles_is_read_as_each_of_them_is(any_store: Store) -> None:
    cars = [Vehicle(id=str(uuid.UUID(int=number)), created_at=T0) for number in range(4)]
    for car in cars:
        await any_store.vehicles.add_vehicle(car)
    sent = [
        (0, WATTAGE, 7200, "a"),
        (0, WATTAGE, 11_000, "b"),
        (0, CHARGING, True, "a"),
        (1, WATTAGE, 1, "c"),
        (3, WATTAGE, 0, "a"),
    ]
    await any_store.readings.write([reading(value, T0, signal, cars[car].id, source) for car, signal, value, source in sent])
    asked = [cars[1].id, "nobody", cars[0].id, "no\0body", cars[2].id, cars[0].id]
    found = await any_store.readings.signals_of(asked)
    assert found == {each: await any_store.readings.signals(each) for each in (cars[0].id, cars[1].id, cars[2].id)}
    assert [len(found[cars[0].id].series[signal.key]) for signal in (WATTAGE, CHARGING)] == [2, 1]
    assert found[cars[2].id].series == {}
    assert await any_store.readings.signals_of([]) == {}


async def test_an_older_reading_never_overwrites_a_newer_one(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    await any_store.readings.write([reading(2, T0 + 10)])
    assert await any_store.readings.write([reading(1, T0)]) == [Outcome.SUPERSEDED]
    assert await latest(any_store) == (2, T0 + 10, None)
    assert await timeline(any_store) == [(T0, 1), (T0 + 10, 2)]


async def test_sending_again_changes_nothing(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    entries = [reading(value, T0 + value) for value in range(5)]
    await any_store.readings.write(entries)
    before = await any_store.readings.changes(0, 100)
    assert await any_store.readings.write(entries) == [Outcome.UNCHANGED] * 5
    assert await any_store.readings.changes(0, 100) == before


async def test_an_unchanged_value_adds_no_change_and_moves_its_last_sighting(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    for second in range(100):
        await any_store.readings.write([reading(7, T0 + second * 1000)])
    assert len(await any_store.readings.changes(0, 1000)) == 1
    assert await latest(any_store) == (7, T0 + 99_000, None)


async def test_a_late_value_inside_a_long_run_splits_it_at_the_exact_sightings(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    await any_store.readings.write([reading(7, T0 + second * 1000) for second in range(500)])
    assert await any_store.readings.write([reading(8, T0 + 250_500)]) == [Outcome.SUPERSEDED]
    assert await timeline(any_store) == [(T0, 7), (T0 + 250_500, 8), (T0 + 251_000, 7)]
    state = (await any_store.readings.signal(CAR.id, WATTAGE)).series[WATTAGE.key][0]  # type: ignore[union-attr]
    assert state.changed_at == T0 + 251_000


async def test_an_absence_holds_until_a_newer_value_and_keeps_the_last_one(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    await any_store.readings.write([reading(7, T0), absence(AbsenceReason.UNREADABLE, T0 + 10)])
    assert await latest(any_store) == (7, T0, AbsenceReason.UNREADABLE)
    await any_store.readings.write([reading(8, T0 + 20)])
    assert await latest(any_store) == (8, T0 + 20, None)


async def test_writes_of_one_call_are_in_the_feed_in_order_and_a_position_resumes_it(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    await any_store.readings.write([reading(value, T0 + value) for value in range(10)])
    feed = await any_store.readings.changes(0, 100)
    assert [change.value for change in feed] == list(range(10))
    assert await any_store.readings.changes(feed[3].position, 3) == feed[4:7]


async def test_series_of_several_sources_do_not_depend_on_each_other(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    reported = [
        reading(1, T0, source="a"),
        reading(2, T0 + 5, source="b"),
        reading(1, T0 + 9, source="a"),
        reading(0, T0, source="c"),
    ]
    assert await any_store.readings.write(reported) == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.UNCHANGED, Outcome.ACCEPTED]
    found = await any_store.readings.signal(CAR.id, WATTAGE)
    assert found is not None
    states = {(each.source, each.value, each.observed_at, each.changed_at) for each in found.series[WATTAGE.key]}
    assert states == {("a", 1, T0 + 9, T0), ("b", 2, T0 + 5, T0 + 5), ("c", 0, T0, T0)}
    assert await any_store.history.sources_of(CAR.id, WATTAGE) == ["a", "b", "c"]
    runs = await any_store.history.history(CAR.id, WATTAGE, source="a", limit=9)
    assert [(run.observed_at, run.last_seen_at, run.source) for run in runs] == [(T0, T0 + 9, "a")]
    assert await any_store.history.history(CAR.id, WATTAGE, source="nobody", limit=9) == []
    assert len(await any_store.readings.changes(0, 10)) == 3


async def test_a_live_signal_comes_with_charge_ischarging_of_every_source(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    await any_store.readings.write(
        [reading(1, T0), reading(True, T0, CHARGING, source="a"), reading(False, T0, CHARGING, source="b")]
    )
    found = await any_store.readings.signal(CAR.id, WATTAGE)
    assert found is not None
    assert {each.source for each in found.series[CHARGING.key]} == {"a", "b"}
    assert found.series.keys() == {WATTAGE.key, CHARGING.key}


async def test_a_derived_value_keeps_its_rule_and_inputs(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    rule = "wattage/voltage-amperage@1 of charge-voltage charge-amperage"
    await any_store.readings.write([Reading(CAR.id, WATTAGE, 5.0, T0, T0, DERIVED, rule), reading(6.0, T0)])
    found = await any_store.readings.signal(CAR.id, WATTAGE)
    assert found is not None
    assert {(each.source, each.rule) for each in found.series[WATTAGE.key]} == {(DERIVED, rule), ("test", None)}
    assert [run.rule for run in await any_store.history.history(CAR.id, WATTAGE, source=DERIVED, limit=9)] == [rule]
    assert {(change.source, change.rule) for change in await any_store.readings.changes(0, 9)} == {
        (DERIVED, rule),
        ("test", None),
    }


entries_of_one_signal = st.lists(
    st.tuples(st.integers(0, 12), st.one_of(st.integers(0, 2), st.sampled_from([AbsenceReason.UNREADABLE]))),
    min_size=1,
    max_size=25,
)


on_one_store = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@on_one_store
@given(entries_of_one_signal, st.integers(0, 2**32), st.integers(1, 7))
async def test_any_order_and_repetition_leads_to_the_same_latest(
    new_store: Store, pairs: list[tuple[int, int | AbsenceReason]], seed: int, size: int
) -> None:
    entries = await shuffled_in(new_store, pairs, seed, size)
    values = [(each.observed_at, each.value) for each in entries if isinstance(each, Reading)]
    gone = [(each.observed_at, each.reason) for each in entries if isinstance(each, Absence)]
    observed_at, value = max(values, default=(None, None))
    absent_at, reason = max(gone, default=(None, None))
    newer = absent_at is not None and absent_at > (observed_at or 0)
    assert await latest(new_store, entries[0].vehicle) == (value, observed_at, reason if newer else None)


values_of_one_signal = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=60)


@on_one_store
@given(values_of_one_signal, st.integers(0, 2**32), st.integers(1, 40))
async def test_any_order_and_repetition_leads_to_the_same_history(
    new_store: Store, pairs: list[tuple[int, int | AbsenceReason]], seed: int, size: int
) -> None:
    entries = await shuffled_in(new_store, pairs, seed, size)
    stored = [
        (change.observed_at, change.value)
        for change in await new_store.readings.changes(0, 1_000_000)
        if change.vehicle_id == entries[0].vehicle
    ]
    assert changes_of(stored) == changes_of([(each.observed_at, each.value) for each in entries if isinstance(each, Reading)])


def changes_of(pairs: Iterable[tuple[int, Value | None]]) -> list[tuple[int, Value | None]]:
    """The plain rule: at each instant the greatest value holds, and a change is where it differs from the one before."""
    holding = dict(sorted(pairs))  # type: ignore[type-var]
    changes: list[tuple[int, Value | None]] = []
    for at, value in holding.items():
        if not changes or changes[-1][1] != value:
            changes.append((at, value))
    return changes


async def shuffled_in(store: Store, pairs: list[tuple[int, int | AbsenceReason]], seed: int, size: int) -> list[Entry]:
    """Write a new car's entries shuffled, half of them twice, in calls of `size`; the entries in their own order."""
    car = Vehicle(id=str(uuid.uuid4()), make="A", model="B", year=2026)
    await store.vehicles.add_vehicle(car)
    entries: list[Entry] = [
        Absence(car.id, WATTAGE, statement, T0 + at, T0 + at, "test")
        if isinstance(statement, AbsenceReason)
        else Reading(car.id, WATTAGE, statement, T0 + at, T0 + at, "test")
        for at, statement in pairs
    ]
    arriving = entries + random.Random(seed).sample(entries, len(entries) // 2)
    random.Random(seed).shuffle(arriving)
    for start in range(0, len(arriving), size):
        await store.readings.write(arriving[start : start + size])
    return entries


async def latest(store: Store, vehicle_id: str = CAR.id) -> tuple[Value | None, int | None, AbsenceReason | None]:
    """The newest value, when it was observed, and the absence that is newer."""
    found = await store.readings.signal(vehicle_id, WATTAGE)
    assert found is not None
    state = found.series[WATTAGE.key][0]
    holds = state.absence_at is not None and state.absence_at > (state.observed_at or 0)
    return state.value, state.observed_at, state.absence if holds else None


async def timeline(store: Store) -> list[tuple[int, Value | None]]:
    return sorted((change.observed_at, change.value) for change in await store.readings.changes(0, 10_000))


async def test_an_older_reading_behind_a_newer_one_in_the_same_call_is_superseded(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(CAR)
    outcomes = await any_store.readings.write([reading(1, T0 + 5), reading(2, T0 + 9), reading(3, T0 + 7), reading(4, T0 + 11)])
    assert outcomes == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.SUPERSEDED, Outcome.ACCEPTED]


async def test_a_vehicle_that_another_connection_changes_or_removes_is_read_anew(store: Store) -> None:
    other = reopened(store)
    car = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c99", make="ACME")
    await store.vehicles.add_vehicle(car)
    for make in ("ACME", "Other", None):
        await other.vehicles.update_vehicle(msgspec.structs.replace(car, make=make))
        await asyncio.sleep(0)  # the snapshot of this turn of the loop ends
        found = await store.readings.signal(car.id, WATTAGE)
        assert found is not None
        assert found.vehicle.make == make
    await other.vehicles.remove_vehicle(car.id)
    await asyncio.sleep(0)
    assert await store.readings.signal(car.id, WATTAGE) is None
    await other.vehicles.add_vehicle(car)
    await other.readings.write([Reading(car.id, WATTAGE, 5, 1_777_629_598_000, 1_777_629_598_000, "box")])
    await asyncio.sleep(0)
    found = await store.readings.signal(car.id, WATTAGE)
    assert found is not None
    assert [state.value for state in found.series[WATTAGE.key]] == [5]
    await other.close()
