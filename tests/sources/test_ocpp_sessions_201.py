"""OCPP 2.0.1 over a real websocket: whole sessions, whose car they are of, and what a restart must not lose."""

import asyncio
import json
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from ocpp.v201 import call
from ocpp_peers import PASSWORD, Delivered, Station201, answer_to, booted, central
from source_world import T0, KeptMemory

from chargeport.sources.ocpp.samples import iso
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings

pytestmark = pytest.mark.service

BOOT = call.BootNotification(charging_station={"model": "One", "vendorName": "ACME"}, reason="PowerUp")
OF_BOX = {"ocpp": "2.0.1", "station": "box"}
SESSION = OF_BOX | {"transaction": "T-1"}


def time(second: int) -> str:
    return datetime.fromtimestamp(T0 / 1000 + second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def at(second: int) -> int:
    return T0 // 1000 * 1000 + second * 1000


def status(word: str, second: int, connector: int = 1) -> call.StatusNotification:
    return call.StatusNotification(timestamp=time(second), connector_status=word, evse_id=1, connector_id=connector)


def event(kind: str, second: int, seq: int, state: str = "Charging", **more: Any) -> call.TransactionEvent:
    info = {"transactionId": more.pop("transaction", "T-1"), "chargingState": state}
    reason = more.pop("reason", "MeterValuePeriodic")
    return call.TransactionEvent(
        event_type=kind, timestamp=time(second), trigger_reason=reason, seq_no=seq, transaction_info=info, **more
    )


def register(second: int, value: float, unit: dict[str, Any] | None = None, context: str = "Sample.Periodic") -> list[Any]:
    phases = [{"value": 16.0 + n, "measurand": "Current.Import", "phase": f"L{n}"} for n in (1, 2, 3)]
    sample: dict[str, Any] = {"value": value, "context": context, "measurand": "Energy.Active.Import.Register"}
    if unit:
        sample["unitOfMeasure"] = unit
    return [{"timestamp": time(second), "sampledValue": [*phases, sample]}]


CARD = {"idToken": "card-a", "type": "ISO14443"}
PLACE = {"id": 1, "connectorId": 2}


async def test_a_whole_session_is_handed_on_word_for_word() -> None:
    async with central() as system, system.station(Station201) as station:
        boot = await booted(station, BOOT)
        assert (boot.status, boot.interval, boot.current_time) == ("Accepted", 300, "2026-05-01T10:01:58.000Z")
        await station.call(status("Occupied", 1, 2))
        first = register(2, 12.5, {"unit": "kWh"}, "Transaction.Begin")
        await station.call(event("Started", 2, 0, "EVConnected", evse=PLACE, reason="CablePluggedIn", meter_value=first))
        assert (await station.call(call.Authorize(id_token=CARD))).id_token_info == {"status": "Accepted"}
        shown = await station.call(event("Updated", 5, 1, id_token=CARD, reason="Authorized"))
        assert shown.id_token_info == {"status": "Accepted"}
        needs = {"requestedEnergyTransfer": "AC_three_phase", "acChargingParameters": {
            "energyAmount": 20000, "evMinCurrent": 6, "evMaxCurrent": 16, "evMaxVoltage": 400}}  # fmt: skip
        assert (await station.call(call.NotifyEVChargingNeeds(evse_id=1, charging_needs=needs))).status == "Rejected"
        await station.call(event("Updated", 20, 2, meter_value=register(20, 13_000)))
        await station.call(event("Updated", 30, 3, "SuspendedEV", reason="ChargingStateChanged"))
        last = register(40, 133.0, {"unit": "Wh", "multiplier": 2}, "Transaction.End")
        await station.call(event("Ended", 40, 4, "EVConnected", reason="StopAuthorized", meter_value=last))
        await station.call(status("Available", 50, 2))
        await station.call(status("Occupied", 60, 1))
        received = await system.is_told(9)
        payload = system.received.deliveries[4].payload
    begun = SESSION | {"started_at": str(at(2))}
    known = begun | {"id_tag": "card-a"}
    record = {"id": f"ocpp-box-T-1-{at(2) // 1000}", "startTime": iso(at(2)), "endTime": iso(at(40)), "energyWh": 800}
    record["registerWh"] = [12_500, 13_300]
    charging, first = {"charging_state": "Charging"}, {"charging_state": "EVConnected", "energy": [[at(2), 0]]}
    ended = {"record": record, "charging_state": "Ended", "energy": [[at(40), 800]]}
    assert received == [
        Delivered("StatusNotification", "box/1", at(1), OF_BOX),
        Delivered("TransactionEvent", "box/1", at(2), begun | first),
        Delivered("TransactionEvent", "car-a", at(5), known | charging),
        Delivered("NotifyEVChargingNeeds", "car-a", None, known),
        Delivered("TransactionEvent", "car-a", at(20), known | charging | {"energy": [[at(20), 500]]}),
        Delivered("TransactionEvent", "car-a", at(30), known | {"charging_state": "SuspendedEV"}),
        Delivered("TransactionEvent", "car-a", at(40), known | ended),
        Delivered("StatusNotification", "car-a", at(50), OF_BOX),
        Delivered("StatusNotification", "box/1", at(60), OF_BOX),
    ]
    assert payload.startswith(b'{"eventType":"Updated","timestamp":"2026-05-01T10:00:18Z","triggerReason":"MeterValuePeriodic"')
    assert b'{"value":18.0,"measurand":"Current.Import","phase":"L2"}' in payload


async def test_a_station_is_asked_to_measure_enough_and_how_it_is() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        assert station.asked == [
            ("TxUpdatedMeasurands", "Energy.Active.Import.Register,Current.Import,Voltage,SoC"),
            ("TxStartedMeasurands", "Energy.Active.Import.Register"),
            ("TxEndedMeasurands", "Energy.Active.Import.Register"),
            ("StatusNotification", {"id": 1, "connector_id": 1}),
            ("TransactionEvent", None),
        ]


async def test_a_station_that_refuses_a_list_measures_what_it_knows_of_it() -> None:
    async with central() as system, system.station(Station201) as station:
        station.refused = frozenset({"SoC"})
        await booted(station, BOOT)
        assert station.variables["TxUpdatedMeasurands"] == "Energy.Active.Import.Register,Current.Import,Voltage"


async def test_every_place_that_the_settings_name_is_asked_for() -> None:
    own = StationSettings(password=PASSWORD, connectors={"3": "home", "1": "other"})
    async with central(OcppSettings(stations={"box": own})) as system, system.station(Station201) as station:
        await booted(station, BOOT)
        assert [evse["id"] for name, evse in station.asked if name == "StatusNotification"] == [1, 3]


async def test_a_restart_in_mid_session_loses_neither_the_car_nor_where_the_meter_was() -> None:
    memory = KeptMemory()
    async with central(memory=memory) as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 2, 0, evse=PLACE, id_token=CARD, meter_value=register(2, 100)))
    async with central(memory=memory) as system, system.station(Station201) as station:
        await booted(station, call.Heartbeat())
        assert ("StatusNotification", {"id": 1, "connector_id": 2}) in station.asked
        await station.call(event("Updated", 20, 1, meter_value=register(20, 500)))
        await station.call(event("Ended", 40, 2, meter_value=register(40, 550)))
        received = await system.is_told(2)
    assert [one.vehicle for one in received] == ["car-a", "car-a"]
    assert [wh for one in received for _, wh in one.headers["energy"]] == [400, 450]
    assert received[1].headers["record"]["startTime"] == iso(at(2))


