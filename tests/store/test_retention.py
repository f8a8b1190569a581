"""History that grows coarse: hours say what buckets of an hour said, the present is not touched, any step may be the last."""

import asyncio
import json
import random
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_tables import reopened, table

from chargeport import config
from chargeport.api.history import HistorySelection, page_of
from chargeport.clock import ManualClock
from chargeport.errors import SettingError, StoreError
from chargeport.settings import RetentionSettings
from chargeport.signals.catalogue import BY_CODE, CATALOGUE, IS_CHARGING, VIN
from chargeport.signals.definition import Cadence, Permission, Signal, Value
from chargeport.signals.effective import Ranks, effective
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store import retention
from chargeport.store.effective_history import EffectiveHistory
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle
from chargeport.store.retention_policy import DAY_MS, HOUR_MS, KeepFor, Policy, Progress
from chargeport.store.tables import retention as steps

DAY0 = 1_777_593_600_000  # 2026-05-01T00:00:00Z
NOW = DAY0 + 10 * DAY_MS
MINUTE = 60_000
WATTAGE, SOC, STATUS = (BY_CODE[f"{code}"] for code in ("charge-wattage", "tractionbattery-stateofcharge",
                        "charge-detailedchargingstatus"))  # fmt: skip
VALUES: dict[str, list[Value]] = {
    "charge-wattage": [0, 1000, 7200.5, 11],
    "tractionbattery-stateofcharge": [10, 20.5, 30],
    "charge-chargerphases": [1, 2, 3],
    "charge-ischarging": [True, False],
    "charge-detailedchargingstatus": ["CHARGING", 'a "b"', "NO_POWER"],
    "charge-chargelimits": ['{"activeLimit":80}', '{"activeLimit":90}'],
}
GROUPS = sorted({signal.group for signal in CATALOGUE})
EVERYTHING = frozenset(Permission)


def policy(raw_days: int | None, hourly_days: int | None = None) -> Policy:
    return Policy({group: KeepFor(raw_days, hourly_days) for group in GROUPS})


async def new_car(store: Store) -> str:
    car = str(uuid.uuid4())
    await store.vehicles.add_vehicle(Vehicle(id=car, make="ACME", model="One", year=2026))
    return car


def entry_of(car: str, signal: Signal, at: int, value: Value | AbsenceReason) -> Entry:
    if isinstance(value, AbsenceReason):
        return Absence(car, signal, value, at, at + 5, "test")
    return Reading(car, signal, value, at, at + 5, "test")


async def folded(store: Store, now: int = NOW, days: int = 1, hourly_days: int | None = None) -> Progress:
    return await retention.go_round(store.retention, policy(days, hourly_days), ManualClock(now))


async def changes_of(store: Store, car: str, signal: Signal, step_ms: int = HOUR_MS, size: int = 1000) -> list[Any]:
    """All stretches, page by page, as they stand on the wire."""
    found: list[Any] = []
    cursor = None
    while True:
        asked = HistorySelection(DAY0, None, step_ms, size, cursor)
        page = await page_of(EffectiveHistory(store, NOW), car, signal, asked, allowed=EVERYTHING, now=NOW)
        found += [json.loads(element) for element in page.elements]
        cursor = page.next_cursor
        if cursor is None:
            return found


def scattered(car: str, signal: Signal, chance: random.Random, days: float = 3) -> list[Entry]:
    """A few dense stretches, and single reports between; absences; sessions that end; in no order, some twice."""
    instants = [DAY0 + chance.randrange(int(days * DAY_MS)) for _ in range(chance.randrange(1, 25))]
    for _ in range(chance.randrange(3)):
        start, gap = DAY0 + chance.randrange(int(days * DAY_MS)), chance.choice([MINUTE, 7 * MINUTE, 29 * MINUTE])
        instants += [start + number * gap for number in range(chance.randrange(60))]
    entries: list[Entry] = []
    for at in instants:
        absent = chance.random() < 0.1
        entries.append(entry_of(car, signal, at, chance.choice([*AbsenceReason] if absent else VALUES[signal.code])))
        if chance.random() < 0.3 and signal is not IS_CHARGING:
            turned = at + chance.randrange(-20 * MINUTE, 40 * MINUTE)
            entries.append(entry_of(car, IS_CHARGING, turned, chance.random() < 0.5))
    chance.shuffle(entries)
    return entries + entries[:5]


