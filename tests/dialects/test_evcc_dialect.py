import json
from typing import Any

import pytest
from recorded import Outcome, outcome_of, run, values

from chargeport.dialects.evcc import EVCC
from chargeport.ingest.engine import read
from chargeport.ingest.memory import CarMemory
from chargeport.signals.reading import Issue, Reading
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000
POINT = {"connected": True, "charging": True, "enabled": True, "chargePower": 7000, "vehicleName": "blue"}


def delivery(payload: str, topic: str = "", vehicle: str | None = None) -> Delivery:
    return Delivery(source="s", dialect="evcc", payload=payload.encode(), received_at=NOW, topic=topic, vehicle=vehicle)


def outcome(*topics: tuple[str, str]) -> Outcome:
    return run(EVCC, [delivery(payload, topic) for topic, payload in topics])


def state(*points: dict[str, Any], vehicle: str | None = None) -> list[str] | str:
    cars = {"blue": {"capacity": 58}, "red": {"capacity": 77}}
    found = read(delivery(json.dumps({"loadpoints": points, "vehicles": cars}), vehicle=vehicle), EVCC)
    return found.detail if isinstance(found, Issue) else [each.vehicle for each in found]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"connected": False, "charging": False, "enabled": True}, "DISCONNECTED"),
        ({"connected": True}, "CONNECTED"),
        ({"connected": True, "charging": True, "enabled": True}, "CHARGING"),
        ({"connected": True, "charging": False, "enabled": True, "vehicleSoc": 80, "effectiveLimitSoc": 80}, "FULLY_CHARGED"),
        (
            {"connected": True, "charging": False, "enabled": True, "vehicleSoc": 79, "effectiveLimitSoc": 80},
            "SUSPENDED_BY_CAR",
        ),
        ({"connected": True, "charging": False, "enabled": True, "vehicleSoc": 99}, "SUSPENDED_BY_CAR"),
        ({"connected": True, "charging": False, "enabled": False, "effectivePlanTime": "2026-05-02T05:00:00Z"}, "SCHEDULED"),
        ({"connected": True, "charging": False, "enabled": False, "effectivePlanTime": ""}, "SUSPENDED_BY_STATION"),
    ],
)
def test_the_status_is_put_together_as_the_table_of_the_sources_has_it(fields: dict[str, Any], says: str) -> None:
    assert values(outcome_of(EVCC, fields))["detailedchargingstatus"] == says


@pytest.mark.parametrize(
    ("fields", "active"),
    [
        ({"effectiveLimitSoc": 80, "vehicleLimitSoc": 0}, 80),
        ({"effectiveLimitSoc": 100, "vehicleLimitSoc": 70}, 70),
        ({"limitSoc": 60}, 60),
        ({"effectiveLimitSoc": 0, "limitSoc": 0, "vehicleLimitSoc": 0}, None),
    ],
)
def test_the_lower_of_the_limits_is_in_force_and_zero_is_none(fields: dict[str, Any], active: int | None) -> None:
    assert values(outcome_of(EVCC, fields)).get("chargelimits", {}).get("activeLimit") == active


def test_energy_is_in_watt_hours_live_and_in_kilowatt_hours_in_a_session() -> None:
    live = values(outcome_of(EVCC, {"chargedEnergy": 1500}))
    past = '[{"id": 1, "created": "2026-05-01T06:00:00Z", "finished": "2026-05-01T07:00:00Z", "chargedEnergy": 1.5}]'
    [record] = values(run(EVCC, [delivery(past, vehicle="car")]))["chargerecords"]["values"]
    assert (live["energyadded"], record["energyAdded"]) == (1.5, 1.5)


def test_a_session_keeps_odometer_and_meter_and_a_zero_is_no_reading() -> None:
    past = '[{"id": 1, "created": "2026-05-01T06:00:00Z", "finished": "2026-05-01T07:00:00Z", "chargedEnergy": 1.5, %s}]'
    known, unknown = (
        '"odometer": 40123.4, "meterStart": 78.0, "meterStop": 79.5',
        '"odometer": 0, "meterStart": null, "meterStop": 0',
    )
    [record] = values(run(EVCC, [delivery(past % known, vehicle="car")]))["chargerecords"]["values"]
    assert (record["odometer"], record["meterStart"], record["meterEnd"]) == (40123.4, 78, 79.5)
    [other] = values(run(EVCC, [delivery(past % unknown, vehicle="car")]))["chargerecords"]["values"]
    assert not {"odometer", "meterStart", "meterEnd"} & other.keys()


