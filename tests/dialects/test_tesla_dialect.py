import importlib
import importlib.util
import json
from typing import Any

import pytest
import recorded
from recorded import outcome_of, values

from chargeport.dialects import tesla_form
from chargeport.dialects.tesla import TESLA
from chargeport.dialects.tesla_fields import FIELDS
from chargeport.ingest.memory import CarMemory
from chargeport.signals.reading import Issue
from chargeport.sources.base import Delivery, RawMessage

NOW = 1_777_629_598_000
needs_protobuf = pytest.mark.skipif(importlib.util.find_spec("tesla_protocol") is None, reason="needs chargeport[tesla]")


def delivery(payload: bytes, **more: Any) -> Delivery:
    return Delivery(source="s", dialect="tesla", payload=payload, received_at=NOW, **more)


def read(payload: Any, **more: Any) -> list[RawMessage]:
    return tesla_form.read(TESLA, delivery(json.dumps(payload).encode(), **more))


def state(word: str) -> dict[str, Any]:
    return {"DetailedChargeState": f"DetailedChargeState{word}"}


@needs_protobuf
def test_every_field_of_the_protobuf_is_mapped_or_ignored_by_its_exact_name() -> None:
    form = importlib.import_module("tesla_protocol.telemetry.vehicle_data_pb2")
    assert {name: number for number, name in enumerate(FIELDS)} == dict(form.Field.items())


def test_no_field_of_the_protobuf_is_unknown_and_none_is_ignored_by_a_beginning() -> None:
    assert all(field in TESLA.by_field or field in TESLA.ignored for field in FIELDS)
    assert TESLA.ignored_under == ()


@pytest.mark.parametrize(
    ("word", "status", "charging", "plugged"),
    [
        ("Disconnected", "DISCONNECTED", False, False),
        ("NoPower", "NO_POWER", False, True),
        ("Starting", "STARTING", False, True),
        ("Charging", "CHARGING", True, True),
        ("Complete", "FULLY_CHARGED", False, True),
        ("Stopped", "STOPPED", False, True),
        ("Calibrating", "STARTING", False, True),
    ],
)
def test_a_charge_state_tells_status_charging_and_cable_in_each_of_its_spellings(
    word: str, status: str, charging: bool, plugged: bool
) -> None:
    full = f"DetailedChargeState{word}"
    number = ["Unknown", "Disconnected", "NoPower", "Starting", "Charging", "Complete", "Stopped", "Calibrating"].index(word)
    for sent in (full, word, number, str(number), {"detailedChargeStateValue": full}, {"stringValue": word}):
        assert values(outcome_of(TESLA, {"DetailedChargeState": sent})) == {
            "detailedchargingstatus": status,
            "ischarging": charging,
            "ischargingcableconnected": plugged,
        }


@pytest.mark.parametrize("sent", ["DetailedChargeStateUnknown", 0, {"invalid": True}, None, "<invalid>", "Unknown"])
def test_an_unknown_charge_state_says_nothing(sent: Any) -> None:
    assert outcome_of(TESLA, {"DetailedChargeState": sent}) == ([], [])


@pytest.mark.parametrize(
    ("sent", "present"),
    [
        (True, True), ("true", True), ("True", True), ({"booleanValue": False}, False), ("false", False), (1, True),
        ("FastChargerSupercharger", True), ({"fastChargerValue": "FastChargerCombo"}, True), ("Combo", True),
        ("FastChargerACSingleWireCAN", False), ("MCSingleWireCAN", False), ("FastChargerSNA", False), (5, True), (4, False),
    ],
)  # fmt: skip
def test_a_fast_charger_is_told_by_flag_word_or_number(sent: Any, present: bool) -> None:
    assert values(outcome_of(TESLA, {"FastChargerPresent": sent})) == {"isfastchargerpresent": present}


def test_what_the_charger_took_is_never_the_energy_added() -> None:
    found = outcome_of(TESLA, {"ACChargingEnergyIn": 10.9, "DCChargingEnergyIn": 9.8})
    assert values(found) == {"energyadded": 9.8}
    assert outcome_of(TESLA, {"ACChargingEnergyIn": 10.9}) == ([], [])


def test_power_current_and_voltage_are_those_of_the_side_that_charges() -> None:
    numbers = {
        "ACChargingPower": 11, "DCChargingPower": 10.3, "ChargerVoltage": 230, "PackVoltage": 380, "ChargeAmps": 16,
        "PackCurrent": 27,
    }  # fmt: skip
    ac = values(outcome_of(TESLA, state("Charging") | {"FastChargerPresent": False} | numbers))
    assert (ac["wattage"], ac["voltage"], ac["amperage"]) == (11_000, 230, 16)
    dc = values(outcome_of(TESLA, state("Charging") | {"FastChargerPresent": True} | numbers))
    assert (dc["wattage"], dc["voltage"], dc["amperage"]) == (10_300, 380, 27)


