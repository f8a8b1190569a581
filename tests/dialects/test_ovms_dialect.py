from typing import Any

import pytest
from recorded import outcome_of, values

from chargeport.dialects.ovms import OVMS
from chargeport.ingest import engine
from chargeport.ingest.memory import CarMemory
from chargeport.sources.base import Delivery, RawMessage

NOW = 1_777_629_598_000


def status(**metrics: Any) -> Any:
    return values(outcome_of(OVMS, {f"v.c.{name}": sent for name, sent in metrics.items()})).get("detailedchargingstatus")


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"state": "charging", "substate": "onrequest", "pilot": "yes", "charging": "yes"}, "CHARGING"),
        ({"state": "topoff", "pilot": "yes"}, "CONSERVING"),
        ({"state": "done", "substate": "stopped", "pilot": "yes"}, "FULLY_CHARGED"),
        ({"state": "done", "substate": "stopped", "pilot": "no"}, "DISCONNECTED"),
        ({"state": "prepare", "pilot": "yes"}, "STARTING"),
        ({"state": "heating", "pilot": "yes"}, "STARTING"),
        ({"state": "timerwait", "pilot": "yes"}, "SCHEDULED"),
        ({"state": "stopped", "substate": "scheduledstart", "pilot": "yes"}, "SCHEDULED"),
        ({"state": "stopped", "substate": "timerwait"}, "SCHEDULED"),
        ({"state": "stopped", "substate": "powerwait", "pilot": "yes"}, "NO_POWER"),
        ({"state": "stopped", "substate": "scheduledstop"}, "STOPPED"),
        ({"state": "stopped", "substate": "interrupted"}, "STOPPED"),
        ({"state": "error", "pilot": "yes"}, "ERROR"),
        ({"state": "", "pilot": "no"}, "DISCONNECTED"),
        ({"state": "", "pilot": "yes", "charging": "no"}, "CONNECTED"),
        ({"state": "", "pilot": "yes", "charging": "yes"}, "CHARGING"),
        ({"state": "charging", "charging": "no"}, None),
        ({"pilot": "", "state": ""}, None),
    ],
)
def test_state_substate_and_pilot_make_one_status(metrics: dict[str, str], expected: str | None) -> None:
    assert status(**metrics) == expected


@pytest.mark.parametrize("metric", ["v.c.state", "v.c.substate", "v.c.type", "v.c.pilot"])
def test_a_word_that_is_not_known_is_one_issue_and_no_reading(metric: str) -> None:
    found = outcome_of(OVMS, {metric: "levitating"})
    assert found.entries == []
    assert [issue.subject for issue in found.issues] == [metric]


@pytest.mark.parametrize(
    ("metrics", "plugged"),
    [
        ({"v.c.pilot": "yes"}, True),
        ({"v.c.pilot": "no"}, False),
        ({"v.c.pilot": "no", "v.c.charging": "yes"}, True),
        ({"v.d.cp": "no"}, None),  # nor is a shut one a word that there is none
        ({"v.d.cp": "yes"}, None),  # an open door is no cable
        ({"v.d.cp": "no", "v.c.pilot": "yes"}, True),
    ],
)
def test_the_pilot_tells_the_cable_and_the_door_says_nothing_of_it(metrics: dict[str, str], plugged: bool | None) -> None:
    assert values(outcome_of(OVMS, metrics)).get("ischargingcableconnected") is plugged


@pytest.mark.parametrize(
    ("metrics", "connector", "kind", "present"),
    [
        ({"v.c.type": "type1"}, "J1772", None, False),
        ({"v.c.type": "type2"}, "Type 2", None, False),
        ({"v.c.type": "chademo"}, "CHAdeMO", "CHADEMO", True),
        ({"v.c.type": "ccs"}, None, "CCS", True),
        ({"v.c.type": "supercharger"}, None, "SUPERCHARGER", True),
        ({"v.c.type": "teslaus"}, "NACS", None, False),
        ({"v.c.type": "Quickcharge"}, None, None, True),
        ({"v.c.type": "Standard"}, None, None, False),
        ({"v.c.type": "undefined"}, None, None, None),
        ({"v.c.type": "None", "v.c.mode": "performance"}, None, None, True),
        ({"v.c.type": "roadster", "v.c.mode": "performance"}, "Tesla Roadster", None, False),
        ({"v.c.mode": "standard"}, None, None, None),
        ({"v.c.type": "ccs", "v.c.pilot": "no"}, None, "<NOT_CHARGING>", False),
    ],
)
def test_the_type_tells_inlet_standard_and_fast_charger(
    metrics: dict[str, str], connector: str | None, kind: str | None, present: bool | None
) -> None:
    found = values(outcome_of(OVMS, metrics))
    assert (found.get("chargingconnectortype"), found.get("fastchargertype")) == (connector, kind)
    assert found.get("isfastchargerpresent") is present


