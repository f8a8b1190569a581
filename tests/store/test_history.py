"""One suite over every store: history by time and states as of then are what a plain rule makes of the set of readings."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal, Value
from chargeport.signals.effective import Ranks, effective
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, Run, RunStart, Vehicle

WATTAGE = BY_CODE["charge-wattage"]
CHARGING = BY_CODE["charge-ischarging"]
PHASES = BY_CODE["charge-chargerphases"]
T0 = 1_777_629_598_000
MINUTE = 60_000
HOUR = 60 * MINUTE

Decoded = Value | AbsenceReason
Pair = tuple[int, Decoded]


class Change(NamedTuple):
    """A change as the rule knows it."""

    observed_at: int
    last_seen_at: int
    sent: Decoded


def reading(car: str, at: int, sent: Decoded, signal: Signal = WATTAGE) -> Entry:
    if isinstance(sent, AbsenceReason):
        return Absence(car, signal, sent, at, at + 5, "test")
    return Reading(car, signal, sent, at, at + 5, "test")


async def new_car(store: Store) -> str:
    car = str(uuid.uuid4())
    await store.vehicles.add_vehicle(Vehicle(id=car, make="ACME", model="One", year=2026))
    return car


async def stored(store: Store, car: str, pairs: Sequence[Pair], signal: Signal = WATTAGE) -> None:
    await store.readings.write([reading(car, T0 + at, sent, signal) for at, sent in pairs])


async def changes_of(store: Store, car: str, size: int = 1000, signal: Signal = WATTAGE) -> list[Change]:
    """The whole history, page by page, with instants from T0."""
    return changes(await pages(store, car, size, signal))


async def pages(store: Store, car: str, size: int = 1000, signal: Signal = WATTAGE) -> list[Run]:
    found: list[Run] = []
    while True:
        page = await store.history.history(car, signal, after=place(found), source="test", limit=size)
        assert len(page) <= size
        found += page
        if len(page) < size:
            return found


def place(runs: Sequence[Run]) -> RunStart | None:
    return RunStart(runs[-1].observed_at, runs[-1].position) if runs else None


def changes(runs: Sequence[Run]) -> list[Change]:
    return [
        Change(run.observed_at - T0, run.last_seen_at - T0, run.absence if run.value is None else run.value)  # type: ignore[arg-type]
        for run in runs
    ]


# The rule


def rank(sent: Decoded) -> tuple[bool, Decoded]:
    """Of two at one instant the greater holds; an absence is less than any value."""
    return not isinstance(sent, AbsenceReason), sent


def holding(pairs: Sequence[Pair]) -> list[Pair]:
    """At each instant the one that holds."""
    best: dict[int, Decoded] = {}
    for at, sent in pairs:
        if at not in best or rank(best[at]) < rank(sent):
            best[at] = sent
    return sorted(best.items(), key=lambda pair: pair[0])


def rule(pairs: Sequence[Pair]) -> list[Change]:
    """Every change, with the last sighting before the next."""
    found: list[Change] = []
    for at, sent in holding(pairs):
        if found and found[-1].sent == sent:
            found[-1] = found[-1]._replace(last_seen_at=at)
        else:
            found.append(Change(at, at, sent))
    return found


# By example


async def test_values_and_absences_come_in_order_with_first_and_last_sighting_time_of_hearing_and_source(
    any_store: Store,
) -> None:
    car = await new_car(any_store)
    gone = AbsenceReason.UNREADABLE
    await stored(any_store, car, [(0, 7), (10, 7), (20, gone), (30, gone), (40, 7), (50, 8)])
    found = await any_store.history.history(car, WATTAGE, source="test", limit=10)
    assert changes(found) == [(0, 10, 7), (20, 30, gone), (40, 40, 7), (50, 50, 8)]
    assert [(run.received_at - T0, run.source) for run in found] == [(at + 5, "test") for at in (0, 20, 40, 50)]


async def test_the_pieces_of_several_series_are_those_of_each(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(0, 7), (10, 8), (20, 9)])
    await stored(any_store, car, [(5, 1), (15, 2)], PHASES)
    series = [(PHASES, "test"), (WATTAGE, "nobody"), (WATTAGE, "test")]
    together = await any_store.history.pieces(car, series, T0 + 10, T0 + 20, limit=9, every=True)
    alone = [await any_store.history.pieces(car, [each], T0 + 10, T0 + 20, limit=9, every=True) for each in series]
    assert together == [runs for (runs,) in alone]
    assert [[run.value for run in runs] for runs in together] == [[1, 2], [], [7, 8]]


async def test_a_run_of_days_that_is_kept_in_pieces_is_one_change(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(minute * MINUTE, 7) for minute in range(3000)])
    (pieces,) = await any_store.history.pieces(car, [(WATTAGE, "test")], T0, T0 + 3000 * MINUTE, limit=100, every=True)
    assert len(pieces) > 1
    assert [at for piece in pieces for at in piece.sightings] == [T0 + minute * MINUTE for minute in range(3000)]
    assert await changes_of(any_store, car) == [(0, 2999 * MINUTE, 7)]


async def test_a_run_that_was_split_and_joined_again_is_one_change(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(at, 7) for at in range(10)])
    await stored(any_store, car, [(4, 3)])  # less than the 7 of the same instant: it never held
    assert await changes_of(any_store, car) == [(0, 9, 7)]
    await stored(any_store, car, [(4, 8)])
    assert await changes_of(any_store, car) == [(0, 3, 7), (4, 4, 8), (5, 9, 7)]


async def test_from_is_inclusive_and_to_is_exclusive_and_what_only_goes_on_is_no_change(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(at, at // 10) for at in range(50)])
    found = await any_store.history.history(car, WATTAGE, T0 + 10, T0 + 30, source="test", limit=9)
    assert changes(found) == [
        (10, 19, 1),
        (20, 29, 2),
    ]
    found = await any_store.history.history(car, WATTAGE, T0 + 11, T0 + 31, source="test", limit=9)
    assert changes(found) == [
        (20, 29, 2),
        (30, 39, 3),
    ]
    assert await any_store.history.history(car, WATTAGE, T0 + 11, T0 + 20, source="test", limit=9) == []


async def test_nothing_is_told_of_a_car_or_signal_that_nothing_is_known_of(any_store: Store) -> None:
    car = await new_car(any_store)
    assert await any_store.history.history(car, WATTAGE, source="test", limit=9) == []
    assert await any_store.history.history("nobody", WATTAGE, source="test", limit=9) == []
    assert await any_store.history.pieces("nobody", [(WATTAGE, "test")], T0, T0 + 1, limit=9, every=True) == [[]]
    assert await any_store.history.series_at("nobody", T0) is None
    found = await any_store.history.series_at(car, T0)
    assert found is not None
    assert found.series == {}


async def test_a_page_goes_on_where_the_last_one_ended_whatever_came_late_in_the_meantime(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(10, 1), (20, 2), (30, 3), (40, 3), (50, 1)])
    first = await any_store.history.history(car, WATTAGE, source="test", limit=2)
    assert changes(first) == [(10, 10, 1), (20, 20, 2)]
    await stored(any_store, car, [(5, 9), (15, 9), (35, 4), (60, 6)])
    rest = await any_store.history.history(car, WATTAGE, after=place(first), source="test", limit=10)
    assert changes(rest) == [(30, 30, 3), (35, 35, 4), (40, 40, 3), (50, 50, 1), (60, 60, 6)]


async def test_a_greater_value_at_the_last_instant_given_is_given_too(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(10, 1), (20, 9)])
    first = await any_store.history.history(car, WATTAGE, source="test", limit=1)
    await stored(any_store, car, [(10, 9)])
    rest = await any_store.history.history(car, WATTAGE, after=place(first), source="test", limit=10)
    assert changes(rest) == [(10, 20, 9)], "else the 9 that was there would be left out: it only goes on now"
    assert await any_store.history.history(car, WATTAGE, after=place(rest), source="test", limit=10) == []


async def test_a_place_behind_everything_has_nothing_after_it_and_one_that_is_no_run_starts_there(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(10, 1), (20, 2)])
    assert await any_store.history.history(car, WATTAGE, after=RunStart(T0 + 99, 1), source="test", limit=10) == []
    found = await any_store.history.history(car, WATTAGE, after=RunStart(T0 + 11, 99), source="test", limit=10)
    assert changes(found) == [(20, 20, 2)]
    found = await any_store.history.history(car, WATTAGE, T0 + 15, after=RunStart(T0, 1), source="test", limit=10)
    assert changes(found) == [(20, 20, 2)]


async def test_states_of_then_have_the_times_of_then_and_hold_or_not_as_then(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(0, True), (10 * MINUTE, True), (20 * MINUTE, False), (120 * MINUTE, True)], CHARGING)
    await stored(any_store, car, [(0, 7), (5 * MINUTE, 7), (15 * MINUTE, 7), (120 * MINUTE, 8)])
    found = await any_store.history.series_at(car, T0 + 7 * MINUTE)
    assert found is not None
    state = found.series[WATTAGE.key][0]
    assert (state.value, state.observed_at, state.changed_at) == (7, T0 + 5 * MINUTE, T0)
    assert state.received_at == state.observed_at, "when it came in was not kept; not before the car had seen it"
    for minute, reason in ((7, None), (21, "NOT_CHARGING"), (14, None), (119, "NOT_CHARGING"), (121, None)):
        found = await any_store.history.series_at(car, T0 + minute * MINUTE)
        assert found is not None
        counts = effective(WATTAGE, found.series, Ranks(), T0 + minute * MINUTE)
        assert counts is not None
        assert (counts.unavailability and counts.unavailability.reason) == reason


async def test_the_states_of_now_are_the_states(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(at, at // 3) for at in range(20)])
    await stored(any_store, car, [(0, True), (9, AbsenceReason.UNREADABLE)], CHARGING)
    assert await any_store.history.series_at(car, T0 + 19) == await any_store.readings.signals(car)


async def test_what_was_erased_has_no_history(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(0, 7)])
    assert await changes_of(any_store, car) != []
    await any_store.vehicles.remove_vehicle(car)
    assert await changes_of(any_store, car) == []
    assert await any_store.history.series_at(car, T0) is None


async def test_many_read_at_once_while_others_write(any_store: Store) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(at, at) for at in range(500)])

    async def write() -> None:
        for at in range(500, 600):
            await stored(any_store, car, [(at, at)])

    async def read() -> list[Change]:
        return await changes_of(any_store, car, size=50)

    *found, _ = await asyncio.gather(*(read() for _ in range(12)), write())
    for each in found:
        assert each is not None
        assert each[:500] == [(at, at, at) for at in range(500)]


# Against the rule

on_one_store = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
values = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2)), min_size=1, max_size=60)
arrivals = st.tuples(st.integers(0, 2**32), st.integers(1, 40))  # how they are shuffled, and how many come at once
sizes = st.integers(1, 40)


@st.composite
def sets(draw: st.DrawFn) -> list[Pair]:
    """Readings, and each reason for an absence twice at the most: of an absence only the first and last instant are kept."""
    pairs: list[Pair] = list(draw(values))
    for reason in draw(st.lists(st.sampled_from(AbsenceReason), max_size=4, unique=True)):
        pairs += [(at, reason) for at in draw(st.lists(st.integers(0, 40), min_size=1, max_size=2))]
    return pairs


async def arrived(store: Store, car: str, pairs: Sequence[Pair], arrival: tuple[int, int]) -> None:
    """Write them shuffled, half of them twice, some at a time."""
    seed, size = arrival
    chance = random.Random(seed)
    arriving = [*pairs, *chance.sample(pairs, len(pairs) // 2)]
    chance.shuffle(arriving)
    for start in range(0, len(arriving), size):
        await stored(store, car, arriving[start : start + size])


@on_one_store
@given(sets(), arrivals, st.integers(1, 9))
async def test_pages_of_any_size_put_together_are_what_the_rule_says(
    new_store: Store, pairs: list[Pair], arrival: tuple[int, int], page: int
) -> None:
    car = await new_car(new_store)
    await arrived(new_store, car, pairs, arrival)
    assert await changes_of(new_store, car, page) == rule(pairs)


@on_one_store
@given(sets(), st.randoms(use_true_random=False))
async def test_every_accepted_entry_has_a_position_in_the_feed(
    new_store: Store, pairs: list[Pair], chance: random.Random
) -> None:
    car = await new_car(new_store)
    for at, sent in chance.sample(pairs, len(pairs)):
        before = await new_store.readings.position()
        (outcome,) = await new_store.readings.write([reading(car, T0 + at, sent)])
        assert outcome is not Outcome.ACCEPTED or await new_store.readings.position() > before


sent = st.one_of(st.integers(0, 2), st.sampled_from(AbsenceReason))


@on_one_store
@given(st.dictionaries(st.integers(0, 40), sent, min_size=1, max_size=40), sizes)
async def test_what_arrives_in_order_is_told_whole_however_often_it_was_absent(
    new_store: Store, entries: dict[int, Decoded], size: int
) -> None:
    car = await new_car(new_store)
    pairs = sorted(entries.items(), key=lambda pair: pair[0])
    for start in range(0, len(pairs), size):
        await stored(new_store, car, pairs[start : start + size])
    assert await changes_of(new_store, car, 3) == rule(pairs)


@on_one_store
@given(sets(), arrivals, st.integers(0, 42), st.integers(0, 42))
async def test_a_span_has_the_changes_that_the_rule_finds_in_it(
    new_store: Store, pairs: list[Pair], arrival: tuple[int, int], start: int, length: int
) -> None:
    car = await new_car(new_store)
    await arrived(new_store, car, pairs, arrival)
    found = changes(await new_store.history.history(car, WATTAGE, T0 + start, T0 + start + length, source="test", limit=100))
    assert found == [change for change in rule(pairs) if start <= change.observed_at < start + length]


@on_one_store
@given(sets(), arrivals, st.integers(0, 42), st.integers(1, 5))
async def test_pieces_are_the_sightings_that_the_rule_finds(
    new_store: Store, pairs: list[Pair], arrival: tuple[int, int], start: int, limit: int
) -> None:
    car = await new_car(new_store)
    await arrived(new_store, car, pairs, arrival)
    known = [(at, sent) for at, sent in holding(pairs) if not isinstance(sent, AbsenceReason)]
    found: list[Run] = []
    at = T0 + start
    while True:
        (part,) = await new_store.history.pieces(car, [(WATTAGE, "test")], at, T0 + 100, limit=limit, every=True)
        found += part if not found else part[1:]
        if len([run for run in part if run.observed_at >= at]) < limit:
            break
        at = found[-1].observed_at + 1
    sightings = [(seen - T0, run.value) for run in found if run.absence is None for seen in run.sightings]
    assert sightings == known[len(known) - len(sightings) :]
    assert [each for each in known if each[0] >= start] == [each for each in sightings if each[0] >= start]


@on_one_store
@given(sets(), arrivals, st.lists(st.integers(-2, 44), min_size=1, max_size=6))
async def test_states_at_any_instant_are_what_the_rule_says(
    new_store: Store, pairs: list[Pair], arrival: tuple[int, int], instants: list[int]
) -> None:
    car = await new_car(new_store)
    await arrived(new_store, car, pairs, arrival)
    for at in instants:
        found = await new_store.history.series_at(car, T0 + at)
        assert found is not None
        state = next(iter(found.series.get(WATTAGE.key, ())), None)
        until = rule([pair for pair in pairs if pair[0] <= at])
        if not until:
            assert state is None
            continue
        assert state is not None
        newest = next((change for change in reversed(until) if not isinstance(change.sent, AbsenceReason)), None)
        expected = (newest.sent, newest.last_seen_at + T0, newest.observed_at + T0) if newest else (None, None, None)
        assert (state.value, state.observed_at, state.changed_at) == expected
        gone = state.absence if (state.absence_at or 0) > (state.observed_at or 0) else None
        assert gone == (until[-1].sent if isinstance(until[-1].sent, AbsenceReason) else None)


@on_one_store
@given(values, values, arrivals, st.integers(1, 3))
async def test_what_comes_between_two_pages_neither_repeats_nor_hides_what_was_there(
    new_store: Store, pairs: list[Pair], late: list[Pair], arrival: tuple[int, int], page: int
) -> None:
    car = await new_car(new_store)
    await arrived(new_store, car, pairs, arrival)
    before = await changes_of(new_store, car)
    coming = list(late)
    found: list[Run] = []
    while True:
        part = await new_store.history.history(car, WATTAGE, after=place(found), source="test", limit=page)
        found += part
        if coming:
            await stored(new_store, car, [coming.pop()])
        elif len(part) < page:
            break
    given = [(run.observed_at, run.position) for run in found]
    assert len(set(given)) == len(given), "nothing comes twice"
    assert given == sorted(given)
    finally_held = dict(holding([*pairs, *late]))
    for change in before:
        at_that_time = [each.sent for each in changes(found) if each.observed_at <= change.observed_at]
        assert change.sent == at_that_time[-1] or finally_held[change.observed_at] != change.sent


@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_a_page_far_into_a_long_history_is_found_by_its_time(any_store: Store, limit: int) -> None:
    car = await new_car(any_store)
    await stored(any_store, car, [(at, at % 7) for at in range(5000)])
    runs = await any_store.history.history(car, WATTAGE, T0 + 4000, source="test", limit=limit)
    assert changes(runs) == [(at, at, at % 7) for at in range(4000, 4000 + limit)]


SOURCES = ("box", "car", "app")
by_source = st.lists(st.tuples(st.sampled_from(SOURCES), st.integers(0, 30), st.integers(0, 2)), min_size=1, max_size=60)


@on_one_store
@given(by_source, arrivals)
async def test_three_sources_in_any_order_give_the_series_that_each_alone_would_give(
    new_store: Store, changes_of: list[tuple[str, int, int]], arrival: tuple[int, int]
) -> None:
    car, (seed, size) = await new_car(new_store), arrival
    chance = random.Random(seed)
    arriving = [*changes_of, *chance.sample(changes_of, len(changes_of) // 2)]
    chance.shuffle(arriving)
    for start in range(0, len(arriving), size):
        part = [
            Reading(car, WATTAGE, value, T0 + at, T0 + at + 5, source) for source, at, value in arriving[start : start + size]
        ]
        await new_store.readings.write(part)
    found = await new_store.readings.signals(car)
    assert found is not None
    states = {state.source: state for state in found.series[WATTAGE.key]}
    assert sorted(states) == await new_store.history.sources_of(car, WATTAGE) == sorted({source for source, _, _ in changes_of})
    fed = [change for change in await new_store.readings.changes(0, 1_000_000) if change.vehicle_id == car]
    for source, state in states.items():
        expected = rule([(at, value) for each, at, value in changes_of if each == source])
        assert changes(await new_store.history.history(car, WATTAGE, source=source, limit=100)) == expected
        last = expected[-1]
        assert (state.value, state.observed_at, state.changed_at) == (last.sent, T0 + last.last_seen_at, T0 + last.observed_at)
        own = [(change.observed_at - T0, change.value) for change in fed if change.source == source]
        assert [change[::2] for change in rule(own)] == [change[::2] for change in expected]