def test_a_power_left_in_place_at_the_end_is_not_believed() -> None:
    memory = CarMemory()
    outcome_of(TESLA, state("Charging") | {"ACChargingPower": 11}, memory)
    assert (
        values(outcome_of(TESLA, state("Complete") | {"ACChargingPower": 11}, memory, NOW + 1000))["wattage"]
        == "<NOT_CHARGING>"
    )
    assert values(outcome_of(TESLA, {"ACChargingPower": 0}, memory, NOW + 2000))["wattage"] == 0


@pytest.mark.parametrize("volts", [0, 1.6, 2, 19.9])
def test_noise_at_the_port_is_no_voltage(volts: float) -> None:
    assert outcome_of(TESLA, {"ChargerVoltage": volts}) == ([], [])


@pytest.mark.parametrize(
    ("sent", "kilowatts", "volts", "amps", "phases"),
    [
        (1, 7.4, 230, 32, 1),
        (3, 11, 230, 16, 3),
        (2, 3.6, 241, 5, 3),  # sources 15.1: three phases, told as two
        (2, 7.36, 230, 16, 2),
        (2, None, None, None, 3),
        (2, 0.5, 230, 1, 3),
        ("2", "3.6", "241", "5", 3),
    ],
)
def test_two_phases_are_three_unless_the_power_says_otherwise(
    sent: Any, kilowatts: Any, volts: Any, amps: Any, phases: int
) -> None:
    beside = {"ACChargingPower": kilowatts, "ChargerVoltage": volts, "ChargeAmps": amps}
    assert values(outcome_of(TESLA, {"ChargerPhases": sent} | beside))["chargerphases"] == phases


def test_no_phases_are_no_count() -> None:
    assert outcome_of(TESLA, {"ChargerPhases": 0}) == ([], [])


def test_a_latch_without_a_cable_holds_nothing() -> None:
    engaged = {"ChargePortLatch": "ChargePortLatchEngaged"}
    assert "ischargingcablelatched" not in values(outcome_of(TESLA, engaged))
    assert values(outcome_of(TESLA, engaged | state("Stopped")))["ischargingcablelatched"] is True
    assert values(outcome_of(TESLA, engaged | state("Disconnected")))["ischargingcablelatched"] is False
    assert values(outcome_of(TESLA, engaged | {"ChargingCableType": "CableTypeIEC"}))["ischargingcablelatched"] is True
    assert values(outcome_of(TESLA, {"ChargePortLatch": "ChargePortLatchBlocking"})) == {"ischargingcablelatched": False}
    assert outcome_of(TESLA, {"ChargePortLatch": "ChargePortLatchSNA"}) == ([], [])


def test_the_finer_of_two_times_that_remain_holds_and_both_end_with_charging() -> None:
    both = {"EstimatedHoursToChargeTermination": 1.52, "TimeToFullCharge": 1.75}
    assert values(outcome_of(TESLA, state("Charging") | both))["timetocomplete"] == 91
    assert values(outcome_of(TESLA, state("Charging") | {"TimeToFullCharge": 1.75}))["timetocomplete"] == 105
    assert values(outcome_of(TESLA, state("Complete") | {"TimeToFullCharge": 0.2}))["timetocomplete"] == "<NOT_CHARGING>"


def test_miles_become_kilometres() -> None:
    found = values(outcome_of(TESLA, state("Charging") | {"ChargeRateMilePerHour": 30, "RatedRange": 100}))
    assert found["chargerate"] == pytest.approx(48.28032)
    assert found["range"]["value"] == pytest.approx(160.9344)


def test_an_instant_never_becomes_a_time_of_day() -> None:
    mode = "ScheduledChargingMode"
    start = {"ScheduledChargingStartTime": 1_777_680_000, "ScheduledDepartureTime": {"longValue": "1777703400"}}
    for word in ("StartAt", "DepartBy"):
        found = values(outcome_of(TESLA, {mode: f"ScheduledChargingMode{word}"} | start))
        assert found["chargetimers"] == {"values": [{"type": "GLOBAL"}]}
    assert values(outcome_of(TESLA, {mode: "Off"} | start))["chargetimers"] == {"values": []}
    assert outcome_of(TESLA, start) == ([], [])


@pytest.mark.parametrize(
    "sent", ["07:30:00", "7:30", {"timeValue": {"hour": 7, "minute": 30}}, {"hour": 7, "minute": 30, "second": 0}]
)
def test_a_time_of_day_is_one(sent: Any) -> None:
    found = values(outcome_of(TESLA, {"ScheduledChargingMode": "DepartBy", "ScheduledDepartureTime": sent}))
    assert found["chargetimers"] == {"values": [{"type": "GLOBAL", "departureTimers": [{"time": "07:30:00"}]}]}


def test_a_resent_record_keeps_its_own_instant_and_without_one_its_age_is_unknown() -> None:
    [late] = read({"data": [], "createdAt": "2026-05-01T09:00:00Z", "vin": "x", "isResend": True})
    assert (late.observed_at, late.retained) == (NOW - 3_598_000, False)
    [ageless] = read({"data": [], "vin": "x", "isResend": True})
    assert (ageless.observed_at, ageless.retained) == (None, True)