@pytest.mark.parametrize(
    ("metrics", "watts"),
    [
        ({"v.c.charging": "yes", "v.c.power": "3.52", "v.b.power": "-3.1"}, 3520),
        ({"v.c.charging": "yes", "v.b.power": "-6.6"}, 6600),
        ({"v.c.charging": "yes", "v.b.power": "0.4"}, None),
        ({"v.b.power": "-20"}, None),  # braking
        ({"v.c.charging": "no", "v.c.power": "3.52"}, "<NOT_CHARGING>"),
    ],
)
def test_power_is_the_chargers_else_what_flows_into_the_battery(metrics: dict[str, str], watts: Any) -> None:
    assert values(outcome_of(OVMS, metrics)).get("wattage") == watts


@pytest.mark.parametrize(
    ("soc", "full", "minutes"),
    [("115", "220", 115), ("-1", "220", 220), ("0", "220", 220), ("-1", "-1", None), ("0", "0", None)],
)
def test_no_estimate_is_no_time(soc: str, full: str, minutes: int | None) -> None:
    metrics = {"v.c.charging": "yes", "v.c.duration.soc": soc, "v.c.duration.full": full}
    assert values(outcome_of(OVMS, metrics)).get("timetocomplete") == minutes


def test_a_timer_is_told_without_its_time_for_that_is_utc() -> None:
    assert values(outcome_of(OVMS, {"v.c.timermode": "no", "v.c.timerstart": "01:30:00"}))["chargetimers"] == {"values": []}
    on = values(outcome_of(OVMS, {"v.c.timermode": "yes", "v.c.timerstart": 5400}))["chargetimers"]
    assert on == {"values": [{"type": "GLOBAL"}]}


def test_limits_and_capacities_of_zero_are_none() -> None:
    assert outcome_of(OVMS, {"v.c.limit.soc": "0", "v.b.capacity": "0"}) == ([], [])
    assert values(outcome_of(OVMS, {"v.c.limit.soc": "80"}))["chargelimits"]["activeLimit"] == 80


def test_metrics_of_the_module_of_one_make_and_of_driving_are_ignored_by_name() -> None:
    metrics = [
        "m.freeram",
        "s.v3.connected",
        "v.e.on",
        "v.p.latitude",
        "v.tp.fl.p",
        "v.g.power",
        "xvu.b.soc.abs",
        "v.b.p.temp.min",
    ]
    assert outcome_of(OVMS, dict.fromkeys(metrics, "1")) == ([], [])


def messages(topic: str) -> Any:
    one = Delivery(source="s", dialect="ovms", payload=b"62", received_at=NOW, topic=topic)
    return engine.read(one, OVMS)


def test_a_topic_names_the_car_and_its_metric_and_what_else_is_below_a_car_says_nothing() -> None:
    [message] = messages("ovms/ann/leaf/metric/v/b/soc")
    assert isinstance(message, RawMessage)
    assert (message.vehicle, dict(message.fields)) == ("leaf", {"v.b.soc": 62})
    assert messages("ovms/ann/leaf/notify/info/charge/done") == []
    assert messages("ovms/ann/leaf/event") == []


def test_a_charge_that_is_over_takes_back_the_state_that_is_not_told_anew() -> None:
    memory = CarMemory()

    def tell(at: int, **metrics: str) -> Any:
        fields = {f"v.c.{name}": sent for name, sent in metrics.items()}
        return engine.normalise(
            RawMessage(source="ovms", dialect="ovms", vehicle="car", fields=fields, received_at=at), OVMS, memory
        )

    assert values(tell(NOW, state="charging", charging="yes", pilot="yes"))["detailedchargingstatus"] == "CHARGING"
    found = values(tell(NOW + 60_000, charging="no"))
    assert (found["ischarging"], found["detailedchargingstatus"]) == (False, "<UNREADABLE>")
    assert values(tell(NOW + 61_000, state="done"))["detailedchargingstatus"] == "FULLY_CHARGED"


@pytest.mark.parametrize(
    ("metrics", "watts"),
    [
        ({"v.c.charging": "yes", "v.c.power": 0, "v.b.power": -6.1}, 6100),
        ({"v.c.charging": "yes", "v.c.power": 0, "v.b.power": -0.2}, 0),
        ({"v.c.charging": "yes", "v.c.power": 6.9, "v.b.power": -6.1}, 6900),
        ({"v.c.charging": "no", "v.c.power": 0, "v.b.power": -20}, 0),
    ],
)
def test_0_kw_of_a_charger_that_is_not_measured_gives_way_to_what_flows_into_the_battery(
    metrics: dict[str, Any], watts: int
) -> None:
    assert values(outcome_of(OVMS, metrics))["wattage"] == watts


def test_a_state_of_charge_of_0_is_written_until_it_is_known() -> None:
    memory = CarMemory()
    outcome_of(OVMS, {"v.b.soc": 55}, memory)
    assert outcome_of(OVMS, {"v.b.soc": 0}, memory, 1_777_629_658_000).entries == []
    assert values(outcome_of(OVMS, {"v.b.soc": 0.5}, memory, 1_777_629_698_000))["stateofcharge"] == 0.5