async def test_an_event_of_an_unknown_session_without_a_place_is_kept_though_nobody_knows_the_car() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Ended", 40, 2))
        received = await system.is_told(1)
    assert received[0].vehicle is None
    assert "record" not in received[0].headers, "half a record is none"


async def test_a_plug_that_hangs_beside_says_nothing_of_the_car() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 2, 0, evse=PLACE, id_token=CARD))
        await station.call(status("Available", 3, 1))
        await station.call(status("Available", 4, 2))
        received = await system.is_told(2)
    assert [(one.topic, one.observed_at) for one in received] == [("TransactionEvent", at(2)), ("StatusNotification", at(4))]


async def test_a_session_stays_with_the_car_that_it_was_known_to_be() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 2, 0, evse=PLACE, id_token=CARD))
        await station.call(event("Updated", 3, 1, id_token={"idToken": "CARD-B", "type": "ISO14443"}))
        await station.call(event("Started", 9, 0, evse=PLACE, transaction="T-2"))
        received = await system.is_told(3)
    assert [one.vehicle for one in received] == ["car-a", "car-a", "box/1"]


async def test_a_station_without_cards_may_charge_and_an_unknown_card_may_not() -> None:
    free, nobody = {"idToken": "", "type": "NoAuthorization"}, {"idToken": "NOBODY", "type": "ISO14443"}
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        assert (await station.call(call.Authorize(id_token=free))).id_token_info["status"] == "Accepted"
        assert (await station.call(call.Authorize(id_token=nobody))).id_token_info["status"] == "Unknown"
        answer = await station.call(event("Started", 2, 0, evse=PLACE, id_token=free))
        assert answer.id_token_info["status"] == "Accepted"
        assert "id_tag" not in (await system.is_told(1))[0].headers