def test_relays_and_plain_objects_are_read_as_well() -> None:
    for record in (
        {"data": {"Soc": 62}, "vin": "x"},
        {"Soc": 62, "vin": "x"},
        {"Soc": "62", "Vin": "x", "IsResend": False},
        {"data": [{"key": 8, "value": {"doubleValue": 62}}], "vin": "x"},
        [{"data": [{"key": "Soc", "value": {"stringValue": "62.0"}}], "vin": "x"}],
    ):
        [message] = read(record)
        assert (message.vehicle, float(message.fields["Soc"])) == ("x", 62)
    [message] = read([{"key": "Soc", "value": {"intValue": 62}}], vehicle="mine")
    assert (message.vehicle, dict(message.fields)) == ("mine", {"Soc": 62})


@pytest.mark.parametrize("txtype", ["alerts", "errors", "connectivity"])
def test_records_of_other_types_say_nothing(txtype: str) -> None:
    assert tesla_form.read(TESLA, delivery(b"\x0a\x00", headers={"txtype": txtype})) == []
    assert tesla_form.read(TESLA, delivery(b"\x0a\x00", topic=f"tesla_{txtype}")) == []


def test_without_the_package_a_protobuf_is_one_issue_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("chargeport.dialects.tesla_form.importlib.import_module", absent)
    outcome = recorded.run(TESLA, [delivery(b"\x0a\x02\x08\x01", headers={"vin": "x"})])
    [issue] = outcome.issues
    assert isinstance(issue, Issue)
    assert "the extra tesla" in issue.detail


@needs_protobuf
def test_a_protobuf_says_the_same_as_its_json() -> None:
    form = importlib.import_module("tesla_protocol.telemetry.vehicle_data_pb2")
    payload = form.Payload(vin="x", is_resend=True)
    payload.created_at.FromMilliseconds(NOW - 500)
    for field, member, content in (
        ("Soc", "double_value", 61.5),
        ("DetailedChargeState", "detailed_charge_state_value", 4),
        ("ScheduledChargingStartTime", "long_value", 1_777_680_000),
        ("RatedRange", "invalid", True),
        ("BatteryLevel", "float_value", float("nan")),
    ):
        datum = payload.data.add()
        datum.key = form.Field.Value(field)
        setattr(datum.value, member, content)
    [message] = tesla_form.read(TESLA, delivery(payload.SerializeToString(), topic="tesla_V"))
    assert (message.vehicle, message.observed_at) == ("x", NOW - 500)
    assert dict(message.fields) == {
        "Soc": 61.5,
        "DetailedChargeState": "DetailedChargeStateCharging",
        "ScheduledChargingStartTime": "1777680000",
        "RatedRange": None,
        "BatteryLevel": "NaN",
    }


def test_a_car_that_stays_at_starting_charges_once_power_and_current_flow() -> None:
    memory, starting = CarMemory(), {"DetailedChargeState": "DetailedChargeStateStarting"}
    assert values(outcome_of(TESLA, starting, memory))["ischarging"] is False
    outcome_of(TESLA, {"ChargeAmps": 30}, memory, NOW + 1000)
    known = values(outcome_of(TESLA, {"ACChargingPower": 6.9}, memory, NOW + 2000))
    assert (known["ischarging"], known["detailedchargingstatus"], known["wattage"]) == (True, "CHARGING", 6900)
    ended = outcome_of(TESLA, {"ChargeAmps": 0, "ACChargingPower": 0}, memory, NOW + 3000)
    assert (values(ended)["ischarging"], values(ended)["detailedchargingstatus"]) == (False, "STARTING")


def test_a_power_from_before_the_start_does_not_begin_the_charge() -> None:
    memory = CarMemory()
    outcome_of(TESLA, {"ChargeAmps": 30, "ACChargingPower": 6.9}, memory)
    known = values(outcome_of(TESLA, {"DetailedChargeState": "DetailedChargeStateStarting"}, memory, NOW + 1000))
    assert (known["ischarging"], known["detailedchargingstatus"]) == (False, "STARTING")


def test_the_names_for_no_cable_and_no_fast_charger_are_values_without_their_prefix_too() -> None:
    assert values(outcome_of(TESLA, {"ChargingCableType": "SNA"}))["ischargingcableconnected"] is False
    assert values(outcome_of(TESLA, {"FastChargerPresent": "SNA"}))["isfastchargerpresent"] is False


def test_the_power_of_the_side_that_has_some_counts_where_the_flag_of_the_fast_charger_is_false() -> None:
    sent = {"DetailedChargeState": "Charging", "FastChargerPresent": False, "ACChargingPower": 0, "DCChargingPower": 91.5}
    assert values(outcome_of(TESLA, sent))["wattage"] == 91_500
