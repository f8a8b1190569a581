"""Energies that sources report of sessions: kept where meter, time, battery and the detected session allow them."""

from typing import Any

import pytest
from charging_days import DAY, HOUR, T0
from test_record_joining import MINUTE, listed_session, own

from chargeport.derive.records.joined import joined
from chargeport.derive.records.reported_energy import with_plausible_energy
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.session import Evidence, Fact, Session
from chargeport.signals.records import Place

GARAGE, STREET = Place(name="Garage"), Place(name="Main Street 1")
SAID = Evidence((Fact("reported", ("charge-chargerecords",), T0, T0, 1),))


def reported_session(start: int, end: int, kwh: float | None, **changes: Any) -> Session:
    return listed_session(start, end, energy_added_kwh=kwh, energy_method="reported", evidence=SAID, **changes)


def energies(*found: Session, capacity_kwh: float | None = None) -> list[float | None]:
    kept = with_plausible_energy(found, Rules(capacity_kwh=capacity_kwh))
    return [None if one.energy_added_kwh is None else round(one.energy_added_kwh, 3) for one in kept]


def is_aside(one: Session) -> bool:
    return any(fact.fact == "set_aside" and fact.signals == ("charge-chargerecords",) for fact in one.evidence.facts)


def test_readings_of_the_meter_count_more_than_an_energy_that_contradicts_them() -> None:
    (one,) = with_plausible_energy([reported_session(0, 145, 4.02, meter_start_kwh=0.31, meter_end_kwh=7.73)], Rules())
    assert (one.energy_added_kwh, one.estimated, is_aside(one)) == (pytest.approx(7.42), True, True)
    (fits,) = with_plausible_energy([reported_session(0, 145, 7.1, meter_start_kwh=0.31, meter_end_kwh=7.73)], Rules())
    assert (fits.energy_added_kwh, fits.estimated, is_aside(fits)) == (7.1, False, False)
    assert energies(reported_session(0, 145, None, meter_start_kwh=1200.5, meter_end_kwh=1212.0)) == [11.5]


