"""What is learnt of sources' cadences: from live reports of charging cars only, whatever their order, and for good."""

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from chargeport.clock import ManualClock
from chargeport.errors import SettingError
from chargeport.settings import StalenessSettings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Value
from chargeport.signals.effective import DERIVED
from chargeport.signals.freshness import Freshness
from chargeport.signals.reading import Entry, Reading
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.staleness import cadence
from chargeport.staleness.cadence import Cadences
from chargeport.staleness.gaps import usual_maximum
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from world import T0

S, MINUTE = 1000, 60_000
POWER, CHARGING, VOLTAGE = BY_CODE["charge-wattage"], BY_CODE["charge-ischarging"], BY_CODE["charge-voltage"]
CAR = "11111111-2222-4333-8444-555555555555"


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = SqliteStore.open(tmp_path / "cadence.db")
    yield opened
    await opened.close()


def feed(
    step_ms: int, count: int, *, car: str = CAR, source: str = "box", lag_ms: int = 250, values: Sequence[Value] = (7200.0,)
) -> Iterator[Reading]:
    """A charging car that reports its power every so often."""
    for number in range(count):
        at = T0 + number * step_ms
        yield Reading(car, POWER, values[number % len(values)], at, at + lag_ms, source)


async def learnt(
    store: SqliteStore, entries: Sequence[Entry], options: StalenessSettings | None = None, source: str = "box"
) -> int:
    """For how long the power of a source stands, in milliseconds, after these entries were stored."""
    cadences = Cadences(store, options or StalenessSettings(), ManualClock(T0))
    cadences.note_written(entries)
    await cadences.update()
    return store.readings.freshness.of(source, POWER)


@pytest.mark.parametrize(
    ("step_ms", "stands_ms"),
    [
        (10 * S, 5 * MINUTE),
        (MINUTE, 5 * MINUTE),
        (5 * MINUTE, 15 * MINUTE),
        (15 * MINUTE, 45 * MINUTE),
        (59 * MINUTE, 120 * MINUTE),
    ],
)
@pytest.mark.parametrize("values", [(7200.0,), (7200.0, 7201.0)], ids=["repeats", "jitters"])
async def test_a_value_stands_for_three_reports_within_the_bounds(
    store: SqliteStore, step_ms: int, stands_ms: int, values: Sequence[Value]
) -> None:
    assert await learnt(store, list(feed(step_ms, 40, values=values))) == pytest.approx(stands_ms, abs=3 * 250)


async def test_the_bounds_and_the_usual_time_are_those_of_the_settings(store: SqliteStore) -> None:
    options = StalenessSettings(default_s=900, min_s=60, max_s=120)
    assert await learnt(store, [], options) == 900 * S
    assert await learnt(store, list(feed(10 * S, 40)), options) == 60 * S
    assert await learnt(store, list(feed(100 * S, 40, source="slow")), options, "slow") == 120 * S


async def test_what_the_settings_fix_is_not_learnt(store: SqliteStore) -> None:
    options = StalenessSettings(signals={"charge-wattage": 77})
    assert await learnt(store, list(feed(10 * S, 40)), options) == 77 * S
    assert store.readings.freshness.learnt == {}


async def test_with_learning_off_nothing_is_listened_to_and_nothing_that_was_learnt_holds(store: SqliteStore) -> None:
    await learnt(store, list(feed(10 * S, 40)))
    await store.vehicles.add_vehicle(Vehicle(id=CAR))
    cadences = Cadences(store, StalenessSettings(learn=False), ManualClock(T0))
    await cadences.begin()
    await store.readings.write(list(feed(10 * S, 40)))
    await cadences.update()
    assert store.readings.freshness == Freshness()


