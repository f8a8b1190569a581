import json
from typing import Any

import pytest
from recorded import Outcome, outcome_of, run, values

from chargeport.dialects.bmw_cardata import BMW_CARDATA
from chargeport.ingest.memory import CarMemory
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000
E = "vehicle.drivetrain.electricEngine.charging."
B = "vehicle.powertrain.electric.battery."
PORT = "vehicle.body.chargingPort."
AT = "vehicle.powertrain.tractionBattery.charging.port."


def normalised(*contents: Any, vehicle: str | None = "car", topic: str = "") -> Outcome:
    return run(
        BMW_CARDATA,
        [
            Delivery(
                source="s",
                dialect="bmw_cardata",
                payload=json.dumps(each).encode(),
                received_at=NOW,
                vehicle=vehicle,
                topic=topic,
            )
            for each in contents
        ],
    )


def container(**descriptors: Any) -> dict[str, Any]:
    """A container of the REST interface: every value is a text."""
    return {"telematicData": {name: {"value": value, "unit": None, "timestamp": None} for name, value in descriptors.items()}}


@pytest.mark.parametrize(
    ("descriptors", "says", "charges"),
    [
        ({E + "status": "NOCHARGING"}, "NOT_CHARGING", False),
        ({E + "status": "NOCHARGING", PORT + "status": "CONNECTED"}, "CONNECTED", False),
        ({E + "status": "NOCHARGING", AT + "anyPosition.isPlugged": "false"}, "DISCONNECTED", False),
        ({E + "status": "NOCHARGING", E + "hvStatus": "WAITING_FOR_CHARGING"}, "SCHEDULED", False),
        ({E + "status": "INITIALIZATION"}, "STARTING", False),
        ({E + "status": "CHARGINGACTIVE"}, "CHARGING", True),
        ({E + "status": "CHARGINGPAUSED"}, "SUSPENDED_BY_CAR", False),
        ({E + "status": "CHARGINGENDED"}, "STOPPED", False),
        ({E + "status": "CHARGINGENDED", E + "level": "80", B + "stateOfCharge.target": "80"}, "FULLY_CHARGED", False),
        ({E + "status": "CHARGINGENDED", E + "level": "79", B + "stateOfCharge.target": "80"}, "STOPPED", False),
        ({E + "hvStatus": "CHARGING"}, "CHARGING", True),
        ({E + "hvStatus": "FINISHED_FULLY_CHARGED"}, "FULLY_CHARGED", False),
        ({E + "hvStatus": "FINISHED_NOT_FULL"}, "STOPPED", False),
        ({E + "hvStatus": "ERROR"}, "ERROR", False),
        ({E + "hvStatus": "INVALID"}, None, None),
    ],
)
def test_the_status_is_that_of_two_descriptors_refined_by_plug_and_charge(
    descriptors: dict[str, str], says: str | None, charges: bool | None
) -> None:
    found = normalised(container(**descriptors))
    assert found.issues == []
    assert (values(found).get("detailedchargingstatus"), values(found).get("ischarging")) == (says, charges)


def test_each_descriptor_is_as_of_its_own_timestamp() -> None:
    outcome_of = {
        E + "acVoltage": {"value": 230, "unit": "V", "timestamp": "2026-05-01T09:49:00.000Z"},
        B + "charging.power": {"value": 11, "unit": "kW", "timestamp": "2026-05-01T09:48:00Z"},
        E + "phaseNumber": {"value": "3-PHASES"},
    }
    found = normalised({"vin": "X", "timestamp": "2026-05-01T09:50:00.000Z", "data": outcome_of}, vehicle=None)
    assert [(entry.signal.name, entry.observed_at) for entry in found.entries] == [
        ("Wattage", 1_777_628_880_000),
        ("Voltage", 1_777_628_940_000),
        ("ChargerPhases", 1_777_629_000_000),
    ]
    assert values(found)["wattage"] == 11_000


@pytest.mark.parametrize("nothing", ["-NA-", "INVALID", "SIGNAL_INVALID", None, ""])
def test_the_makers_words_for_nothing_are_nothing(nothing: str | None) -> None:
    names = (E + "acVoltage", E + "status", PORT + "status", B + "stateOfCharge.target", AT + "anyPosition.flap.isOpen")
    assert normalised(container(**dict.fromkeys(names, nothing))) == ([], [])