async def test_what_concerns_the_whole_station_is_of_no_car() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(call.MeterValues(evse_id=0, meter_value=register(1, 5)))
        await station.call(call.Heartbeat())
        await station.call(call.MeterValues(evse_id=1, meter_value=register(2, 5)))
        (received,) = await system.is_told(1)
    assert received == Delivered("MeterValues", "box/1", at(2), OF_BOX)


@pytest.mark.parametrize(
    "request_",
    [
        call.DataTransfer(vendor_id="ACME"),
        call.FirmwareStatusNotification(status="Idle"),
        call.Get15118EVCertificate(iso15118_schema_version="x", action="Install", exi_request="x"),
        call.LogStatusNotification(status="Idle"),
        call.NotifyEVChargingSchedule(time_base=time(0), evse_id=1, charging_schedule={
            "id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}),
        call.NotifyReport(request_id=1, generated_at=time(0), seq_no=0),
        call.SecurityEventNotification(type="StartupOfTheDevice", timestamp=time(0)),
        call.SignCertificate(csr="x"),
    ],
    ids=lambda request: type(request).__name__,
)  # fmt: skip
async def test_what_is_not_about_cars_is_answered_politely(request_: Any) -> None:
    async with central() as system, system.station(Station201) as station:
        await asyncio.sleep(0)
        assert await station.call(request_, suppress=False) is not None
        assert system.reported == []


async def test_a_connector_s_status_may_come_as_an_event_of_its_component() -> None:
    def reported(second: int, value: str, component: str = "Connector", variable: str = "AvailabilityState") -> dict[str, Any]:
        place = {"name": component, "evse": {"id": 1, "connectorId": 2} if component == "Connector" else {"id": 1}}
        more = {"eventId": second, "trigger": "Delta", "eventNotificationType": "HardWiredNotification"}
        return {**more, "timestamp": time(second), "actualValue": value, "component": place, "variable": {"name": variable}}

    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        events = [reported(2, "Occupied"), reported(3, "7000", variable="Power"), reported(4, "true", variable="Available")]
        await station.call(call.NotifyEvent(generated_at=time(4), seq_no=0, event_data=events))
        await station.call(call.NotifyEvent(generated_at=time(9), seq_no=1, event_data=[reported(9, "Available", "EVSE")]))
        received = await system.is_told(2)
        payloads = [json.loads(one.payload) for one in system.received.deliveries]
    assert [(one.topic, one.vehicle, one.observed_at) for one in received] == [
        ("StatusNotification", "box/1", at(2)),
        ("StatusNotification", "box/1", at(9)),
    ]
    assert [(one["connectorStatus"], one["connectorId"]) for one in payloads] == [("Occupied", 2), ("Available", 2)]


def bare(second: int, value: float, **more: Any) -> dict[str, Any]:
    return {"timestamp": time(second), "sampledValue": [{"value": value, **more}]}


async def test_a_session_whose_place_and_first_reading_come_later_is_whole() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 2, 0, id_token=CARD, reason="Authorized"))
        await station.call(event("Updated", 5, 1, "EVConnected", evse=PLACE, meter_value=[bare(5, 700)]))
        await station.call(event("Updated", 20, 2, meter_value=[bare(20, 900, location="Body")]))
        await station.call(event("Ended", 30, 3, "Idle"))
        received = await system.is_told(4)
    assert [one.vehicle for one in received] == ["car-a"] * 4
    record = received[3].headers["record"]
    assert (record["startTime"], record["energyWh"]) == (iso(at(2)), 200)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
async def test_a_session_whose_events_waited_in_a_queue_is_whole_in_any_order(order: tuple[int, ...]) -> None:
    events = [
        event("Started", 2, 0, evse={"id": 1}, offline=True, meter_value=[bare(2, 700, context="Transaction.Begin")]),
        event("Updated", 10, 1, evse={"id": 1}, offline=True, meter_value=[bare(10, 800)]),
        event("Updated", 20, 2, evse={"id": 1}, offline=True, meter_value=[bare(20, 900)]),
        event("Ended", 30, 3, "Idle", evse={"id": 1}, offline=True, meter_value=[bare(30, 1_000, context="Transaction.End")]),
    ]
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        for number in order:
            await station.call(events[number])
        await station.call(event("Started", 600, 0, transaction="T-2", evse={"id": 1}, meter_value=[bare(600, 1_000)]))
        records = [one.headers["record"] for one in system.reported if "record" in one.headers]
    assert (records[-1]["startTime"], records[-1]["endTime"], records[-1]["energyWh"]) == (iso(at(2)), iso(at(30)), 300)
    assert len({each["id"] for each in records}) == 1