async def test_twenty_gaps_are_needed(store: SqliteStore) -> None:
    assert await learnt(store, list(feed(10 * S, 20))) == LIVE_FOR_MS
    assert await learnt(store, list(feed(10 * S, 21))) == 5 * MINUTE


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), copies=st.integers(1, 3))
def test_repetitions_and_a_shuffled_delivery_teach_no_shorter_time(seed: int, copies: int) -> None:
    """Each quarter of an hour comes in one piece, in any order and several times: it may not look like a feed of seconds."""
    rng = random.Random(seed)
    cadences = Cadences(None, StalenessSettings(), ManualClock(T0))  # type: ignore[arg-type]
    for delivery in range(30):
        heard_at = T0 + (delivery + 1) * 15 * MINUTE
        pieces = [Reading(CAR, POWER, 7200.0, heard_at - back * 10 * S, heard_at, "box") for back in range(90)] * copies
        rng.shuffle(pieces)
        cadences.note_written(pieces)
    stands_ms = cadences._learn()["box"]["charge-wattage"]
    assert 45 * MINUTE <= stands_ms <= 52 * MINUTE


async def test_an_import_of_old_readings_teaches_nothing(store: SqliteStore) -> None:
    assert await learnt(store, list(feed(10 * S, 500, lag_ms=86_400 * S))) == LIVE_FOR_MS


async def test_what_is_sent_again_teaches_nothing(store: SqliteStore) -> None:
    once = list(feed(MINUTE * 10, 40))
    again = [each for each in once for _ in range(10)]
    assert await learnt(store, again) == await learnt(store, [*once, *once], source="box") == 30 * MINUTE + 3 * 250


async def test_a_source_that_tells_changes_only_is_not_called_silent_while_nothing_changes(store: SqliteStore) -> None:
    """Power moves every 10 s when charging begins, then stays for half an hour at a time."""
    at, entries = T0, []
    for number in range(60):
        at += 30 * MINUTE if number % 15 == 14 else 10 * S
        entries.append(Reading(CAR, POWER, 7000.0 + number, at, at + 250, "box"))
    assert await learnt(store, entries) == pytest.approx(90 * MINUTE, abs=S)


async def test_a_source_that_confirms_what_has_not_changed_is_silent_when_it_says_nothing(store: SqliteStore) -> None:
    """The same gaps, but here the source says again what it said before: then half an hour is an outage, and seldom."""
    at, entries = T0, []
    for number in range(60):
        at += 30 * MINUTE if number == 30 else 10 * S
        entries.append(Reading(CAR, POWER, 7000.0, at, at + 250, "box"))
    assert await learnt(store, entries) == 5 * MINUTE


async def test_a_state_that_is_told_once_a_session_stands_for_long_while_the_car_speaks(store: SqliteStore) -> None:
    """ischarging comes at the edges of a session of an hour, voltage every 10 s between them."""
    entries: list[Entry] = []
    for session in range(25):
        begins = T0 + session * 240 * MINUTE
        entries.append(Reading(CAR, CHARGING, True, begins, begins + 250, "box"))
        entries += [Reading(CAR, VOLTAGE, 230.0, at, at + 250, "box") for at in range(begins, begins + 60 * MINUTE, 10 * S)]
        entries.append(Reading(CAR, CHARGING, False, begins + 60 * MINUTE, begins + 60 * MINUTE + 250, "box"))
    await learnt(store, entries)
    assert store.readings.freshness.of("box", CHARGING) == 120 * MINUTE
    assert store.readings.freshness.of("box", VOLTAGE) == 5 * MINUTE


async def test_a_parked_car_teaches_nothing(store: SqliteStore) -> None:
    entries: list[Entry] = [Reading(CAR, CHARGING, False, T0, T0 + 1, "box")]
    entries += list(feed(MINUTE, 50, values=(0.0,)))
    assert await learnt(store, entries) == LIVE_FOR_MS
    over = [*feed(10 * S, 10), *(Reading(CAR, POWER, 0.0, T0 + n * MINUTE, T0 + n * MINUTE, "box") for n in range(2, 60))]
    assert await learnt(store, over) == LIVE_FOR_MS


async def test_the_pause_between_two_sessions_is_no_cadence(store: SqliteStore) -> None:
    nights = [
        Reading(CAR, POWER, 7200.0, at, at + 250, "box")
        for night in range(30)
        for at in range(T0 + night * 1440 * MINUTE, T0 + night * 1440 * MINUTE + 60 * S, 10 * S)
    ]
    assert await learnt(store, nights) == 5 * MINUTE