def test_any_port_that_is_plugged_or_open_counts() -> None:
    found = normalised(
        container(
            **{
                AT + "rearRight.isPlugged": "true",
                AT + "frontLeft.isPlugged": "false",
                AT + "rearLeft.flap.isOpen": "asn_isfalse",
            }
        )
    )
    assert values(found) == {"ischargingcableconnected": True, "ischargingportflapopen": False}


@pytest.mark.parametrize(
    ("descriptors", "fast", "kind"),
    [
        ({PORT + "dcStatus": "CONNECTED"}, True, "CCS"),
        ({PORT + "dcStatus": "DISCONNECTED"}, False, None),
        ({E + "method": "AC_TYPE2PLUG"}, False, None),
        ({E + "method": "NOCHARGING"}, None, None),
    ],
)
def test_a_fast_charger_is_told_by_the_port_or_the_method(
    descriptors: dict[str, str], fast: bool | None, kind: str | None
) -> None:
    outcome_of = values(normalised(container(**descriptors)))
    assert (outcome_of.get("isfastchargerpresent"), outcome_of.get("fastchargertype")) == (fast, kind)


def test_the_time_to_the_target_is_believed_before_the_time_to_full() -> None:
    charging = {E + "status": "CHARGINGACTIVE", E + "timeToFullyCharged": "90"}
    assert values(normalised(container(**charging)))["timetocomplete"] == 90
    assert values(normalised(container(**charging, **{E + "timeRemaining": "60"})))["timetocomplete"] == 60


def test_the_history_becomes_records_with_the_grids_energy() -> None:
    session = {
        "startTime": 1_777_500_000, "endTime": 1_777_510_000, "displayedStartSoc": 20, "displayedSoc": 80,
        "energyConsumedFromPowerGridKwh": 45.1, "chargingBlocks": [{"averagePowerGridKw": 110.5}],
        "chargingCostInformation": {"currency": "EUR", "calculatedChargingCost": 12.5},
        "publicChargingPoint": {"potentialChargingPointMatches": [{"city": "x"}]},
        "chargingLocation": {"formattedAddress": "Example road 1", "mapMatchedLatitude": 0.5, "mapMatchedLongitude": 0.25},
    }  # fmt: skip
    found = normalised({"data": [session], "next_token": "x"})
    assert [entry.observed_at for entry in found.entries] == [1_777_510_000_000]
    assert values(found)["chargerecords"]["values"] == [
        {
            "id": "bmw-1777500000", "startTime": "2026-04-29T22:00:00.000Z", "endTime": "2026-04-30T00:46:40.000Z",
            "startStateOfCharge": 20, "endStateOfCharge": 80, "energyAdded": 45.1, "isPublicCharger": True,
            "chargingType": "DC",
            "cost": {"currency": "EUR", "energyAmount": 12.5},
            "location": {"address": "Example road 1", "latitude": 0.5, "longitude": 0.25},
        }
    ]  # fmt: skip


def test_the_topic_names_the_car_where_the_message_does_not() -> None:
    [entry] = normalised(
        {"data": {E + "status": {"value": "CHARGINGACTIVE"}}}, vehicle=None, topic="gcid/WBY00000000000000"
    ).entries[:1]
    assert entry.vehicle == "WBY00000000000000"


def test_parts_that_do_not_charge_are_passed_over_and_a_new_descriptor_of_charging_is_an_issue() -> None:
    found = normalised(
        container(**{"vehicle.cabin.door.status": "OPEN", "vehicle.trip.segment.end.x": "1", E + "brandNew": "1"})
    )
    assert found.entries == []
    assert [issue.subject for issue in found.issues] == [E + "brandNew"]


def stamped(at: int, **values: Any) -> dict[str, Any]:
    """What the stream says at an instant, under the short names of descriptors."""
    return {"timestamp": at, "data": {FIELDS[name]: {"timestamp": at, "value": value} for name, value in values.items()}}


FIELDS = {
    "status": "vehicle.drivetrain.electricEngine.charging.status",
    "hv": "vehicle.drivetrain.electricEngine.charging.hvStatus",
    "port": "vehicle.body.chargingPort.status",
    "connector": "vehicle.drivetrain.electricEngine.charging.connectorStatus",
    "method": "vehicle.drivetrain.electricEngine.charging.method",
    "dc": "vehicle.body.chargingPort.dcStatus",
    "soc": "vehicle.drivetrain.batteryManagement.header",
    "target": "vehicle.powertrain.electric.battery.stateOfCharge.target",
    "power": "vehicle.powertrain.electric.battery.charging.power",
    "amps": "vehicle.drivetrain.electricEngine.charging.acAmpere",
}


