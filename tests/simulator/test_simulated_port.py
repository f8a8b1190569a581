"""The charge port of a simulated car: cable, latch, flap, statuses, controls."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_cars import (
    AWAY,
    FAST,
    HOME,
    HOUR,
    MINUTE,
    MONDAY,
    SECOND,
    WALLBOX,
    car,
    charging_car,
    run_until,
)

from chargeport.sources.simulator import FIELDS, Car, Limit, Station

AT_REST = {"current_a", "power_w", "rate_km_h"}
OF_A_CABLE = {"minutes_to_limit", "voltage_v", "current_max_a", "phases", "port_color"}

controls = st.one_of(
    st.tuples(st.just("plug"), st.sampled_from([WALLBOX, FAST, Station(kind="AC", limit_a=0)])),
    st.tuples(st.just("unplug")),
    st.tuples(st.just("set_limit"), st.sampled_from([20.0, 60.0, 80.0, 100.0])),
    st.tuples(st.just("set_requested_a"), st.sampled_from([0.0, 6.0, 16.0])),
    st.tuples(st.just("fault"), st.booleans()),
    st.tuples(st.just("drive"), st.floats(0, 400)),
    st.tuples(st.just("sleep")),
    st.tuples(st.just("wake")),
)
stories = st.lists(st.tuples(controls, st.integers(0, 4 * 3600)), max_size=12)


def tell(story: list[Any]) -> Car:
    reported = car()
    for (control, *arguments), then_s in story:
        getattr(reported, control)(*arguments)
        reported.advance(reported.at + then_s * SECOND)
    return reported


def assert_fields_agree(fields: dict[str, Any]) -> None:
    assert set(fields) <= set(FIELDS)
    assert all(value is not None for value in fields.values())
    assert fields["charging"] == (fields["status"] == "CHARGING")
    assert fields["plugged"] == (fields["status"] != "DISCONNECTED")
    assert fields["latched"] == fields["flap_open"] == fields["plugged"]
    if not fields["plugged"]:
        assert not OF_A_CABLE & set(fields)
        assert not fields["fast_charger_present"]
    if not fields["charging"]:
        assert [fields[name] for name in sorted(AT_REST)] == [0, 0, 0]
        assert "minutes_to_limit" not in fields
    else:
        voltage_by_current = fields["voltage_v"] * fields["current_a"] * fields.get("phases", 1)
        assert fields["power_w"] == pytest.approx(voltage_by_current, rel=0.02)
        assert fields["power_w"] > 0
        assert fields["minutes_to_limit"] >= 1
    assert fields["plugged"] == ("fast_charger" in fields), "with a cable in, a car tells which standard its inlet takes"


def assert_records_are_in_order(records: list[dict[str, Any]]) -> None:
    assert all(record["startTime"] < record["endTime"] for record in records)
    assert all(earlier["endTime"] <= later["startTime"] for earlier, later in pairwise(records))


@settings(max_examples=150, deadline=None)
@given(stories)
def test_whatever_is_done_to_a_car_its_fields_agree(story: list[Any]) -> None:
    fields = tell(story).snapshot()
    assert_fields_agree(fields)
    assert_records_are_in_order(fields["records"]["values"])


@settings(max_examples=50, deadline=None)
@given(stories)
def test_the_same_story_ends_the_same(story: list[Any]) -> None:
    assert tell(story).snapshot() == tell(story).snapshot()


def test_plugging_in_goes_from_latching_over_the_handshake_to_charging() -> None:
    plugged = car()
    plugged.plug(WALLBOX)
    seen = []
    for _ in range(12):
        seen.append(plugged.status)
        plugged.advance(plugged.at + SECOND)
    assert seen == ["CONNECTED"] * 3 + ["STARTING"] * 6 + ["CHARGING"] * 3


def test_nothing_flows_after_unplugging_and_the_energy_stays() -> None:
    unplugged = charging_car()
    unplugged.advance(unplugged.at + HOUR)
    added_kwh = unplugged.snapshot()["energy_added_kwh"]
    unplugged.unplug()
    fields = unplugged.snapshot()
    assert fields["status"] == "DISCONNECTED"
    assert not OF_A_CABLE & set(fields)
    assert [fields[name] for name in sorted(AT_REST)] == [0, 0, 0]
    assert fields["energy_added_kwh"] == added_kwh > 9


def test_energy_begins_anew_with_the_first_current_of_the_next_session() -> None:
    again = charging_car()
    again.advance(again.at + HOUR)
    again.unplug()
    again.plug(WALLBOX)
    assert again.snapshot()["energy_added_kwh"] > 9
    run_until(again, "CHARGING")
    assert again.snapshot()["energy_added_kwh"] == 0


def test_a_car_that_never_charged_has_no_energy_added() -> None:
    assert "energy_added_kwh" not in car().snapshot()


def test_a_dead_station_is_no_power_without_voltage() -> None:
    plugged = car()
    plugged.plug(Station(kind="AC", limit_a=0))
    plugged.advance(plugged.at + MINUTE)
    assert plugged.status == "NO_POWER"
    assert "voltage_v" not in plugged.snapshot()


def test_a_fault_stops_charging_until_it_is_cleared() -> None:
    charging = charging_car()
    charging.fault(True)
    assert (charging.status, charging.snapshot()["port_color"]) == ("ERROR", "Red")
    charging.advance(charging.at + HOUR)
    charging.fault(False)
    assert charging.status == "STARTING"
    run_until(charging, "CHARGING")


def test_less_than_six_amperes_requested_stops_charging() -> None:
    charging = charging_car()
    charging.set_requested_a(5)
    assert charging.status == "STOPPED"
    charging.set_requested_a(10)
    run_until(charging, "CHARGING")
    charging.advance(charging.at + MINUTE)
    assert charging.snapshot()["current_a"] == 10.0


def test_a_request_beyond_the_onboard_charger_is_cut_to_it() -> None:
    charging = charging_car()
    charging.set_requested_a(80)
    assert charging.snapshot()["current_requested_a"] == 16.0


@pytest.mark.parametrize(
    ("status", "color"),
    [("CONNECTED", "White"), ("STARTING", "White"), ("CHARGING", "Green"), ("FULLY_CHARGED", "Green")],
)
def test_the_ports_colour_goes_with_the_status(status: str, color: str) -> None:
    plugged = car()
    plugged.plug(WALLBOX)
    if plugged.status != status:
        run_until(plugged, status)
    assert plugged.snapshot()["port_color"] == color


def test_plugging_in_elsewhere_ends_the_session_before() -> None:
    charging = charging_car()
    charging.advance(charging.at + HOUR)
    charging.plug(FAST)
    assert len(charging.snapshot()["records"]["values"]) == 1
    assert charging.place is AWAY


def test_driving_unplugs_uses_energy_and_ends_at_its_destination() -> None:
    driven = charging_car()
    before_percent = driven.soc_percent
    driven.drive(65.0, HOME)
    assert driven.status == "DISCONNECTED"
    driven.advance(driven.at + HOUR // 2)
    assert driven.place is None
    driven.advance(driven.at + HOUR)
    assert driven.place is HOME
    assert before_percent - driven.soc_percent == pytest.approx(100 * 65 * 0.16 / 60)


def test_range_is_the_energy_in_the_battery_over_consumption() -> None:
    fields = car(start_soc_percent=50.0).snapshot()
    assert (fields["soc_percent"], fields["capacity_kwh"], fields["range_km"]) == (50.0, 60.0, 187.5)


def test_a_car_without_a_dc_inlet_refuses_a_dc_station() -> None:
    with pytest.raises(ValueError, match="no DC inlet"):
        car(dc_curve=(), fast_charger=None).plug(FAST)


@pytest.mark.parametrize("percent", [0, -5, 101, float("nan")])
def test_an_impossible_limit_is_refused_and_changes_nothing(percent: float) -> None:
    charging = charging_car()
    before = charging.snapshot()
    with pytest.raises(ValueError, match="charge limit"):
        charging.set_limit(percent)
    assert charging.snapshot() == before


@pytest.mark.parametrize("number", [-1, float("nan")])
def test_impossible_amperes_and_kilometres_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="draw"):
        car().set_requested_a(number)
    with pytest.raises(ValueError, match="km long"):
        car().drive(number)


def test_fields_the_car_cannot_report_never_appear() -> None:
    charging = charging_car(not_capable=("voltage_v", "latched"))
    assert not {"voltage_v", "latched"} & set(charging.snapshot())


def test_an_instant_already_past_changes_nothing() -> None:
    charging = charging_car()
    before = charging.snapshot()
    charging.advance(charging.at - HOUR)
    assert charging.snapshot() == before


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([WALLBOX, FAST]),
    st.lists(st.integers(1, 1_800_000), min_size=1, max_size=40),
)
def test_how_often_a_car_is_advanced_makes_no_difference(station: Station, steps_ms: list[int]) -> None:
    in_steps, at_once = car(start_soc_percent=12.0), car(start_soc_percent=12.0)
    in_steps.plug(station)
    at_once.plug(station)
    for step_ms in steps_ms:
        in_steps.advance(in_steps.at + step_ms)
    at_once.advance(in_steps.at)
    assert in_steps.snapshot() == at_once.snapshot()


def test_a_limit_is_reached_exactly() -> None:
    charging = car(start_soc_percent=60.0, limits=(Limit(type="GLOBAL", limit=80.0),))
    charging.plug(FAST)
    charging.advance(MONDAY + 2 * HOUR)
    assert charging.status == "FULLY_CHARGED"
    assert charging.soc_percent == pytest.approx(80.0, abs=1e-9)