def test_a_topics_sum_over_the_phases_is_no_current() -> None:
    found = outcome(
        ("evcc/loadpoints/1/chargeCurrents/l1", "6.1"), ("evcc/loadpoints/1/chargeCurrents/l2", "6.2"),
        ("evcc/loadpoints/1/chargeCurrents", "12.3"),
    )  # fmt: skip
    assert (values(found), found.issues) == ({"amperage": 6.2}, [])


def test_zeros_that_stand_for_unknown_are_no_values() -> None:
    zeros = {"vehicleSoc": 0, "vehicleRange": 0, "phasesActive": 0, "chargeRemainingDuration": 0}
    assert outcome_of(EVCC, zeros) == ([], [])


def test_a_loadpoint_is_named_by_its_place_and_a_car_by_its_name() -> None:
    assert state(POINT, POINT) == ["loadpoints/1", "loadpoints/2", "blue", "red"]


def test_one_car_named_for_all_is_at_the_only_loadpoint_in_use() -> None:
    assert state(POINT, vehicle="id") == ["id", "id"]
    assert state({**POINT, "connected": False}, POINT, vehicle="id") == ["id", "id"]
    assert state(POINT, POINT, vehicle="loadpoints/2") == ["loadpoints/2", "loadpoints/2"]
    assert "which loadpoint is meant? Name loadpoints/1 or loadpoints/2" in state(POINT, POINT, vehicle="id")


def test_sessions_of_several_cars_are_not_given_to_one() -> None:
    session = (
        '{"id": %d, "created": "2026-05-01T06:00:00Z", "finished": "2026-05-01T07:00:00Z", "chargedEnergy": 1, "vehicle": "%s"}'
    )
    both = f"[{session % (1, 'Blue')}, {session % (2, 'Red')}]"
    assert [entry.vehicle for entry in run(EVCC, [delivery(both)]).entries] == ["Blue", "Red"]
    assert [entry.vehicle for entry in run(EVCC, [delivery(both, vehicle="Red")]).entries] == ["Red"]
    [issue] = run(EVCC, [delivery(both, vehicle="id")]).issues
    assert "these are sessions of Blue, Red" in issue.detail


def test_what_evcc_says_of_the_house_is_passed_over() -> None:
    assert outcome(("evcc/site/gridPower", "5"), ("evcc/status", "online")) == ([], [])


@pytest.mark.parametrize("name", ["socStop", "socEnd"])
def test_a_session_says_what_charge_it_ended_with_under_the_name_of_the_code_or_of_the_docs(name: str) -> None:
    past = '[{"id": 1, "created": "2026-05-01T06:00:00Z", "finished": "2026-05-01T07:00:00Z", "chargedEnergy": 1.5, "%s": 60}]'
    [record] = values(run(EVCC, [delivery(past % name, vehicle="car")]))["chargerecords"]["values"]
    assert record["endStateOfCharge"] == 60


@pytest.mark.parametrize("topic", ["vehicle/set", "enableDelay/set", "disableDelay/set", "phases/set"])
def test_commands_to_evcc_are_no_words_of_its(topic: str) -> None:
    assert outcome((f"evcc/loadpoints/1/{topic}", "1")) == ([], [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"created": "soon"}, {"finished": "soon"}, {"chargedEnergy": "much"}, {"chargedEnergy": None}, {"socStart": 150},
        {"id": 2, "vehicle": "B"}, {"id": 2}, {}, "session", 7, None,
    ],
    ids=str,
)  # fmt: skip
def test_a_session_of_a_list_that_is_wrong_costs_no_other_one(wrong: Any) -> None:
    one = {"id": 1, "created": "2026-04-20T18:00:00Z", "finished": "2026-04-20T20:00:00Z", "chargedEnergy": 10, "vehicle": "B"}
    other = one | {"id": 3, "created": "2026-04-22T18:00:00Z", "finished": "2026-04-22T20:00:00Z"}
    is_part = isinstance(wrong, dict) and wrong and "id" not in wrong
    listed = [one, one | {"id": 2} | wrong if is_part else wrong, other]
    payload = json.dumps({"result": listed}).encode()
    found = run(EVCC, [Delivery(source="s", dialect="evcc", payload=payload, received_at=NOW, topic="", vehicle="car")])
    (entry,) = found.entries
    assert isinstance(entry, Reading)
    assert [each["id"] for each in json.loads(str(entry.value))["values"]] == ["evcc-1", "evcc-3"]
    assert len(found.issues) <= 1


