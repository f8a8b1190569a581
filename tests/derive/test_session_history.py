"""Sessions depend on what was reported and on nothing else: not on its order, its repetition, or how it was computed."""

from itertools import pairwise
from random import Random

import msgspec
import pytest
from charging_days import (
    CABLE,
    CHARGING,
    DAY,
    ENERGY,
    FAST,
    HOUR,
    MINUTE,
    POWER,
    SOC,
    STATUS,
    T0,
    Seen,
    course,
    repeated,
    steady,
    tracks_of,
)  # fmt: skip
from hypothesis import example, given
from hypothesis import strategies as st

from chargeport.derive.records.records import record_id
from chargeport.derive.sessions.detection import sessions
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.window import FIRST_READ_MS, NeededRange, Recomputed, Window, first_read, recompute

RULES = Rules(capacity_kwh=60.0)
STATUSES = ("CHARGING", "CHARGING", "DISCONNECTED", "NOT_CHARGING", "SCHEDULED", "FULLY_CHARGED")
STEPS = (0, 1_000, 10_000, MINUTE, 5 * MINUTE, 5 * MINUTE, 15 * MINUTE, 40 * MINUTE)
SILENCES = (6 * HOUR, 20 * HOUR, 50 * HOUR)

# What a source says where two report one signal: numbers that are never the same, since a store keeps the source of a run of
# equal values for the first of them only.
OFFSET = {"car": 0.0, "wallbox": 0.03}


def anything(seed: int, count: int, silent: float) -> list[Seen]:
    """Reports of all signals of two sources, without any sense, from seconds to days apart."""
    rng = Random(seed)
    signals = rng.sample([CHARGING, CABLE, STATUS, POWER, ENERGY, SOC, FAST], rng.randint(2, 7))
    found, at = [], T0
    for _ in range(count):
        signal, source = rng.choice(signals), rng.choice(["car", "car", "wallbox"])
        found.append(Seen(signal, at, value(signal, rng, OFFSET[source]), source))
        at += rng.choice(SILENCES if rng.random() < silent else STEPS)
    return found


def value(signal: object, rng: Random, offset: float) -> bool | float | str:
    if signal in (CHARGING, CABLE, FAST):
        return rng.random() < 0.6
    if signal is STATUS:
        return rng.choice(STATUSES)
    if signal is POWER:
        return rng.choice([0, 100, 7_000, 7_000, 50_000]) + offset
    return (rng.randint(20, 90) if signal is SOC else round(rng.random() * rng.choice([1, 20]), 1)) + offset


def reported(found: list[Session]) -> list[Session]:
    """Without the names of the sources: a run of equal values keeps the first one's only, wherever the window cuts it."""
    return [msgspec.structs.replace(one, sources=()) for one in found]


lives = st.tuples(st.integers(0, 2**32), st.sampled_from([10, 20, 40, 100]), st.sampled_from([0.02, 0.1, 0.5]))
"""Of `anything`: what is reported of a counter-example is its three numbers, not a hundred reports."""
Life = tuple[int, int, float]


@given(lives, st.integers(0, 2**32))
def test_shuffled_and_repeated_reports_make_the_same_sessions(life: Life, seed: int) -> None:
    history = anything(*life)
    now = max(seen.at for seen in history)
    assert sessions(tracks_of(repeated(history, 0.2, seed)), now, RULES) == sessions(tracks_of(history), now, RULES)


def window(received: list[Seen], read: NeededRange, at: int) -> Window | None:
    """The window around a change, of what was read."""
    found = recompute(tracks_of(received, *read), read, (at, at), at, RULES)
    return found.window if isinstance(found, Recomputed) else None


def recomputed(received: list[Seen], first: int, last: int, now: int, back_ms: int = FIRST_READ_MS) -> Recomputed:
    """Reads as far as it is asked to."""
    read = first_read(first, last, now, back_ms)
    while True:
        found = recompute(tracks_of(received, *read), read, (first, last), now, RULES)
        if isinstance(found, Recomputed):
            return found
        read = found


