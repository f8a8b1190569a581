"""What holds in every dialect, in the words of each: the order of fields, numbers that were cut, noise, plugs, limits of 0."""

import itertools
from typing import Any

import pytest
from recorded import outcome_of, values

from chargeport.dialects.all import ALL
from chargeport.dialects.table import dialect, row
from chargeport.dialects.user import from_table
from chargeport.ingest.memory import CarMemory

NOW = 1_777_629_598_000

BOX = from_table(
    {
        "name": "box",
        "rows": [
            {"field": "on", "signal": "charge-ischarging"},
            {"field": "kw", "signal": "charge-wattage", "unit": "kW"},
            {"field": "a", "signal": "charge-amperage", "unit": "A"},
            {"field": "v", "signal": "charge-voltage", "unit": "V"},
        ],
    },
    "box.toml",
)
DIALECTS = ALL | {"box": BOX}


def course(name: str, *sent: dict[str, Any]) -> dict[str, Any]:
    """What is known of a car in the end, when a source says one thing after the other, a second apart."""
    memory, known = CarMemory(), {}
    for index, fields in enumerate(sent):
        outcome = outcome_of(DIALECTS[name], fields, memory, NOW + index * 1000)
        assert outcome.issues == []
        known |= values(outcome)
    return known


def ha(end: str, state: str, unit: str | None = None) -> dict[str, Any]:
    """An entity of the car x in Home Assistant."""
    domain = "binary_sensor" if end in ("fast_charger_present", "charge_cable") else "sensor"
    return {f"{domain}.x_{end}": {"state": state, "attributes": {} if unit is None else {"unit_of_measurement": unit}}}


def bmw(end: str, content: Any) -> dict[str, Any]:
    """A descriptor of BMW CarData."""
    return {f"vehicle.drivetrain.electricEngine.{end}": {"value": content}}


HA_CHARGING = ha("charging", "charging")
CUT: dict[str, tuple[dict[str, Any], ...]] = {
    "teslamate": (
        {"charging_state": "Charging"}, {"charger_power": 0}, {"charger_voltage": 120}, {"charger_actual_current": 8},
    ),
    "home_assistant": (
        HA_CHARGING, ha("charger_power", "0", "kW"), ha("charger_voltage", "120", "V"), ha("charger_current", "8", "A"),
    ),
    "ovms": ({"v.c.charging": "yes"}, {"v.c.power": 0}, {"v.c.voltage": 120}, {"v.c.current": 8}),
    "generic": ({"ischarging": True}, {"wattage": {"value": 0, "unit": "kW"}}, {"voltage": 120}, {"amperage": 8}),
    "box": ({"on": True}, {"kw": 0}, {"v": 120}, {"a": 8}),
}  # fmt: skip


@pytest.mark.parametrize("name", CUT)
def test_a_power_cut_down_to_0_is_no_value_beside_a_current_in_whatever_order_they_come(name: str) -> None:
    for sent in itertools.permutations(CUT[name]):
        known = course(name, *sent)
        assert known.get("wattage") in (None, "<UNREADABLE>")
        assert known["amperage"] == 8


@pytest.mark.parametrize("name", CUT)
def test_a_power_of_0_is_one_once_no_current_flows(name: str) -> None:
    *others, current = CUT[name]
    stopped = {field: {**sent, "state": "0"} if isinstance(sent, dict) else 0 for field, sent in current.items()}
    assert course(name, *others, current, stopped)["wattage"] == 0


def test_a_snapshot_tells_all_of_it_at_once() -> None:
    cut = {"charging_state": "Charging", "charger_power": 0, "charger_voltage": 120, "charger_actual_current": 8}
    dc = {"charging_state": "Charging", "charger_power": 96, "charger_voltage": 2, "charger_actual_current": 0}
    assert "wattage" not in course("tesla_rest", cut)
    assert not {"voltage", "amperage"} & course("tesla_rest", dc | {"fast_charger_type": "Combo"}).keys()
    assert not {"voltage", "amperage"} & course("tesla_rest", dc).keys(), "so much power tells it, too"


TWICE = from_table(
    {
        "name": "twice",
        "rows": [
            {"field": "on", "signal": "charge-ischarging"},
            {"field": "kw", "signal": "charge-wattage", "unit": "kW", "gate": "live"},
            {"field": "watts", "signal": "charge-wattage", "gate": "live"},
        ],
    },
    "twice.toml",
)