async def stored(store: Store, entries: Sequence[Entry]) -> None:
    for at in range(0, len(entries), 9):
        await store.readings.write(entries[at : at + 9])


of_any_signal = given(code=st.sampled_from(sorted(VALUES)), seed=st.integers(0, 10**6))
quickly = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@of_any_signal
@quickly
async def test_hours_say_what_buckets_of_an_hour_said_before(new_store: Store, code: str, seed: int) -> None:
    signal, chance, car = BY_CODE[code], random.Random(seed), await new_car(new_store)
    await stored(new_store, scattered(car, signal, chance))
    before, by_day = await changes_of(new_store, car, signal), await changes_of(new_store, car, signal, DAY_MS)
    for days in sorted(chance.sample(range(5, 12), 3), reverse=True):  # the horizon moves in some rounds
        await folded(new_store, days=days)
        assert await changes_of(new_store, car, signal, size=chance.choice([1, 7, 1000])) == before
    for then, now in zip(by_day, await changes_of(new_store, car, signal, DAY_MS), strict=True):
        assert now == then | {"mean": pytest.approx(then["mean"])} if "mean" in then else now == then
        assert now.get("fractions") == pytest.approx(then.get("fractions"))


@of_any_signal
@quickly
async def test_the_past_is_answered_as_before_or_not_at_all(new_store: Store, code: str, seed: int) -> None:
    signal, chance, car = BY_CODE[code], random.Random(seed), await new_car(new_store)
    await stored(new_store, scattered(car, signal, chance))
    instants = [DAY0 + chance.randrange(4 * DAY_MS) for _ in range(40)] + [DAY0 + hour * HOUR_MS - 1 for hour in range(1, 80)]
    before = [await looked(new_store, car, signal, at) for at in instants]
    await folded(new_store, days=chance.randrange(6, 10))
    horizon = await new_store.history.horizon(car, signal)
    for at, then in zip(instants, before, strict=True):
        now = await looked(new_store, car, signal, at)
        is_raw = horizon is None or at >= horizon.raw_from
        assert now == then or (now is None and not is_raw and (at + 1) % HOUR_MS)
    latest = await new_store.readings.signals(car)
    assert latest is not None
    assert latest.series[signal.key][0].changed_at == await became(new_store, car, signal)


async def looked(store: Store, car: str, signal: Signal, at: int) -> Any:
    """Value, why it does not stand, and since when it is so and was seen last."""
    found = await store.history.series_at(car, at)
    assert found is not None
    state = next(iter(found.series.get(signal.key, ())), None)
    if state is None:
        return None
    counts = effective(signal, found.series, Ranks(), at)
    over = None if counts is None else counts.unavailability
    return state.value, state.observed_at, state.changed_at, over and over.reason, state.absence_at


