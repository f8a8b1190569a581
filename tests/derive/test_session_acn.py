"""Sessions in the form of the Adaptive Charging Network's data: current by time at 208 V, kWhDelivered, times of the plug."""

from itertools import pairwise
from random import Random
from typing import NamedTuple

import pytest
from charging_days import CABLE, CHARGING, HOUR, MINUTE, POWER, T0, Seen
from test_session_issues import RULES, made

from chargeport.derive.sessions.session import Session

VOLTS = 208
SECOND = 1000
COUNT = 47


class Acn(NamedTuple):
    """A session as the data have it; `current` are amperes from an instant on, in seconds after `connection_time`."""

    connection_time: int
    done_charging_time: int
    disconnect_time: int
    kwh_delivered: float
    current: list[tuple[int, float]]


def acn(number: int) -> Acn:
    """A made-up session: the pilot is changed every few minutes, the car ramps up, tapers off, and stays plugged in."""
    rng = Random(number)
    begins, lasts = rng.randint(5, 1_200), rng.randint(3_600, 6 * 3_600)
    current, second, pilot = [(0, 0.0)], begins, 0.0
    while second < begins + lasts:
        left = (begins + lasts - second) / 1_800
        pilot = rng.choice((8.0, 12.5, 16.0, 24.0, 31.5)) if rng.random() < 0.3 or not pilot else pilot
        current.append((second, round(pilot * min(1.0, 0.3 + left) + rng.uniform(-0.2, 0.2), 2)))
        second += rng.randint(20, 240)
    done = begins + lasts
    current.append((done, 0.0))
    kwh = sum(amps * VOLTS / 1000 * (until - at) / 3600 for (at, amps), (until, _) in pairwise(current))
    start = T0 + number * 20 * HOUR
    left_at = start + (done + rng.randint(60, 10_000)) * SECOND
    return Acn(start, start + done * SECOND, left_at, kwh, current)


def at(one: Acn, instant: int) -> float:
    second = (instant - one.connection_time) / SECOND
    return next((amps for since, amps in reversed(one.current) if since <= second), 0.0)


def told_on_changes(one: Acn) -> list[Seen]:
    """What a station tells that speaks when something changes: before and after each change, as meters sample it."""
    seen = [Seen(CABLE, one.connection_time, True, "wallbox"), Seen(CABLE, one.disconnect_time, False, "wallbox")]
    for second, amps in one.current:
        instant = one.connection_time + second * SECOND
        if second:
            seen.append(Seen(POWER, instant - SECOND, at(one, instant - SECOND) * VOLTS, "wallbox"))
        seen += [Seen(POWER, instant, amps * VOLTS, "wallbox"), Seen(CHARGING, instant, amps > 0, "wallbox")]
    return seen


def polled(one: Acn) -> list[Seen]:
    """What somebody hears who asks every ten minutes."""
    first = one.connection_time - one.connection_time % (10 * MINUTE) - 10 * MINUTE
    seen = []
    for instant in range(first, one.disconnect_time + 10 * MINUTE, 10 * MINUTE):
        is_in, amps = one.connection_time <= instant < one.disconnect_time, at(one, instant)
        seen += [Seen(CABLE, instant, is_in, "wallbox"), Seen(POWER, instant, amps * VOLTS, "wallbox")]
        seen.append(Seen(CHARGING, instant, amps > 0, "wallbox"))
    return seen


def found(parts: list[list[Seen]]) -> list[Session]:
    sessions = made(*parts, now=T0 + COUNT * 20 * HOUR + 48 * HOUR)
    assert len(sessions) == COUNT
    return sessions


def test_sessions_told_on_changes_have_the_energy_of_their_meter_within_a_percent() -> None:
    meters = [acn(number) for number in range(COUNT)]
    for meter, one in zip(meters, found([told_on_changes(meter) for meter in meters]), strict=True):
        assert one.energy_drawn_kwh == pytest.approx(meter.kwh_delivered, rel=0.01)
        assert abs(one.ended_at - meter.done_charging_time) <= MINUTE


def test_sessions_polled_every_ten_minutes_have_the_energy_of_their_meters_within_three_percent() -> None:
    meters = [acn(number) for number in range(COUNT)]
    sessions = found([polled(meter) for meter in meters])
    drawn, delivered = [one.energy_drawn_kwh or 0 for one in sessions], [meter.kwh_delivered for meter in meters]
    assert sum(drawn) == pytest.approx(sum(delivered), rel=0.01)
    shares = sorted(abs(kwh / meter - 1) for kwh, meter in zip(drawn, delivered, strict=True))
    assert shares[COUNT // 2] <= 0.06, "the usual session: the current changes between two polls, and nobody saw that"
    for meter, one in zip(meters, sessions, strict=True):
        assert one.energy_bounds_kwh is not None
        low, high = one.energy_bounds_kwh
        assert low <= meter.kwh_delivered * RULES.ac_efficiency <= high