def test_an_energy_is_checked_against_the_battery_of_its_time() -> None:
    old, new = reported_session(0, 600, 60.0), reported_session(3 * DAY // MINUTE, 3 * DAY // MINUTE + 600, 60.0)
    capacities = [(T0 - DAY, 77.0), (T0 + 2 * DAY, 40.0)]
    kept = with_plausible_energy([old, new], Rules(capacity_kwh=40.0), capacities)
    assert [one.energy_added_kwh for one in kept] == [60.0, None]
    assert energies(old, capacity_kwh=40.0) == [None]


@pytest.mark.parametrize("readings", [(500.0, 90_500.0), (812.4, 812.4), (812.4, 3.1), (None, 812.4)])
def test_readings_that_can_be_none_of_the_session_change_nothing(readings: tuple[float | None, float]) -> None:
    assert energies(reported_session(0, 60, 6.5, meter_start_kwh=readings[0], meter_end_kwh=readings[1])) == [6.5]


def test_more_than_a_plug_can_give_or_a_battery_can_take_is_no_energy_of_a_session() -> None:
    assert energies(reported_session(0, 60, 1_204.6)) == [None]
    assert energies(reported_session(0, 60, 61.0, charging_type="AC")) == [None]
    assert energies(reported_session(0, 60, 61.0, charging_type="DC")) == [61.0]
    assert energies(reported_session(0, 600, 441.0), capacity_kwh=77.0) == [None]
    assert energies(reported_session(0, 600, 441.0)) == [441.0], "a truck, for all that is known"
    assert energies(reported_session(0, 5 * DAY // MINUTE, 190.0), capacity_kwh=77.0) == [190.0], "and driven between"


def test_more_than_a_plug_can_give_in_minutes_is_no_energy_either() -> None:
    assert energies(reported_session(0, 3, 36.9), capacity_kwh=77.0) == [None]
    assert energies(reported_session(0, 3, 4.5), capacity_kwh=77.0) == [4.5]


def test_a_session_whose_times_are_one_instant_keeps_its_energy() -> None:
    assert energies(reported_session(0, 1, 23.4, charging_type="AC")) == [23.4]


def test_a_count_that_goes_on_from_session_to_session_at_one_place_is_what_it_rose_by() -> None:
    evening = reported_session(0, 240, 26.0, place=GARAGE, odometer_km=18_919.0)
    again = reported_session(250, 262, 26.4, place=GARAGE, odometer_km=18_919.0)
    morning = reported_session(700, 730, 30.9, place=GARAGE, odometer_km=18_919.0)
    assert energies(evening, again, morning) == [26.0, 0.4, 4.5]
    assert [one.estimated for one in with_plausible_energy([evening, again, morning], Rules())] == [False, True, True]


@pytest.mark.parametrize(
    "changes", [{"place": STREET}, {"place": None}, {"odometer_km": 19_002.0}, {"start": 240 + 1_500, "end": 240 + 1_530}]
)
def test_a_faster_session_elsewhere_or_after_a_drive_or_days_later_is_its_own(changes: dict[str, Any]) -> None:
    times = {"start": changes.pop("start", 700), "end": changes.pop("end", 730)}
    evening = reported_session(0, 240, 26.0, place=GARAGE, odometer_km=18_919.0)
    later = reported_session(times["start"], times["end"], 30.9, **({"place": GARAGE, "odometer_km": 18_919.0} | changes))
    assert energies(evening, later) == [26.0, 30.9]


def test_what_our_own_measures_of_all_of_the_session_rule_out_is_set_aside() -> None:
    mine = own(0, 120, energy_added_kwh=13.0, energy_drawn_kwh=14.4, energy_bounds_kwh=(11.4, 14.6), energy_method="counter")
    (one,) = joined([mine], [reported_session(0, 121, 936.1)])
    assert (one.energy_added_kwh, one.energy_method, one.estimated, is_aside(one)) == (13.0, "counter", True, True)
    (drawn,) = joined([mine], [reported_session(0, 121, 14.4)])
    assert (drawn.energy_added_kwh, drawn.estimated, is_aside(drawn)) == (14.4, False, False)


def test_two_sources_that_agree_are_believed_against_ours() -> None:
    mine = own(0, 120, energy_added_kwh=13.0, energy_bounds_kwh=(11.4, 14.6))
    (one,) = joined([mine], [reported_session(0, 121, 22.0), reported_session(0, 119, 22.6, source="maker")])
    assert one.energy_added_kwh in (22.0, 22.6)


@pytest.mark.parametrize("mine", [(0, 60, False), (0, 120, True)])
def test_ours_rule_out_nothing_where_they_saw_a_part_or_are_concluded(mine: tuple[int, int, bool]) -> None:
    start, end, estimated = mine
    ours = own(start, end, energy_added_kwh=7.0, energy_bounds_kwh=(6.0, 9.0), estimated=estimated)
    (one,) = joined([ours], [reported_session(0, 120, 12.0)])
    assert (one.energy_added_kwh, is_aside(one)) == (12.0, False)


def test_as_much_in_as_long_a_time_that_overlaps_is_one_session_by_another_clock() -> None:
    assert len(joined([own(0, 120, energy_added_kwh=13.0)], [reported_session(75, 196, 13.2)])) == 1
    assert len(joined([own(0, 120, energy_added_kwh=13.0)], [reported_session(75, 196, 9.0)])) == 2
    assert len(joined([own(0, 120, energy_added_kwh=13.0)], [reported_session(119, 240, 13.2)])) == 2, "they follow each other"


def test_what_is_set_aside_is_set_aside_whatever_the_order() -> None:
    found = [
        reported_session(0, 240, 26.0, place=GARAGE),
        reported_session(250, 262, 26.4, place=GARAGE),
        reported_session(600, 660, 2_000.0),
    ]
    assert with_plausible_energy(found, Rules()) == with_plausible_energy(found[::-1], Rules())
    assert HOUR == 60 * MINUTE
