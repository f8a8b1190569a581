import json
from pathlib import Path
from typing import Any

import pytest
import recorded
from recorded import outcome_of, values

from chargeport.dialects.tesla_rest import TESLA_REST
from chargeport.ingest.memory import CarMemory
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000


def outcome(payload: Any, vehicle: str | None = None) -> recorded.Outcome:
    body = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    one = Delivery(source="s", dialect="tesla_rest", payload=body, received_at=NOW, vehicle=vehicle)
    return recorded.run(TESLA_REST, [one])


CHARGING: dict[str, Any] = {
    "charging_state": "Charging", "charger_power": 11, "charger_voltage": 231, "charger_actual_current": 16,
    "charger_phases": 2, "fast_charger_present": False, "timestamp": NOW - 1000,
}  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        {"response": {"vin": "x", "charge_state": CHARGING}},
        {"vin": "x", "charge_state": CHARGING, "drive_state": {"power": -11}},
        {"vin": "x"} | CHARGING,
        {"results": [{"vin": "x", "last_state": {"charge_state": CHARGING}}]},
        {"vin": "x", "response": {"charge_state": CHARGING}},
        [{"vin": "x", "charge_state": CHARGING}],
    ],
)
def test_a_charge_state_is_found_however_it_is_wrapped(payload: Any) -> None:
    found = outcome(payload)
    assert found.issues == []
    assert {(entry.vehicle, entry.observed_at) for entry in found.entries} == {("x", NOW - 1000)}
    assert values(found) == {
        "detailedchargingstatus": "CHARGING", "ischarging": True, "ischargingcableconnected": True, "wattage": 11_000,
        "voltage": 231, "amperage": 16, "chargerphases": 3, "isfastchargerpresent": False,
    }  # fmt: skip


def test_a_snapshot_that_lacks_a_field_says_that_it_is_not_known_now() -> None:
    memory = CarMemory()
    outcome_of(TESLA_REST, CHARGING | {"timestamp": NOW, "fast_charger_present": True, "pack_voltage": 390}, memory)
    later = outcome_of(TESLA_REST, CHARGING | {"timestamp": NOW + 1000, "fast_charger_present": True}, memory, NOW + 1000)
    assert values(later)["voltage"] == "<UNREADABLE>"


def test_in_dc_what_reads_zero_for_the_line_is_no_current() -> None:
    dc = CHARGING | {"fast_charger_present": True, "charger_actual_current": 0, "charger_voltage": 2, "charger_phases": None}
    found = values(outcome_of(TESLA_REST, dc | {"charger_power": 100}))
    assert found["wattage"] == 100_000
    assert not {"amperage", "voltage", "chargerphases"} & found.keys()


@pytest.mark.parametrize(
    ("kind", "brand", "expected"),
    [
        ("Combo", "Tesla", "CCS"),
        ("Tesla", "Tesla", "SUPERCHARGER"),
        ("Tesla", None, "SUPERCHARGER"),
        ("Tesla", "Acme", "OTHER"),
        ("CHAdeMO", "<invalid>", "CHADEMO"),
        ("ACSingleWireCAN", "<invalid>", None),
        ("<invalid>", "<invalid>", None),
    ],
)
def test_a_fast_chargers_type_needs_its_brand_to_be_a_supercharger(kind: str, brand: str | None, expected: str | None) -> None:
    found = outcome_of(TESLA_REST, {"fast_charger_type": kind, "fast_charger_brand": brand})
    assert found.issues == []
    assert values(found).get("fastchargertype") == expected


def test_minutes_after_midnight_are_local_times_and_instants_are_not() -> None:
    start = {"scheduled_charging_mode": "StartAt", "scheduled_charging_start_time": 1_777_680_000}
    assert values(outcome_of(TESLA_REST, start))["chargetimers"] == {"values": [{"type": "GLOBAL"}]}
    told_locally = values(outcome_of(TESLA_REST, start | {"scheduled_charging_start_time_minutes": 90}))["chargetimers"]
    assert told_locally == {"values": [{"type": "GLOBAL", "schedules": [{"start": "01:30:00"}]}]}


def test_a_departure_has_its_days_and_the_window_before_it() -> None:
    found = outcome_of(
        TESLA_REST,
        {
            "scheduled_charging_mode": "DepartBy", "scheduled_departure_time": 1_777_703_400,
            "scheduled_departure_time_minutes": 450, "preconditioning_times": "weekdays", "off_peak_charging_enabled": True,
            "off_peak_charging_times": "weekdays", "off_peak_hours_end_time": 360,
        },
    )  # fmt: skip
    days = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
    timer = {"schedules": [{"end": "06:00:00", "days": days}], "departureTimers": [{"time": "07:30:00", "days": days}]}
    assert values(found)["chargetimers"] == {"values": [{"type": "GLOBAL"} | timer]}


@pytest.mark.parametrize(("text", "shown"), [("<invalid>", None), ("Green", "Green"), ("FlashingGreen", "FlashingGreen")])
def test_the_colour_of_the_port_is_the_sources_own_word(text: str, shown: str | None) -> None:
    assert values(outcome_of(TESLA_REST, {"charge_port_color": text})).get("chargeportstatuscolor") == shown


def test_a_car_that_is_asleep_is_one_issue_in_teslas_own_words() -> None:
    found = outcome({"response": None, "error": "vehicle unavailable"}, "x")
    assert found.entries == []
    assert [issue.detail for issue in found.issues] == ["Tesla answered with no data: vehicle unavailable"]


def test_a_row_of_teslafi_is_now_or_has_a_zone() -> None:
    row = {"vin": "x", "charging_state": "Complete", "battery_level": "60", "charge_port_door_open": "True"}
    assert {entry.observed_at for entry in outcome(row | {"Date": "2026-05-01 11:59:58"}).entries} == {NOW}
    assert {entry.observed_at for entry in outcome(row | {"Date": "2026-04-01 11:59:58+02:00"}).entries} == {
        NOW - 30 * 86_400_000
    }
    old = outcome(row | {"Date": "2026-04-01 11:59:58"})
    assert old.entries == []
    assert "without a zone" in old.issues[0].detail


def test_a_table_of_teslafi_is_read_row_by_row() -> None:
    found = outcome("data_id,Date,vin,charging_state,battery_level\n1,2026-05-01 11:59:58,x,Stopped,60\n2,,x,Stopped,61\n")
    assert found.issues == []
    assert [shown for shown in map(recorded.shown, found.entries) if isinstance(shown, int) and shown > 1] == [60, 61]


def test_a_recorded_answer_of_a_car_that_is_plugged_and_stopped_is_read_without_an_issue(others: Path) -> None:
    found = outcome((others / "tesla" / "rest-stopped-2024.json").read_text())
    assert found.issues == []
    sent = values(found)
    assert (sent["detailedchargingstatus"], sent["ischarging"], sent["ischargingcableconnected"]) == ("STOPPED", False, True)
    assert (sent["ischargingcablelatched"], sent["ischargingportflapopen"]) == (True, True)
    assert (sent["amperage"], sent["wattage"], sent["timetocomplete"]) == (0, 0, "<NOT_CHARGING>")
    assert (sent["stateofcharge"], sent["chargelimits"]["activeLimit"], sent["chargetimers"]) == (77, 80, {"values": []})
    assert not {"voltage", "chargerphases", "fastchargertype", "chargeportstatuscolor"} & sent.keys()
