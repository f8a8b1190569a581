import itertools
import json
from typing import Any

import pytest
from recorded import Outcome, run, values

from chargeport.dialects.home_assistant import HOME_ASSISTANT
from chargeport.sources.base import BEGINNING, Delivery

NOW = 1_777_629_598_000


def outcome(*contents: Any, vehicle: str | None = None, topic: str = "") -> Outcome:
    return run(
        HOME_ASSISTANT,
        [
            Delivery(
                source="s", dialect="home_assistant", received_at=NOW, vehicle=vehicle, topic=topic,
                payload=(each if isinstance(each, str) else json.dumps(each)).encode(),
            )
            for each in contents
        ],
    )  # fmt: skip


def state(entity: str, sent: str, unit: str | None = None, **attributes: Any) -> dict[str, Any]:
    unit_of = {} if unit is None else {"unit_of_measurement": unit}
    return {"entity_id": entity, "state": sent, "attributes": unit_of | attributes, "last_updated": "2026-05-01T09:50:00+00:00"}


def event(new: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "event",
        "event": {"event_type": "state_changed", "data": {"entity_id": new["entity_id"], "new_state": new}},
    }


def test_an_entity_is_known_by_its_end_and_the_car_by_its_beginning() -> None:
    found = outcome(event(state("sensor.model_3_charger_power", "7.2", "kW")))
    [entry] = found.entries
    assert (entry.vehicle, entry.observed_at, values(found)) == ("model_3", 1_777_629_000_000, {"wattage": 7200})


def test_a_number_without_a_unit_is_an_issue_and_no_reading() -> None:
    found = outcome({"sensor.model_3_charger_power": "7.2"}, vehicle="car")
    assert found.entries == []
    assert found.issues[0].detail.endswith("has no unit_of_measurement")


@pytest.mark.parametrize("sent", ["unavailable", "--", "<nil>", "unknown", ""])
def test_what_is_unavailable_is_nothing(sent: str) -> None:
    assert outcome(event(state("sensor.x_charging", sent)), event(state("sensor.x_charger_power", sent, "kW"))) == ([], [])


@pytest.mark.parametrize(
    ("sent", "says", "charges"),
    [
        ("starting", "STARTING", False), ("charging", "CHARGING", True), ("stopped", "STOPPED", False),
        ("complete", "FULLY_CHARGED", False), ("disconnected", "DISCONNECTED", False), ("no_power", "NO_POWER", False),
    ],
)  # fmt: skip
def test_teslas_states(sent: str, says: str, charges: bool) -> None:
    assert values(outcome(event(state("sensor.x_charging", sent)))) == {
        "detailedchargingstatus": says, "ischarging": charges, "ischargingcableconnected": sent != "disconnected",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ({"charging_status": "charging"}, "CHARGING"),
        ({"charging_status": "done"}, "FULLY_CHARGED"),
        ({"charging_status": "scheduled"}, "SCHEDULED"),
        ({"charging_status": "idle"}, "NOT_CHARGING"),
        ({"charging_status": "idle", "charging_connection_status": "disconnected"}, "DISCONNECTED"),
        ({"charging_status": "idle", "charging_connection_status": "connected"}, "CONNECTED"),
        ({"charging_status": "idle", "charging_power_status": "no_power_available"}, "NO_POWER"),
    ],
)
def test_volvos_states_refined_by_plug_and_supply(states: dict[str, str], says: str) -> None:
    found = outcome([state(f"sensor.ex30_{name}", sent) for name, sent in states.items()])
    assert found.issues == []
    assert values(found)["detailedchargingstatus"] == says


def test_a_time_that_is_told_by_its_end_is_the_time_until_then() -> None:
    ends = state("sensor.x_time_to_full_charge", "2026-05-01T10:20:00+00:00", device_class="timestamp")
    assert values(outcome(event(ends))) == {"timetocomplete": 30}
    assert values(outcome(event(state("sensor.x_time_to_full_charge", "0.5", "h")))) == {"timetocomplete": 30}


def test_a_bad_state_costs_no_other() -> None:
    bad = state("sensor.x_time_to_full_charge", "soon", device_class="timestamp")
    found = outcome([bad, state("sensor.x_charging", "charging")])
    assert values(found)["ischarging"] is True
    assert len(found.issues) == 1


