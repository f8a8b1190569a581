"""What holds where two fields of a source contradict each other: physics and the newer report decide, in whatever dialect."""

from typing import Any

import pytest
from recorded import outcome_of, values

from chargeport.dialects.all import ALL
from chargeport.dialects.user import from_table
from chargeport.ingest.memory import CarMemory

NOW = 1_777_629_598_000
MINUTE = 60_000

BOX = from_table(
    {
        "name": "box",
        "rows": [
            {"field": "plug", "signal": "charge-ischargingcableconnected"},
            {"field": "on", "signal": "charge-ischarging"},
            {"field": "state", "signal": "charge-detailedchargingstatus"},
            {"field": "kw", "signal": "charge-wattage", "unit": "kW", "gate": "live"},
            {"field": "kwh", "signal": "charge-energyadded"},
            {"field": "locked", "signal": "charge-ischargingcablelatched"},
        ],
    },
    "box.toml",
)
DIALECTS = ALL | {"box": BOX}


def course(name: str, *sent: dict[str, Any], every_ms: int = MINUTE) -> dict[str, Any]:
    """What is known of a car in the end, when a source reports one thing after the other."""
    memory, known = CarMemory(), {}
    for index, fields in enumerate(sent):
        outcome = outcome_of(DIALECTS[name], fields, memory, NOW + index * every_ms)
        assert outcome.issues == []
        known |= values(outcome)
    return known


def ha(entity: str, state: str, unit: str | None = None) -> dict[str, Any]:
    return {entity: {"state": state, "attributes": {} if unit is None else {"unit_of_measurement": unit}}}


def bmw(end: str, content: Any, unit: str | None = None) -> dict[str, Any]:
    return {f"vehicle.{end}": {"value": content} if unit is None else {"value": content, "unit": unit}}


ENGINE, BATTERY = "drivetrain.electricEngine.charging", "powertrain.electric.battery"


@pytest.mark.parametrize(
    ("name", "charging", "out", "back"),
    [
        ("teslamate", {"charging_state": "Charging", "plugged_in": True}, {"plugged_in": False}, {"plugged_in": True}),
        ("ovms", {"v.c.charging": "yes", "v.c.state": "charging", "v.c.pilot": "yes"}, {"v.c.pilot": "no"},
         {"v.c.pilot": "yes"}),
        ("evcc", {"connected": True, "charging": True, "enabled": True}, {"connected": False}, {"connected": True}),
        ("bmw_cardata", bmw(f"{ENGINE}.status", "CHARGINGACTIVE"), bmw("body.chargingPort.status", "DISCONNECTED"),
         bmw("body.chargingPort.status", "CONNECTED")),
        ("carconnectivity", {"charging/state": "charging"}, {"charging/connector/connection_state": "disconnected"},
         {"charging/connector/connection_state": "connected"}),
        ("home_assistant", ha("sensor.ex_charging_status", "charging"),
         ha("sensor.ex_charger_connection_status", "disconnected"), ha("sensor.ex_charger_connection_status", "connected")),
    ],
)  # fmt: skip
def test_a_plug_that_is_out_for_a_moment_ends_charging_for_that_moment_only(
    name: str, charging: dict[str, Any], out: dict[str, Any], back: dict[str, Any]
) -> None:
    while_out = course(name, charging, out)
    assert (while_out["ischarging"], while_out["ischargingcableconnected"]) == (False, False)
    assert while_out["detailedchargingstatus"] == "DISCONNECTED"
    after = course(name, charging, out, back)
    assert (after["ischarging"], after["ischargingcableconnected"]) == (True, True)
    assert after["detailedchargingstatus"] == "CHARGING"


def test_the_flag_of_charging_of_an_integration_holds_on_once_its_plug_is_in_again() -> None:
    on, plug = "binary_sensor.niro_ev_battery_charge", "binary_sensor.niro_ev_battery_plug"
    assert course("home_assistant", ha(on, "on"), ha(plug, "off"))["ischarging"] is False
    assert course("home_assistant", ha(on, "on"), ha(plug, "off"), ha(plug, "on"))["ischarging"] is True


@pytest.mark.parametrize(
    ("name", "driving", "signal"),
    [
        ("box", {"plug": False, "kw": 21}, "wattage"),
        ("teslamate", {"plugged_in": False, "charger_power": 7}, "wattage"),
        ("ovms", {"v.c.pilot": "no", "v.c.power": 6.6}, "wattage"),
        ("bmw_cardata",
         bmw("body.chargingPort.status", "DISCONNECTED") | bmw(f"{BATTERY}.charging.power", 9000, "W"), "wattage"),
        ("home_assistant",
         ha("binary_sensor.niro_ev_battery_plug", "off") | ha("sensor.niro_ev_charging_power", "18.2", "kW"), "wattage"),
    ],
)  # fmt: skip
def test_a_power_without_a_cable_charges_nothing_though_the_source_has_no_flag_of_charging(
    name: str, driving: dict[str, Any], signal: str
) -> None:
    assert course(name, driving)[signal] == "<NOT_CHARGING>"


