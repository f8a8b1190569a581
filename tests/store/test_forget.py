"""Forgetting a source leaves what the other sources' readings alone would have given; of a time, what the rest would have."""

import random
import uuid
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chargeport.clock import ManualClock
from chargeport.signals.catalogue import BY_CODE, CATALOGUE, IS_CHARGING
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Issue, Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Forgotten, Page, ReportedSession, Selection, Vehicle
from chargeport.store.retention import go_round
from chargeport.store.retention_policy import DAY_MS, HOUR_MS, KeepFor, Policy

DAY0 = 1_777_593_600_000  # 2026-05-01T00:00:00Z
MINUTE = 60_000
NOW = DAY0 + 4 * DAY_MS
WATTAGE, SOC = BY_CODE["charge-wattage"], BY_CODE["tractionbattery-stateofcharge"]
SIGNALS = (WATTAGE, SOC, IS_CHARGING)
SOURCES = ("box", "car", "app")
POLICY = Policy({signal.group: KeepFor(2) for signal in CATALOGUE})

Said = tuple[int, int, int, int]  # source, signal, minutes after DAY0, value; less than 0: none


def entry(car: str, sent: Said) -> Entry:
    source, signal, minute, value = sent
    at, of = DAY0 + minute * MINUTE, SIGNALS[signal]
    if value < 0:
        return Absence(car, of, AbsenceReason.UNREADABLE, at, at + 5, SOURCES[source])
    return Reading(car, of, bool(value % 2) if of is IS_CHARGING else value, at, at + 5, SOURCES[source])


async def new_car(store: Store) -> str:
    car = str(uuid.uuid4())
    await store.vehicles.add_vehicle(Vehicle(id=car))
    return car


async def stored(store: Store, car: str, sent: Sequence[Said], seed: int = 0, *, but: int | None = None) -> None:
    """Write them in some order, in parts of some size, but for those of one source."""
    chance, left = random.Random(seed), list(sent)
    chance.shuffle(left)
    while left:
        size = chance.randrange(1, 12)
        await store.readings.write([entry(car, each) for each in left[:size] if each[0] != but])
        left = left[size:]


async def known(store: Store, car: str) -> dict[str, Any]:
    """All that a store can tell of a car, but for positions, and but for when a later sighting was received."""
    found = await store.readings.signals(car)
    assert found is not None
    reported: dict[str, Any] = {}
    for states in found.series.values():
        for state in states:
            name = f"{state.signal.code} of {state.source}"
            reported[name] = [(state.value, state.observed_at, state.changed_at, state.absence, state.absence_at)]
            source = state.source or ""
            runs = await store.history.history(car, state.signal, source=source, limit=1000)
            reported[name] += [(run.observed_at, run.last_seen_at, run.value, run.absence) for run in runs]
            reported[name] += await store.history.hours(car, state.signal, 0, NOW, source=source, limit=1000)
    chosen = Selection(vehicle_ids=frozenset({car}), every=True)
    seen = [each async for part in store.readings.sightings(chosen) for each in part.sightings]
    reported["sightings"] = holding(
        (each.signal.code, each.source, each.observed_at, each.value, each.absence) for each in seen
    )
    return reported


