from typing import Any

import pytest
from recorded import outcome_of, values

from chargeport.dialects.teslamate import TESLAMATE
from chargeport.ingest import engine
from chargeport.sources.base import Delivery, RawMessage

NOW = 1_777_629_598_000

# What TeslaMate publishes, by its documentation (sources 5) and its list of topics.
PUBLISHED = """
    display_name state since healthy latitude longitude heading battery_level charging_state usable_battery_level
    ideal_battery_range_km est_battery_range_km rated_battery_range_km charge_energy_added speed outside_temp inside_temp
    is_climate_on is_preconditioning locked sentry_mode plugged_in scheduled_charging_start_time charge_limit_soc
    charger_power windows_open doors_open odometer shift_state charge_port_door_open time_to_full_charge charger_phases
    charger_actual_current charger_voltage version update_available update_version is_user_present model trim_badging
    exterior_color wheel_type spoiler_type trunk_open frunk_open elevation power charge_current_request
    charge_current_request_max tpms_pressure_fl tpms_soft_warning_rr climate_keeper_mode center_display_state service_mode
    geofence location active_route active_route_destination active_route_latitude active_route_longitude software_update
    """.split()  # noqa: SIM905


@pytest.mark.parametrize("key", PUBLISHED)
def test_every_topic_that_teslamate_publishes_is_mapped_or_ignored_by_its_exact_name(key: str) -> None:
    assert key in TESLAMATE.by_field or key in TESLAMATE.ignored


@pytest.mark.parametrize("topic", ["teslamate/cars/1/battery_level", "teslamate/garage/cars/1/battery_level"])
def test_a_topic_names_car_and_key_with_and_without_a_namespace(topic: str) -> None:
    found = engine.read(Delivery(source="s", dialect="teslamate", payload=b"62", received_at=NOW, topic=topic), TESLAMATE)
    assert isinstance(found, list)
    [message] = found
    assert isinstance(message, RawMessage)
    assert (message.vehicle, dict(message.fields)) == ("1", {"battery_level": 62})


@pytest.mark.parametrize(
    ("fields", "present"),
    [
        ({"charging_state": "Charging", "charger_power": 78, "charger_phases": ""}, True),
        ({"charging_state": "Charging", "charger_power": 11, "charger_phases": 3}, False),
        ({"charging_state": "Charging", "charger_power": 11, "charger_phases": ""}, None),
        ({"charging_state": "Disconnected"}, False),
        ({"charging_state": "Complete"}, None),
    ],
)
def test_a_fast_charger_is_much_power_without_phases(fields: dict[str, Any], present: bool | None) -> None:
    assert values(outcome_of(TESLAMATE, fields)).get("isfastchargerpresent") is present


def test_a_current_of_zero_in_dc_is_no_current() -> None:
    dc = {"charging_state": "Charging", "charger_power": 78, "charger_actual_current": 0, "charger_voltage": 2}
    found = values(outcome_of(TESLAMATE, dc))
    assert not {"amperage", "voltage"} & found.keys()
    assert found["wattage"] == 78_000


def test_plugged_in_holds_and_the_state_stands_in_for_it() -> None:
    assert (
        values(outcome_of(TESLAMATE, {"plugged_in": "true", "charging_state": "Stopped"}))["ischargingcableconnected"] is True
    )
    assert values(outcome_of(TESLAMATE, {"plugged_in": "false"}))["ischargingcableconnected"] is False
    assert values(outcome_of(TESLAMATE, {"charging_state": "NoPower"}))["ischargingcableconnected"] is True


def test_hours_that_remain_become_minutes_and_end_with_charging() -> None:
    assert values(outcome_of(TESLAMATE, {"charging_state": "Charging", "time_to_full_charge": "2.08"}))["timetocomplete"] == 125
    done = outcome_of(TESLAMATE, {"charging_state": "Complete", "time_to_full_charge": "0.0"})
    assert values(done)["timetocomplete"] == "<NOT_CHARGING>"


def test_the_instant_of_a_planned_start_makes_no_timer() -> None:
    assert outcome_of(TESLAMATE, {"scheduled_charging_start_time": "2026-05-02T01:00:00Z"}) == ([], [])


@pytest.mark.parametrize(
    ("power", "volts", "amps", "phases"), [(4, 241, 5, 3), (11, 231, 16, 3), (7, 230, 16, 2), (2, 230, 4, 3)]
)
def test_two_phases_are_three_unless_a_power_in_whole_kilowatts_can_tell(
    power: int, volts: int, amps: int, phases: int
) -> None:
    fields = {"charger_phases": 2, "charger_power": power, "charger_voltage": volts, "charger_actual_current": amps}
    assert values(outcome_of(TESLAMATE, fields))["chargerphases"] == phases