async def test_an_end_that_holds_the_whole_session_proves_it() -> None:
    values = [bare(3, 100, context="Transaction.Begin"), bare(30, 450, context="Transaction.End")]
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Ended", 30, 9, evse=PLACE, id_token=CARD, meter_value=values))
        (reported,) = await system.is_told(1)
    record = reported.headers["record"]
    assert (record["startTime"], record["endTime"], record["energyWh"]) == (iso(at(3)), iso(at(30)), 350)


@pytest.mark.parametrize(
    ("status_first", "state", "reason", "told_state"),
    [
        ("Available", None, "EVCommunicationLost", "Idle"),
        ("Available", "Charging", "StopAuthorized", "Idle"),
        ("Occupied", "Charging", "StopAuthorized", "Ended"),
        ("Occupied", "Idle", "EVDeparted", "Idle"),
        ("Occupied", "EVConnected", "EVDeparted", "Idle"),
        (None, "SuspendedEV", "RemoteStop", "Ended"),
    ],
)
async def test_a_session_ends_in_any_order_with_the_status_of_its_plug(
    status_first: str | None, state: str | None, reason: str, told_state: str
) -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 2, 0, evse=PLACE, id_token=CARD))
        if status_first:
            await station.call(status(status_first, 30, 2))
        info: dict[str, Any] = {"transactionId": "T-1"} | ({} if state is None else {"chargingState": state})
        end = call.TransactionEvent(
            event_type="Ended", timestamp=time(31), trigger_reason=reason, seq_no=2, transaction_info=info
        )
        await station.call(end)
        reported = (await system.is_told(3 if status_first else 2))[-1]
    assert reported.headers["charging_state"] == told_state


@pytest.mark.parametrize(
    ("kind", "state", "told_state"), [("Updated", "SuspendedEV", "SuspendedEV"), ("Ended", "EVConnected", "Ended")]
)
async def test_a_state_that_waited_in_a_queue_holds_beside_a_status_that_is_newer(
    kind: str, state: str, told_state: str
) -> None:
    async with central() as system:
        async with system.station(Station201) as station:
            await booted(station, BOOT)
            await station.call(event("Started", 2, 0, evse=PLACE))
        async with system.station(Station201) as station:
            await station.call(status("Occupied", 60, 2))
            await station.call(event(kind, 30, 1, state, offline=True))
            await station.call(event("Updated", 20, 2, "EVConnected", offline=True))
            received = await system.is_told(5)
    queued, confirmed, older = received[2:]
    assert (queued.topic, queued.headers["charging_state"]) == ("TransactionEvent", told_state)
    assert (confirmed.topic, confirmed.headers["status"], confirmed.headers["charging_state"]) == (
        "Heartbeat",
        "Occupied",
        told_state,
    )
    assert "charging_state" not in older.headers, "of an earlier instant"


async def test_a_start_at_no_usable_time_was_no_later_than_the_first_report_after_it() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        begin = event("Started", 2, 0, evse=PLACE, id_token=CARD, meter_value=[bare(2, 600)])
        begin.timestamp = begin.meter_value[0]["timestamp"] = "1970-01-01T00:00:09Z"
        await station.call(begin)
        await station.call(event("Updated", 60, 1, meter_value=[bare(60, 900)]))
        await station.call(event("Ended", 90, 2, meter_value=[bare(90, 950)]))
        record = (await system.is_told(3))[-1].headers["record"]
    assert (record["startTime"], record["endTime"], record["energyWh"]) == (iso(at(60)), iso(at(90)), 350)


async def test_an_event_that_is_not_of_a_time_offline_shows_that_the_clock_was_set() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 7_200 + 120, 0, evse=PLACE))
        await station.call(event("Updated", 120, 1, "SuspendedEV"))
        received = await system.is_told(2)
    assert [one.headers.get("clock_offset_ms") for one in received] == ["7200000", None]
    assert received[1].observed_at in (at(120), at(120) + 1)


