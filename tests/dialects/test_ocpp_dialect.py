import json
from typing import Any

import pytest
from recorded import Outcome, run, values

from chargeport.dialects.forms import at_ms
from chargeport.dialects.ocpp import OCPP
from chargeport.signals.reading import Reading
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000
AT = "2026-05-01T09:50:00Z"


def call(action: str, payload: dict[str, Any], **headers: str) -> Delivery:
    return Delivery(
        source="s", dialect="ocpp", payload=json.dumps(payload).encode(), received_at=NOW, topic=action, vehicle="box/1",
        headers=headers,
    )  # fmt: skip


def metered(*samples: dict[str, Any], **headers: str) -> Outcome:
    content = {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": list(samples)}]}
    return run(OCPP, [call("MeterValues", content, **headers)])


METER = call("MeterValues", {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": "1500"}]}]})


def sample(measurand: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"measurand": measurand, "value": value, **more}


@pytest.mark.parametrize(
    ("status", "says", "charges", "connected"),
    [
        ("Available", "DISCONNECTED", False, False),
        ("Preparing", "CONNECTED", False, True),
        ("Charging", "CHARGING", True, True),
        ("SuspendedEV", "SUSPENDED_BY_CAR", False, True),
        ("SuspendedEVSE", "SUSPENDED_BY_STATION", False, True),
        ("Finishing", "STOPPED", False, True),
        ("Reserved", "DISCONNECTED", False, False),
        ("Unavailable", None, False, None),
        ("Faulted", "ERROR", False, None),
    ],
)
def test_a_connectors_status(status: str, says: str | None, charges: bool | None, connected: bool | None) -> None:
    found = run(OCPP, [call("StatusNotification", {"connectorId": 1, "status": status, "timestamp": AT})])
    assert found.issues == []
    reported = values(found)
    names = ("detailedchargingstatus", "ischarging", "ischargingcableconnected")
    assert tuple(reported.get(name) for name in names) == (says, charges, connected)


@pytest.mark.parametrize("before", ["Available", "Charging"])
def test_of_an_unavailable_connector_the_plug_and_the_status_are_unknown_and_nothing_charges(before: str) -> None:
    reported = values(
        run(OCPP, [call("StatusNotification", {"connectorId": 1, "status": word}) for word in (before, "Unavailable")])
    )
    assert reported["ischarging"] is False
    assert reported["detailedchargingstatus"] == reported["ischargingcableconnected"] == "<UNREADABLE>"


def test_the_station_itself_is_no_connector() -> None:
    assert run(OCPP, [call("StatusNotification", {"connectorId": 0, "status": "Available"})]) == ([], [])


def test_a_full_battery_that_draws_nothing_is_full() -> None:
    event: dict[str, Any] = {"eventType": "Updated", "timestamp": AT, "transactionInfo": {"chargingState": "SuspendedEV"}}
    event["meterValue"] = [{"timestamp": AT, "sampledValue": [sample("SoC", 100, location="EV")]}]
    assert values(run(OCPP, [call("TransactionEvent", event)]))["detailedchargingstatus"] == "FULLY_CHARGED"


def test_a_transactions_state_is_over_once_the_connector_is_free() -> None:
    charging = call(
        "TransactionEvent", {"eventType": "Updated", "timestamp": AT, "transactionInfo": {"chargingState": "Charging"}}
    )
    free = call("StatusNotification", {"evseId": 1, "connectorId": 1, "connectorStatus": "Available", "timestamp": AT})
    plugged = call("StatusNotification", {"evseId": 1, "connectorId": 1, "connectorStatus": "Occupied", "timestamp": AT})
    assert values(run(OCPP, [charging, plugged]))["detailedchargingstatus"] == "CHARGING"
    assert values(run(OCPP, [charging, free]))["detailedchargingstatus"] == "DISCONNECTED"
    assert values(run(OCPP, [charging, free, plugged]))["detailedchargingstatus"] == "CONNECTED"


def test_phases_are_those_that_carry_current() -> None:
    found = metered(
        *(sample("Current.Import", amps, phase=phase) for phase, amps in (("L1", "15.9"), ("L2", "0.6"), ("L3", "0.5")))
    )
    assert values(found) == {"amperage": 15.9, "chargerphases": 2}


@pytest.mark.parametrize(
    ("samples", "volts"),
    [
        ([("L1-N", 230), ("L2-N", 232), ("L3-N", 1)], 231),
        ([("L1", 230)], 230),
        ([("L1-L2", 400), ("L2-L3", 400)], 230.94),
        ([(None, 395.5)], 395.5),
        ([("L1-N", 0)], None),
    ],
)
def test_a_voltage_is_from_line_to_neutral(samples: list[tuple[str | None, float]], volts: float | None) -> None:
    found = metered(*(sample("Voltage", value, phase=phase) for phase, value in samples))
    assert values(found).get("voltage") == volts


def test_a_voltage_ends_where_no_line_is_connected_any_more() -> None:
    on, off = (event(second, sample("Voltage", volts, phase="L1-N")) for second, volts in ((1, 231), (2, 0)))
    assert values(run(OCPP, [on, off]))["voltage"] == "<UNREADABLE>"


def test_a_power_without_phases_is_believed_before_their_sum() -> None:
    phases = [sample("Power.Active.Import", 2000, phase=phase, unit="W") for phase in ("L1", "L2", "L3")]
    assert values(metered(*phases))["wattage"] == 6000
    assert values(metered(*phases, sample("Power.Active.Import", "5.9", unit="kW")))["wattage"] == 5900


def test_the_meter_at_the_outlet_is_believed_before_all_others() -> None:
    at_inlet = sample("Power.Active.Import", 9000, location="Inlet")
    assert values(metered(at_inlet, sample("Power.Active.Import", 7000), {**at_inlet, "location": "Body"}))["wattage"] == 7000
    assert values(metered(at_inlet))["wattage"] == 9000


def test_a_power_of_ten_beside_the_unit_counts() -> None:
    power = sample("Power.Active.Import", 11.04, unitOfMeasure={"unit": "W", "multiplier": 3})
    assert values(metered(power))["wattage"] == 11040
    refused = metered({**power, "unitOfMeasure": {"unit": "W", "multiplier": 400}})
    assert "multiplier: 400" in refused.issues[0].detail


def test_energy_is_what_the_transport_followed_or_what_the_payloads_say_themselves() -> None:
    default = {"value": "1500"}  # without a measurand: the register, in Wh
    assert values(metered(default, station="box", energy=f"[[{NOW}, 500]]")) == {"energyadded": 0.5}
    assert metered(default, station="box", energy="[]") == ([], []), "the transport knows that it is not the session's"
    start = call("StartTransaction", {"connectorId": 1, "idTag": "A", "meterStart": 1000, "timestamp": AT})
    assert values(run(OCPP, [start, METER])) == {"energyadded": 0.5}
    assert metered(default) == ([], [])


def test_the_end_of_a_transaction_tells_the_meters_readings_at_its_begin_and_end() -> None:
    times = {"startTime": "2026-05-01T08:00:00Z", "endTime": "2026-05-01T09:55:00Z"}
    record = {"id": "ocpp-7", **times, "energyWh": 2500, "registerWh": [812_500.0, 815_000.0]}
    end = {"transactionId": 7, "meterStop": 815_000, "timestamp": times["endTime"]}
    found = run(OCPP, [call("StopTransaction", end, station="box", record=json.dumps(record))])
    read = [one for one in found.entries if isinstance(one, Reading) and one.signal.code == "chargeport-energyregister"]
    reported = [(one.observed_at, one.value) for one in read]
    assert reported == [(at_ms(times["startTime"]), 812.5), (at_ms(times["endTime"]), 815)]


def test_the_end_of_a_transaction_is_a_record_as_the_transport_saw_it() -> None:
    record = {"id": "ocpp-7", "startTime": AT, "endTime": "2026-05-01T09:55:00Z", "energyWh": 2500}
    end = {"transactionId": 7, "meterStop": 3500, "timestamp": "2026-05-01T09:55:00Z"}
    reported = values(run(OCPP, [call("StopTransaction", end, station="box", record=json.dumps(record))]))
    assert reported["chargerecords"]["values"] == [
        {"id": "ocpp-7", "startTime": "2026-05-01T09:50:00.000Z", "endTime": "2026-05-01T09:55:00.000Z", "energyAdded": 2.5}
    ]
    assert "ischarging" not in reported, "another transaction may go on by now"
    assert values(run(OCPP, [call("StopTransaction", end, station="box", is_current="yes")]))["ischarging"] is False


@pytest.mark.parametrize(("watts", "fast"), [(150_000, True), (22_000, None)])
def test_only_much_power_shows_a_fast_charger(watts: int, fast: bool | None) -> None:
    assert values(metered(sample("Power.Offered", watts))).get("isfastchargerpresent") is fast


@pytest.mark.parametrize(("transfer", "fast"), [("DC", True), ("AC_three_phase", False), ("DC_BPT", True)])
def test_the_transfer_that_a_car_asks_for_shows_it_too(transfer: str, fast: bool) -> None:
    needs = {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": transfer}}
    assert values(run(OCPP, [call("NotifyEVChargingNeeds", needs)])) == {"isfastchargerpresent": fast}


def test_calls_that_say_nothing_of_a_car_say_nothing_and_one_that_was_refused_is_an_issue() -> None:
    assert run(OCPP, [call("BootNotification", {}), call("Heartbeat", {})]) == ([], [])
    [issue] = run(OCPP, [call("MeterValues", {}, error="meterValue: is missing")]).issues
    assert issue.detail == "meterValue: is missing"


@pytest.mark.parametrize("content", [{}, {"chargingNeeds": None}, {"chargingNeeds": "AC"}], ids=str)
def test_needs_that_are_none_are_an_issue_which_names_them(content: dict[str, Any]) -> None:
    [issue] = run(OCPP, [call("NotifyEVChargingNeeds", {"evseId": 1} | content)]).issues
    assert issue.detail == "chargingNeeds is an object"


def test_of_two_states_within_one_second_the_later_word_holds() -> None:
    reported = [
        Delivery(
            source="s", dialect="ocpp", topic="StatusNotification", vehicle="car", received_at=NOW + 900,
            observed_at=NOW + late,
            payload=b'{"connectorId":1,"errorCode":"NoError","status":"%s","timestamp":"%s"}' % (word, b"2026-05-01T09:59:58Z"),
        )
        for late, word in enumerate((b"Finishing", b"Available"))
    ]  # fmt: skip
    found = [each for each in run(OCPP, reported).entries if each.signal.code == "charge-ischargingcableconnected"]
    assert [(each.observed_at, getattr(each, "value", None)) for each in found] == [(NOW, True), (NOW + 1, False)]


def event(second: int, *samples: dict[str, Any], state: str = "Charging", **headers: str) -> Delivery:
    at = f"2026-05-01T09:50:{second:02}Z"
    content = {"eventType": "Updated", "timestamp": at, "transactionInfo": {"chargingState": state}}
    return call("TransactionEvent", content | {"meterValue": [{"timestamp": at, "sampledValue": list(samples)}]}, **headers)


def test_what_a_later_reading_leaves_out_of_a_kind_has_no_value_any_more() -> None:
    amps, watts = "Current.Import", "Power.Active.Import"
    three = [sample(name, value, phase=f"L{n}") for n in (1, 2, 3) for name, value in ((amps, 16), (watts, 3680))]
    one = [sample(amps, 6, phase="L1"), sample(watts, 1380, phase="L1")]
    whole = [sample(amps, 0), sample(watts, 0)]
    reported = values(run(OCPP, [event(1, *three), event(2, *one)]))
    assert (reported["wattage"], reported["amperage"], reported["chargerphases"]) == (1380, 6, 1)
    reported = values(run(OCPP, [event(1, *whole), event(2, *three)]))
    assert (reported["wattage"], reported["amperage"]) == (11_040, 16)
    reported = values(run(OCPP, [event(1, *three), event(2, *whole)]))
    assert (reported["wattage"], reported["amperage"]) == (0, 0)


def test_samples_of_the_begin_count_at_the_begin_and_never_later() -> None:
    begin = [sample("Power.Active.Import", 0, context="Transaction.Begin"), sample("SoC", 40, context="Transaction.Begin")]
    started = str(NOW - 598_000)  # 09:50:00
    assert values(run(OCPP, [event(5, *begin, started_at=started)]))["stateofcharge"] == 40
    later = str(NOW - 598_000 - 120_000)
    reported = values(run(OCPP, [event(5, *begin, started_at=later, station="box")]))
    assert "wattage" not in reported
    assert "stateofcharge" not in reported
    reported = values(run(OCPP, [event(5, sample("Power.Active.Import", 362), *begin, started_at=started)]))
    assert reported["wattage"] == 362


@pytest.mark.parametrize(
    ("samples", "reported"),
    [
        ([("Current.Import", 15.6, "N")], {"amperage": 15.6}),
        ([("Current.Import", 0.2, "N"), ("Current.Import", 16, "L1")], {"amperage": 16, "chargerphases": 1}),
        ([("Power.Active.Import", 3500, "N")], {"wattage": 3500}),
        ([("Current.Import", 31.8, "L1-L2")], {"amperage": 31.8, "chargerphases": 1}),
        ([("Voltage", 231, "N")], {"voltage": 231}),
        ([("Voltage", 240, "L1-L2"), ("Current.Import", 31.8, "L1"), ("Current.Import", 31.7, "L2")],
         {"voltage": 240, "amperage": 31.8, "chargerphases": 1}),
        ([("Voltage", 208, "L2-L3"), ("Voltage", 120, "L2"), ("Voltage", 120, "L3-N"), ("Current.Import", 40, "L2"),
          ("Current.Import", 40, "L3"), ("Current.Import", 0, "L1")],
         {"voltage": 208, "amperage": 40, "chargerphases": 1}),
        ([("Voltage", 400, "L1-L2"), ("Current.Import", 16, "L1"), ("Current.Import", 16, "L2")],
         {"voltage": 230.94, "amperage": 16, "chargerphases": 2}),
        ([("Voltage", 230, "L1-L2"), ("Current.Import", 16, "L1"), ("Current.Import", 16, "L2"), ("Current.Import", 16, "L3")],
         {"voltage": 132.791, "amperage": 16, "chargerphases": 3}),
        ([*(("Voltage", 231, pair) for pair in ("L1-L2", "L2-L3", "L3-L1")), ("Current.Import", 20, "L1"),
          ("Current.Import", 0.1, "L2"), ("Current.Import", 20.1, "L3")],
         {"voltage": 231, "amperage": 20.1, "chargerphases": 1}),
        ([*(("Voltage", 230, pair) for pair in ("L1-L2", "L2-L3", "L3-L1")),
          *(("Current.Import", 20, line) for line in ("L1", "L2", "L3"))],
         {"voltage": 132.791, "amperage": 20, "chargerphases": 3}),
        ([("Current.Offered", 32, "L1")], {"amperagemax": 32}),
    ],
)  # fmt: skip
def test_lines_and_the_neutral_are_read_by_what_is_told_beside_them(
    samples: list[tuple[str, float, str]], reported: dict[str, Any]
) -> None:
    assert values(metered(*(sample(name, value, phase=phase) for name, value, phase in samples))) == reported


@pytest.mark.parametrize(
    "samples",
    [
        [sample("Power.Active.Import", 0), sample("Power.Active.Export", 5000)],
        [sample("Power.Active.Export", "5", unit="kW")],
        [sample("Power.Active.Export", 1700, phase=phase) for phase in ("L1", "L2", "L3")],
        [sample("Power.Active.Import", -5000)],
        [sample("Current.Import", 0, phase="L1"), sample("Current.Export", 21.7, phase="L1")],
    ],
)
@pytest.mark.parametrize("state", ["Charging", "SuspendedEVSE"])
def test_a_car_that_feeds_power_back_does_not_charge(samples: list[dict[str, Any]], state: str) -> None:
    before, back = sample("Power.Active.Import", 7000), sample("Power.Active.Import", 6900)
    reported = values(run(OCPP, [event(1, before), event(2, *samples, state=state)]))
    assert (reported["ischarging"], reported["detailedchargingstatus"]) == (False, "DISCHARGING")
    assert reported["ischargingcableconnected"] is True
    assert reported["wattage"] in (7000, 0, "<NOT_CHARGING>")
    assert reported["wattage"] != 7000 or all(one["measurand"].startswith("Current") for one in samples)
    reported = values(run(OCPP, [event(1, before), event(2, *samples, state=state), event(3, back)]))
    assert (reported["ischarging"], reported["detailedchargingstatus"], reported["wattage"]) == (True, "CHARGING", 6900)


@pytest.mark.parametrize(
    ("samples", "charges"),
    [
        ([], False),
        ([sample("Power.Active.Import", 0)], False),
        ([sample("Power.Active.Import", 6800)], True),
        ([sample("Power.Active.Import", 0), sample("Power.Active.Export", 0)], True),
    ],
)
def test_registers_tell_what_flows_out_where_power_does_not(samples: list[dict[str, Any]], charges: bool) -> None:
    status = call("StatusNotification", {"connectorId": 1, "status": "Charging"}, station="A1")
    export = sample("Energy.Active.Export.Register", 900)
    values_of = {"connectorId": 1, "meterValue": [{"timestamp": "2026-05-01T09:59:59Z", "sampledValue": [export, *samples]}]}
    reported = values(run(OCPP, [status, call("MeterValues", values_of, station="A1", gives="yes")]))
    assert reported["ischarging"] is charges


@pytest.mark.parametrize(("state", "watts", "charges"), [(None, 7_000, True), (None, 50, False), ("SuspendedEV", 7_000, False)])
def test_power_shows_whether_a_car_charges_at_an_occupied_connector_without_a_state(
    state: str | None, watts: int, charges: bool
) -> None:
    status = {"evseId": 1, "connectorId": 1, "connectorStatus": "Occupied", "timestamp": AT}
    content: dict[str, Any] = {"eventType": "Updated", "timestamp": "2026-05-01T09:50:01Z"}
    content["transactionInfo"] = {} if state is None else {"chargingState": state}
    content["meterValue"] = [{"timestamp": content["timestamp"], "sampledValue": [sample("Power.Active.Import", watts)]}]
    reported = values(run(OCPP, [call("StatusNotification", status), call("TransactionEvent", content)]))
    assert (reported["ischarging"], reported["ischargingcableconnected"]) == (charges, True)


def test_power_shows_that_a_car_charges_which_is_only_said_to_be_plugged_in() -> None:
    def at(second: int, **content: Any) -> dict[str, Any]:
        return {"connectorId": 1, "timestamp": f"2026-05-01T09:50:{second:02}Z"} | content

    def metered_at(second: int, watts: int) -> Delivery:
        value = {"timestamp": f"2026-05-01T09:50:{second:02}Z", "sampledValue": [sample("Power.Active.Import", watts)]}
        return call("MeterValues", at(second, meterValue=[value]))

    def charging(*deliveries: Delivery) -> tuple[object, object]:
        reported = values(run(OCPP, list(deliveries)))
        return reported["ischarging"], reported["detailedchargingstatus"]

    reported = [
        call("StatusNotification", at(1, status="Preparing")),
        call("StartTransaction", at(2, meterStart=0)),
        metered_at(9, 7_000),
    ]
    assert charging(*reported) == (True, "CHARGING")
    assert charging(*reported, metered_at(19, 20)) == (False, "CONNECTED")
    ended = [*reported, call("StopTransaction", at(29, meterStop=50))]
    assert charging(*ended) == (False, "STOPPED")
    assert charging(*ended, call("StatusNotification", at(39, status="Preparing"))) == (False, "CONNECTED")
    state = {"eventType": "Updated", "transactionInfo": {"chargingState": "EVConnected"}}
    reported = [call("TransactionEvent", at(1, **state)), metered_at(9, 7_000)]
    assert charging(*reported) == (True, "CHARGING")
    assert charging(*reported, call("TransactionEvent", at(19, **state))) == (False, "CONNECTED"), "the newer word counts"


@pytest.mark.parametrize(
    ("samples", "charges"),
    [
        ([sample("Power.Active.Import", 1_400)], True),
        ([sample("Power.Active.Import", 450), sample("Current.Import", 6)], False),
        ([sample("Current.Import", 6.1, phase="L1")], True),
        ([sample("Current.Import", 0.9, phase=phase) for phase in ("L1", "L2", "L3")], False),
    ],
)
def test_a_station_that_leaves_it_at_suspended_is_charging_while_power_flows(
    samples: list[dict[str, Any]], charges: bool
) -> None:
    def status(word: str, second: int) -> Delivery:
        at = f"2026-05-01T09:50:{second:02}Z"
        return call("StatusNotification", {"connectorId": 1, "status": word, "timestamp": at}, station="A1", ocpp="1.6")

    def metered_at(second: int, since: int) -> Delivery:
        value = {"timestamp": f"2026-05-01T09:50:{second:02}Z", "sampledValue": samples}
        since_at = str(NOW - 598_000 + since * 1_000)
        of_station = {"station": "A1", "ocpp": "1.6", "transaction": "1", "suspended_at": since_at}
        return call("MeterValues", {"connectorId": 1, "meterValue": [value]}, **of_station)

    def charging(*deliveries: Delivery) -> object:
        return values(run(OCPP, list(deliveries)))["ischarging"]

    reported = [status("SuspendedEVSE", 1), metered_at(40, 1)]
    assert charging(*reported) is charges
    assert charging(status("SuspendedEVSE", 31), metered_at(40, 31)) is False, "it may be of before"
    assert charging(*reported, status("SuspendedEV", 50)) is False, "the newer report counts"


def test_power_shows_that_a_car_charges_in_a_transaction_of_which_no_status_is_reported() -> None:
    def reported(watts: int, **headers: str) -> dict[str, object]:
        return values(metered(sample("Power.Active.Import", watts), station="A1", ocpp="1.6", transaction="1", **headers))

    assert reported(3_600, unreported="yes")["detailedchargingstatus"] == "CHARGING"
    assert "ischarging" not in reported(90, unreported="yes")
    assert "ischarging" not in reported(3_600)


@pytest.mark.parametrize("state", [None, "EVConnected", "Charging"])
def test_the_last_sample_of_a_transaction_shows_no_charging_after_it(state: str | None) -> None:
    def occupied(second: int) -> Delivery:
        status = {"evseId": 1, "connectorId": 1, "connectorStatus": "Occupied", "timestamp": f"2026-05-01T09:50:{second:02}Z"}
        return call("StatusNotification", status, station="A1")

    content: dict[str, Any] = {"eventType": "Ended", "timestamp": "2026-05-01T09:50:09Z"}
    content["transactionInfo"] = {} if state is None else {"chargingState": state}
    content["meterValue"] = [{"timestamp": content["timestamp"], "sampledValue": [sample("Power.Active.Import", 7_000)]}]
    ended = call("TransactionEvent", content, station="A1", transaction="t")
    reported = values(run(OCPP, [occupied(1), ended, occupied(19)]))
    assert (reported["ischarging"], reported["detailedchargingstatus"]) == (False, "CONNECTED")


def test_a_sample_that_comes_after_its_transaction_shows_no_charging() -> None:
    status = {"connectorId": 1, "status": "Preparing", "timestamp": AT}
    value = {"timestamp": "2026-05-01T09:50:01Z", "sampledValue": [sample("Power.Active.Import", 7_000)]}
    late = call("MeterValues", {"connectorId": 1, "meterValue": [value]}, station="A1", ocpp="1.6")
    reported = values(run(OCPP, [call("StatusNotification", status, station="A1", ocpp="1.6"), late]))
    assert (reported["ischarging"], reported["detailedchargingstatus"]) == (False, "CONNECTED")
    state = {"eventType": "Updated", "timestamp": AT, "transactionInfo": {"chargingState": "EVConnected"}}
    changed = state | {"triggerReason": "ChargingStateChanged", "meterValue": [value | {"timestamp": AT}]}
    assert values(run(OCPP, [call("TransactionEvent", changed)]))["ischarging"] is False


def test_a_state_of_charge_of_0_is_not_known() -> None:
    assert values(run(OCPP, [event(1, sample("SoC", 41)), event(2, sample("SoC", 0))]))["stateofcharge"] == 41


def test_samples_count_by_the_order_in_which_they_were_sent() -> None:
    floor_at = NOW - 1_000
    content = {"connectorId": 1, "meterValue": [{"timestamp": "2026-05-01T09:59:55Z", "sampledValue": [sample("SoC", 41)]}]}
    (entry,) = run(OCPP, [call("MeterValues", content, station="box", clock_floor_at=str(floor_at))]).entries
    assert entry.observed_at == floor_at


def test_what_a_station_draws_for_itself_is_no_power_that_flows_back() -> None:
    noise = [sample("Power.Active.Import", 0), sample("Power.Active.Export", 30)]
    assert values(run(OCPP, [event(1, *noise)]))["ischarging"] is True


def test_timestamps_count_by_the_server_s_clock() -> None:
    def observed(stamp: str, **headers: str) -> int:
        status = {"connectorId": 1, "status": "Charging", "timestamp": stamp}
        return run(OCPP, [call("StatusNotification", status, **headers)]).entries[0].observed_at

    assert observed("2026-05-01T09:50:00z") == observed("2026-05-01T09:50:00") == NOW - 598_000
    assert observed("2026-05-01T11:50:00Z") == NOW, "ahead of the server"
    assert observed("2026-05-01T11:50:00Z", clock_offset_ms="7200000") == NOW - 598_000
    assert observed("1970-01-01T00:00:09Z") == observed("soon") == NOW


def test_a_sample_that_cannot_be_read_is_an_issue_and_costs_no_other() -> None:
    broken = [sample("Current.Import", "x", phase="L2"), sample("Temperature", None), {"measurand": "SoC"}]
    found = metered(*broken, sample("Current.Import", 16, phase="L1"), sample("Power.Active.Import", 3700))
    assert values(found) == {"amperage": 16, "chargerphases": 1, "wattage": 3700}
    (issue,) = found.issues
    assert issue.detail == "can't be read: Current.Import.L2: is no number"


def test_a_heartbeat_confirms_what_the_transport_knows() -> None:
    alive = call("Heartbeat", {}, station="box", status="SuspendedEV")
    reported = values(run(OCPP, [alive]))
    assert (reported["ischarging"], reported["ischargingcableconnected"]) == (False, True)
    assert run(OCPP, [call("Heartbeat", {}, station="box")]) == ([], [])


@pytest.mark.parametrize(
    ("version", "transaction", "charges"), [("1.6", "7", False), ("2.0.1", None, False), ("2.0.1", "7", True)]
)
def test_a_confirmed_status_ends_the_state_of_a_transaction_that_is_over(
    version: str, transaction: str | None, charges: bool
) -> None:
    more = {} if transaction is None else {"transaction": transaction}
    alive = call("Heartbeat", {}, station="box", ocpp=version, status="Occupied", **more)
    assert values(run(OCPP, [event(1), alive]))["ischarging"] is charges


def test_a_station_that_names_what_it_delivers_exported_is_read_as_importing() -> None:
    exported = [sample("Power.Active.Export", 7_000), sample("Current.Export", 30), sample("Energy.Active.Export.Register", 9)]
    assert values(run(OCPP, [event(1, *exported, station="box")]))["ischarging"] is False
    reported = values(run(OCPP, [event(1, *exported, station="box", misnamed="yes")]))
    assert (reported["ischarging"], reported["wattage"], reported["amperage"]) == (True, 7_000, 30)


def test_the_end_of_a_transaction_replaces_what_was_supposed_of_it() -> None:
    record = {"id": "ocpp-7", "startTime": AT, "endTime": "2026-05-01T09:59:00.000Z", "energyWh": 2500}
    supposed = call("Heartbeat", {}, station="box", record=json.dumps(record), recorded_at=str(NOW - 590_000))
    end = {"transactionId": 7, "meterStop": 3500, "timestamp": "2026-05-01T09:55:00Z"}
    ended = call("StopTransaction", end, station="box", record=json.dumps(record | {"endTime": "2026-05-01T09:55:00.000Z"}))
    records = [one for one in run(OCPP, [supposed, ended]).entries if one.signal.code == "charge-chargerecords"]
    assert [one.observed_at for one in records] == [NOW - 590_000, NOW - 298_000]


def test_an_end_without_a_status_ends_charging_and_a_free_plug_stays_free() -> None:
    def ends(**headers: str) -> Delivery:
        at = "2026-05-01T09:51:00Z"
        return call("StopTransaction", {"transactionId": 1, "meterStop": 5, "timestamp": at}, **headers)

    def status(word: str, at: str = AT) -> Delivery:
        return call("StatusNotification", {"connectorId": 1, "status": word, "timestamp": at})

    reported = values(run(OCPP, [status("Charging"), ends(station="box", is_current="yes")]))
    assert (reported["ischarging"], reported["detailedchargingstatus"]) == (False, "STOPPED")
    reported = values(run(OCPP, [status("Available"), ends(station="box", is_current="yes")]))
    assert (reported["ischargingcableconnected"], reported["detailedchargingstatus"]) == (False, "DISCONNECTED")
    again = status("Charging", "2026-05-01T09:52:00Z")
    assert values(run(OCPP, [status("Charging"), ends(station="box", is_current="yes"), again]))["ischarging"] is True


def test_a_current_without_phases_takes_back_how_many_there_were() -> None:
    phased = event(1, *(sample("Current.Import", 16, phase=phase) for phase in ("L1", "L2", "L3")))
    assert values(run(OCPP, [phased]))["chargerphases"] == 3
    assert values(run(OCPP, [phased, event(2, sample("Current.Import", 6))]))["chargerphases"] == "<UNREADABLE>"


@pytest.mark.parametrize(
    ("power_w", "volts", "phases"),
    [(6_700, 233.1, None), (2_240, 233.1, 1), (6_700, 0, None), (2_500, 400, 1), (None, 233.1, 1)],
    ids=["three lines", "one line", "three lines, no voltage", "a voltage between lines", "no power"],
)
def test_a_current_of_one_line_only_says_nothing_of_the_others_where_more_power_flows(
    power_w: float | None, volts: float, phases: int | None
) -> None:
    power = [] if power_w is None else [sample("Power.Active.Import", power_w)]
    voltage = sample("Voltage", volts, phase="L1") if volts else sample("Frequency", 50)
    reported = values(metered(sample("Current.Import", "9.6", phase="L1"), voltage, *power))
    assert (reported["amperage"], reported.get("chargerphases")) == (9.6, phases)


def test_a_car_that_fed_power_back_charges_again_once_power_flows_into_it() -> None:
    out = event(1, sample("Power.Active.Import", 0), sample("Power.Active.Export", 4_800))
    again = [sample("Power.Active.Import", 6_000), sample("Power.Active.Export", 0)]
    content = {"connectorId": 1, "meterValue": [{"timestamp": "2026-05-01T09:50:02Z", "sampledValue": again}]}
    back = call("MeterValues", content)
    assert values(run(OCPP, [out]))["ischarging"] is False
    known = values(run(OCPP, [out, back]))
    assert (known["ischarging"], known["detailedchargingstatus"], known["wattage"]) == (True, "CHARGING", 6_000)


def test_parts_of_a_reading_that_came_before_are_read_with_it() -> None:
    def of_phase(number: int) -> dict[str, Any]:
        reported = {"value": f"{10 + number}", "measurand": "Current.Import", "phase": f"L{number}", "unit": "A"}
        return {"timestamp": AT, "sampledValue": [reported, sample("Power.Active.Import", "2300", phase=f"L{number}")]}

    earlier = json.dumps([of_phase(1), of_phase(2)])
    content = {"connectorId": 1, "meterValue": [of_phase(3)]}
    found = values(run(OCPP, [call("MeterValues", content, station="box", earlier=earlier)]))
    assert (found["amperage"], found["wattage"], found["chargerphases"]) == (13, 6_900, 3)
