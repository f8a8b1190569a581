"""OCPP 2.0.1: what a station is answered and asked. The station numbers its transactions itself, and tells of them in events.

A connector of ours is an EVSE here: the place for one car, which may have several plugs.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from chargeport.sources.ocpp.frames import NOT_FOR_US, UNKNOWN, Call, Payload, Refused
from chargeport.sources.ocpp.messages201 import (
    NO_CARD,
    Authorize,
    ChargingNeeds,
    IdToken,
    MeterValues,
    StatusNotification,
    TransactionEvent,
)
from chargeport.sources.ocpp.meter import last_at, readings, register_wh
from chargeport.sources.ocpp.schema import is_action
from chargeport.sources.ocpp.session import Session
from chargeport.sources.ocpp.station import Station, read, record
from chargeport.sources.ocpp.transactions import Plug, Transaction
from chargeport.sources.ocpp.variables import Variables
from chargeport.sources.ocpp.wishes import Wish, fulfil

VERSION: Final = "2.0.1"
_REGISTER: Final = "Energy.Active.Import.Register"
_FREE: Final = frozenset({"Available", "Reserved"})  # no car is plugged in

# What has nothing to do with a car is taken note of and no more; certificates and charging plans are not ours to give.
_POLITE: Final[Mapping[str, Payload]] = {
    "ClearedChargingLimit": {},
    "DataTransfer": {"status": "UnknownVendorId"},
    "FirmwareStatusNotification": {},
    "Get15118EVCertificate": {"status": "Failed", "exiResponse": ""},
    "GetCertificateStatus": {"status": "Failed"},
    "LogStatusNotification": {},
    "NotifyChargingLimit": {},
    "NotifyCustomerInformation": {},
    "NotifyDisplayMessages": {},
    "NotifyEVChargingSchedule": {"status": "Accepted"},
    "NotifyEvent": {},
    "NotifyMonitoringReport": {},
    "NotifyReport": {},
    "PublishFirmwareStatusNotification": {},
    "ReportChargingProfiles": {},
    "ReservationStatusUpdate": {},
    "SecurityEventNotification": {},
    "SignCertificate": {"status": "Rejected"},
}


class Ocpp201:
    """Chargeport as the central system of one station that speaks OCPP 2.0.1."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._ledger = station.ledger
        self._answers: Mapping[str, Callable[[bytes], Awaitable[Payload]]] = {
            "Authorize": self._authorize,
            "BootNotification": self._boot,
            "Heartbeat": self._heartbeat,
            "MeterValues": self._meter_values,
            "NotifyEVChargingNeeds": self._charging_needs,
            "StatusNotification": self._status,
            "TransactionEvent": self._event,
        }

    async def answer(self, call: Call) -> Payload:
        """The answer to a call, once what it says is stored. Raises Refused, StoreError."""
        if call.action in self._answers:
            return await self._answers[call.action](call.payload)
        if call.action in _POLITE:
            return _POLITE[call.action]
        raise Refused(NOT_FOR_US if is_action(VERSION, call.action) else UNKNOWN, f"{call.action[:50]} is not answered here.")

    async def ask(self, session: Session) -> None:
        """Have it measure what we want, and say how all its plugs are."""
        settings = self._station.settings
        wishes = [
            Wish("SampledDataCtrlr.TxUpdatedInterval", [str(settings.sample_interval_s)]),
            Wish("SampledDataCtrlr.TxUpdatedMeasurands", settings.measurands),
            Wish("SampledDataCtrlr.TxStartedMeasurands", [_REGISTER]),
            Wish("SampledDataCtrlr.TxEndedMeasurands", [_REGISTER]),
        ]
        await fulfil(session, Variables(), wishes, self._station.narrowed)
        known = {int(number) for number in self._station.connectors} | self._ledger.connectors
        for evse in sorted(known or {1}):  # a status is asked for plug by plug here
            plug = {"id": evse, "connectorId": self._ledger.plug(evse).connector or 1}
            await session.call("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": plug})
        await session.call("TriggerMessage", {"requestedMessage": "TransactionEvent"})

    async def _boot(self, _payload: bytes) -> Payload:
        interval = self._station.settings.heartbeat_s
        return {"status": "Accepted", "currentTime": self._station.time(), "interval": interval}

    async def _heartbeat(self, _payload: bytes) -> Payload:
        return {"currentTime": self._station.time()}

    async def _authorize(self, payload: bytes) -> Payload:
        return self._token_info(read(payload, Authorize).id_token)

    def _token_info(self, token: IdToken) -> Payload:
        may = token.type == NO_CARD or self._station.admits(token.id_token)
        return {"idTokenInfo": {"status": "Accepted" if may else "Unknown"}}

    async def _charging_needs(self, payload: bytes) -> Payload:
        said = read(payload, ChargingNeeds)
        await self._of_evse("NotifyEVChargingNeeds", payload, said.evse_id)
        return {"status": "Rejected"}  # no plan will follow: the station goes by its own

    async def _meter_values(self, payload: bytes) -> Payload:
        said = read(payload, MeterValues)
        await self._of_evse("MeterValues", payload, said.evse_id, last_at(readings(said.meter_value)))
        return {}

    async def _status(self, payload: bytes) -> Payload:
        said = read(payload, StatusNotification)
        plug = self._ledger.plug(said.evse_id)
        if plug.connector not in (None, said.connector_id):
            return {}  # another plug of the same place says nothing of the car that uses this one
        await self._of_evse("StatusNotification", payload, said.evse_id, said.timestamp)
        if said.evse_id > 0 and said.connector_status in _FREE:
            await self._ledger.unplugged(said.evse_id)
        elif said.evse_id > 0 and said.connector_status == "Occupied":
            await self._ledger.plugged(said.evse_id, Plug(plug.car, said.connector_id))
        return {}

    async def _of_evse(self, action: str, payload: bytes, evse: int, at: str | int | None = None) -> None:
        """Hand on what is said of a place for a car; what concerns the whole station is of no car."""
        if evse > 0:
            transaction = self._ledger.open_at(evse)
            vehicle = self._station.vehicle(evse, self._ledger.plug(evse).car)
            await self._station.tell(VERSION, action, payload, vehicle, at=at, transaction=transaction)

    async def _event(self, payload: bytes) -> Payload:
        said = read(payload, TransactionEvent)
        values = readings(said.meter_value)
        transaction = await self._noted(said, register_wh(values, "Transaction.Begin", whole=said.event_type == "Started"))
        more: dict[str, str | None] = {}
        if said.event_type == "Ended":
            more["record"] = record(transaction, said.timestamp, register_wh(values, "Transaction.End", whole=True))
        vehicle = self._station.vehicle(transaction.connector, transaction.car)
        await self._station.tell(
            VERSION, "TransactionEvent", payload, vehicle, at=said.timestamp, transaction=transaction, more=more
        )
        if said.event_type == "Ended":
            await self._ledger.note(msgspec.structs.replace(transaction, has_ended=True))
        return {} if said.id_token is None else self._token_info(said.id_token)

    async def _noted(self, said: TransactionEvent, meter_start_wh: float | None) -> Transaction:
        """The session with what this event adds; who it was once known to be, it stays."""
        known = self._ledger.find(said.transaction_info.transaction_id)
        before = known or Transaction(id=said.transaction_info.transaction_id)
        now = msgspec.structs.replace(
            before,
            connector=(said.evse.id if said.evse else 0) or before.connector,
            started=before.started or (said.timestamp if said.event_type == "Started" else None),
            meter_start_wh=meter_start_wh if before.meter_start_wh is None else before.meter_start_wh,
            id_tag=before.id_tag or said.tag,
            car=before.car or self._station.car_of(said.tag),
        )
        if now.connector is None or now.has_ended:
            return now
        plug = Plug(now.car, (said.evse.connector_id if said.evse else None) or self._ledger.plug(now.connector).connector)
        if known is None:
            await self._ledger.begin(now, plug)
        elif now != before:
            await self._ledger.note(now)
            await self._ledger.plugged(now.connector, plug)
        return now