async def test_an_id_that_the_station_gives_again_is_another_session() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        for second in (2, 60):
            await station.call(event("Started", second, 0, evse=PLACE, meter_value=[bare(second, 50 + second)]))
            await station.call(event("Ended", second + 30, 1, meter_value=[bare(second + 30, 200 + second)]))
        received = await system.is_told(4)
    records = [one.headers["record"] for one in received if "record" in one.headers]
    assert [record["energyWh"] for record in records] == [150, 150]
    assert len({record["id"] for record in records}) == 2


async def test_events_of_one_instant_for_each_phase_are_one_reading() -> None:
    def of_phase(number: int, wh: float) -> list[Any]:
        return [{"timestamp": time(60), "sampledValue": [{"value": wh, "phase": f"L{number}"}]}]

    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 2, 0, evse=PLACE, meter_value=[bare(2, 600)]))
        for number in (1, 2, 3):
            await station.call(event("Updated", 60, number, evse=PLACE, meter_value=of_phase(number, 210 + number)))
        await station.call(call.MeterValues(evse_id=1, meter_value=of_phase(1, 215)))
        received = await system.is_told(5)
    assert received[3].headers["energy"] == [[at(60) + 2, 36]]
    assert len(json.loads(received[3].headers["earlier"])) == 2
    assert "earlier" not in received[4].headers


async def test_a_session_whose_end_is_lost_is_told_when_the_next_one_begins() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 2, 0, evse=PLACE, id_token=CARD, meter_value=[bare(2, 600)]))
        await station.call(event("Updated", 60, 1, meter_value=[bare(60, 900)]))
        await station.call(event("Started", 90, 0, evse=PLACE, transaction="T-2", meter_value=[bare(90, 905)]))
        lost, begun = (await system.is_told(4))[-2:]
    record = lost.headers["record"]
    assert (lost.vehicle, record["endTime"], record["energyWh"]) == ("car-a", iso(at(60)), 300)
    assert begun.headers["energy"] == [[at(90), 0]]


async def test_a_plug_that_is_free_ends_its_session_until_the_end_is_told() -> None:
    async with central() as system, system.station(Station201) as station:
        await booted(station, BOOT)
        await station.call(event("Started", 2, 0, evse={"id": 1, "connectorId": 1}, meter_value=[bare(2, 700)]))
        await station.call(event("Updated", 20, 1, meter_value=[bare(20, 900)]))
        await station.call(status("Available", 25))
        await station.call(event("Ended", 24, 2, "Idle", meter_value=[bare(24, 950)]))
        records = [one.headers["record"] for one in await system.is_told(5) if "record" in one.headers]
    assert [(one["energyWh"], one["endTime"]) for one in records] == [(200, iso(at(20))), (250, iso(at(24)))]


async def test_what_is_written_in_another_type_or_as_null_is_read_all_the_same() -> None:
    async with central() as system, system.connect(protocols=("ocpp2.0.1",)) as connection:
        for number, (kind, second) in enumerate((("Started", 2), ("Ended", 40))):
            sent = {"eventType": kind, "timestamp": time(second), "triggerReason": "Authorized", "seqNo": number,
                    "transactionInfo": {"transactionId": 77, "chargingState": None}, "evse": {"id": "1", "connectorId": None},
                    "offline": None, "idToken": {"idToken": 5, "type": "Central"},
                    "meterValue": bare(second, 100 + 10 * second)}  # fmt: skip
            assert (await answer_to(connection, json.dumps([2, f"{number}", "TransactionEvent", sent])))[0] == 3
        received = await system.is_told(2)
    assert [(one.headers["transaction"], one.headers["id_tag"]) for one in received] == [("77", "5")] * 2
    assert received[1].headers["record"]["energyWh"] == 380


async def test_2_1_is_spoken_like_2_0_1() -> None:
    async with central() as system, system.connect(protocols=("ocpp2.1",)) as connection:
        assert connection.subprotocol == "ocpp2.1"
        frame = {"eventType": "Started", "timestamp": time(2), "triggerReason": "CablePluggedIn", "seqNo": 0,
                 "transactionInfo": {"transactionId": "T-9", "chargingState": "Charging", "operationMode": "ChargingOnly"},
                 "evse": PLACE, "meterValue": [bare(2, 10)]}  # fmt: skip
        assert (await answer_to(connection, json.dumps([2, "e", "TransactionEvent", frame])))[0] == 3
        (reported,) = await system.is_told(1)
    assert reported.headers["ocpp"] == "2.1"
    assert "violation" not in reported.headers
    assert system.reporter.stations["box"].version == "2.1"
