"""The life of a simulated car: records, itineraries, sleep."""

from itertools import pairwise
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_cars import AWAY, FAST, HOME, HOUR, MINUTE, MONDAY, WALLBOX, at, car, charging_car, profile, run_until

from chargeport.sources.simulator import Car, Drive, Habits, PlugIn, Station, Tariff, Unplug

DAY = 24 * HOUR
LIVED_IN = profile(habits=Habits(), tariff=Tariff(currency="EUR", price_per_kwh=0.3))


def records(lived: Car) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = lived.snapshot()["records"]["values"]
    return values


def test_a_session_becomes_a_record_as_the_cable_is_pulled() -> None:
    plugged = car(start_soc_percent=50.0)
    plugged.plug(WALLBOX)
    plugged.advance(at("2026-03-02 14:00:09"))
    assert records(plugged) == []
    plugged.unplug()
    (record,) = records(plugged)
    assert record.pop("id").startswith("CHG-20260302-")
    energy_kwh = record["energyAdded"]
    assert energy_kwh == pytest.approx(2 * 16 * 3 * 228.08 * 0.92 / 1000, abs=0.05)
    assert record == {
        "startTime": "2026-03-02T12:00:09.000Z",
        "endTime": "2026-03-02T14:00:09.000Z",
        "startStateOfCharge": 50.0,
        "endStateOfCharge": round(plugged.soc_percent, 1),
        "energyAdded": energy_kwh,
        "chargingType": "AC",
        "isPublicCharger": False,
        "location": {"name": "Home", "address": "1 Example Street", "latitude": 52.5, "longitude": 13.4},
        "cost": {
            "currency": "EUR",
            "energyAmount": pytest.approx(0.3 * energy_kwh / 0.92, abs=0.02),
            "otherAmount": 0.0,
        },
    }


def test_pauses_with_the_cable_in_belong_to_one_record() -> None:
    paused = charging_car(start_soc_percent=10.0)
    paused.advance(paused.at + HOUR)
    paused.set_requested_a(0)
    paused.advance(paused.at + HOUR)
    paused.set_requested_a(16)
    paused.advance(paused.at + HOUR)
    paused.fault(True)
    paused.advance(paused.at + HOUR)
    paused.unplug()
    (record,) = records(paused)
    assert record["startTime"] == "2026-03-02T12:00:09.000Z"
    assert record["endTime"] == "2026-03-02T15:01:00.000Z"
    assert record["energyAdded"] == pytest.approx(20, abs=0.4)


def test_a_handshake_without_energy_leaves_no_record() -> None:
    plugged = car()
    plugged.plug(WALLBOX)
    run_until(plugged, "CHARGING")
    plugged.unplug()
    assert records(plugged) == []


def test_a_record_without_place_or_tariff_has_neither_location_nor_cost() -> None:
    charged = charging_car(Station(kind="DC", public=True))
    charged.advance(charged.at + 10 * MINUTE)
    charged.unplug()
    (record,) = records(charged)
    assert (record["chargingType"], record["isPublicCharger"]) == ("DC", True)
    assert not {"location", "cost"} & set(record)


def test_the_newest_twenty_records_are_stored() -> None:
    tired = car(start_soc_percent=5.0)
    for _ in range(25):
        tired.plug(WALLBOX)
        tired.advance(tired.at + 5 * MINUTE)
        tired.unplug()
    assert len(records(tired)) == 20
    assert records(tired)[-1]["endTime"] == "2026-03-02T14:05:00.000Z"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_days_of_any_seed_make_records_that_never_overlap(seed: int, days: int) -> None:
    lived = Car(LIVED_IN, seed, MONDAY)
    lived.advance(MONDAY + days * DAY)
    assert all(record["startTime"] < record["endTime"] for record in records(lived))
    assert all(earlier["endTime"] <= later["startTime"] for earlier, later in pairwise(records(lived)))
    assert all(record["startStateOfCharge"] < record["endStateOfCharge"] for record in records(lived))
    assert all(0 < record["energyAdded"] <= 60 for record in records(lived))
    assert lived.soc_percent >= 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(1, DAY), max_size=30))
def test_a_life_does_not_depend_on_how_often_it_is_looked_at(seed: int, steps_ms: list[int]) -> None:
    in_steps, at_once = Car(LIVED_IN, seed, MONDAY), Car(LIVED_IN, seed, MONDAY)
    for step_ms in steps_ms:
        in_steps.advance(in_steps.at + step_ms)
    at_once.advance(in_steps.at)
    assert in_steps.snapshot() == at_once.snapshot()