@pytest.mark.parametrize(
    ("sent", "charges"),
    [
        (({"on": True, "kw": 7}, {"state": "FULLY_CHARGED"}), False),
        (({"on": True}, {"state": "NOT_CHARGING"}), False),
        (({"on": False}, {"state": "CHARGING"}), True),
        (({"state": "FULLY_CHARGED"}, {"on": True}), True),
        (({"on": True, "state": "NOT_CHARGING"},), True),
        (({"on": True}, {"state": "CONSERVING"}), True),
    ],
)
def test_of_the_status_and_the_flag_of_charging_the_newer_one_decides(sent: tuple[dict[str, Any], ...], charges: bool) -> None:
    known = course("box", *sent)
    assert known["ischarging"] is charges
    if not charges and "kw" in sent[0]:
        assert known["wattage"] == "<NOT_CHARGING>"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (({"state": "NOT_CHARGING"}, {"on": True}), "CHARGING"),
        (({"state": "CHARGING"}, {"on": False}), "NOT_CHARGING"),
        (({"state": "DISCONNECTED"}, {"plug": True}), "CONNECTED"),
        (({"state": "DISCONNECTED"}, {"on": True}), "CHARGING"),
        (({"state": "CHARGING"}, {"plug": False}), "DISCONNECTED"),
        (({"state": "SCHEDULED"}, {"on": False}), "SCHEDULED"),
        (({"state": "CONSERVING"}, {"on": True}), "CONSERVING"),
    ],
)
def test_a_status_that_a_newer_flag_contradicts_is_the_one_that_follows_from_the_flag(
    sent: tuple[dict[str, Any], ...], status: str
) -> None:
    assert course("box", *sent)["detailedchargingstatus"] == status


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("bmw_cardata", bmw("body.chargingPort.status", "DISCONNECTED") | bmw(f"{ENGINE}.status", "CHARGINGENDED")),
        ("carconnectivity", {"charging/state": "ready_for_charging", "charging/connector/connection_state": "disconnected",
                             "charging/connector/external_power": "unavailable"}),
    ],
)  # fmt: skip
def test_a_state_that_waits_is_disconnected_where_the_plug_of_the_same_time_is_out(name: str, sent: dict[str, Any]) -> None:
    assert course(name, sent)["detailedchargingstatus"] == "DISCONNECTED"


@pytest.mark.parametrize(
    ("name", "out", "charging"),
    [
        ("ovms", {"v.c.pilot": "no", "v.c.state": "timerwait"}, {"v.c.charging": "yes"}),
        ("evcc", {"connected": False}, {"charging": True}),
    ],
)
def test_a_charge_that_begins_later_overrules_a_state_and_a_plug(
    name: str, out: dict[str, Any], charging: dict[str, Any]
) -> None:
    known = course(name, out, charging)
    assert (known["detailedchargingstatus"], known["ischargingcableconnected"]) == ("CHARGING", True)


def test_the_energy_of_a_session_ends_when_the_cable_is_next_plugged_in() -> None:
    session = ({"plug": True, "on": True}, {"kwh": 12.5}, {"on": False}, {"plug": False})
    assert course("box", *session)["energyadded"] == 12.5
    assert course("box", *session, {}, {}, {"plug": True})["energyadded"] == "<NOT_CHARGING>"
    assert course("box", *session, {}, {}, {"plug": True, "kwh": 0})["energyadded"] == 0
    assert course("box", *session, {}, {}, {"plug": True}, {"kwh": 0.4})["energyadded"] == 0.4
    assert course("box", *session, {"plug": True})["energyadded"] == 12.5, "the plug was out for a moment"


def test_no_cable_is_locked_where_none_is_in() -> None:
    assert course("box", {"plug": True, "locked": True}, {"plug": False})["ischargingcablelatched"] is False
    assert course("box", {"plug": False}, {"locked": True})["ischargingcablelatched"] is False
    locked = "body.chargingPort.lockedStatus"
    sent = bmw("body.chargingPort.status", "DISCONNECTED") | bmw(locked, "CHARGING_CABLE_LOCKED")
    assert course("bmw_cardata", sent)["ischargingcablelatched"] is False
    gone = {"charging/connector/lock_state": "locked", "charging/connector/connection_state": "disconnected"}
    assert course("carconnectivity", gone)["ischargingcablelatched"] is False


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("ovms", {"v.c.charging": "yes", "v.c.power": 3.3, "v.c.current": 0, "v.c.voltage": 0}),
        ("evcc", {"connected": True, "charging": True, "chargePower": 11000, "chargeCurrents": [0, 0, 0],
                  "chargeVoltages": [0, 0, 0]}),
        ("bmw_cardata", bmw(f"{ENGINE}.status", "CHARGINGACTIVE") | bmw(f"{BATTERY}.charging.power", 3.7, "kW")
         | bmw(f"{ENGINE}.acAmpere", 0) | bmw(f"{ENGINE}.acVoltage", 0)),
    ],
)  # fmt: skip
def test_0_amperes_and_0_volts_beside_a_power_are_not_measured(name: str, sent: dict[str, Any]) -> None:
    for fields in (sent, dict(reversed(sent.items()))):
        known = course(name, *({field: content} for field, content in fields.items()), every_ms=1000)
        assert known["wattage"] > 3000
        assert known.get("amperage", "<UNREADABLE>") == known.get("voltage", "<UNREADABLE>") == "<UNREADABLE>"


def test_0_amperes_are_a_current_where_the_power_is_0_too() -> None:
    idle = {"v.c.charging": "no", "v.c.power": 0, "v.c.current": 0, "v.c.voltage": 0}
    assert course("ovms", idle)["amperage"] == 0
    assert course("evcc", {"connected": True, "charging": True, "chargePower": 0, "chargeCurrents": [0, 0, 0]})["amperage"] == 0
