"""OCPP 1.6 over a real websocket: whole sessions, whose car they are of, and what a restart must not lose."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from ocpp.routing import after, on
from ocpp.v16 import call, call_result
from ocpp_peers import NOW, PASSWORD, SAMPLED, SETTINGS, Delivered, Station16, answer_to, booted, central, closed_with
from source_world import T0, Heard, KeptMemory, Listener

from chargeport.clock import ManualClock
from chargeport.errors import StoreError
from chargeport.sources.base import REFUSED
from chargeport.sources.ocpp.samples import iso
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings

pytestmark = pytest.mark.service

BOOT = call.BootNotification(charge_point_model="One", charge_point_vendor="ACME")
OF_BOX = {"ocpp": "1.6", "station": "box"}


def time(second: int) -> str:
    return datetime.fromtimestamp(T0 / 1000 + second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def status(word: str, second: int, connector: int = 1) -> call.StatusNotification:
    return call.StatusNotification(connector_id=connector, error_code="NoError", status=word, timestamp=time(second))


def start(second: int = 0, tag: str = "CARD-A", connector: int = 1, wh: int = 1200) -> call.StartTransaction:
    return call.StartTransaction(connector_id=connector, id_tag=tag, meter_start=wh, timestamp=time(second))


def stop(transaction: int, second: int, wh: int = 2000, **more: Any) -> call.StopTransaction:
    return call.StopTransaction(transaction_id=transaction, meter_stop=wh, timestamp=time(second), **more)


def frame(action: str, payload: Any) -> str:
    content = payload if isinstance(payload, dict) else {
        {"connector_id": "connectorId", "id_tag": "idTag", "meter_start": "meterStart"}.get(name, name): value
        for name, value in vars(payload).items()
        if value is not None
    }  # fmt: skip
    return json.dumps([2, "f", action, content])


def meter(second: int, transaction: int | None = None, connector: int = 1) -> call.MeterValues:
    phases = [{"value": f"{15 + n}.5", "measurand": "Current.Import", "phase": f"L{n}", "unit": "A"} for n in (1, 2, 3)]
    samples = [{"value": "1500", "context": "Sample.Periodic"}, *phases]
    value = {"timestamp": time(second), "sampledValue": samples}
    return call.MeterValues(connector_id=connector, meter_value=[value], transaction_id=transaction)


async def test_a_whole_session_is_handed_on_word_for_word() -> None:
    reported = Listener()
    async with central(status=reported) as system, system.station() as station:
        boot = await booted(station, BOOT)
        assert (boot.status, boot.interval, boot.current_time) == ("Accepted", 300, "2026-05-01T10:01:58.000Z")
        await station.call(status("Preparing", 1))
        assert (await station.call(call.Authorize(id_tag="card-a"))).id_tag_info["status"] == "Accepted"
        started = await station.call(start(2))
        assert (started.transaction_id, started.id_tag_info) == (1, {"status": "Accepted"})
        await station.call(status("Charging", 3))
        await station.call(meter(18, 1))
        await station.call(status("SuspendedEV", 30))
        data = [{"timestamp": time(40), "sampledValue": [{"value": "2000", "context": "Transaction.End"}]}]
        await station.call(stop(1, 40, reason="EVDisconnected", transaction_data=data))
        await station.call(status("Finishing", 41))
        await station.call(status("Available", 50))
        await station.call(status("Preparing", 60))
        received = await system.is_told(9)
        payload = system.received.deliveries[3].payload
    at = [T0 // 1000 * 1000 + second * 1000 for second in range(61)]
    session = OF_BOX | {"transaction": "1", "started_at": str(at[2]), "id_tag": "CARD-A"}
    record = {"id": f"ocpp-box-1-{at[2] // 1000}", "startTime": iso(at[2]), "endTime": iso(at[40]), "energyWh": 800}
    record["registerWh"] = [1200, 2000]
    ended = {"record": record, "is_current": "yes", "energy": [[at[40], 800], [at[40], 800]]}
    assert received == [
        Delivered("StatusNotification", "box/1", at[1], OF_BOX),
        Delivered("StartTransaction", "car-a", at[2], session | {"energy": [[at[2], 0]]}),
        Delivered("StatusNotification", "car-a", at[3], session),
        Delivered("MeterValues", "car-a", at[18], session | {"energy": [[at[18], 300]]}),
        Delivered("StatusNotification", "car-a", at[30], session),
        Delivered("StopTransaction", "car-a", at[40], session | ended),
        Delivered("StatusNotification", "car-a", at[41], OF_BOX),
        Delivered("StatusNotification", "car-a", at[50], OF_BOX),
        Delivered("StatusNotification", "box/1", at[60], OF_BOX),
    ]
    assert payload.startswith(
        b'{"connectorId":1,"meterValue":[{"timestamp":"2026-05-01T10:00:16Z","sampledValue":[{"value":"1500"'
    )
    assert b'{"value":"18.5","measurand":"Current.Import","phase":"L3","unit":"A"}' in payload
    assert reported.connections == 1


async def test_the_source_says_of_itself_who_it_is_and_when_it_heard() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(status("Available", 1))
        await system.is_told(1)
    delivery = system.received.deliveries[0]
    assert (delivery.source, delivery.dialect, delivery.received_at, delivery.retained) == ("boxes", "ocpp", NOW, False)


async def test_a_station_is_asked_to_measure_enough_and_how_it_is() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        assert station.asked == [
            ("MeterValueSampleInterval", "15"),
            (SAMPLED, "Energy.Active.Import.Register,Current.Import,Voltage,SoC"),
            ("TriggerMessage", "StatusNotification"),
            ("TriggerMessage", "MeterValues"),
        ]


async def test_a_station_that_measures_enough_is_not_written_to() -> None:
    async with central() as system, system.station() as station:
        station.configuration = {
            "MeterValueSampleInterval": "15",
            SAMPLED: "SoC, Voltage,Current.Import,Energy.Active.Import.Register,Power.Offered",
        }
        await booted(station, BOOT)
        assert [name for name, _ in station.asked] == ["TriggerMessage", "TriggerMessage"]


async def test_a_station_that_refuses_a_list_measures_what_it_knows_of_it() -> None:
    async with central() as system, system.station() as station:
        station.refused = frozenset({"Voltage"})
        await booted(station, BOOT)
        assert station.configuration[SAMPLED] == "Energy.Active.Import.Register,Current.Import,SoC"
        station.is_asked.clear()
        station.asked.clear()
        await booted(station, BOOT)
        assert [name for name, _ in station.asked] == ["TriggerMessage", "TriggerMessage"], "found out once is enough"


async def test_a_station_that_only_reconnects_is_asked_again() -> None:
    async with central() as system:
        async with system.station() as station:
            await booted(station, BOOT)
        async with system.station() as station:
            await booted(station, call.Heartbeat())
            assert ("TriggerMessage", "StatusNotification") in station.asked


async def test_a_station_that_says_nothing_is_asked_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chargeport.sources.ocpp.central.BOOT_WITHIN_S", 0)
    async with central() as system, system.station() as station, asyncio.timeout(20):
        await station.is_asked.wait()


async def test_a_restart_in_mid_session_loses_neither_the_car_nor_where_the_meter_was() -> None:
    memory = KeptMemory()
    async with central(memory=memory) as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2))
    async with central(memory=memory) as system, system.station() as station:
        await booted(station, call.Heartbeat())
        await station.call(status("Charging", 5))
        await station.call(meter(20))
        await station.call(stop(1, 40))
        await station.call(status("Available", 41))
        assert (await station.call(start(50, "CARD-B"))).transaction_id == 2
        received = await system.is_told(5)
    assert [one.vehicle for one in received] == ["car-a", "car-a", "car-a", "car-a", "car-b"]
    assert [one.headers.get("transaction") for one in received] == ["1", "1", "1", None, "2"]
    assert [wh for one in received for _, wh in one.headers.get("energy", [])] == [300, 800, 0]
    assert received[2].headers["record"]["startTime"] == iso(T0 + 2_000)
    assert received[2].headers["id_tag"] == "CARD-A"


async def test_a_connection_that_breaks_in_mid_session_loses_nothing_either() -> None:
    async with central() as system:
        async with system.station() as station:
            await booted(station, BOOT)
            await station.call(start(2))
        async with system.station() as station:
            await booted(station, call.Heartbeat())
            await station.call(meter(20, 1))
        received = await system.is_told(2)
    assert [(one.vehicle, one.headers["transaction"]) for one in received] == [("car-a", "1"), ("car-a", "1")]


async def test_what_could_not_be_stored_is_not_acknowledged_and_comes_again() -> None:
    received = Heard()
    received.failing = StoreError("the disk is full")
    frame = f'[2,"7","StartTransaction",{{"connectorId":1,"idTag":"CARD-A","meterStart":5,"timestamp":"{time(2)}"}}]'
    async with central(received=received) as system:
        async with system.connect() as connection:
            await connection.send(frame)
            assert await closed_with(connection) == 1011
        received.failing = None
        async with system.connect() as connection:
            accepted = [3, "7", {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}]
            assert await answer_to(connection, frame) == accepted
            assert await answer_to(connection, frame) == accepted, "a repetition is the same transaction"
        assert [one.headers["transaction"] for one in system.reported] == ["1", "1"]


async def test_a_start_that_is_said_again_with_the_register_of_then_is_the_same_session() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        ids = [(await station.call(start(2, wh=wh))).transaction_id for wh in (1_200, 1_200, 1_600)]
        await station.call(stop(1, 40, wh=2_000))
        ids.append((await station.call(start(2, wh=1_200))).transaction_id)
        received = await system.is_told(5)
    assert ids == [1, 1, 1, 1]
    record = received[3].headers["record"]
    assert (record["startTime"], record["energyWh"], record["registerWh"]) == (iso(T0 + 2_000), 800, [1_200, 2_000])


async def test_an_end_that_is_said_again_is_the_same_record() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2))
        await station.call(stop(1, 40))
        await station.call(stop(1, 40))
        received = await system.is_told(3)
    assert received[1] == received[2]


@pytest.mark.parametrize("name", [0, 99, None], ids=["0", "another", "none"])
@pytest.mark.parametrize("wh", [1_600, None])
@pytest.mark.parametrize("has_data", [False, True])
async def test_an_end_without_the_session_s_id_that_is_said_again_is_the_same_record(
    name: int | None, wh: int | None, has_data: bool
) -> None:
    end = {"transactionId": name, "meterStop": wh, "timestamp": time(40)}
    if has_data:
        values = ((2, "1200", "Transaction.Begin"), (40, "1600", "Transaction.End"))
        end["transactionData"] = [
            {"timestamp": time(second), "sampledValue": [{"value": value, "context": word}]} for second, value, word in values
        ]
    async with central() as system, system.connect() as connection:
        await answer_to(connection, frame("StartTransaction", start(2)))
        for _ in range(2):
            await answer_to(connection, frame("StopTransaction", end))
        _, once, again = await system.is_told(3)
    assert once == again
    assert "error" not in again.headers


async def test_an_end_that_is_said_again_as_of_a_later_time_leaves_the_record_as_it_was() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2))
        await station.call(stop(1, 40))
        await station.call(stop(1, 95))
        received = await system.is_told(3)
    assert received[1].headers["record"] == received[2].headers["record"]


async def test_a_reading_that_names_its_transaction_and_no_connector_is_of_the_transactions() -> None:
    async with central() as system, system.connect() as connection:
        await answer_to(connection, frame("StartTransaction", start(2)))
        value = {"timestamp": time(20), "sampledValue": [{"value": "1900"}]}
        assert await answer_to(connection, frame("MeterValues", {"transactionId": 1, "meterValue": [value]})) == [3, "f", {}]
        received = await system.is_told(2)
    assert (received[1].vehicle, received[1].headers["energy"]) == ("car-a", [[T0 // 1000 * 1000 + 20_000, 700]])


async def test_an_unknown_card_is_refused_and_its_session_is_the_connectors() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        assert (await station.call(call.Authorize(id_tag="NOBODY"))).id_tag_info["status"] == "Invalid"
        assert (await station.call(start(2, "NOBODY"))).id_tag_info["status"] == "Invalid"
        assert (await system.is_told(1))[0].vehicle == "box/1"


async def test_every_card_may_charge_where_the_settings_say_so() -> None:
    settings = OcppSettings(stations={"box": StationSettings(password=PASSWORD)}, accept_unknown_tags=True)
    async with central(settings) as system, system.station() as station:
        assert (await station.call(call.Authorize(id_tag="NOBODY"))).id_tag_info["status"] == "Accepted"


async def test_a_fixed_car_goes_before_the_cards() -> None:
    own = StationSettings(password=PASSWORD, connectors={"1": "home"}, id_tags={"CARD-A": "car-a"})
    async with central(OcppSettings(stations={"box": own})) as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2))
        await station.call(start(2, connector=2))
        await station.call(stop(77, 9))
        received = await system.is_told(3)
    assert [one.vehicle for one in received] == ["home", "car-a", "home"]


async def test_an_idle_connector_of_a_car_that_is_plugged_in_at_another_says_nothing_of_the_car() -> None:
    own = StationSettings(password=PASSWORD, connectors={"1": "car-a"})
    stations = {"box": own, "work": own}
    clock = ManualClock(NOW)
    settings = msgspec.structs.replace(SETTINGS, stations=stations)
    async with central(settings, clock=clock) as system, system.station() as home, system.station(name="work") as work:
        await booted(home, BOOT)
        await booted(work, BOOT)
        await home.call(status("Available", 1))
        await work.call(start(2, wh=0))
        await work.call(status("Charging", 3))
        clock.move(5)
        await home.call(status("Available", 4))
        await home.call(meter(5))
        await home.call(call.Heartbeat())
        await work.call(call.Heartbeat())
        await work.call(status("Available", 60))
        clock.move(5)
        await home.call(status("Preparing", 70))
        clock.move(5)
        await work.call(call.Heartbeat())
        received = await system.is_told(8)
    assert [(one.headers["station"], one.topic) for one in received] == [
        ("box", "StatusNotification"),
        ("work", "StartTransaction"),
        ("work", "StatusNotification"),
        ("work", "Heartbeat"),
        ("work", "StatusNotification"),
        ("work", "Heartbeat"),
        ("box", "StatusNotification"),
        ("box", "Heartbeat"),
    ]


async def test_two_connectors_have_a_car_each() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, "CARD-A", 1))
        await station.call(start(3, "CARD-B", 2))
        await station.call(status("Available", 5, 1))
        await station.call(meter(20, connector=1))
        await station.call(meter(20, connector=2))
        received = await system.is_told(5)
    assert [one.vehicle for one in received] == ["car-a", "car-b", "car-a", "box/1", "car-b"]


async def test_an_end_of_an_unknown_session_is_kept_though_nobody_knows_the_car() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        assert await station.call(stop(4711, 40)) is not None
        assert (await station.call(stop(4712, 40, id_tag="CARD-B"))).id_tag_info["status"] == "Accepted"
        received = await system.is_told(2)
    assert [one.vehicle for one in received] == [None, "car-b"]
    assert all("record" not in one.headers for one in received), "half a record is none"
    assert all("the message does not contain its start" in one.headers["error"] for one in received)


async def test_what_concerns_the_whole_station_is_of_no_car() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(status("Available", 1, 0))
        await station.call(meter(1, connector=0))
        await station.call(call.Heartbeat())
        await station.call(status("Available", 2))
        await system.is_told(1)


@pytest.mark.parametrize(
    "request_",
    [
        call.DataTransfer(vendor_id="ACME", data="x"),
        call.DiagnosticsStatusNotification(status="Idle"),
        call.FirmwareStatusNotification(status="Idle"),
        call.LogStatusNotification(status="Idle", request_id=1),
        call.SecurityEventNotification(type="StartupOfTheDevice", timestamp=time(0), tech_info="none"),
        call.SignCertificate(csr="x"),
        call.SignedFirmwareStatusNotification(status="Idle", request_id=1),
    ],
    ids=lambda request: type(request).__name__,
)
async def test_what_is_not_about_cars_is_answered_politely(request_: Any) -> None:
    async with central() as system, system.station() as station:
        assert await station.call(request_, suppress=False) is not None
        assert system.reported == []


async def test_what_the_schema_does_not_know_is_handed_on_with_a_remark() -> None:
    frame = (
        f'[2,"1","MeterValues",{{"connectorId":1,"meterValue":[{{"timestamp":"{time(3)}",'
        '"sampledValue":[{"value":"1","measurand":"Moon.Phase"}]}]}]'
    )
    async with central() as system, system.connect() as connection:
        assert await answer_to(connection, frame) == [3, "1", {}]
        (received,) = await system.is_told(1)
    assert received.headers["violation"].startswith('meterValue[0].sampledValue[0].measurand: "Moon.Phase" is not one of')


async def test_a_newer_connection_takes_the_place_of_the_older() -> None:
    async with central() as system, system.connect() as older, system.station() as station:
        assert await closed_with(older) == 1008
        await booted(station, BOOT)
        await station.call(status("Available", 1))
        await system.is_told(1)


async def test_stations_come_back_when_the_source_has_been_away() -> None:
    async with central() as system:
        connection = await system.connect()
    assert await closed_with(connection) == 1001


async def test_what_is_said_within_one_second_counts_in_the_order_in_which_it_was_said() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        for status in ("Finishing", "Available"):
            await station.call(call.StatusNotification(1, "NoError", status, timestamp="2026-05-01T10:00:00Z"))
        first, second = await system.is_told(2)
        assert (first.observed_at, second.observed_at) == (1_777_629_600_000, 1_777_629_600_001)


async def test_an_end_under_an_id_that_nobody_gave_is_of_the_session_that_goes_on() -> None:
    for number, unknown in enumerate((0, -1, 99, 2**70, "gone", None)):
        async with central() as system, system.connect() as connection:
            await answer_to(connection, frame("StartTransaction", start(2)))
            values = {"connectorId": 1, "transactionId": unknown, "meterValue": meter(10).meter_value}
            await answer_to(connection, frame("MeterValues", values))
            end = {"transactionId": unknown, "meterStop": 1600, "timestamp": time(40)}
            assert (await answer_to(connection, frame("StopTransaction", end)))[0] == 3
            _, metered, stopped = await system.is_told(3)
        assert metered.headers["energy"] == [[T0 + 10_000, 300]], number
        assert stopped.headers["transaction"] == "1"
        record = stopped.headers["record"]
        assert (record["startTime"], record["endTime"], record["energyWh"]) == (iso(T0 + 2_000), iso(T0 + 40_000), 400)


@pytest.mark.parametrize("wh", [2_600, 0, None], ids=["a register", "an unread register", "no register"])
async def test_an_id_that_the_station_gives_again_is_of_the_session_that_goes_on(wh: int | None) -> None:
    async with central() as system, system.connect() as connection:
        await answer_to(connection, frame("StartTransaction", start(2, wh=1_000)))
        end = {"transactionId": 1, "meterStop": 1_500, "timestamp": time(40)}
        await answer_to(connection, frame("StopTransaction", end))
        await answer_to(connection, frame("StartTransaction", start(50, wh=1_500)))
        sample = {"timestamp": time(80), "sampledValue": [{"value": "2600"}]}
        values = {"connectorId": 1, "transactionId": 1, "meterValue": [sample]}
        await answer_to(connection, frame("MeterValues", values))
        await answer_to(connection, frame("StopTransaction", end))
        await answer_to(connection, frame("StopTransaction", end | {"meterStop": wh, "timestamp": time(90)}))
        await answer_to(connection, frame("MeterValues", values | {"meterValue": [sample | {"timestamp": time(100)}]}))
        first, again, second = [one.headers["record"] for one in await system.is_told(7) if "record" in one.headers]
        after = system.reported[-1]
    assert (first["endTime"], first["energyWh"], again) == (iso(T0 + 40_000), 500, first)
    assert (second["startTime"], second["endTime"], second["energyWh"]) == (iso(T0 + 50_000), iso(T0 + 90_000), 1_100)
    assert "transaction" not in after.headers, "no session goes on"


async def test_an_id_that_is_another_connector_s_does_not_name_its_session() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, "CARD-A", 1, wh=1_000))
        await station.call(start(3, "CARD-B", 2, wh=1_100))
        await station.call(meter(30, 1, connector=2))
        received = await system.is_told(3)
    assert (received[-1].vehicle, received[-1].headers["energy"]) == ("car-b", [[T0 + 30_000, 400]])


async def test_a_station_that_gives_one_id_to_two_connectors_ends_the_session_that_its_register_shows() -> None:
    memory, clock = KeptMemory(), ManualClock(NOW)
    async with central(memory=memory, clock=clock) as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, "CARD-A", 1, wh=1_000_000))
        await station.call(start(3, "CARD-B", 2, wh=1_100))
        await station.call(meter(30, 1, connector=2))
    async with central(memory=memory, clock=clock) as system, system.station() as station:
        await station.call(stop(1, 40, wh=1_600))
        await station.call(stop(1, 50, wh=1_000_400))
        records = [(one.vehicle, one.headers["record"]) for one in system.reported if "record" in one.headers]
    assert [(car, record["energyWh"]) for car, record in records] == [("car-b", 500), ("car-a", 400)]


async def test_of_two_sessions_that_go_on_an_end_is_of_the_one_that_it_fits() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, "CARD-A", 1, wh=1_000))
        await station.call(start(3, "CARD-B", 2, wh=900_000))
        await station.call(stop(0, 40, wh=900_400))
        await station.call(stop(0, 41, wh=1_300))
        received = await system.is_told(4)
    assert [(one.vehicle, one.headers["record"]["energyWh"]) for one in received[2:]] == [("car-b", 400), ("car-a", 300)]


async def test_of_two_sessions_that_an_end_fits_the_one_whose_connector_has_ended_is_over() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, "CARD-A", 1, wh=1_000))
        await station.call(status("Charging", 3, 1))
        await station.call(start(4, "CARD-B", 2, wh=1_100))
        await station.call(status("Charging", 5, 2))
        await station.call(status("Finishing", 39, 2))
        await station.call(stop(0, 40, wh=1_300))
        received = await system.is_told(6)
    assert (received[-1].vehicle, received[-1].headers["record"]["energyWh"]) == ("car-b", 200)


async def test_what_flows_out_is_told_of_a_station_that_has_registers_only() -> None:
    def registers(second: int, import_wh: int, export_wh: int) -> call.MeterValues:
        shown = {"Energy.Active.Import.Register": import_wh, "Energy.Active.Export.Register": export_wh}
        samples = [{"value": str(wh), "measurand": name, "unit": "Wh"} for name, wh in shown.items()]
        return call.MeterValues(connector_id=1, meter_value=[{"timestamp": time(second), "sampledValue": samples}])

    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, "CARD-A", wh=1_000))
        await station.call(registers(60, 1_000, 300))
        await station.call(registers(600, 1_000, 900))
        await station.call(registers(1_200, 1_900, 900))
        received = await system.is_told(4)
    assert [one.headers.get("gives") for one in received[1:]] == [None, "yes", None]


async def test_a_session_that_is_told_by_its_end_only_is_what_its_data_prove() -> None:
    def data(*contexts: str) -> list[Any]:
        samples = [{"value": str(5_000 + 700 * number), "context": word} for number, word in enumerate(contexts)]
        return [{"timestamp": time(10 * number), "sampledValue": [each]} for number, each in enumerate(samples)]

    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(
            stop(77, 30, wh=6_400, id_tag="CARD-A", transaction_data=data("Transaction.Begin", "Other", "Other"))
        )
        await station.call(stop(77, 35, wh=6_400, id_tag="CARD-A", transaction_data=data("Transaction.End")))
        whole, half = await system.is_told(2)
    record = whole.headers["record"]
    assert (whole.vehicle, record["startTime"], record["energyWh"]) == ("car-a", iso(T0), 1_400)
    assert "record" not in half.headers


async def test_a_session_of_yesterday_leaves_the_one_that_goes_on_alone() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, "CARD-A"))
        assert (await station.call(start(-86_400, "CARD-B", wh=200))).transaction_id == 2
        await station.call(stop(2, -82_800, wh=1_000))
        await station.call(meter(30, 1))
        received = await system.is_told(4)
    assert [one.vehicle for one in received] == ["car-a", "car-b", "car-b", "car-a"]
    assert "is_current" not in received[2].headers
    assert received[2].headers["record"]["energyWh"] == 800
    assert received[3].headers["energy"] == [[T0 + 30_000, 300]]


async def test_an_end_without_a_meter_keeps_the_last_reading() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, wh=1_000))
        await station.call(meter(30, 1))
        await station.call(stop(1, 40, wh=0))
        received = await system.is_told(3)
    assert received[2].headers["record"]["energyWh"] == 500


async def test_an_end_before_its_begin_is_of_its_receipt_and_has_its_energy() -> None:
    clock = ManualClock(NOW)
    async with central(clock=clock) as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(60, wh=1_000))
        clock.move(60)
        await station.call(stop(1, -300, wh=8_000))
        received = await system.is_told(3)
    headers = received[1].headers
    assert (headers["record"]["startTime"], headers["record"]["endTime"]) == ("2026-05-01T10:00:58.000Z", iso(NOW + 60_000))
    assert (headers["record"]["energyWh"], headers["own_at"]) == (7_000, str(NOW + 60_000))


async def test_a_station_that_tells_intervals_only_has_their_sum_as_the_session_s_energy() -> None:
    def intervals(second: int) -> call.MeterValues:
        phases = [
            {"value": str(40 + line), "measurand": "Energy.Active.Import.Interval", "phase": f"L{line}", "unit": "Wh"}
            for line in (1, 2, 3)
        ]
        value = {"timestamp": time(second), "sampledValue": phases}
        return call.MeterValues(connector_id=1, meter_value=[value], transaction_id=1)

    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, wh=0))
        for second in (30, 60, 90):
            await station.call(intervals(second))
        await station.call(stop(1, 100, wh=0))
        received = await system.is_told(5)
    assert [one.headers["energy"][-1][1] for one in received if one.topic == "MeterValues"] == [126, 252, 378]
    assert received[-1].headers["record"]["energyWh"] == 378


def part(second: int, connector: int = 1, **samples: str) -> call.MeterValues:
    """A message of its own for some measurands of a phase: `L1_Power="2300"`."""
    names = {"Power": "Power.Active.Import", "Energy": "Energy.Active.Import.Register"}
    reported = [
        {"value": value, "measurand": names[name.partition("_")[2]], "phase": name.partition("_")[0]}
        for name, value in samples.items()
    ]  # fmt: skip
    return call.MeterValues(connector_id=connector, meter_value=[{"timestamp": time(second), "sampledValue": reported}])


async def test_messages_of_one_instant_for_each_phase_are_one_reading() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(0, wh=9_000))
        for second, wh in ((50, 3_040), (110, 3_080)):
            await station.call(part(second, L1_Energy=str(wh)))
            await station.call(part(second, connector=2, L1_Energy="7"))
            await station.call(part(second, L2_Energy=str(wh + 1)))
            await station.call(part(second, L3_Energy=str(wh + 2)))
        received = [one for one in await system.is_told(9) if one.vehicle == "car-a"][1:]
    assert [one.headers.get("energy", [])[-1:] for one in received] == [
        [], [], [[T0 + 50_002, 123]], [], [], [[T0 + 110_002, 243]]
    ]  # fmt: skip
    assert [len(json.loads(one.headers.get("earlier", "[]"))) for one in received] == [0, 1, 2, 0, 1, 2]


async def test_a_message_that_repeats_a_sample_or_names_another_instant_is_a_reading_of_its_own() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(part(10, L1_Power="2300", L2_Power="2200"))
        await station.call(part(10, L2_Power="2100"))
        await station.call(part(20, L1_Power="2000"))
        received = await system.is_told(3)
    assert [one.headers.get("earlier") for one in received] == [None] * 3


def powered(second: int, wh: int, transaction: int, watts: int = 72_000) -> call.MeterValues:
    samples = [{"value": str(wh)}, {"value": str(watts), "measurand": "Power.Active.Import", "unit": "W"}]
    value = {"timestamp": time(second), "sampledValue": samples}
    return call.MeterValues(connector_id=1, meter_value=[value], transaction_id=transaction)


@pytest.mark.parametrize(
    ("next_wh", "is_unplugged", "ended_at", "energy_wh"),
    [
        (2_400, False, T0 + 109_999, 1_400),  # 200 Wh in 20 s at 72 kW
        (1_200, False, T0 + 90_000, 1_200),
        (9_000, False, T0 + 90_000, 1_200),
        (2_400, True, T0 + 90_000, 1_200),
    ],
    ids=["it flowed on", "nothing is added to it", "more than could flow", "another car may have charged"],
)
async def test_a_session_whose_end_is_lost_is_told_when_the_next_one_begins(
    next_wh: int, is_unplugged: bool, ended_at: int, energy_wh: int
) -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(0, wh=1_000))
        await station.call(powered(90, 2_200, 1))
        if is_unplugged:
            await station.call(status("Available", 100))
        await station.call(start(110, "CARD-B", wh=next_wh))
        received = await system.is_told(6 if is_unplugged else 4)  # the free plug has told the end, too
    lost, begun = received[-2:]
    record = lost.headers["record"]
    assert (lost.vehicle, record["startTime"], record["endTime"]) == ("car-a", iso(T0), iso(ended_at))
    assert (record["energyWh"], lost.headers["energy"]) == (energy_wh, [[ended_at, energy_wh]])
    assert lost.headers["recorded_at"] == f"{T0 + 90_000}", "no later than any end that may follow"
    assert (begun.vehicle, begun.headers["energy"]) == ("car-b", [[T0 + 110_000, 0]])


async def test_a_plug_that_is_free_ends_its_session_until_the_end_is_told() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(0, wh=1_000))
        await station.call(meter(30, 1))
        await station.call(status("Available", 20))
        await station.call(status("Available", 40))
        await station.call(stop(1, 38, wh=1_600))
        records = [one for one in await system.is_told(6) if "record" in one.headers]
    assert [(one.headers["record"]["energyWh"], one.headers["record"]["endTime"]) for one in records] == [
        (500, "2026-05-01T10:00:28.000Z"),
        (600, "2026-05-01T10:00:36.000Z"),
    ], "a reading after the first free plug shows that it was none"
    assert records[0].headers["record"]["id"] == records[1].headers["record"]["id"]


async def test_an_end_without_an_id_that_comes_after_the_next_begin_is_the_lost_one() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(0, "CARD-A", wh=1_000))
        await station.call(start(60, "CARD-A", wh=3_000))
        await station.call(stop(0, 30, wh=1_800, id_tag="CARD-A"))
        ended = (await system.is_told(3))[-1]
    assert (ended.headers["transaction"], ended.headers["record"]["energyWh"]) == ("1", 800)
    assert "is_current" not in ended.headers


async def test_a_start_at_no_usable_time_was_no_later_than_the_first_report_after_it() -> None:
    unset = call.StartTransaction(connector_id=1, id_tag="CARD-A", meter_start=1_000, timestamp="1970-01-01T00:00:09Z")
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(unset)
        await station.call(powered(90, 2_200, 1))
        await station.call(stop(1, 100, wh=2_300))
        received = await system.is_told(3)
    assert received[0].observed_at == NOW
    record = received[-1].headers["record"]
    assert (record["startTime"], record["endTime"], record["energyWh"]) == (iso(T0 + 90_000), iso(T0 + 100_000), 1_300)


async def test_a_clock_that_is_lost_in_mid_session_changes_nothing_of_its_start() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(0, wh=1_000))
        await station.call(call.StopTransaction(transaction_id=1, meter_stop=2_300, timestamp="1970-01-01T00:00:09Z"))
        record = (await system.is_told(2))[-1].headers["record"]
    assert (record["startTime"], record["endTime"], record["energyWh"]) == (iso(T0), iso(NOW), 1_300)


async def test_a_start_of_the_station_as_a_whole_is_of_its_only_connector() -> None:
    own = StationSettings(password=PASSWORD, connectors={"1": "home"})
    settings = msgspec.structs.replace(SETTINGS, stations={"box": own})
    async with central(settings) as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(0, connector=0))
        await station.call(stop(1, 100))
        received = await system.is_told(2)
    assert [one.vehicle for one in received] == ["home"] * 2
    assert received[-1].headers["is_current"] == "yes"


async def test_a_register_below_zero_was_not_read() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(0, wh=-1))
        await station.call(powered(10, 50_000, 1))
        await station.call(powered(20, -1, 1))
        await station.call(stop(1, 30, wh=50_200))
        received = await system.is_told(4)
    assert [one.headers.get("energy") for one in received] == [None, [[T0 + 10_000, 0]], None, [[T0 + 30_000, 200]]]
    assert received[-1].headers["record"]["energyWh"] == 200


async def test_a_start_with_a_member_that_cannot_be_read_is_a_session_and_the_member_an_issue() -> None:
    begun = {"connectorId": 1, "idTag": "CARD-A", "meterStart": "", "timestamp": time(2)}
    async with central() as system, system.connect() as connection:
        assert (await answer_to(connection, frame("StartTransaction", begun)))[2]["transactionId"] == 1
        issue, reported = await system.is_told(2)
    assert (reported.vehicle, reported.headers["transaction"]) == ("car-a", "1")
    assert issue.vehicle is None
    assert "left out of the message: Expected `float | null`, got `str` - at `$.meterStart`" in issue.headers["error"]


async def test_a_clock_that_shows_the_first_instant_there_is_is_none() -> None:
    clock = ManualClock(NOW)
    zero = {"connectorId": 1, "idTag": "CARD-A", "meterStart": 5, "meterStop": 905, "timestamp": "0001-01-01T00:00:00Z"}
    async with central(clock=clock) as system, system.connect() as connection:
        await answer_to(connection, frame("StartTransaction", zero))
        clock.move(600)
        await answer_to(connection, frame("StopTransaction", zero | {"transactionId": 1}))
        record = (await system.is_told(3))[1].headers["record"]
    assert (record["startTime"], record["endTime"], record["energyWh"]) == (iso(NOW), iso(NOW + 600_000), 900)


@pytest.mark.parametrize("seconds", [2, 600], ids=["that waited", "that went on"])
async def test_a_session_without_usable_times_has_its_energy_unless_it_had_no_time_to_flow(seconds: int) -> None:
    clock = ManualClock(NOW)
    async with central(clock=clock) as system, system.connect() as connection:
        for action, wh in (("StartTransaction", 1_000), ("MeterValues", 5_000), ("StopTransaction", 61_000)):
            sample = {"sampledValue": [{"value": f"{wh}"}]}
            sent = {
                "connectorId": 1,
                "transactionId": 1,
                "idTag": "CARD-A",
                "meterStart": wh,
                "meterStop": wh,
                "meterValue": [sample],
            }
            await answer_to(connection, frame(action, sent))
            clock.move(seconds / 2)
        record = next(one.headers["record"] for one in system.reported if "record" in one.headers)
    assert record.get("energyWh") == (60_000 if seconds == 2 else 4_000), "400 kW for 300 s"


async def test_starts_of_a_clock_that_was_never_set_are_told_apart() -> None:
    unset = {"connectorId": 1, "idTag": "CARD-A", "meterStart": 5, "timestamp": "1970-01-01T00:00:09Z"}
    async with central() as system, system.connect() as connection:
        ids = []
        for _ in range(2):
            answers = [await answer_to(connection, frame("StartTransaction", unset)) for _ in range(2)]
            ids += [answer[2]["transactionId"] for answer in answers]
            await answer_to(connection, frame("StopTransaction", {"transactionId": ids[-1], "meterStop": 9, "timestamp": ""}))
        received = await system.is_told(6)
    assert ids == [1, 1, 2, 2], "a repetition is the same one while it goes on"
    assert all(NOW <= (one.observed_at or 0) <= NOW + 10 for one in received)


async def test_a_station_is_written_to_once_though_it_shows_nothing_of_it() -> None:
    memory, clock = KeptMemory(), ManualClock(NOW)
    for number in range(3):
        clock.move(600)
        async with central(memory=memory, clock=clock) as system, system.station() as station:
            station.configuration = {}
            station.forgets = True
            station.refused = frozenset({"Voltage"})
            await booted(station, BOOT)
            asked = [name for name, _ in station.asked if name != "TriggerMessage"]
            assert len(asked) == (0 if number else 6), number
    more = msgspec.structs.replace(SETTINGS, sample_interval_s=90)
    clock.move(600)
    async with central(more, memory=memory, clock=clock) as system, system.station() as station:
        station.forgets = True
        await booted(station, BOOT)
        assert station.asked[0] == ("MeterValueSampleInterval", "90"), "what is wanted now is another thing"


async def test_a_station_that_shows_another_value_than_it_took_is_written_to_once_a_day() -> None:
    memory, clock = KeptMemory(), ManualClock(NOW)
    written = []
    for hours in (0, 1, 22, 2):
        clock.move(3_600 * hours)
        async with central(memory=memory, clock=clock) as system, system.station() as station:
            await booted(station, BOOT)
            written.append([name for name, _ in station.asked if name != "TriggerMessage"])
    assert [len(each) for each in written] == [2, 0, 0, 2]


async def test_a_station_that_starts_again_and_again_becomes_an_issue_and_is_left_alone() -> None:
    memory = KeptMemory()
    for number in range(1, 6):
        async with central(memory=memory) as system, system.station() as station:
            await booted(station, BOOT)
            assert len(system.reported) == (number == 4)
            if system.reported:
                assert "station box: it has started 4 times within 15 minutes" in system.reported[0].headers[REFUSED]
    more = msgspec.structs.replace(SETTINGS, sample_interval_s=90)
    async with central(more, memory=memory) as system, system.station() as station:
        await booted(station, BOOT)
        assert {name for name, _ in station.asked} == {"TriggerMessage"}


async def test_heartbeats_and_meter_values_confirm_what_the_station_said_in_this_connection() -> None:
    clock = ManualClock(NOW)
    async with central(clock=clock) as system:
        async with system.station() as station:
            await booted(station, BOOT)
            await station.call(call.Heartbeat())
            await station.call(status("Charging", 100))
            clock.move(300)
            await station.call(call.Heartbeat())
            await station.call(status("SuspendedEV", 200))
            clock.move(300)
            await station.call(meter(700, connector=2))
            received = await system.is_told(6)
        async with system.station() as station:
            await station.call(call.Heartbeat())
            await system.is_told(6)
    confirmed = [one for one in received if one.topic == "Heartbeat"]
    assert [(one.vehicle, one.headers["status"]) for one in confirmed] == [
        ("box/1", "Charging"),
        ("box/1", "SuspendedEV"),  # at once: it was sent after the confirmation, whatever its timestamp
        ("box/1", "SuspendedEV"),
    ]
    assert [one.observed_at for one in confirmed] == [NOW + 300_000, NOW + 300_000, NOW + 600_000]


async def test_a_start_by_a_clock_that_is_off_keeps_its_time_when_the_clock_is_set() -> None:
    clock, off_s = ManualClock(NOW), -7_000
    since = (NOW - T0 // 1000 * 1000) // 1000
    async with central(clock=clock) as system, system.station() as station:
        await station.call(start(since + off_s))
        for second in (10, 20, 30, 40, 50, 60):
            clock.move(10)
            await station.call(meter(since + second + (off_s if second < 40 else 0), 1))
        await station.call(stop(1, since + 60))
        record = next(one.headers["record"] for one in system.reported if "record" in one.headers)
    assert abs(datetime.fromisoformat(record["startTime"]).timestamp() * 1000 - NOW) <= 1_000
    assert abs(datetime.fromisoformat(record["endTime"]).timestamp() * 1000 - NOW - 60_000) <= 1_000


async def test_what_a_new_connection_reports_counts_after_what_was_confirmed_in_the_one_before() -> None:
    clock = ManualClock(NOW)
    async with central(clock=clock) as system:
        async with system.station() as station:
            await booted(station, BOOT)
            await station.call(status("Charging", 100))
            clock.move(300)
            await station.call(call.Heartbeat())
        async with system.station() as station:
            await station.call(status("Finishing", 200))
            received = await system.is_told(4)
    assert [one.headers["status"] for one in received if one.topic == "Heartbeat"] == ["Charging", "Finishing"]


async def test_a_sample_while_charging_is_suspended_names_the_time_since_which_it_is() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2))
        await station.call(status("SuspendedEVSE", 3))
        await station.call(status("SuspendedEVSE", 20))
        await station.call(meter(30, 1))
        await station.call(status("Charging", 40))
        await station.call(meter(50, 1))
        received = [one for one in await system.is_told(6) if one.topic == "MeterValues"]
    assert [one.headers.get("suspended_at") for one in received] == [str(T0 // 1000 * 1000 + 3_000), None]


async def test_a_sample_of_a_transaction_without_a_status_says_so() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(meter(1))
        await station.call(start(2))
        await station.call(meter(30, 1))
        await station.call(status("Charging", 40))
        await station.call(meter(50, 1))
        received = [one for one in await system.is_told(5) if one.topic == "MeterValues"]
    assert [one.headers.get("unreported") for one in received] == [None, "yes", None]


class StationOfConnectors(Station16):
    """A station that sends what it is asked for a named connector only, and knows no measurand but one."""

    @on("TriggerMessage")
    def on_trigger_message(self, requested_message: str, connector_id: int | None = None) -> Any:
        self.asked.append((requested_message, str(connector_id)))
        return call_result.TriggerMessage(status="Rejected" if connector_id is None else "Accepted")

    @after("TriggerMessage")
    def after_trigger_message(self, requested_message: str, connector_id: int | None = None) -> None:
        if requested_message == "MeterValues" and connector_id is not None:
            self.is_asked.set()

    @on("ChangeConfiguration")
    def on_change_configuration(self, key: str, value: str) -> Any:
        is_taken = key != SAMPLED or value == "Current.Import"
        self.asked.append((value, "taken" if is_taken else "refused"))
        return call_result.ChangeConfiguration(status="Accepted" if is_taken else "NotSupported")


async def test_what_a_station_sends_for_a_named_connector_only_is_asked_for_by_its_number() -> None:
    async with central() as system, system.station(StationOfConnectors) as station:
        await booted(station, BOOT)
        asked = [one for one in station.asked if one[1] in ("None", "1", "2")]
    assert asked == [(message, connector) for message in ("StatusNotification", "MeterValues") for connector in ("None", "1")]


async def test_a_list_of_a_setting_that_the_station_shows_is_tried_value_by_value_whatever_it_replies() -> None:
    async with central() as system, system.station(StationOfConnectors) as station:
        await booted(station, BOOT)
        taken = [value for value, outcome in station.asked if outcome == "taken"]
    assert taken == ["15", "Current.Import"]


async def test_a_card_is_known_in_any_case_and_with_spaces_around_it() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        started = await station.call(start(2, tag=" card-a "))
        assert started.id_tag_info == {"status": "Accepted"}
        assert (await system.is_told(1))[0].vehicle == "car-a"


async def test_a_clock_that_is_off_is_estimated_shown_and_remembered() -> None:
    memory, clock = KeptMemory(), ManualClock(T0)
    async with central(memory=memory, clock=clock) as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(status("Available", 7_200))
        assert system.reporter.stations["box"].clock_offset_ms == 7_200_000
        (reported,) = await system.is_told(1)
        assert (reported.observed_at, reported.headers["clock_offset_ms"]) == (T0, "7200000")
    clock.move(7_200)
    async with central(memory=memory, clock=clock) as system, system.station() as station:
        await station.call(start(7_200 + 600))
        (reported,) = await system.is_told(1)
        assert reported.observed_at == T0 + 600_000, "it was offline for most of the time"