def test_a_month_has_evenings_at_home_and_dc_stops_on_the_road() -> None:
    lived = Car(LIVED_IN, 7, MONDAY)
    lived.advance(MONDAY + 30 * DAY)
    kinds = {(record["chargingType"], record["isPublicCharger"]) for record in records(lived)}
    assert kinds == {("AC", False), ("DC", True)}
    assert {record["cost"]["currency"] for record in records(lived)} == {"EUR"}


def test_a_month_is_simulated_in_a_moment() -> None:
    lived = Car(LIVED_IN, 7, MONDAY)
    began_s = perf_counter()
    lived.advance(MONDAY + 30 * DAY)
    assert perf_counter() - began_s < 1.0


def test_other_seeds_live_other_days() -> None:
    lives = [Car(LIVED_IN, seed, MONDAY) for seed in range(5)]
    for lived in lives:
        lived.advance(MONDAY + 3 * DAY)
    assert len({lived.soc_percent for lived in lives}) == 5


def test_a_control_takes_the_car_out_of_its_itinerary_until_it_follows_again() -> None:
    taken = Car(LIVED_IN, 7, MONDAY)
    taken.unplug()
    before = taken.snapshot()
    taken.advance(MONDAY + 5 * DAY)
    assert taken.snapshot() == before
    taken.follow()
    taken.advance(MONDAY + 9 * DAY)
    assert taken.snapshot() != before


def test_settings_leave_the_itinerary_alone() -> None:
    adjusted = Car(LIVED_IN, 7, MONDAY)
    adjusted.set_limit(75)
    adjusted.advance(MONDAY + 10 * DAY)
    assert {record["endStateOfCharge"] for record in records(adjusted)} >= {75.0}


def test_planned_events_are_followed_in_order_of_time() -> None:
    planned = car(start_soc_percent=50.0)
    planned.follow(
        [
            Unplug(at=MONDAY + 4 * HOUR),
            PlugIn(at=MONDAY + 3 * HOUR, station=FAST),
            Drive(at=MONDAY + HOUR, km=65.0),
            PlugIn(at=MONDAY + 5 * HOUR, station=WALLBOX, below_percent=20.0),
        ]
    )
    planned.advance(MONDAY + HOUR + MINUTE)
    assert planned.place is None
    planned.advance(MONDAY + 3 * HOUR + 10 * MINUTE)
    assert (planned.status, planned.place) == ("CHARGING", AWAY)
    planned.advance(MONDAY + 6 * HOUR)
    assert (planned.status, len(records(planned))) == ("DISCONNECTED", 1)


def test_an_idle_car_falls_asleep_and_a_charging_one_does_not() -> None:
    idle = car(sleep_after_min=30.0)
    idle.advance(MONDAY + 29 * MINUTE)
    assert idle.asleep_at is None
    idle.advance(MONDAY + HOUR)
    assert idle.asleep_at == MONDAY + 30 * MINUTE
    charging = charging_car(sleep_after_min=30.0, start_soc_percent=5.0)
    charging.advance(charging.at + 2 * HOUR)
    assert charging.asleep_at is None


def test_a_sleeping_car_wakes_when_its_timer_starts_it() -> None:
    plugged = car(sleep_after_min=30.0)
    plugged.set_timers([{"type": "GLOBAL", "schedules": [{"start": "18:00:00", "end": "20:00:00"}]}])
    plugged.plug(WALLBOX)
    plugged.advance(at("2026-03-02 17:59"))
    assert plugged.asleep_at is not None
    plugged.advance(at("2026-03-02 18:01"))
    assert (plugged.asleep_at, plugged.status) == (None, "CHARGING")


def test_a_car_put_to_sleep_stays_out_of_reach_until_it_is_woken() -> None:
    lost = charging_car(start_soc_percent=70.0)
    lost.sleep()
    since_at = lost.asleep_at
    lost.advance(lost.at + 10 * HOUR)
    assert (lost.asleep_at, lost.status) == (since_at, "FULLY_CHARGED")
    lost.wake()
    assert lost.asleep_at is None


def test_a_car_starts_parked_at_home() -> None:
    assert (car().place, car().station, car().status) == (HOME, None, "DISCONNECTED")
