"""Limits, timers: which setting of a simulated car applies, and what the car then does."""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_cars import AWAY, FAST, HOME, HOUR, MINUTE, MONDAY, WALLBOX, at, car, run_until

from chargeport.sources.simulator import Car, Condition, DepartureTimer, Limit, Place, Schedule, Station, Timer
from chargeport.sources.simulator.timers import WEEK

EVERYWHERE = Limit(type="GLOBAL", limit=80.0)
AT_HOME = Limit(type="LOCATION", limit=70.0, condition=Condition.at(HOME))
ON_AC = Limit(type="CHARGING_TYPE", limit=60.0, condition=Condition(charging_type="AC"))
ON_DC = Limit(type="CHARGING_TYPE", limit=50.0, condition=Condition(charging_type="DC"))
ALL_LIMITS = (EVERYWHERE, AT_HOME, ON_AC, ON_DC)

OFFICE_BOX = Station(kind="AC", place=AWAY)


def limited(*limits: Limit, station: Station) -> Car:
    charged = car(limits=limits, start_soc_percent=40.0)
    charged.plug(station)
    charged.advance(charged.at + 20 * HOUR)
    assert charged.status == "FULLY_CHARGED"
    return charged


@pytest.mark.parametrize(
    ("limits", "station", "percent"),
    [
        (ALL_LIMITS, WALLBOX, 70.0),
        (ALL_LIMITS, OFFICE_BOX, 60.0),
        (ALL_LIMITS, FAST, 50.0),
        ((EVERYWHERE, AT_HOME), FAST, 80.0),
        ((AT_HOME,), OFFICE_BOX, 100.0),
        ((), WALLBOX, 100.0),
    ],
)
def test_a_place_beats_the_charging_type_which_beats_the_global_limit(
    limits: tuple[Limit, ...], station: Station, percent: float
) -> None:
    charged = limited(*limits, station=station)
    assert charged.soc_percent == pytest.approx(percent)
    assert charged.snapshot()["limits"]["activeLimit"] == percent


@pytest.mark.parametrize(("degrees_north", "applies"), [(0.0013, True), (0.0014, False)])
def test_a_place_reaches_150_metres(degrees_north: float, applies: bool) -> None:
    nearby = Place(name="Street", address="", latitude=HOME.latitude + degrees_north, longitude=HOME.longitude)
    assert AT_HOME.applies(nearby, None) is applies


def test_limits_are_reported_in_the_shape_of_the_reference() -> None:
    assert car(limits=(EVERYWHERE, AT_HOME, ON_DC)).snapshot()["limits"] == {
        "activeLimit": 70.0,
        "values": [
            {"type": "GLOBAL", "limit": 80.0},
            {
                "type": "LOCATION",
                "limit": 70.0,
                "condition": {
                    "name": "Home",
                    "address": "1 Example Street",
                    "latitude": 52.5,
                    "longitude": 13.4,
                },
            },
            {"type": "CHARGING_TYPE", "limit": 50.0, "condition": {"chargingType": "DC"}},
        ],
        "unit": "percent",
    }


def test_setting_the_limit_changes_the_one_that_applies() -> None:
    charged = limited(*ALL_LIMITS, station=WALLBOX)
    charged.set_limit(90)
    assert [limit["limit"] for limit in charged.snapshot()["limits"]["values"]] == [80.0, 90.0, 60.0, 50.0]
    run_until(charged, "CHARGING")
    run_until(charged, "FULLY_CHARGED")
    assert charged.soc_percent == pytest.approx(90.0)


def test_setting_a_limit_below_the_charge_stops_immediately() -> None:
    charging = car(start_soc_percent=60.0)
    charging.plug(WALLBOX)
    run_until(charging, "CHARGING")
    charging.set_limit(50)
    assert charging.status == "FULLY_CHARGED"
    assert charging.snapshot()["limits"]["values"] == [{"type": "GLOBAL", "limit": 50.0}]


NIGHT = Schedule(start="22:00:00", end="06:00:00")