async def test_the_slowest_car_of_a_source_counts_however_much_the_others_talk(store: SqliteStore) -> None:
    entries = [*feed(15 * MINUTE, 30, car="slow"), *(each for n in range(5) for each in feed(10 * S, 2000, car=f"quick{n}"))]
    assert await learnt(store, entries) == 45 * MINUTE + 3 * 250


async def test_sources_are_learnt_apart_and_derived_values_not_at_all(store: SqliteStore) -> None:
    derived = [Reading(CAR, POWER, 1.0, each.observed_at, each.received_at, DERIVED, "x") for each in feed(10 * S, 40)]
    await learnt(store, [*feed(10 * S, 40, source="quick"), *feed(15 * MINUTE, 40, source="slow"), *derived])
    assert store.readings.freshness.learnt == {
        "quick": {"charge-wattage": 5 * MINUTE},
        "slow": {"charge-wattage": 45 * MINUTE + 750},
    }


async def test_memory_stays_within_bounds_and_a_car_that_fell_silent_makes_room(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cadence, "MAX_CARS", 3)
    monkeypatch.setattr(cadence, "MAX_SOURCES", 2)
    clock = ManualClock(T0)
    cadences = Cadences(store, StalenessSettings(), clock)
    for source in "abcd":
        for number in range(10):
            cadences.note_written(list(feed(10 * S, 3, car=f"car{number}", source=source)))
    assert {source: len(cars) for source, cars in cadences._sources.items()} == {"a": 3, "b": 3}
    clock.move(86_400)
    await cadences.update()
    assert {len(cars) for cars in cadences._sources.values()} == {0}


async def test_a_restart_keeps_what_was_learnt_and_other_processes_follow(store: SqliteStore) -> None:
    await learnt(store, list(feed(15 * MINUTE, 40)))
    known = store.readings.freshness
    other = SqliteStore.open(store.path)
    await cadence.follow(other)
    assert other.readings.freshness == known
    store.readings.set_freshness(Freshness())
    await Cadences(store, StalenessSettings(), ManualClock(T0)).begin()
    assert store.readings.freshness == known
    await other.close()


async def test_only_what_differs_by_more_than_a_tenth_is_written_down(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learnt(store, list(feed(15 * MINUTE, 40)))
    before = await store.notes.recall("cadence", "table")
    await learnt(store, list(feed(16 * MINUTE, 40)))
    assert await store.notes.recall("cadence", "table") == before
    await learnt(store, list(feed(20 * MINUTE, 40)))
    assert store.readings.freshness.of("box", POWER) == 60 * MINUTE + 750


async def test_a_table_that_can_not_be_read_is_learnt_anew(store: SqliteStore) -> None:
    await store.notes.remember("cadence", "table", '{"learnt": 7}')
    assert await learnt(store, list(feed(10 * S, 40))) == 5 * MINUTE


async def test_what_is_stored_teaches_once_it_is_listened_to(store: SqliteStore) -> None:
    await store.vehicles.add_vehicle(Vehicle(id=CAR))
    cadences = Cadences(store, StalenessSettings(), ManualClock(T0))
    await cadences.begin()
    for reading in feed(10 * S, 30):
        await store.readings.write([reading])
    await cadences.update()
    found = await store.readings.signals(CAR)
    assert found is not None
    assert found.series[POWER.key][0].live_for_ms == 5 * MINUTE


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (StalenessSettings(min_s=100, max_s=99), "min_s"),
        (StalenessSettings(signals={"charge-watts": 60}), "charge-watts"),
        (StalenessSettings(signals={"charge-chargelimits": 60}), "charge-chargelimits"),
    ],
)
def test_a_wrong_setting_is_named(options: StalenessSettings, named: str) -> None:
    with pytest.raises(SettingError, match=named):
        cadence.configured(options)


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=64), st.booleans())
def test_the_longest_usual_gap_is_one_that_there_was(sizes: list[int], confirms: bool) -> None:
    found = usual_maximum([-each for each in sizes] if confirms else sizes)
    assert found in sizes
    assert usual_maximum([-each for each in sizes]) <= usual_maximum(sizes)