@example((3169047393, 100, 0.5), 2459236245)
@example((1129390886, 100, 0.1), 223374870)
@example((2380659901, 100, 0.1), 250105448)
@given(lives, st.integers(0, 2**32))
def test_windows_recomputed_after_each_late_report_come_to_what_everything_at_once_does(life: Life, seed: int) -> None:
    history = anything(*life)
    rng, now = Random(seed), max(seen.at for seen in history)
    arriving = list(history)
    rng.shuffle(arriving)
    received: list[Seen] = []
    stored: dict[int, Session] = {}

    while arriving:
        batch = [arriving.pop() for _ in range(min(len(arriving), rng.choice([1, 1, 1, 3, 20])))]
        received += batch
        first, last = min(seen.at for seen in batch), max(seen.at for seen in batch)
        done = recomputed(received, first, last, now, rng.choice([HOUR // 2, FIRST_READ_MS, 20 * FIRST_READ_MS]))
        assert done.window.from_at <= first <= last < done.window.to_at
        stored = {at: one for at, one in stored.items() if not done.window.from_at <= at < done.window.to_at}
        stored |= {one.started_at: one for one in done.sessions}
        everything = sessions(tracks_of(received), now, RULES)
        assert reported([stored[at] for at in sorted(stored)]) == reported(everything)


@given(lives)
def test_sessions_follow_each_other_and_their_numbers_are_possible(life: Life) -> None:
    history = anything(*life)
    now = max(seen.at for seen in history)
    found = sessions(tracks_of(history), now, RULES)
    for one, after in pairwise(found):
        assert one.ended_at <= after.started_at
        assert not one.is_open
    for one in found:
        assert one.ended_at - one.started_at > RULES.handshake_ms
        assert one.energy_added_kwh is None or one.energy_added_kwh >= RULES.min_energy_kwh
        assert one.energy_drawn_kwh is None or one.energy_drawn_kwh == pytest.approx(sum(slot.kwh for slot in one.slots))
        assert all(before.end <= later.start for before, later in pairwise(one.stretches))


@given(st.integers(0, 2**32), st.integers(3, 40))
def test_a_session_keeps_its_id_while_it_grows(seed: int, parts: int) -> None:
    rng = Random(seed)
    day = [
        *course(CABLE, {-10: False, -2: True, 700: False}),
        *steady(CHARGING, range(0, 600, 5), value=True),
        *steady(POWER, range(0, 600, 5), 7_000),
        *course(CHARGING, {600: False}),
    ]
    day.sort(key=lambda seen: seen.at)
    cuts = sorted(rng.sample(range(10, len(day)), parts))
    names = set()
    for cut in [*cuts, len(day)]:
        for one in sessions(tracks_of(day[:cut]), day[cut - 1].at, RULES):
            names.add(record_id("0b0c6b0e", one))
            assert one.is_open is (day[cut - 1].at < T0 + 700 * MINUTE)
    assert len(names) == 1


def test_a_window_of_a_car_with_a_cable_signal_is_small() -> None:
    days = [
        seen
        for day in range(10)
        for seen in [
            *course(CABLE, {day * 1440 + minute: minute < 600 for minute in range(-10, 1400, 30)}),
            *steady(CHARGING, range(day * 1440, day * 1440 + 300, 5), value=True),
            *course(CHARGING, {day * 1440 + 300: False}),
        ]
    ]
    changed_at = T0 + 5 * DAY + 2 * HOUR
    read = NeededRange(changed_at - 30 * HOUR, changed_at + 30 * HOUR)
    found = window(days, read, changed_at)
    assert found is not None
    assert changed_at - found.from_at < DAY
    assert found.to_at - changed_at < DAY


def test_a_window_that_the_tracks_do_not_reach_around_is_none() -> None:
    history = [*steady(CABLE, range(0, 10_000, 60), value=True), *steady(CHARGING, range(0, 10_000, 30), value=True)]
    at = T0 + 5_000 * MINUTE
    read = NeededRange(at - 12 * HOUR, at + 12 * HOUR)
    assert window(history, read, at) is None
    wide = NeededRange(at - 20 * DAY, at + 20 * DAY)
    found = window(history, wide, at)
    assert found is not None
    assert found.from_at < T0 < T0 + 10_000 * MINUTE < found.to_at
    assert isinstance(found, Window)