def scheduled(*timers: Timer, started_at: int = MONDAY, **changes: Any) -> Car:
    plugged = car(started_at, timers=timers, start_soc_percent=10.0, sleep_after_min=None, **changes)
    plugged.plug(WALLBOX)
    return plugged


def on_global(*schedules: Schedule) -> Timer:
    return Timer(type="GLOBAL", schedules=schedules)


def charging_starts_at(plugged: Car, hours: float = 24 * 8) -> int:
    run_until(plugged, "STARTING", hours)
    return plugged.at


def test_a_schedule_starts_and_stops_charging_across_midnight() -> None:
    plugged = scheduled(on_global(Schedule(start="22:00:00", end="01:00:00")))
    plugged.advance(at("2026-03-02 21:59:59"))
    assert (plugged.status, plugged.snapshot()["port_color"]) == ("SCHEDULED", "Blue")
    plugged.advance(at("2026-03-02 22:00:06"))
    assert plugged.status == "CHARGING"
    plugged.advance(at("2026-03-03 00:59:59"))
    assert plugged.status == "CHARGING"
    plugged.advance(at("2026-03-03 01:00:00"))
    assert plugged.status == "SCHEDULED"
    assert plugged.snapshot()["energy_added_kwh"] == pytest.approx(30.2, abs=0.2)


def test_a_window_belongs_to_the_weekday_on_which_it_begins() -> None:
    friday_night = Schedule(start="22:00:00", end="06:00:00", days=("FRIDAY",))
    assert charging_starts_at(scheduled(on_global(friday_night))) == at("2026-03-06 22:00")
    on_saturday = scheduled(on_global(friday_night), started_at=at("2026-03-07 03:00"))
    assert charging_starts_at(on_saturday) == at("2026-03-07 03:00:03")
    on_friday_morning = scheduled(on_global(friday_night), started_at=at("2026-03-06 03:00"))
    assert charging_starts_at(on_friday_morning) == at("2026-03-06 22:00")


def test_windows_that_touch_are_one() -> None:
    timer = on_global(Schedule(start="20:00:00", end="00:00:00"), Schedule(start="00:00:00", end="02:00:00", days=("TUESDAY",)))
    plugged = scheduled(timer, capacity_kwh=200.0)
    run_until(plugged, "CHARGING")
    run_until(plugged, "SCHEDULED")
    assert plugged.at == at("2026-03-03 02:00")


def test_a_schedule_from_noon_to_noon_never_closes() -> None:
    plugged = scheduled(on_global(Schedule(start="12:00:00", end="12:00:00")))
    run_until(plugged, "FULLY_CHARGED")


def test_a_workweek_schedule_without_days_leaves_out_the_weekend() -> None:
    timer = Timer(type="GLOBAL", schedules=(NIGHT,), schedule_type="WORKWEEK")
    plugged = scheduled(timer, started_at=at("2026-03-07 12:00"))
    assert charging_starts_at(plugged) == at("2026-03-09 22:00")


def test_schedules_are_in_the_cars_local_time() -> None:
    plugged = scheduled(on_global(NIGHT), utc_offset_min=-300)
    assert charging_starts_at(plugged) == at("2026-03-03 03:00")


def test_an_unknown_zone_falls_back_to_the_fixed_offset() -> None:
    plugged = scheduled(on_global(NIGHT), zone="Nowhere/Special", utc_offset_min=60)
    assert charging_starts_at(plugged) == at("2026-03-02 21:00")


def test_a_night_in_which_clocks_go_forward_is_an_hour_shorter() -> None:
    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        pytest.skip("this system has no time zone data")
    slow = Schedule(start="22:00:00", end="02:30:00")
    plugged = scheduled(on_global(slow), started_at=at("2026-03-28 12:00"), zone="Europe/Berlin", capacity_kwh=200.0)
    assert charging_starts_at(plugged) == at("2026-03-28 21:00")
    run_until(plugged, "CHARGING")
    run_until(plugged, "SCHEDULED")
    assert plugged.at == at("2026-03-29 01:30")
    assert charging_starts_at(plugged) == at("2026-03-29 20:00")


