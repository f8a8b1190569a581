"""OCPP 1.6 over a real websocket: whole sessions, whose car they are of, and what a restart must not lose."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from ocpp.v16 import call
from ocpp_peers import NOW, PASSWORD, SAMPLED, Delivered, answer_to, booted, central, closed_with
from surroundings import T0, Heard, KeptMemory, Listener

from chargeport.errors import StoreError
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.sources.ocpp.station import iso

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


def meter(second: int, transaction: int | None = None, connector: int = 1) -> call.MeterValues:
    phases = [{"value": f"{15 + n}.5", "measurand": "Current.Import", "phase": f"L{n}", "unit": "A"} for n in (1, 2, 3)]
    samples = [{"value": "1500", "context": "Sample.Periodic"}, *phases]
    value = {"timestamp": time(second), "sampledValue": samples}
    return call.MeterValues(connector_id=connector, meter_value=[value], transaction_id=transaction)


async def test_a_whole_session_is_handed_on_word_for_word() -> None:
    told = Listener()
    async with central(told=told) as system, system.station() as station:
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
        heard = await system.is_told(9)
        payload = system.heard.deliveries[3].payload
    at = [T0 // 1000 * 1000 + second * 1000 for second in range(61)]
    session = OF_BOX | {"transaction": "1", "started_at": str(at[2]), "id_tag": "CARD-A"}
    record = {"id": f"ocpp-box-1-{at[2] // 1000}", "startTime": iso(at[2]), "endTime": iso(at[40]), "energyWh": 800}
    ended = {"record": record, "is_current": "yes", "energy": [[at[40], 800], [at[40], 800]]}
    assert heard == [
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
    assert told.connections == 1


async def test_the_source_says_of_itself_who_it_is_and_when_it_heard() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(status("Available", 1))
        await system.is_told(1)
    delivery = system.heard.deliveries[0]
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
        heard = await system.is_told(5)
    assert [one.vehicle for one in heard] == ["car-a", "car-a", "car-a", "car-a", "car-b"]
    assert [one.headers.get("transaction") for one in heard] == ["1", "1", "1", None, "2"]
    assert [wh for one in heard for _, wh in one.headers.get("energy", [])] == [300, 800, 0]
    assert heard[2].headers["record"]["startTime"] == iso(T0 + 2_000)
    assert heard[2].headers["id_tag"] == "CARD-A"


async def test_a_connection_that_breaks_in_mid_session_loses_nothing_either() -> None:
    async with central() as system:
        async with system.station() as station:
            await booted(station, BOOT)
            await station.call(start(2))
        async with system.station() as station:
            await booted(station, call.Heartbeat())
            await station.call(meter(20, 1))
        heard = await system.is_told(2)
    assert [(one.vehicle, one.headers["transaction"]) for one in heard] == [("car-a", "1"), ("car-a", "1")]


async def test_what_could_not_be_stored_is_not_acknowledged_and_comes_again() -> None:
    heard = Heard()
    heard.failing = StoreError("the disk is full")
    frame = f'[2,"7","StartTransaction",{{"connectorId":1,"idTag":"CARD-A","meterStart":5,"timestamp":"{time(2)}"}}]'
    async with central(heard=heard) as system:
        async with system.connect() as connection:
            await connection.send(frame)
            assert await closed_with(connection) == 1011
        heard.failing = None
        async with system.connect() as connection:
            accepted = [3, "7", {"transactionId": 1, "idTagInfo": {"status": "Accepted"}}]
            assert await answer_to(connection, frame) == accepted
            assert await answer_to(connection, frame) == accepted, "a repetition is the same transaction"
        assert [one.headers["transaction"] for one in system.told] == ["1", "1"]


async def test_an_end_that_is_said_again_is_the_same_record() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2))
        await station.call(stop(1, 40))
        await station.call(stop(1, 40))
        heard = await system.is_told(3)
    assert heard[1] == heard[2]


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
        heard = await system.is_told(3)
    assert [one.vehicle for one in heard] == ["home", "car-a", "home"]


async def test_two_connectors_have_a_car_each() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        await station.call(start(2, "CARD-A", 1))
        await station.call(start(3, "CARD-B", 2))
        await station.call(status("Available", 5, 1))
        await station.call(meter(20, connector=1))
        await station.call(meter(20, connector=2))
        heard = await system.is_told(5)
    assert [one.vehicle for one in heard] == ["car-a", "car-b", "car-a", "box/1", "car-b"]


async def test_an_end_of_an_unknown_session_is_kept_though_nobody_knows_the_car() -> None:
    async with central() as system, system.station() as station:
        await booted(station, BOOT)
        assert await station.call(stop(4711, 40)) is not None
        assert (await station.call(stop(4712, 40, id_tag="CARD-B"))).id_tag_info["status"] == "Accepted"
        heard = await system.is_told(2)
    assert [one.vehicle for one in heard] == [None, "car-b"]
    assert all("record" not in one.headers for one in heard), "half a record is none"
    assert all("nothing in the message says when it began" in one.headers["error"] for one in heard)


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
        assert system.told == []


async def test_what_the_schema_does_not_know_is_handed_on_with_a_remark() -> None:
    frame = (
        f'[2,"1","MeterValues",{{"connectorId":1,"meterValue":[{{"timestamp":"{time(3)}",'
        '"sampledValue":[{"value":"1","measurand":"Moon.Phase"}]}]}]'
    )
    async with central() as system, system.connect() as connection:
        assert await answer_to(connection, frame) == [3, "1", {}]
        (heard,) = await system.is_told(1)
    assert heard.headers["violation"].startswith('meterValue[0].sampledValue[0].measurand: "Moon.Phase" is not one of')


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