def test_the_session_of_a_guest_is_not_given_to_the_only_car_that_is_named() -> None:
    one = {
        "id": 1,
        "created": "2026-04-20T18:00:00Z",
        "finished": "2026-04-20T20:00:00Z",
        "chargedEnergy": 10,
        "loadpoint": "Garage",
    }
    guests = one | {"id": 2, "created": "2026-04-21T18:00:00Z", "finished": "2026-04-21T20:00:00Z", "vehicle": ""}
    both = json.dumps([one | {"vehicle": "Blue"}, guests, None])
    found = run(EVCC, [delivery(both)])
    ids = {
        each.vehicle: [one["id"] for one in json.loads(str(each.value))["values"]]
        for each in found.entries
        if isinstance(each, Reading)
    }
    assert ids == {"Blue": ["evcc-1"], "Garage": ["evcc-2"]}
    [issue] = run(EVCC, [delivery(both, vehicle="id")]).issues
    assert "these are sessions of Blue, a car without a name" in issue.detail


def test_voltage_and_phases_are_those_that_carry_current_though_all_three_are_connected() -> None:
    one = {"chargePower": 3300, "phasesActive": 3, "chargeCurrents": [14.1, 0.2, 0], "chargeVoltages": [236.5, 229, 228.1]}
    known = values(outcome_of(EVCC, {"connected": True, "charging": True} | one))
    assert (known["voltage"], known["chargerphases"]) == (236.5, 1)
    idle = {"connected": True, "charging": False, "phasesActive": 3, "chargeCurrents": [0, 0, 0]}
    assert values(outcome_of(EVCC, idle))["chargerphases"] == 3


@pytest.mark.parametrize(
    ("watts", "currents", "shown"),
    [
        (65_508, [0, 0, 0], "<UNREADABLE>"),
        (65_508, [100, 0, 0], 65_508),
        (7_200, [0.1, 0, 0], 7_200),
        (-28, [0, 0, 0], 0),
        (-3_200, [-4.6, -4.6, -4.7], "<NOT_CHARGING>"),
    ],
)
def test_a_power_without_its_sign_is_none_a_small_negative_one_is_0_and_one_that_feeds_back_is_no_charge(
    watts: int, currents: list[float], shown: Any
) -> None:
    memory, charging = CarMemory(), {"connected": True, "charging": True}
    outcome_of(EVCC, charging | {"chargePower": 5_000, "chargeCurrents": [21.7, 0, 0]}, memory)
    assert values(outcome_of(EVCC, {"chargePower": watts, "chargeCurrents": currents}, memory, NOW + 1000))["wattage"] == shown


def test_names_of_earlier_releases_are_read_and_the_present_ones_count_beside_them() -> None:
    old = {"vehicleSoC": 48, "targetSoC": 80, "vehicleTargetSoC": 90, "activePhases": 1, "chargeCurrent": 16}
    known = values(outcome_of(EVCC, old))
    assert (known["stateofcharge"], known["chargelimits"]["activeLimit"], known["chargerphases"]) == (48, 80, 1)
    assert known["amperagerequested"] == 16
    assert values(outcome_of(EVCC, {"socCharge": 47}))["stateofcharge"] == 47
    new = {"vehicleSoc": 61, "effectiveLimitSoc": 70, "phasesActive": 3, "offeredCurrent": 10}
    known = values(outcome_of(EVCC, old | new))
    assert (known["stateofcharge"], known["chargelimits"]["activeLimit"], known["chargerphases"]) == (61, 70, 3)
    assert known["amperagerequested"] == 10


@pytest.mark.parametrize("planned", [0, NOW // 1000 - 60, "2026-05-01T09:00:00Z", "soon"])
def test_a_plan_that_is_over_or_none_schedules_nothing(planned: Any) -> None:
    paused = {"connected": True, "charging": False, "enabled": False}
    assert values(outcome_of(EVCC, paused | {"effectivePlanTime": planned}))["detailedchargingstatus"] == "SUSPENDED_BY_STATION"


def test_the_temperature_of_a_heater_is_no_charge_and_no_limit() -> None:
    known = values(
        outcome_of(EVCC, {"connected": True, "charging": True, "heating": True, "vehicleSoc": 52, "effectiveLimitSoc": 60})
    )
    assert not known.keys() & {"stateofcharge", "chargelimits"}