def holding(seen: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Of the sightings of a series at one instant the first: it holds."""
    return [next(group) for _, group in groupby(seen, key=lambda each: each[:3])]


async def feed(store: Store, car: str) -> list[tuple[Any, ...]]:
    """The changes of a car in the feed."""
    changes = [change for change in await store.readings.changes(0, 1 << 40) if change.vehicle_id == car]
    return [(each.signal.code, each.source, each.observed_at, each.value, each.absence, each.received_at) for each in changes]


minutes = st.one_of(st.integers(0, 40), st.integers(0, 40).map(lambda each: 3 * 24 * 60 + each))
sent = st.tuples(st.integers(0, 2), st.integers(0, 2), minutes, st.integers(-1, 2))
in_order_of_absences = st.lists(sent, max_size=50, unique_by=lambda each: each[:3])
on_one_store = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@on_one_store
@given(in_order_of_absences, st.integers(0, 2**32), st.integers(0, 2), st.booleans())
async def test_to_forget_a_source_leaves_what_the_others_alone_would_have_given(
    new_store: Store, readings: list[Said], seed: int, gone: int, folds: bool
) -> None:
    car, other = await new_car(new_store), await new_car(new_store)
    await stored(new_store, car, readings, seed)
    await stored(new_store, other, readings, seed, but=gone)
    if folds:
        await go_round(new_store.retention, POLICY, ManualClock(NOW))
    before = await new_store.readings.signals(car)
    assert before is not None
    erased = await new_store.readings.forget(SOURCES[gone], car)
    series = [state for states in before.series.values() for state in states if state.source == SOURCES[gone]]
    assert erased.latest == len(series)
    assert await known(new_store, car) == await known(new_store, other)
    assert await feed(new_store, car) == await feed(new_store, other)
    assert await new_store.readings.forget(SOURCES[gone], car) == Forgotten()


values_only = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 40), st.integers(0, 2)), max_size=50)


@on_one_store
@given(values_only, st.integers(0, 2**32), st.integers(0, 42), st.integers(0, 42))
async def test_to_forget_a_time_leaves_what_the_rest_would_have_given(
    new_store: Store, readings: list[Said], seed: int, start: int, length: int
) -> None:
    car, other = await new_car(new_store), await new_car(new_store)
    await stored(new_store, car, readings, seed)
    kept = [each for each in readings if each[0] != 0 or not start <= each[2] < start + length]
    await stored(new_store, other, kept, seed)
    await new_store.readings.forget(SOURCES[0], car, DAY0 + start * MINUTE, DAY0 + (start + length) * MINUTE)
    found, expected = await known(new_store, car), await known(new_store, other)
    assert found == expected


async def test_what_goes_with_a_source_is_counted_and_who_derives_is_told(store: Store) -> None:
    car, other = await new_car(store), await new_car(store)
    for each in (car, other):
        await stored(store, each, [(0, 0, 1, 7), (0, 0, 2, 8), (0, 1, 3, 50), (1, 0, 4, 9)])
        await store.sessions.keep_reported(each, [ReportedSession("box", "one", NOW, DAY0, "{}")])
        await store.issues.add_issues([Issue("box", "odd", "is not known", "{}", NOW, each)])
    await store.readings.write([Reading(car, SOC, 51.0, DAY0 + 2 * MINUTE, NOW, DERIVED, "rule@1")])
    await store.readings.write([Reading(car, SOC, 52.0, DAY0 + 4 * MINUTE, NOW, DERIVED, "rule@1")])
    erased = await store.readings.forget("box", car)
    assert erased == Forgotten(vehicles=1, latest=2, history=3, sessions=1, issues=1)
    assert await store.history.sources_of(car, SOC) == [], "what was derived meanwhile, or soon after, may follow from it"
    (span,) = await store.sessions.erased_since(0)
    assert (span.vehicle_id, span.first_at, span.last_at) == (car, DAY0 + MINUTE, DAY0 + 3 * MINUTE)
    assert await store.sessions.erased_since(span.number) == []
    assert await store.history.sources_of(other, WATTAGE) == ["box", "car"]
    assert (await store.readings.forget("box")).vehicles == 1
    assert (await store.issues.issues(Page()))[1] == 0
    assert await store.readings.forget("nobody") == Forgotten()
    await store.vehicles.remove_vehicle(car)
    assert [each.vehicle_id for each in await store.sessions.erased_since(0)] == [other]


async def test_an_hour_that_a_bound_cuts_goes_whole(store: Store) -> None:
    car = await new_car(store)
    await stored(store, car, [(0, 1, minute, minute % 90) for minute in range(0, 300, 10)])
    await go_round(store.retention, POLICY, ManualClock(NOW))
    erased = await store.readings.forget("box", car, DAY0 + 90 * MINUTE, DAY0 + 130 * MINUTE)
    assert erased.hours == 2
    left = await store.history.hours(car, SOC, 0, NOW, source="box", limit=100)
    assert [(each.start - DAY0) // HOUR_MS for each in left] == [0, 3, 4]