@pytest.mark.parametrize(
    ("sent", "watts"),
    [
        ({"on": True, "kw": 7, "watts": 6_900}, 7_000),
        ({"on": True, "kw": None, "watts": 6_900}, 6_900),
        ({"on": True, "kw": "many", "watts": 6_900}, 6_900),
        ({"on": True, "kw": 7, "watts": "many"}, 7_000),
    ],
)
def test_of_two_fields_for_one_signal_in_one_message_the_first_of_the_table_counts_in_whatever_order_they_stand(
    sent: dict[str, Any], watts: int
) -> None:
    for fields in itertools.permutations(sent.items()):
        outcome = outcome_of(TWICE, dict(fields))
        values_told = [getattr(entry, "value", None) for entry in outcome.entries if entry.signal.code == "charge-wattage"]
        assert values_told == [watts]
        assert len(outcome.issues) == list(sent.values()).count("many")


_PLUG = "vehicle.powertrain.tractionBattery.charging.port.anyPosition.isPlugged"


@pytest.mark.parametrize(
    ("name", "fine", "wrong", "code", "shown"),
    [
        ("bmw_cardata", bmw("charging.status", "CHARGINGACTIVE"), bmw("charging.hvStatus", "DAYDREAMING"),
         "detailedchargingstatus", "CHARGING"),
        ("bmw_cardata", bmw("charging.status", "CHARGINGACTIVE"), bmw("charging.level", "many"),
         "detailedchargingstatus", "CHARGING"),
        ("bmw_cardata", {"vehicle.body.chargingPort.status": "CONNECTED"}, {_PLUG: "perhaps"},
         "ischargingcableconnected", True),
        ("bmw_cardata",
         bmw("charging.status", "CHARGINGACTIVE") | {"vehicle.powertrain.electric.battery.charging.power": {"value": 7000}},
         bmw("charging.acAmpere", "many"), "wattage", 7000),
        ("ovms", {"v.c.state": "charging", "v.c.charging": "yes"}, {"v.c.substate": "daydreaming"},
         "detailedchargingstatus", "CHARGING"),
        ("evcc", {"connected": True, "charging": False, "enabled": True}, {"vehicleSoc": "many"},
         "detailedchargingstatus", "SUSPENDED_BY_CAR"),
        ("evcc", {"connected": True, "charging": True}, {"enabled": "perhaps"}, "detailedchargingstatus", "CHARGING"),
        ("carconnectivity", {"charging/state": "ready_for_charging"}, {"charging/settings/target_level": "many"},
         "detailedchargingstatus", "CONNECTED"),
        ("carconnectivity", {"charging/state": "conservation"}, {"charging/power": "many"}, "ischarging", False),
        ("carconnectivity", {"charging/state": "ready_for_charging"}, {"charging/connector/external_power": "perhaps"},
         "detailedchargingstatus", "CONNECTED"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_beside_a_state_or_number_costs_itself_alone(
    name: str, fine: dict[str, Any], wrong: dict[str, Any], code: str, shown: Any
) -> None:
    for sent in (fine | wrong, wrong | fine):
        outcome = outcome_of(DIALECTS[name], sent)
        assert values(outcome)[code] == shown
        assert [issue.subject for issue in outcome.issues] == list(wrong)
    memory = CarMemory()
    outcome_of(DIALECTS[name], wrong, memory, NOW)
    after = outcome_of(DIALECTS[name], fine, memory, NOW + 1000)
    assert (values(after)[code], after.issues) == (shown, []), "nor does it when it was told before"


NOISE: dict[str, tuple[dict[str, Any], ...]] = {
    "tesla": ({"DetailedChargeState": "DetailedChargeStateCharging"}, {"FastChargerPresent": True}, {"ChargeAmps": 0},
              {"ChargerVoltage": 1.6}, {"DCChargingPower": 96.5}),
    "teslamate": ({"charging_state": "Charging"}, {"charger_phases": ""}, {"charger_actual_current": 0}, {"charger_voltage": 1},
                  {"charger_power": 96}),
    "home_assistant": (HA_CHARGING, ha("fast_charger_present", "on"), ha("charger_current", "0", "A"),
                       ha("charger_voltage", "2", "V"), ha("charger_power", "96", "kW")),
    "bmw_cardata": (bmw("charging.status", "CHARGINGACTIVE"), bmw("charging.method", "DC_CHARGING"),
                    bmw("charging.acAmpere", 0), bmw("charging.acVoltage", 0),
                    {"vehicle.powertrain.electric.battery.charging.power": {"value": 96_000}}),
}  # fmt: skip


@pytest.mark.parametrize("name", NOISE)
def test_at_a_fast_charger_the_charger_on_board_says_nothing_in_whatever_order_it_comes(name: str) -> None:
    for sent in itertools.permutations(NOISE[name]):
        known = course(name, *sent)
        assert known["ischarging"] is True
        assert 96_000 <= known["wattage"] < 97_000
        assert {known.get("voltage"), known.get("amperage")} <= {None, "<UNREADABLE>"}


@pytest.mark.parametrize(
    ("name", "charging", "negative"),
    [
        ("tesla", {"DetailedChargeState": "Charging", "ACChargingPower": 7}, {"ACChargingPower": -0.4}),
        ("tesla_rest", {"charging_state": "Charging", "charger_power": 49}, {"charger_power": -1}),
        ("teslamate", {"charging_state": "Charging", "charger_power": 49}, {"charger_power": -1}),
        ("carconnectivity", {"charging": {"state": "charging", "power": 7}}, {"charging": {"power": -2}}),
        ("home_assistant", HA_CHARGING | ha("charger_power", "7", "kW"), ha("charger_power", "-3", "kW")),
        ("generic", {"ischarging": True, "wattage": 7000}, {"wattage": -500}),
        ("box", {"on": True, "kw": 7}, {"kw": -3}),
        ("ovms", {"v.c.charging": "yes", "v.c.power": 7}, {"v.c.power": -3}),
    ],
)
def test_a_negative_power_is_no_issue_and_leaves_no_positive_one(name: str, charging: Any, negative: Any) -> None:
    assert course(name, charging)["wattage"] > 0
    assert course(name, charging, negative)["wattage"] == "<NOT_CHARGING>"


@pytest.mark.parametrize(
    ("name", "fast", "unplugged"),
    [
        ("tesla", {"DetailedChargeState": "Charging", "FastChargerPresent": True, "FastChargerType": "FastChargerCombo"},
         {"DetailedChargeState": "Disconnected"}),
        ("tesla_rest", {"charging_state": "Charging", "fast_charger_present": True, "fast_charger_type": "Combo"},
         {"charging_state": "Disconnected", "fast_charger_present": True, "fast_charger_type": "Combo"}),
        ("ovms", {"v.c.charging": "yes", "v.c.pilot": "yes", "v.c.type": "ccs"}, {"v.c.charging": "no", "v.c.pilot": "no"}),
        ("home_assistant", HA_CHARGING | ha("fast_charger_present", "on") | ha("fast_charger_type", "combo"),
         ha("charging", "disconnected")),
        ("home_assistant", HA_CHARGING | ha("fast_charger_present", "on") | ha("fast_charger_type", "combo"),
         ha("charge_cable", "off")),
        ("generic", {"ischarging": True, "isfastchargerpresent": True, "fastchargertype": "CCS"},
         {"ischargingcableconnected": False}),
    ],
)  # fmt: skip
def test_no_fast_charger_is_there_once_the_cable_is_out(name: str, fast: Any, unplugged: Any) -> None:
    before = course(name, fast)
    assert (before["isfastchargerpresent"], before["fastchargertype"]) == (True, "CCS")
    after = course(name, fast, unplugged)
    assert (after["ischargingcableconnected"], after["isfastchargerpresent"]) == (False, False)
    assert (after["ischarging"], after["fastchargertype"]) == (False, "<NOT_CHARGING>")


@pytest.mark.parametrize(
    ("name", "limited", "none"),
    [
        ("tesla", {"ChargeLimitSoc": 80}, {"ChargeLimitSoc": 0}),
        ("tesla_rest", {"charge_limit_soc": 80}, {"charge_limit_soc": 0}),
        ("teslamate", {"charge_limit_soc": 80}, {"charge_limit_soc": 0}),
        ("ovms", {"v.c.limit.soc": 80}, {"v.c.limit.soc": 0}),
        ("carconnectivity", {"charging": {"settings": {"target_level": 80}}}, {"charging": {"settings": {"target_level": 0}}}),
        ("home_assistant", ha("charge_limit_soc", "80", "%"), ha("charge_limit_soc", "0", "%")),
    ],
)
def test_a_limit_of_0_is_none_and_takes_the_limit_back(name: str, limited: Any, none: Any) -> None:
    assert course(name, limited)["chargelimits"]["activeLimit"] == 80
    assert "chargelimits" not in course(name, none)
    assert course(name, limited, none)["chargelimits"] == "<UNREADABLE>"


@pytest.mark.parametrize(
    ("name", "at_target"),
    [
        ("carconnectivity", ({"drives": {"secondary": {"type": "electric", "level": 90}}},
                             {"charging": {"settings": {"target_level": 90}, "connector": {"connection_state": "connected"}}},
                             {"charging": {"state": "ready_for_charging"}})),
        ("home_assistant", (ha("battery_charge_level", "91", "%"), ha("target_battery_charge_level", "90", "%"),
                            ha("charging_connection_status", "connected"), ha("charging_status", "idle"))),
        ("ovms", ({"v.b.soc": 90.5}, {"v.c.limit.soc": 90}, {"v.c.state": "stopped"}, {"v.c.pilot": "yes"})),
        ("evcc", ({"vehicleSoc": 90}, {"effectiveLimitSoc": 90}, {"connected": True, "charging": False, "enabled": True})),
    ],
)  # fmt: skip
def test_a_car_that_has_reached_its_target_is_full_in_whatever_order_that_is_told(name: str, at_target: Any) -> None:
    for sent in itertools.permutations(at_target):
        assert course(name, *sent)["detailedchargingstatus"] == "FULLY_CHARGED"


@pytest.mark.parametrize("reason", ["waitingforauthorization", "waitingForAuthorization", "disconnectrequired"])
def test_evccs_car_does_not_pause_while_its_station_waits(reason: str) -> None:
    sent = ({"connected": True}, {"charging": False}, {"enabled": True}, {"chargerStatusReason": reason}, {"vehicleSoc": 50})
    for order in itertools.permutations(sent):
        assert course("evcc", *order)["detailedchargingstatus"] == "SUSPENDED_BY_STATION"
    assert course("evcc", *sent, {"chargerStatusReason": ""})["detailedchargingstatus"] == "SUSPENDED_BY_CAR"
    assert course("evcc", *sent, {"charging": True})["detailedchargingstatus"] == "CHARGING"


def test_a_list_of_fewer_phases_leaves_none_of_the_others_behind() -> None:
    known = course("evcc", {"charging": True, "chargeCurrents": [6, 7, 16]}, {"chargeCurrents": [6.5]})
    assert known["amperage"] == 6.5


@pytest.mark.parametrize("nothing", [None, "", []])
def test_phases_of_which_there_is_no_list_any_more_have_no_value(nothing: Any) -> None:
    before = {"charging": True, "chargeCurrents": [6, 7, 16], "chargeVoltages": [229, 230, 231]}
    known = course("evcc", before, {"chargeCurrents": nothing, "chargeVoltages": nothing, "chargePower": 900})
    assert (known["amperage"], known["voltage"], known["wattage"]) == ("<UNREADABLE>", "<UNREADABLE>", 900)


@pytest.mark.parametrize(
    ("battery", "watts"),
    [((-3.1, None), 3100), ((3.1, -9.8), 3100), ((-3.1, -9.8), 3100), ((3.1, 9.8), None), ((3.1, None), None)],
)
def test_the_sign_of_ovmss_battery_power_is_told_by_its_current(battery: tuple[float, float | None], watts: int | None) -> None:
    power, current = battery
    sent: list[dict[str, Any]] = [{"v.c.charging": "yes"}, {"v.b.power": power}]
    sent += [] if current is None else [{"v.b.current": current}]
    for order in itertools.permutations(sent):
        assert course("ovms", *order).get("wattage") in ((watts,) if watts else (None, "<UNREADABLE>"))


@pytest.mark.parametrize(
    "fields",
    [
        {"v.c.pilot": "", "v.d.cp": "no"},
        {"v.d.cp": "no"},
        {"v.c.pilot": "", "v.c.charging": "no", "v.c.state": "", "v.d.cp": "no"},
    ],
)
def test_what_a_module_of_ovms_does_not_know_after_a_restart_pulls_no_plug(fields: dict[str, Any]) -> None:
    known = course("ovms", {"v.c.charging": "no", "v.c.pilot": "yes", "v.d.cp": "yes", "v.c.state": "done"}, fields)
    assert (known["ischargingcableconnected"], known["detailedchargingstatus"]) == (True, "FULLY_CHARGED")


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("ACSingleWireCAN", None), ("ac_single_wire_can", None), ("FastChargerACSingleWireCAN", None),
        ("mc_single_wire_can", None),
        ("combo", "CCS"), ("Combo", "CCS"), ("chademo", "CHADEMO"), ("gb", "GBT"), ("supercharger", "SUPERCHARGER"),
        ("tesla", "SUPERCHARGER"), ("other", "OTHER"), ("unknown", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["home_assistant", "tesla", "tesla_rest"])
def test_teslas_words_mean_the_same_in_each_of_its_dialects_and_spellings(name: str, kind: str, shown: str | None) -> None:
    field = {"tesla": "FastChargerType", "tesla_rest": "fast_charger_type"}.get(name)
    sent = ha("fast_charger_type", kind) if field is None else {field: kind}
    assert course(name, sent).get("fastchargertype") == shown


@pytest.mark.parametrize(
    ("connection", "plugged", "fast"),
    [
        ("connected", True, None), ("connection_status_connected_ac", True, False),
        ("CONNECTION_STATUS_CONNECTED_DC", True, True),
        ("connection_status_disconnected", False, None), ("connection_status_unspecified", None, None),
    ],
)  # fmt: skip
def test_volvos_words_are_read_with_and_without_the_name_before_them(
    connection: str, plugged: bool | None, fast: bool | None
) -> None:
    known = course("home_assistant", ha("charging_connection_status", connection))
    assert (known.get("ischargingcableconnected"), known.get("isfastchargerpresent")) == (plugged, fast)


@pytest.mark.parametrize("end", ["charging_status", "charging_system_status"])
@pytest.mark.parametrize(
    ("word", "charges", "says"),
    [
        ("charging", True, "CHARGING"),
        ("idle", False, "NOT_CHARGING"),
        ("scheduled", False, "SCHEDULED"),
        ("fault", False, "ERROR"),
        ("smart_charging", True, "CHARGING"),
        ("smart_charging_paused", False, "SCHEDULED"),
    ],
)
def test_volvos_states_are_read_under_both_names(end: str, word: str, charges: bool, says: str) -> None:
    for spelled in (word, f"charging_system_{word}", f"CHARGING_SYSTEM_{word.upper()}"):
        known = course("home_assistant", ha(end, spelled))
        assert (known["ischarging"], known["detailedchargingstatus"]) == (charges, says)


@pytest.mark.parametrize("state", ["charging", "done", "unspecified", "idle"])
def test_a_volvo_is_disconnected_once_its_plug_is_out_whatever_its_status_said_before(state: str) -> None:
    plugged, out = (ha("charging_connection_status", each) for each in ("connected", "disconnected"))
    later = ha("battery_charge_level", "80", "%")
    known = course("home_assistant", plugged, ha("charging_status", state), out, later)
    assert known["detailedchargingstatus"] == "DISCONNECTED"
    assert known.get("ischarging") is not True
    assert course("home_assistant", out, ha("charging_status", "charging"))["detailedchargingstatus"] == "CHARGING"


def test_a_volvo_at_a_station_that_has_paused_has_no_power_rather_than_an_error() -> None:
    sent = (ha("charging_status", "idle"), ha("charging_connection_status", "connected"), ha("charging_power_status", "fault"))
    for order in itertools.permutations(sent):
        assert course("home_assistant", *order)["detailedchargingstatus"] == "NO_POWER"


def test_an_unknown_word_of_volvos_supply_is_an_issue_beside_the_status() -> None:
    outcome = outcome_of(DIALECTS["home_assistant"], ha("charging_status", "idle") | ha("charging_power_status", "daydreaming"))
    assert values(outcome)["detailedchargingstatus"] == "NOT_CHARGING"
    assert [issue.subject for issue in outcome.issues] == ["sensor.charging_power_status"]


def test_a_volvo_that_names_no_type_of_charging_takes_the_fast_charger_back() -> None:
    fast = (ha("charging_status", "charging"), ha("charging_type", "dc"))
    assert course("home_assistant", *fast)["isfastchargerpresent"] is True
    after = course("home_assistant", *fast, ha("charging_status", "idle"), ha("charging_type", "none"))
    assert after["isfastchargerpresent"] == "<NOT_CHARGING>"


SESSIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "teslamate": (
        {"charging_state": "Charging", "charger_power": 11, "charger_actual_current": 16, "charger_voltage": 230},
        {"charging_state": "Stopped"}, {"charging_state": "Charging"},
    ),
    "ovms": (
        {"v.c.charging": "yes", "v.c.state": "charging", "v.c.power": 7.2, "v.c.current": 31, "v.c.voltage": 232},
        {"v.c.charging": "no", "v.c.state": "done"}, {"v.c.charging": "yes", "v.c.state": "charging"},
    ),
    "home_assistant": (HA_CHARGING | ha("charger_power", "7", "kW") | ha("charger_voltage", "231", "V"),
                       ha("charging", "stopped"), HA_CHARGING),
    "box": ({"on": True, "kw": 7, "v": 229}, {"on": False}, {"on": True}),
}  # fmt: skip


@pytest.mark.parametrize("name", SESSIONS)
def test_what_flowed_in_one_charge_is_no_value_of_the_next_though_it_begins_a_second_later(name: str) -> None:
    known = course(name, *SESSIONS[name])
    assert known["ischarging"] is True
    assert {known["wattage"], known["voltage"]} == {"<NOT_CHARGING>"}


@pytest.mark.parametrize(
    ("name", "code", "sent", "nothing"),
    [
        ("tesla_rest", "fastchargertype", {"charging_state": "Charging", "fast_charger_type": "Combo"},
         {"fast_charger_type": "<invalid>"}),
        ("tesla_rest", "amperagerequested", {"charging_state": "Charging", "charge_current_request": 16},
         {"charge_current_request": None}),
        ("teslamate", "chargerphases", {"charging_state": "Charging", "charger_phases": 3}, {"charger_phases": ""}),
        ("evcc", "amperagerequested", {"loadpoints": [{"connected": True, "charging": True, "offeredCurrent": 10}]},
         {"loadpoints": [{"connected": True, "charging": True, "offeredCurrent": None}]}),
    ],
)  # fmt: skip
def test_a_fact_of_the_plug_that_its_source_calls_nothing_is_taken_back(name: str, code: str, sent: Any, nothing: Any) -> None:
    assert course(name, sent)[code]
    assert course(name, sent, nothing)[code] == "<UNREADABLE>"


@pytest.mark.parametrize(
    ("name", "code", "reported", "nothing"),
    [
        ("tesla", "timetocomplete", {"TimeToFullCharge": 2}, {"TimeToFullCharge": None}),
        ("tesla", "wattage", {"FastChargerPresent": True, "DCChargingPower": 96}, {"DCChargingPower": None}),
        ("tesla_rest", "timetocomplete", {"time_to_full_charge": 2}, {"time_to_full_charge": None}),
        ("ovms", "timetocomplete", {"v.c.duration.full": 90}, {"v.c.duration.full": ""}),
        ("bmw_cardata", "timetocomplete", bmw("charging.timeToFullyCharged", 24), bmw("charging.timeToFullyCharged", "-NA-")),
    ],
)
def test_a_live_number_ends_with_whichever_field_it_came_from(name: str, code: str, reported: Any, nothing: Any) -> None:
    charges = {
        "tesla": {"DetailedChargeState": "Charging"}, "tesla_rest": {"charging_state": "Charging"},
        "ovms": {"v.c.charging": "yes"}, "bmw_cardata": bmw("charging.status", "CHARGINGACTIVE"),
    }  # fmt: skip
    assert course(name, charges[name] | reported)[code]
    assert course(name, charges[name] | reported, nothing)[code] == "<UNREADABLE>"


MINUTE = 60_000


@pytest.mark.parametrize(
    ("name", "sent", "later"),
    [
        ("teslamate", {"charging_state": "Charging", "charger_power": 11}, {"battery_level": 60}),
        ("ovms", {"v.c.charging": "yes", "v.c.state": "charging", "v.c.power": 11}, {"v.b.soc": 60}),
        ("tesla", {"DetailedChargeState": "Charging", "ACChargingPower": 11}, {"Soc": 60}),
    ],
)
def test_a_source_that_tells_fields_as_they_change_confirms_what_it_does_not_take_back(
    name: str, sent: Any, later: Any
) -> None:
    memory = CarMemory()
    outcome_of(DIALECTS[name], sent, memory, NOW)
    after = values(outcome_of(DIALECTS[name], later, memory, NOW + 10 * MINUTE))
    assert (after["ischarging"], after["wattage"]) == (True, 11_000)
    soon = values(outcome_of(DIALECTS[name], later, memory, NOW + 10 * MINUTE + 1_000))
    assert "wattage" not in soon, "it is not entered again with every message"
    assert "wattage" not in values(outcome_of(DIALECTS[name], later, memory, NOW + 70 * MINUTE)), "what went stale stays so"


def test_power_is_not_confirmed_by_a_source_whose_status_alone_says_that_the_car_does_not_charge() -> None:
    table = dialect(
        "word",
        row("state", "charge-detailedchargingstatus", words={"busy": "CHARGING", "full": "FULLY_CHARGED"}),
        row("kw", "charge-wattage", "kW"),
        row("soc", "tractionbattery-stateofcharge", "%"),
        topics=("word/{vehicle}/{field}",),
        read=ALL["teslamate"].read,
    )
    memory = CarMemory()
    outcome_of(table, {"state": "busy", "kw": 11}, memory, NOW)
    assert values(outcome_of(table, {"soc": 60}, memory, NOW + 10 * MINUTE))["wattage"] == 11_000
    outcome_of(table, {"state": "full"}, memory, NOW + 11 * MINUTE)
    assert "wattage" not in values(outcome_of(table, {"soc": 80}, memory, NOW + 21 * MINUTE))


@pytest.mark.parametrize(
    ("name", "sent", "later"),
    [
        ("tesla", {"Location": {"latitude": 52.5, "longitude": 13.4}}, {"Soc": 60}),
        ("ovms", {"v.p.latitude": 52.5, "v.p.longitude": 13.4}, {"v.c.pilot": "yes"}),
    ],
)
def test_a_place_is_confirmed_when_a_source_that_would_have_told_of_another_tells_anything(
    name: str, sent: Any, later: Any
) -> None:
    memory = CarMemory()
    place = values(outcome_of(DIALECTS[name], sent, memory, NOW))["preciselocation"]
    days = 3 * 24 * 60 * MINUTE
    assert values(outcome_of(DIALECTS[name], later, memory, NOW + days))["preciselocation"] == place
    assert "preciselocation" not in values(outcome_of(DIALECTS[name], later, memory, NOW + days + MINUTE)), (
        "not with every message"
    )


def test_a_source_that_tells_all_of_it_at_once_confirms_nothing_that_it_leaves_out() -> None:
    memory = CarMemory()
    outcome_of(ALL["tesla_rest"], {"charging_state": "Charging", "charger_power": 11}, memory, NOW)
    assert "wattage" not in values(outcome_of(ALL["tesla_rest"], {"battery_level": 60}, memory, NOW + 10 * MINUTE))


def test_a_charge_that_is_over_is_not_confirmed() -> None:
    memory = CarMemory()
    outcome_of(ALL["teslamate"], {"charging_state": "Charging", "charger_power": 11}, memory, NOW)
    outcome_of(ALL["teslamate"], {"charging_state": "Complete"}, memory, NOW + MINUTE)
    after = values(outcome_of(ALL["teslamate"], {"battery_level": 80}, memory, NOW + 9 * MINUTE))
    assert (after["ischarging"], after.get("wattage")) == (False, None)


@pytest.mark.parametrize(
    ("name", "field", "wrong"),
    [
        ("tesla_rest", "battery_level", [130, 140.5, 999]),
        ("tesla_rest", "charge_energy_added", ["1 crate", "2 crates"]),
        ("teslamate", "charger_power", ["many", "few"]),
        ("teslamate", "charger_phases", [1.5, 2.5]),
        ("ovms", "v.c.charging", ["perhaps", "maybe"]),
        ("ovms", "v.c.pilot", ["perhaps", "maybe"]),
    ],
)
def test_numbers_and_flags_that_are_wrong_in_one_way_are_one_issue_whatever_they_are(name: str, field: str, wrong: Any) -> None:
    issues = [issue for each in wrong for issue in outcome_of(ALL[name], {"charging_state": "Charging", field: each}).issues]
    assert {issue.subject for issue in issues} == {field}
    assert len({issue.detail for issue in issues}) == 1
    assert all(str(each) in issue.raw for each, issue in zip(wrong, issues, strict=True)), "the message keeps the value"