def test_a_compact_change_has_the_unit_that_came_with_the_entity() -> None:
    added = {
        "type": "event",
        "event": {"a": {"sensor.x_charger_power": {"s": "1", "a": {"unit_of_measurement": "kW"}, "lc": 1777629000}}},
    }
    changed = {"type": "event", "event": {"c": {"sensor.x_charger_power": {"+": {"s": "2", "lu": 1777629010.5}}}}}
    removed = {"type": "event", "event": {"r": ["sensor.x_charger_power"]}}
    found = outcome(added, changed, removed)
    assert [(getattr(entry, "value", None), entry.observed_at) for entry in found.entries] == [
        (1000, 1_777_629_000_000),
        (2000, 1_777_629_010_500),
    ]


def test_the_rest_of_the_house_is_passed_over() -> None:
    states = [state("light.kitchen", "on"), state("sensor.washer_power", "5", "W"), state("sun.sun", "up")]
    assert outcome(states, event(states[0])) == ([], [])


def test_a_telephones_battery_is_never_that_of_the_only_car() -> None:
    phone, car = state("sensor.phone_battery_level", "12", "%"), state("sensor.x_battery_level", "62", "%")
    assert outcome(event(phone), vehicle="car") == ([], [])
    assert values(outcome([phone, car, state("sensor.x_charging", "charging")], vehicle="car"))["stateofcharge"] == 62
    assert values(outcome([phone, car], vehicle="x")) == {"stateofcharge": 62}
    assert values(outcome(car, vehicle="car")) == {"stateofcharge": 62}  # somebody sent just this


def of_settings(beginning: str, *states: dict[str, Any]) -> Outcome:
    """What the websocket hands on of entities that a car has by their beginning in the settings."""
    return run(
        HOME_ASSISTANT,
        [
            Delivery(
                source="s", dialect="home_assistant", received_at=NOW, vehicle="car", topic=each["entity_id"],
                payload=json.dumps(each).encode(), headers={BEGINNING: beginning},
            )
            for each in states
        ],
    )  # fmt: skip


CHARGE = state("sensor.model_3_battery_level", "62", "%")
OTHERS = (
    ("usable_battery_level", "%"), ("12v_battery_level", "%"), ("ideal_battery_range", "km"), ("estimate_battery_range", "km"),
)  # fmt: skip


@pytest.mark.parametrize(("name", "unit"), OTHERS)
def test_another_entity_of_the_car_that_ends_alike_is_not_the_one_of_the_table(name: str, unit: str) -> None:
    other = state(f"sensor.model_3_{name}", "5", unit)
    for beginning in ("model_3", "model", ""):
        found = of_settings(beginning, CHARGE, other)
        assert (values(found), found.issues) == ({"stateofcharge": 62}, [])
    assert values(outcome([CHARGE, other, state("sensor.model_3_charging", "charging")], vehicle="car"))["stateofcharge"] == 62
    assert outcome(other["state"], topic=f"homeassistant/sensor/model_3_{name}/state") == ([], [])


def test_the_starter_battery_is_told_from_that_of_a_car_that_is_called_car() -> None:
    assert of_settings("ev6", state("sensor.ev6_car_battery_level", "91", "%")) == ([], [])
    assert values(of_settings("my_car", state("sensor.my_car_battery_level", "62", "%"))) == {"stateofcharge": 62}


def test_an_entity_that_somebody_has_chosen_by_its_id_is_read_by_its_end() -> None:
    chosen = state("sensor.model_3_usable_battery_level", "59", "%")
    assert values(outcome(chosen, vehicle="car", topic=chosen["entity_id"])) == {"stateofcharge": 59}


@pytest.mark.parametrize("watts", [("0", "96.2"), ("96.2", "0")])
def test_of_the_powers_of_both_sides_that_of_the_side_which_charges_counts(watts: tuple[str, str]) -> None:
    ac, dc = state("sensor.x_charger_power", watts[0], "kW"), state("sensor.x_dc_charging_power", watts[1], "kW")
    charging = state("sensor.x_charging", "charging")
    for order in itertools.permutations((charging, ac, dc)):
        assert values(outcome(list(order), vehicle="car"))["wattage"] == 96_200
        assert values(of_settings("x", *order))["wattage"] == 96_200


