"""What is read out in one go can be put into another store, which then knows the same: latest values, changes, times."""

import random
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, Selection, Sighting, Vehicle
from chargeport.store.sqlite import SqliteStore
from chargeport.store.tables import sightings as sightings_module

T0 = 1_777_629_598_000
WATTAGE, CHARGING, STATUS, LIMITS = (
    BY_CODE[code] for code in ("charge-wattage", "charge-ischarging", "charge-detailedchargingstatus", "charge-chargelimits")
)
DOCUMENTS = [bodies.parse(LIMITS, LIMITS.example), bodies.parse(LIMITS, {**LIMITS.example, "activeLimit": 55})]
VALUES: dict[Any, Any] = {
    WATTAGE: st.integers(0, 2),
    CHARGING: st.booleans(),
    STATUS: st.sampled_from(["CHARGING", "DISCONNECTED", "Ü 'quoted', \"doubly\""]),
    LIMITS: st.sampled_from(DOCUMENTS),
}
STEPS_MS = (1, 1000, 3_600_000, 40 * 86_400_000)  # the last two: over the length of a run, and of an offset


@pytest.fixture
async def other_store() -> AsyncIterator[Store]:
    """A second store beside `new_store`."""
    with tempfile.TemporaryDirectory() as folder:
        opened = SqliteStore.open(Path(folder) / "other.db")
        yield opened
        await opened.close()


@st.composite
def arriving(draw: Any) -> list[tuple[Any, int, Any]]:
    """Signals, instants and what was said, in an order of arrival that has nothing to do with the instants."""
    signal = draw(st.sampled_from(list(VALUES)))
    step = draw(st.sampled_from(STEPS_MS))
    absences = st.sampled_from([AbsenceReason.UNREADABLE, AbsenceReason.NOT_CAPABLE])
    sent = draw(st.lists(st.tuples(st.integers(0, 14), st.one_of(VALUES[signal], VALUES[signal], absences)), max_size=30))
    return [(signal, T0 + at * step, what) for at, what in sent]


on_two_stores = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@on_two_stores
@given(st.lists(arriving(), min_size=1, max_size=3), st.tuples(st.integers(0, 2**32), st.integers(1, 30)), st.booleans())
async def test_another_store_that_is_given_all_sightings_knows_the_same(
    new_store: Store, other_store: Store, parts: list[list[tuple[Any, int, Any]]], order: tuple[int, int], every: bool
) -> None:
    (seed, size), car = order, Vehicle(id=str(uuid.uuid4()))
    for store in (new_store, other_store):
        await store.vehicles.add_vehicle(car)
    entries = [entry(car.id, *sent) for part in parts for sent in part]
    random.Random(seed).shuffle(entries)
    for start in range(0, len(entries), size):
        await new_store.readings.write(entries[start : start + size])
    kept = await all_of(new_store, car, every=every)
    assert [(each.signal.code, each.observed_at) for each in kept] == sorted(
        (each.signal.code, each.observed_at) for each in kept
    )
    for start in range(0, len(kept), 7):
        await other_store.readings.write([again(each) for each in kept[start : start + 7]])
    assert await known(other_store, car) == await known(new_store, car)
    assert changes_of(await all_of(other_store, car)) == changes_of(await all_of(new_store, car))
    if every:  # but for absences, of which only the first and the last instant are promised
        assert said_in(await all_of(other_store, car, every=True), values=True) == said_in(kept, values=True)
    before = await all_of(other_store, car, every=True)
    repeated = zip(kept, await other_store.readings.write([again(each) for each in kept]), strict=True)
    assert {outcome for each, outcome in repeated if each.absence is None} <= {Outcome.UNCHANGED}
    assert said_in(await all_of(other_store, car, every=True), values=True) == said_in(before, values=True)
    assert changes_of(await all_of(other_store, car)) == changes_of(before)


@on_two_stores
@given(arriving(), st.integers(0, 14), st.integers(0, 14))
async def test_bounds_cut_runs_at_the_sightings_within(
    new_store: Store, sent: list[tuple[Any, int, Any]], start: int, end: int
) -> None:
    car = Vehicle(id=str(uuid.uuid4()))
    await new_store.vehicles.add_vehicle(car)
    await new_store.readings.write([entry(car.id, *each) for each in sent])
    bounds = {"start": T0 + start * 1000, "end": T0 + end * 1000}
    every = await all_of(new_store, car, every=True)
    within = [each for each in every if bounds["start"] <= each.observed_at < bounds["end"]]
    assert await all_of(new_store, car, every=True, **bounds) == within
    few = await all_of(new_store, car, **bounds)
    assert said_in(few) <= said_in(within)
    assert changes_of(few) == changes_of(within)


