from typing import Any

import pytest
from recorded import outcome_of, run, values

from chargeport.dialects.carconnectivity import CARCONNECTIVITY
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000
TOPIC = "carconnectivity/0/garage/WVWZZZE1ZMP000000/"


@pytest.mark.parametrize(
    ("fields", "says", "charges"),
    [
        ({"charging/state": "off"}, "NOT_CHARGING", False),
        ({"charging/state": "off", "charging/connector/connection_state": "connected"}, "CONNECTED", False),
        ({"charging/state": "off", "charging/connector/connection_state": "disconnected"}, "DISCONNECTED", False),
        ({"charging/state": "ready_for_charging"}, "CONNECTED", False),
        ({"charging/state": "ready_for_charging", "charging/connector/external_power": "unavailable"}, "NO_POWER", False),
        ({"charging/state": "charging"}, "CHARGING", True),
        ({"charging/state": "conservation"}, "CONSERVING", False),
        ({"charging/state": "conservation", "charging/power": "0.3"}, "CONSERVING", True),
        ({"charging/state": "discharging"}, "DISCHARGING", False),
        ({"charging/state": "error"}, "ERROR", False),
        ({"charging/state": "unknown charging state"}, None, None),
        ({"charging/state": "unsupported"}, None, None),
    ],
)
def test_the_state_is_refined_by_plug_supply_and_power(fields: dict[str, Any], says: str | None, charges: bool | None) -> None:
    found = outcome_of(CARCONNECTIVITY, fields)
    assert found.issues == []
    assert (values(found).get("detailedchargingstatus"), values(found).get("ischarging")) == (says, charges)


def test_a_tank_is_no_state_of_charge() -> None:
    tank = {"drives/primary/type": "gasoline", "drives/primary/level": 90, "drives/primary/range": 650}
    battery = {"drives/secondary/type": "electric", "drives/secondary/level": 44}
    assert values(outcome_of(CARCONNECTIVITY, tank | battery)) == {"stateofcharge": 44}
    assert outcome_of(CARCONNECTIVITY, {"drives/primary/level": 90}) == ([], [])


def test_a_unit_that_comes_with_a_value_is_believed_and_one_that_nobody_knows_drops_it() -> None:
    tree: dict[str, Any] = {
        "charging": {"state": {"val": "charging"}, "power": {"val": 7200, "uni": "W"}, "rate": {"val": 30, "uni": "mph"}}
    }
    assert values(outcome_of(CARCONNECTIVITY, tree)) | {"detailedchargingstatus": 0} == {
        "ischarging": True, "detailedchargingstatus": 0, "wattage": 7200, "chargerate": 48.28032,
    }  # fmt: skip
    tree["charging"]["rate"]["uni"] = "unknown speed unit"
    assert "chargerate" not in values(outcome_of(CARCONNECTIVITY, tree))


@pytest.mark.parametrize(("until", "minutes"), [("2026-05-01 11:29:58+00:00", 90), ("2026-05-01T09:00:00+00:00", None)])
def test_the_date_at_which_the_target_is_reached_is_the_time_until_then(until: str, minutes: int | None) -> None:
    assert values(outcome_of(CARCONNECTIVITY, {"charging/estimated_date_reached": until})).get("timetocomplete") == minutes


def test_each_attribute_of_the_tree_is_as_of_its_own_update() -> None:
    payload = (
        b'{"garage": {"WVWZZZE1ZMP000000": {"charging": {"power": {"val": 7, "uni": "kW", "upd": "2026-05-01T09:50:00+00:00"},'
        b' "state": {"val": "charging", "upd": "2026-05-01T09:49:00+00:00"}}}}}'
    )
    found = run(CARCONNECTIVITY, [Delivery(source="s", dialect="carconnectivity", payload=payload, received_at=NOW)])
    assert {entry.signal.name: entry.observed_at for entry in found.entries if entry.signal.name != "IsCharging"} == {
        "DetailedChargingStatus": 1_777_628_940_000,
        "Wattage": 1_777_629_000_000,
    }


def test_the_json_form_of_a_topic_is_the_same_attribute() -> None:
    payload = b'{"val": 80, "upd": "2026-05-01T09:50:00+00:00", "uni": "%"}'
    topic = TOPIC + "charging/settings/target_level_json"
    found = run(
        CARCONNECTIVITY, [Delivery(source="s", dialect="carconnectivity", payload=payload, received_at=NOW, topic=topic)]
    )
    [entry] = found.entries
    assert (entry.vehicle, entry.observed_at) == ("WVWZZZE1ZMP000000", 1_777_629_000_000)
    assert values(found)["chargelimits"]["activeLimit"] == 80


@pytest.mark.parametrize("field", ["parking_brake", "window_heating/heating_state"])
def test_what_newer_releases_tell_beside_charging_is_known(field: str) -> None:
    assert CARCONNECTIVITY.ignores(field)