def test_dc_ignores_timers() -> None:
    plugged = car(timers=(on_global(NIGHT),))
    plugged.plug(FAST)
    run_until(plugged, "CHARGING", 0.1)


def test_the_timer_of_the_place_beats_the_global_one() -> None:
    home = Timer(type="LOCATION", condition=Condition.at(HOME), schedules=(Schedule(start="14:00:00", end="15:00:00"),))
    assert charging_starts_at(scheduled(on_global(NIGHT), home)) == at("2026-03-02 14:00")


def test_a_timer_without_times_delays_nothing() -> None:
    run_until(scheduled(Timer(type="GLOBAL")), "CHARGING", 0.1)


def test_new_timers_take_effect_immediately() -> None:
    plugged = scheduled(on_global(NIGHT))
    run_until(plugged, "SCHEDULED")
    plugged.set_timers([{"type": "GLOBAL", "schedules": [{"start": "11:00:00", "end": "13:00:00"}]}])
    assert plugged.status == "STARTING"
    plugged.set_timers([on_global(NIGHT)])
    assert plugged.status == "SCHEDULED"
    plugged.set_timers([])
    assert plugged.status == "STARTING"


@pytest.mark.parametrize(
    "value",
    [
        {"type": "SOMETIMES"},
        {"type": "GLOBAL", "schedules": [{"start": "25:00:00", "end": "06:00:00"}]},
        {"type": "GLOBAL", "schedules": [{"start": "22:00:00", "end": "06:00:00", "days": ["FUNDAY"]}]},
    ],
)
def test_timers_that_make_no_sense_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Invalid|matching"):
        car().set_timers([value])


def test_timers_are_reported_in_the_shape_of_the_reference() -> None:
    timer = Timer(
        type="GLOBAL",
        schedules=(NIGHT,),
        departure_timers=(DepartureTimer(time="07:30:00", days=("MONDAY",)),),
        schedule_id="night",
        schedule_type="DAILY",
    )
    assert car(timers=(timer,)).snapshot()["timers"] == {
        "values": [
            {
                "type": "GLOBAL",
                "isOEMOptimizationEnabled": False,
                "schedules": [{"start": "22:00:00", "end": "06:00:00", "days": list(WEEK)}],
                "departureTimers": [{"time": "07:30:00", "days": ["MONDAY"]}],
                "scheduleId": "night",
                "scheduleType": "DAILY",
            }
        ]
    }


def leaving(*departures: DepartureTimer, **changes: Any) -> Car:
    return scheduled(Timer(type="GLOBAL", departure_timers=departures), **changes)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.sampled_from([40.0, 80.0, 100.0]))
def test_with_a_departure_time_alone_the_limit_is_reached_shortly_before(hour: int, minute: int, limit: float) -> None:
    plugged = leaving(
        DepartureTimer(time=f"{hour:02}:{minute:02}:00"),
        limits=(Limit(type="GLOBAL", limit=limit),),
    )
    leaves_at = at(f"2026-03-02 {hour:02}:{minute:02}")
    leaves_at += 24 * HOUR if leaves_at <= MONDAY else 0
    run_until(plugged, "FULLY_CHARGED", 30)
    early_min = (leaves_at - plugged.at) / MINUTE
    assert 5 <= early_min <= 15 or plugged.at < MONDAY + 7 * HOUR


def test_a_departure_on_another_weekday_is_waited_for() -> None:
    plugged = leaving(DepartureTimer(time="08:00:00", days=("WEDNESDAY",)))
    plugged.advance(at("2026-03-03 20:00"))
    assert plugged.status == "SCHEDULED"
    run_until(plugged, "FULLY_CHARGED")
    assert at("2026-03-04 07:40") < plugged.at < at("2026-03-04 08:00")


def test_once_begun_charging_for_a_departure_continues_beyond_it() -> None:
    plugged = leaving(DepartureTimer(time="13:00:00"))
    plugged.advance(at("2026-03-02 13:30"))
    assert plugged.status == "CHARGING"
