"""Simulated days against the simulator's own records: none missing, none doubled, energy and edges within the tolerances.

Some days by default; HYPOTHESIS=thorough lives through months.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Any

import pytest
from charging_days import (
    CABLE,
    CHARGING,
    DAY,
    ENERGY,
    MINUTE,
    POWER,
    SOC,
    STATUS,
    T0,
    Seen,
    driver,
    lived,
    repeated,
    tracks_of,
)  # fmt: skip

from chargeport.derive.sessions.detection import sessions
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.session import Session
from chargeport.signals.definition import Signal
from chargeport.sources.simulator import Schedule, Timer

THOROUGH = os.environ.get("HYPOTHESIS") == "thorough"
DAYS = 75 if THOROUGH else 7
SEEDS = range(4) if THOROUGH else range(1)

# The simulator's losses, as a service learns them from sessions of which both sides are known.
RULES = Rules(capacity_kwh=60.0, ac_efficiency=0.92, dc_efficiency=0.95)
WITHIN = 0.03
WITHIN_OF_FEW = 0.05  # what a DC stop of twenty minutes drew, from four samples of a power that falls
NIGHT = Timer(type="GLOBAL", schedules=(Schedule(start="23:00:00", end="01:30:00"), Schedule(start="03:00:00", end="06:00:00")))


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def made(seen: list[Seen]) -> list[Session]:
    return sessions(tracks_of(repeated(seen, 0.2, 1)), T0 + (DAYS + 2) * DAY, RULES)


def matched(found: Sequence[Session], records: Sequence[dict[str, Any]]) -> list[tuple[Session, dict[str, Any]]]:
    """Each session that is over with the record of it: as many of the one as of the other."""
    over = [one for one in found if not one.is_open]
    pairs = []
    for record in records:
        start, end = at(record["startTime"]), at(record["endTime"])
        (one,) = [one for one in over if one.started_at < end and one.ended_at > start]
        pairs.append((one, record))
    assert len(over) == len(records) > 2
    return pairs


def edges_s(one: Session, record: dict[str, Any]) -> list[float]:
    """How far start and end are from the truth."""
    return [abs(one.started_at - at(record["startTime"])) / 1000, abs(one.ended_at - at(record["endTime"])) / 1000]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("every_s", [10, 60, 300, 900])
def test_lost_late_and_repeated_reports_leave_no_session_missing_doubled_or_wrong(every_s: int, seed: int) -> None:
    seen, records = lived(driver(seed + 5), DAYS, every_s, lost=0.005, late=0.05)
    for one, record in matched(made(seen), records):
        assert one.energy_added_kwh == pytest.approx(record["energyAdded"], rel=WITHIN)
        assert max(edges_s(one, record)) <= every_s
        assert one.charging_type == record["chargingType"]
        assert one.start_soc == pytest.approx(record["startStateOfCharge"], abs=1)
        if not one.estimated:  # the report of the end was lost
            assert one.end_soc == pytest.approx(record["endStateOfCharge"], abs=1)
        if every_s <= 300:
            share = RULES.dc_efficiency if one.charging_type == "DC" else RULES.ac_efficiency
            within = WITHIN if one.charging_type == "AC" or every_s < 300 else WITHIN_OF_FEW
            assert one.energy_drawn_kwh == pytest.approx(record["energyAdded"] / share, rel=within)


@pytest.mark.parametrize("every_s", [60, 900])
def test_nights_with_pauses_by_the_timer_are_one_session_each(every_s: int) -> None:
    seen, records = lived(driver(timers=(NIGHT,), sleep_after_min=None), DAYS, every_s, lost=0.005)
    pairs = matched(made(seen), records)
    assert any(len(one.stretches) > 1 for one, _ in pairs)
    for one, record in pairs:
        assert one.energy_added_kwh == pytest.approx(record["energyAdded"], rel=WITHIN)
        assert max(edges_s(one, record)) <= every_s


def test_outages_of_hours_leave_no_session_missing_doubled_or_short_of_energy() -> None:
    seen, records = lived(driver(), DAYS, 60, lost=0.005)
    rng = Random(1)
    outages = [(start, start + 100 * MINUTE) for start in (T0 + round(rng.uniform(0, DAYS) * DAY) for _ in range(DAYS))]
    outages += [(at(record["startTime"]) + 20 * MINUTE, at(record["startTime"]) + 70 * MINUTE) for record in records[::2]]
    received = [one for one in seen if not any(start <= one.at < end for start, end in outages)]
    for one, record in matched(made(received), records):
        assert one.energy_added_kwh == pytest.approx(record["energyAdded"], rel=WITHIN)


@pytest.mark.parametrize("skew_ms", [0, 40_000, -40_000])
def test_a_car_and_a_wallbox_with_clocks_apart_tell_of_the_same_sessions(skew_ms: int) -> None:
    seen, records = lived(driver(), DAYS, 60, lost=0.005)
    box, _ = lived(driver(), DAYS, 30, source="wallbox", skew_ms=skew_ms, only=[CHARGING, CABLE, POWER, STATUS], lost=0.005)
    for one, record in matched(made(seen + box), records):
        assert one.energy_added_kwh == pytest.approx(record["energyAdded"], rel=WITHIN)
        assert one.energy_drawn_kwh is not None
        assert max(edges_s(one, record)) <= 60 + abs(skew_ms) / 1000
        assert one.sources == ("car", "wallbox")


@pytest.mark.parametrize("every_s", [10, 60, 300] if THOROUGH else [60])
@pytest.mark.parametrize(
    "only", [[STATUS], [CHARGING], [POWER], [POWER, CABLE], [SOC], [CHARGING, SOC], [ENERGY, CABLE]],
    ids=["status", "ischarging", "power", "power and cable", "soc", "ischarging and soc", "energy and cable"],
)  # fmt: skip
def test_few_signals_are_enough_to_miss_and_to_double_nothing(only: list[Signal], every_s: int) -> None:
    seen, records = lived(driver(), 9 if THOROUGH else 7, every_s, lost=0.005, only=only)
    for one, record in matched(made(seen), records):
        assert max(edges_s(one, record)) <= max(every_s, 60)
        if POWER in only and every_s < 300:
            assert one.energy_added_kwh == pytest.approx(record["energyAdded"], rel=WITHIN)
        if SOC in only:  # a tenth of a percent at either end
            assert one.energy_added_kwh == pytest.approx(record["energyAdded"], rel=WITHIN)