def test_entities_of_two_cars_are_not_given_to_one() -> None:
    both = [state("sensor.a_charging", "charging"), state("sensor.b_charging", "charging")]
    assert {entry.vehicle for entry in outcome(both).entries} == {"a", "b"}
    assert "these are entities of a, b" in outcome(both, vehicle="car").issues[0].detail


def test_statestream_brings_state_and_unit_under_two_topics() -> None:
    def topic(what: str, payload: str) -> Delivery:
        return Delivery(
            source="s", dialect="home_assistant", payload=payload.encode(), received_at=NOW,
            topic=f"homeassistant/sensor/niro_ev_charging_power/{what}",
        )  # fmt: skip

    given = [topic("unit_of_measurement", '"kW"'), topic("friendly_name", '"Niro"'), topic("state", "7.2"), topic("state", "0")]
    found = run(HOME_ASSISTANT, given)
    assert [(entry.vehicle, getattr(entry, "value", None)) for entry in found.entries] == [("niro", 7200), ("niro", 0)]
    assert found.issues == []


def test_limits_for_both_kinds_of_charging_are_two_entries_none_of_which_is_said_to_be_in_force() -> None:
    found = outcome([state("number.niro_ac_charging_limit", "90", "%"), state("number.niro_dc_charging_limit", "80", "%")])
    limits = values(found)["chargelimits"]
    assert "activeLimit" not in limits
    assert [(each["condition"]["chargingType"], each["limit"]) for each in limits["values"]] == [("AC", 90), ("DC", 80)]


def test_a_unit_that_follows_its_state_on_a_topic_of_its_own_is_no_issue() -> None:
    def sent(what: str, content: str) -> Delivery:
        topic = f"homeassistant/sensor/zoe_charger_power/{what}"
        return Delivery(source="s", dialect="home_assistant", received_at=NOW, topic=topic, payload=content.encode())

    found = run(HOME_ASSISTANT, [sent("state", "6.4"), sent("unit_of_measurement", '"kW"')])
    assert (values(found), found.issues) == ({"wattage": 6400}, [])
    never = run(HOME_ASSISTANT, [sent("state", "6.4"), sent("state", "6.5")])
    assert (never.entries, [issue.subject for issue in never.issues]) == ([], ["sensor.charger_power"])


@pytest.mark.parametrize("charging", ["stopped", "complete", "charging", "no_power"])
def test_a_sensor_of_the_cable_that_is_off_does_not_count_beside_a_charge_state_that_needs_a_cable(charging: str) -> None:
    states = [state("sensor.m3_charging", charging), state("binary_sensor.m3_charge_cable", "off")]
    for given in itertools.permutations(states):
        assert values(outcome(list(given)))["ischargingcableconnected"] is True
    gone = [state("sensor.m3_charging", "disconnected"), state("binary_sensor.m3_charge_cable", "off")]
    assert values(outcome(gone))["ischargingcableconnected"] is False
    assert values(outcome([state("binary_sensor.m3_charge_cable", "off")]))["ischargingcableconnected"] is False


def test_a_kind_of_cable_that_means_none_is_a_value() -> None:
    assert values(outcome([state("sensor.m3_charge_cable", "sna")]))["ischargingcableconnected"] is False


@pytest.mark.parametrize(("status", "watts"), [("charging", None), ("done", 0), ("idle", 0)])
def test_0_watts_of_a_volvo_that_charges_is_what_it_does_not_report(status: str, watts: int | None) -> None:
    states = [state("sensor.xc60_charging_status", status), state("sensor.xc60_charging_power", "0", "W")]
    for given in itertools.permutations(states):
        assert values(outcome(list(given))).get("wattage") == watts


def test_a_volvo_that_always_reports_no_cable_has_one_while_it_charges() -> None:
    plug, status = "sensor.xc40_charging_connection_status", "sensor.xc40_charging_system_status"
    out = state(plug, "connection_status_disconnected")
    known = values(outcome([out, state(status, "charging_system_charging")]))
    assert (known["ischargingcableconnected"], known["ischarging"]) == (True, True)
    assert values(outcome([out, state(status, "charging_system_idle")]))["ischargingcableconnected"] is False