def course(*sent: dict[str, Any]) -> dict[str, Any]:
    """What is known at the end, whatever the order in which it came."""
    memory, known = CarMemory(), {}
    for each in sent:
        known |= values(outcome_of(BMW_CARDATA, each, memory, NOW))
    return known


@pytest.mark.parametrize("late", ["hv", "status"])
def test_the_newer_descriptor_of_the_state_decides_whether_the_car_charges(late: str) -> None:
    charging, done = {"hv": "CHARGING", "status": "CHARGINGACTIVE"}, {"hv": "NOT_CHARGING", "status": "NOCHARGING"}
    other = "status" if late == "hv" else "hv"
    assert (
        course(stamped(NOW - 3_600_000, **{other: charging[other]}), stamped(NOW, **{late: done[late]}))["ischarging"] is False
    )
    assert (
        course(stamped(NOW - 3_600_000, **{other: done[other]}), stamped(NOW, **{late: charging[late]}))["ischarging"] is True
    )


@pytest.mark.parametrize("field", ["port", "connector"])
def test_the_newer_descriptor_of_the_plug_decides_and_unplugged_nothing_charges(field: str) -> None:
    other = "connector" if field == "port" else "port"
    before = stamped(NOW - 3_600_000, status="CHARGINGACTIVE", method="DC_CHARGING", **{other: "CONNECTED"})
    known = course(before, stamped(NOW, **{field: "DISCONNECTED"}))
    assert (known["ischargingcableconnected"], known["ischarging"]) == (False, False)
    assert (known["detailedchargingstatus"], known["isfastchargerpresent"]) == ("DISCONNECTED", False)
    again = course(before, stamped(NOW - 60_000, **{field: "DISCONNECTED"}), stamped(NOW, **{other: "CONNECTED"}))
    assert again["ischargingcableconnected"] is True


def test_the_newer_of_port_and_method_tells_dc() -> None:
    dc = stamped(NOW - 3_600_000, port="CONNECTED", dc="CONNECTED")
    assert course(dc, stamped(NOW, method="AC_TYPE2PLUG"))["isfastchargerpresent"] is False
    assert course(stamped(NOW - 3_600_000, method="AC_TYPE2PLUG"), stamped(NOW, dc="CONNECTED"))["isfastchargerpresent"] is True


def test_a_car_at_its_target_is_full_and_a_target_of_0_is_none() -> None:
    ended = stamped(NOW, status="NOCHARGING", port="CONNECTED", soc=80, target=80)
    assert course(ended)["detailedchargingstatus"] == "FULLY_CHARGED"
    assert course(ended | stamped(NOW, status="NOCHARGING", port="CONNECTED", soc=80, target=0)).get("chargelimits") is None


@pytest.mark.parametrize(("amps", "watts"), [(4, None), (0, 0), (16, 0)])
def test_a_power_cut_down_to_0_is_none_while_a_current_flows_that_is_too_small_for_a_kilowatt(
    amps: float, watts: float | None
) -> None:
    assert course(stamped(NOW, status="CHARGINGACTIVE", power=0, amps=amps)).get("wattage") == watts


@pytest.mark.parametrize(("method", "kind"), [("DC_CHADEMOPLUG", "CHADEMO"), ("DC_GBTPLUG", "GBT"), ("DC_CHARGING", "CCS")])
def test_the_standard_of_a_fast_charger_is_the_one_that_the_method_names(method: str, kind: str) -> None:
    sent = {"vehicle.drivetrain.electricEngine.charging.method": {"value": method}}
    assert values(outcome_of(BMW_CARDATA, sent))["fastchargertype"] == kind


@pytest.mark.parametrize(
    ("word", "count"), [("1-PHASES", 1), ("3-PHASE", 3), ("2", 2), ("0-PHASES", None), ("NOT_CHARGING", None)]
)
def test_the_phases_are_the_number_that_the_word_begins_with_and_0_is_none(word: str, count: int | None) -> None:
    outcome = outcome_of(BMW_CARDATA, {"vehicle.drivetrain.electricEngine.charging.phaseNumber": {"value": word}})
    assert (values(outcome).get("chargerphases"), outcome.issues) == (count, [])