async def became(store: Store, car: str, signal: Signal) -> int | None:
    """Since when the latest value has held, as a late reading makes the store work it out again."""
    found = await store.readings.signals(car)
    assert found is not None
    at = found.series[signal.key][0].observed_at
    if at is None:
        return None
    await store.readings.write([entry_of(car, signal, at, AbsenceReason.UNREADABLE)])  # less than the value: it never held
    again = await store.readings.signals(car)
    assert again is not None
    return again.series[signal.key][0].changed_at


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3))])
async def test_steps_of_any_size_and_rounds_of_any_number_lead_to_the_same_hours(
    store: Store, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    cars = [await new_car(store) for _ in range(2)]
    entries = [entry for code in VALUES for entry in scattered(cars[0], BY_CODE[code], chance)]
    await stored(store, entries)
    await folded(store)
    whole = table(store, "hourly")
    await stored(store, [entry.__class__(cars[1], *_rest(entry)) for entry in entries])
    monkeypatch.setattr(steps, "STEP_SIGHTINGS", 7)
    monkeypatch.setattr(steps, "STEP_CARS", 1)
    for days in (9, 8, 1):
        await folded(store, days=days)
    rows = table(store, "hourly")
    assert [row[1:] for row in rows if row[0] == 2] == [row[1:] for row in whole]
    assert [row for row in rows if row[0] == 1] == whole
    assert await folded(store) == Progress()


def _rest(entry: Entry) -> tuple[Any, ...]:
    what = entry.value if isinstance(entry, Reading) else entry.reason
    return entry.signal, what, entry.observed_at, entry.received_at, entry.source


@pytest.mark.parametrize("seed", range(6))
async def test_a_time_of_which_nothing_was_known_is_filled_late_as_if_it_had_come_in_time(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    signal = BY_CODE[sorted(VALUES)[seed]]
    cars = [await new_car(store) for _ in range(2)]
    early = [entry for entry in scattered(cars[0], signal, chance, 2) if entry.observed_at < DAY0 + DAY_MS - HOUR_MS]
    later = [entry_of(cars[0], signal, DAY0 + 3 * DAY_MS, VALUES[signal.code][0])]
    block = [entry_of(cars[0], signal, DAY0 + DAY_MS + chance.randrange(20 * HOUR_MS), chance.choice(VALUES[signal.code]))
             for _ in range(60)]  # fmt: skip
    await stored(store, early + later)
    await folded(store)
    await stored(store, block)
    await folded(store)
    await stored(store, [entry.__class__(cars[1], *_rest(entry)) for entry in early + later + block])
    await folded(store)
    # The hour in which the next one was reported was folded with what had been known before it, and stays so.
    next_hour = later[0].observed_at // HOUR_MS
    rows = [[row[1:] for row in table(store, "hourly") if row[0] == key and row[3] < next_hour] for key in (1, 2)]
    assert len(rows[0]) > 10
    assert rows[0] == rows[1]


async def test_what_comes_late_into_a_known_hour_widens_it_and_sent_again_changes_nothing(store: Store) -> None:
    car = await new_car(store)
    entries = [entry_of(car, WATTAGE, DAY0 + minute * MINUTE, 1000 + minute % 2) for minute in range(60)]
    await store.readings.write(entries)
    await folded(store)
    (before, *_) = await changes_of(store, car, WATTAGE)
    late = [entry_of(car, WATTAGE, DAY0 + 30 * MINUTE + 1, 9000), entry_of(car, WATTAGE, DAY0 + 59 * MINUTE + 1, 500)]
    await store.readings.write(late)
    assert (await folded(store)).hours
    (after, *_) = await changes_of(store, car, WATTAGE)
    assert after == before | {"min": 500, "max": 9000, "last": 500}
    for again in (late, entries, late + entries):
        await store.readings.write(again)
        await folded(store)
        assert (await changes_of(store, car, WATTAGE))[0] == after


async def test_a_silent_car_that_sends_what_it_had_kept_has_it_in_its_hours(store: Store) -> None:
    car = await new_car(store)
    await store.readings.write([entry_of(car, WATTAGE, DAY0, 7200)])
    await folded(store)
    await store.readings.write([entry_of(car, WATTAGE, DAY0 + 5 * HOUR_MS + minute * MINUTE, 7200) for minute in range(20)])
    await folded(store)
    found = {element["from"][11:13]: element["heldSeconds"] for element in await changes_of(store, car, WATTAGE)}
    assert found == {"00": 1800, "05": 49 * 60}


async def test_the_present_is_not_touched_and_only_what_it_leans_on_stays(store: Store) -> None:
    car = await new_car(store)
    await store.readings.write(
        [entry_of(car, SOC, DAY0 + minute * MINUTE, 40 + minute // 3000) for minute in range(0, 9000, 3)]
    )
    await store.readings.write([entry_of(car, WATTAGE, DAY0 + minute * MINUTE, minute) for minute in range(500)])
    latest, runs = table(store, "latest"), len(table(store, "history"))
    done = await folded(store)
    assert table(store, "latest") == latest
    assert len(table(store, "history")) == runs - done.runs < 10
    assert [run.value for run in await store.history.history(car, SOC, source="test", limit=10)] == [41, 42]
    assert [row[0] for row in table(store, "horizons")] == [1, 1]


async def test_the_feed_goes_on_behind_positions_that_are_gone(store: Store) -> None:
    car = await new_car(store)
    await store.readings.write([entry_of(car, WATTAGE, DAY0 + minute * MINUTE, minute) for minute in range(300)])
    position = await store.readings.position()
    await folded(store)
    assert await store.readings.position() == position
    await store.readings.write([entry_of(car, WATTAGE, NOW, 5)])
    for after in (0, 17, position):
        changes = await store.readings.changes(after, 1000)
        assert changes[-1].value == 5
        assert [change.position for change in changes] == sorted(change.position for change in changes)
    assert [change.value for change in await store.readings.changes(position, 1000)] == [5]


async def test_hours_that_are_too_old_are_dropped_but_for_what_held_then(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "STEP_DROPPED", 3)
    car = await new_car(store)
    await store.readings.write([entry_of(car, SOC, DAY0 + hour * HOUR_MS, 10 + hour) for hour in range(60)])
    await folded(store, days=2, hourly_days=8)
    assert [row[3] * HOUR_MS for row in table(store, "hourly")] == [DAY0 + hour * HOUR_MS for hour in range(47, 60)]
    assert (await looked(store, car, SOC, DAY0 + 2 * DAY_MS))[0] == 58
    assert (await looked(store, car, SOC, DAY0 + 2 * DAY_MS - 1))[0] == 57
    assert await looked(store, car, SOC, DAY0 + DAY_MS) is None
    await store.readings.write([entry_of(car, SOC, DAY0 + 5 * HOUR_MS + 1, 99)])
    await folded(store, days=2, hourly_days=8)
    assert table(store, "hourly")[0][3] * HOUR_MS == DAY0 + 47 * HOUR_MS
    assert await folded(store, days=2, hourly_days=8) == Progress()


async def test_groups_have_horizons_of_their_own_and_what_is_not_limited_is_kept(store: Store) -> None:
    car = await new_car(store)
    await store.readings.write(
        [entry_of(car, signal, DAY0 + minute * MINUTE, minute % 7) for minute in range(99) for signal in (SOC, WATTAGE)]
    )
    only = Policy({SOC.group: KeepFor(3), WATTAGE.group: KeepFor()})
    await retention.go_round(store.retention, only, ManualClock(NOW))
    assert await store.history.horizon(car, WATTAGE) is None
    horizon = await store.history.horizon(car, SOC)
    assert horizon is not None
    assert horizon.raw_from == NOW - 3 * DAY_MS
    assert len(await store.history.history(car, WATTAGE, source="test", limit=1000)) == 99


def test_live_signals_are_folded_together_with_the_sessions_that_end_them() -> None:
    assert {signal.group for signal in CATALOGUE if signal.cadence is Cadence.LIVE} == {IS_CHARGING.group}


def test_a_live_value_reaches_no_further_than_into_the_next_hour() -> None:
    assert LIVE_FOR_MS <= HOUR_MS


def test_the_settings_name_every_group() -> None:
    groups = {group.lower() for group in GROUPS if group != VIN.group}  # what the car is has no history to fold
    fields = set(RetentionSettings.__struct_fields__)
    of_groups = {f"{group}_{key}".removeprefix("_") for group in {"", *groups} for key in ("raw_days", "hourly_days")}
    assert fields == {*of_groups, "audit_days"}


# In between


async def test_a_step_that_fails_leaves_everything_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    car = await new_car(store)
    await stored(store, scattered(car, WATTAGE, random.Random(3)))
    before = [table(store, name) for name in ("history", "hourly", "horizons", "latest")]
    monkeypatch.setattr(steps, "_SET_HORIZON", "INSERT INTO nowhere VALUES (?,?,?,?)")
    with pytest.raises(StoreError):
        await store.retention.fold(policy(1), NOW)
    assert [table(store, name) for name in ("history", "hourly", "horizons", "latest")] == before


async def test_a_round_that_is_killed_after_any_step_is_gone_on_with(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "STEP_SIGHTINGS", 8)
    car = await new_car(store)
    await stored(store, scattered(car, WATTAGE, random.Random(5)))
    before = await changes_of(store, car, WATTAGE)
    count, more = 0, True
    while more:
        opened = reopened(store)  # remembers nothing of the step before
        progress = await opened.retention.fold(policy(1), NOW)
        assert await changes_of(opened, car, WATTAGE) == before
        await opened.close()
        more, count = progress.more, count + 1
    assert count > 3


async def test_reads_and_writes_go_on_while_history_is_folded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "STEP_SIGHTINGS", 1)
    car = await new_car(store)
    await store.readings.write([entry_of(car, WATTAGE, DAY0 + number * 25 * MINUTE, number % 7 // 2) for number in range(120)])
    await store.readings.write(
        [entry_of(car, IS_CHARGING, DAY0 + number * 95 * MINUTE, number % 2 == 0) for number in range(30)]
    )
    instant = DAY0 + 30 * HOUR_MS - 1
    before, then = await changes_of(store, car, WATTAGE), await looked(store, car, WATTAGE, instant)
    progress, count = Progress(more=True), 0
    while progress.more:
        progress, *seen = await asyncio.gather(
            store.retention.fold(policy(1), NOW, progress.after), changes_of(store, car, WATTAGE),
            looked(store, car, WATTAGE, instant),
            changes_of(store, car, WATTAGE, size=5), store.readings.write([entry_of(car, SOC, NOW + count, count % 9)]),
        )  # fmt: skip
        assert seen[:3] == [before, then, before]
        count += 1
    assert count > 10


async def test_the_loop_waits_an_hour_between_rounds_and_outlives_a_store_that_fails() -> None:
    class Stop(Exception):  # noqa: N818
        pass

    class Broken:
        rounds: list[int] = []  # noqa: RUF012

        async def fold(self, _: Policy, now: int, after: int = 0) -> Progress:
            self.rounds.append(now)
            if len(self.rounds) == 1:
                raise StoreError("full")
            if len(self.rounds) == 4:
                raise Stop
            return Progress(1, 1, 0, 7, more=after == 0)

    with pytest.raises(Stop):
        await retention.keep(Broken(), policy(1), ManualClock(NOW))
    assert [now - NOW for now in Broken.rounds] == [0, HOUR_MS, HOUR_MS + 50, 2 * HOUR_MS + 50]
    await retention.keep(Broken(), policy(None), ManualClock(NOW))  # nothing to do, ever


async def test_a_removed_car_takes_its_hours_along(store: Store) -> None:
    car, other = await new_car(store), await new_car(store)
    for each in (car, other):
        await store.readings.write([entry_of(each, WATTAGE, DAY0 + minute * MINUTE, minute) for minute in range(180)])
    await folded(store)
    erased = await store.vehicles.remove_vehicle(car)
    assert erased is not None
    assert erased.hours == 4  # the last value went on for half an hour
    assert {row[0] for name in ("hourly", "horizons", "history") for row in table(store, name)} == {2}


async def test_a_car_with_an_hour_takes_its_place_in_a_later_round(store: Store) -> None:
    """A reading just behind the horizon belongs to raw history, one just before it to its hour."""
    car = await new_car(store)
    edge = NOW - DAY_MS
    await store.readings.write(
        [entry_of(car, WATTAGE, at, value) for value, at in enumerate(range(edge - 3 * MINUTE, edge + 3 * MINUTE, MINUTE))]
    )
    before = await changes_of(store, car, WATTAGE)
    await folded(store)
    assert await changes_of(store, car, WATTAGE) == before
    await folded(store, NOW + DAY_MS)
    assert await changes_of(store, car, WATTAGE) == before


# Settings


def test_a_group_is_kept_as_the_table_says_or_as_its_own_keys_say() -> None:
    file = {"raw_days": 30, "charge_raw_days": 90, "charge_hourly_days": 800, "tractionbattery_raw_days": 0}
    kept = msgspec.convert(file, RetentionSettings)
    assert (kept.of("Charge"), kept.of("TractionBattery"), kept.of("Other")) == ((90, 800), (None, None), (30, None))
    assert RetentionSettings().of("Charge") == (None, None)
    environ = {"CHARGEPORT_RETENTION_RAW_DAYS": "7", "CHARGEPORT_RETENTION_CHARGE_HOURLY_DAYS": "9"}
    assert config.load(environ=environ).retention.of("Charge") == (7, 9)


@pytest.mark.parametrize("wrong", [{"hourly_days": 9}, {"raw_days": 9, "charge_hourly_days": 8}])
def test_hours_that_would_go_before_their_runs_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingError, match="hourly_days"):
        msgspec.convert(wrong, RetentionSettings).of("Charge")