async def test_only_what_is_kept_of_a_sighting_is_told(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(Vehicle(id="car"))
    instants = [T0, T0 + 1000, T0 + 2000]
    await any_store.readings.write([Reading("car", WATTAGE, 7, at, at + 5, "box") for at in instants])
    found = await all_of(any_store, Vehicle(id="car"), every=True)
    assert [(each.source, each.received_at) for each in found] == [("box", T0 + 5), ("box", None), ("box", T0 + 2005)]


async def test_the_sightings_of_a_signal_come_source_by_source(any_store: Store) -> None:
    await any_store.vehicles.add_vehicle(Vehicle(id="car"))
    reported = [Reading("car", WATTAGE, 7, T0 + at, T0 + at, source) for at, source in enumerate(("b", "a", "b", "a"))]
    await any_store.readings.write([*reported, Reading("car", WATTAGE, 7, T0 + 9, T0 + 9, DERIVED, "rule@1")])
    found = await all_of(any_store, Vehicle(id="car"))
    assert [(each.source, each.observed_at - T0) for each in found] == [("a", 1), ("a", 3), ("b", 0), ("b", 2)]


async def test_the_last_instant_of_an_absence_outlives_it(any_store: Store) -> None:
    car = Vehicle(id="car")
    await any_store.vehicles.add_vehicle(car)
    gone = AbsenceReason.UNREACHABLE
    for sent in [(T0, gone), (T0 + 10, gone), (T0 + 20, 7), (T0 + 30, gone), (T0 + 40, 8), (T0 + 50, gone)]:
        await any_store.readings.write([entry("car", WATTAGE, *sent)])
    absent = [each.observed_at - T0 for each in await all_of(any_store, car) if each.absence]
    assert absent == [0, 10, 30, 50]


@pytest.mark.parametrize("sent", [7, AbsenceReason.NOT_CAPABLE])
async def test_a_late_sighting_far_behind_the_beginning_of_a_run_is_kept(any_store: Store, sent: Any) -> None:
    car = Vehicle(id="car")
    await any_store.vehicles.add_vehicle(car)
    month = 31 * 86_400_000
    for at, what in [(0, sent), (5, 3), (2, sent), (4, 2), (3, sent)]:
        await any_store.readings.write([entry("car", WATTAGE, T0 + at * month, what)])
    assert [round((each.observed_at - T0) / month) for each in await all_of(any_store, car)] in ([0, 3, 4, 5], [0, 2, 3, 4, 5])


async def test_a_snapshot_does_not_move_while_others_write(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sightings_module, "STRETCH", 2)
    await any_store.vehicles.add_vehicle(Vehicle(id="car"))
    await any_store.readings.write([entry("car", WATTAGE, T0 + at, at) for at in range(6)])
    read: list[Sighting] = []
    async for stretch in any_store.readings.sightings(Selection()):
        read += stretch.sightings
        assert 0 < stretch.share <= 1
        await any_store.readings.write([entry("car", WATTAGE, T0 + 100 + len(read), 100 + len(read))])
    assert [each.value for each in read] == list(range(6))


async def test_only_the_vehicles_and_signals_that_are_wanted_are_read(any_store: Store) -> None:
    for car in ("a", "b", "c"):
        await any_store.vehicles.add_vehicle(Vehicle(id=car))
        await any_store.readings.write([entry(car, WATTAGE, T0, 1), entry(car, CHARGING, T0, True)])
    selection = Selection(vehicle_ids=frozenset({"a", "c"}), signals=frozenset({CHARGING}))
    found = [each async for stretch in any_store.readings.sightings(selection) for each in stretch.sightings]
    assert [(each.vehicle_id, each.signal, each.value) for each in found] == [("a", CHARGING, True), ("c", CHARGING, True)]


def entry(car: str, signal: Any, at: int, sent: Any) -> Entry:
    """What was said; when it was received depends on the instant alone, so that it is the same however it arrives."""
    source = "box"
    if isinstance(sent, AbsenceReason):
        return Absence(car, signal, sent, at, at + 5, source)
    return Reading(car, signal, sent, at, at + 5, source)


def again(seen: Sighting) -> Entry:
    """A sighting as an import takes it in: what is not known of it is told otherwise."""
    received_at, source = seen.received_at or T0 + 10**10, seen.source
    if seen.absence is not None:
        return Absence(seen.vehicle_id, seen.signal, seen.absence, seen.observed_at, received_at, source)
    assert seen.value is not None
    return Reading(seen.vehicle_id, seen.signal, seen.value, seen.observed_at, received_at, source)


async def all_of(store: Store, car: Vehicle, **bounds: Any) -> list[Sighting]:
    selection = Selection(vehicle_ids=frozenset({car.id}), **bounds)
    return [each async for stretch in store.readings.sightings(selection) for each in stretch.sightings]


async def known(store: Store, car: Vehicle) -> dict[tuple[int, str | None], tuple[Any, ...]]:
    """All that is known of the latest values, but for their positions, which are a store's own."""
    found = await store.readings.signals(car.id)
    assert found is not None
    return {
        (key, state.source): (
            state.value, state.observed_at, state.changed_at, state.received_at, state.source, state.absence, state.absence_at,
            state.absence_received_at, state.absence_source,
        )
        for key, states in found.series.items()
        for state in states
    }  # fmt: skip


def said_in(sightings: Iterable[Sighting], *, values: bool = False) -> set[tuple[Any, ...]]:
    """What was said when; of `values` alone, if so wanted."""
    reported = {(each.signal.code, each.observed_at, each.value, each.absence) for each in sightings}
    return {each for each in reported if each[3] is None} if values else reported


def changes_of(sightings: Iterable[Sighting]) -> list[tuple[Any, ...]]:
    """The plain rule: what is said first of an instant holds, and a change is where it differs from the one before."""
    holding: dict[tuple[str, int], tuple[Any, ...]] = {}
    for each in sightings:
        holding.setdefault((each.signal.code, each.observed_at), (each.value, each.absence))
    changes: list[tuple[Any, ...]] = []
    for (code, at), sent in holding.items():
        if not changes or (changes[-1][0], changes[-1][2]) != (code, sent):
            changes.append((code, at, sent))
    return changes
