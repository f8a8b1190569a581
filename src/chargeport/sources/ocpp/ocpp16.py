"""OCPP 1.6: what a station is answered and asked.

A start is remembered before it is handed on, so that a repetition gets the same transaction; an end after it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from chargeport.sources.ocpp.frames import IMPOSSIBLE, NOT_FOR_US, UNKNOWN, Call, Payload, Refused
from chargeport.sources.ocpp.messages16 import Authorize, MeterValues, StartTransaction, StatusNotification, StopTransaction
from chargeport.sources.ocpp.meter import last_at, readings
from chargeport.sources.ocpp.schema import is_action
from chargeport.sources.ocpp.session import Session
from chargeport.sources.ocpp.station import Station, read, record
from chargeport.sources.ocpp.transactions import Numbering, Plug, Transaction
from chargeport.sources.ocpp.wishes import Wish, fulfil

VERSION: Final = "1.6"
_FREE: Final = frozenset({"Available", "Reserved"})  # no car is plugged in

# What has nothing to do with a car is taken note of and no more; certificates are not ours to sign.
_POLITE: Final[Mapping[str, Payload]] = {
    "DataTransfer": {"status": "UnknownVendorId"},
    "DiagnosticsStatusNotification": {},
    "FirmwareStatusNotification": {},
    "LogStatusNotification": {},
    "SecurityEventNotification": {},
    "SignCertificate": {"status": "Rejected"},
    "SignedFirmwareStatusNotification": {},
}


class Ocpp16:
    """Chargeport as the central system of one station that speaks OCPP 1.6."""

    def __init__(self, station: Station, numbering: Numbering) -> None:
        self._station = station
        self._ledger = station.ledger
        self._numbering = numbering
        self._answers: Mapping[str, Callable[[bytes], Awaitable[Payload]]] = {
            "Authorize": self._authorize,
            "BootNotification": self._boot,
            "Heartbeat": self._heartbeat,
            "MeterValues": self._meter_values,
            "StartTransaction": self._start,
            "StatusNotification": self._status,
            "StopTransaction": self._stop,
        }

    async def answer(self, call: Call) -> Payload:
        """The answer to a call, once what it says is stored. Raises Refused, StoreError."""
        if call.action in self._answers:
            return await self._answers[call.action](call.payload)
        if call.action in _POLITE:
            return _POLITE[call.action]
        raise Refused(NOT_FOR_US if is_action(VERSION, call.action) else UNKNOWN, f"{call.action[:50]} is not answered here.")

    async def ask(self, session: Session) -> None:
        """Have it measure what we want, and say how all its connectors are."""
        settings = self._station.settings
        wishes = [
            Wish("MeterValueSampleInterval", [str(settings.sample_interval_s)]),
            Wish("MeterValuesSampledData", settings.measurands),
        ]
        await fulfil(session, self, wishes, self._station.narrowed)
        for message in ("StatusNotification", "MeterValues"):
            await session.call("TriggerMessage", {"requestedMessage": message})

    async def values(self, session: Session, names: Sequence[str]) -> Mapping[str, str]:
        """What the settings are, as far as the station says so."""
        said = await session.call("GetConfiguration", {"key": list(names)}) or {}
        keys = said.get("configurationKey")
        found = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
        return {str(key.get("key")): str(key["value"]) for key in found if key.get("value") is not None}

    async def change(self, session: Session, name: str, value: str) -> bool:
        """Whether the station took the value."""
        said = await session.call("ChangeConfiguration", {"key": name, "value": value}) or {}
        return said.get("status") in ("Accepted", "RebootRequired")

    async def _boot(self, _payload: bytes) -> Payload:
        interval = self._station.settings.heartbeat_s
        return {"status": "Accepted", "currentTime": self._station.time(), "interval": interval}

    async def _heartbeat(self, _payload: bytes) -> Payload:
        return {"currentTime": self._station.time()}

    async def _authorize(self, payload: bytes) -> Payload:
        return self._tag_info(read(payload, Authorize).id_tag)

    def _tag_info(self, id_tag: str) -> Payload:
        return {"idTagInfo": {"status": "Accepted" if self._station.admits(id_tag) else "Invalid"}}

    async def _start(self, payload: bytes) -> Payload:
        said = read(payload, StartTransaction)
        if said.connector_id < 1:
            raise Refused(IMPOSSIBLE, "connectorId: a session is at one connector; they are numbered from 1.")
        begun = self._ledger.same_start(said.connector_id, said.timestamp, said.id_tag)
        if begun is None:
            begun = Transaction(
                id=await self._numbering.next_id(),
                connector=said.connector_id,
                started=said.timestamp,
                meter_start_wh=said.meter_start,
                id_tag=said.id_tag,
                car=self._station.car_of(said.id_tag),
            )
            await self._ledger.begin(begun, Plug(begun.car))
        vehicle = self._station.vehicle(said.connector_id, begun.car)
        await self._station.tell(VERSION, "StartTransaction", payload, vehicle, at=said.timestamp, transaction=begun)
        return {"transactionId": int(begun.id), **self._tag_info(said.id_tag)}

    async def _meter_values(self, payload: bytes) -> Payload:
        said = read(payload, MeterValues)
        named = None if said.transaction_id is None else self._ledger.find(str(said.transaction_id))
        connector = said.connector_id if said.connector_id > 0 else named.connector if named else None
        if connector is not None:
            transaction = named or self._ledger.open_at(connector)
            vehicle = self._station.vehicle(connector, named.car if named else self._ledger.plug(connector).car)
            at = last_at(readings(said.meter_value))
            await self._station.tell(VERSION, "MeterValues", payload, vehicle, at=at, transaction=transaction)
        return {}

    async def _status(self, payload: bytes) -> Payload:
        said = read(payload, StatusNotification)
        if said.connector_id > 0:
            transaction = self._ledger.open_at(said.connector_id)
            vehicle = self._station.vehicle(said.connector_id, self._ledger.plug(said.connector_id).car)
            await self._station.tell(
                VERSION, "StatusNotification", payload, vehicle, at=said.timestamp, transaction=transaction
            )
            if said.status in _FREE:
                await self._ledger.unplugged(said.connector_id)
        return {}

    async def _stop(self, payload: bytes) -> Payload:
        said = read(payload, StopTransaction)
        ended = self._ledger.find(str(said.transaction_id)) or Transaction(
            id=str(said.transaction_id), id_tag=said.id_tag, car=self._station.car_of(said.id_tag)
        )
        await self._station.tell(
            VERSION,
            "StopTransaction",
            payload,
            self._station.vehicle(ended.connector, ended.car),
            at=said.timestamp,
            transaction=ended,
            more={"record": record(ended, said.timestamp, said.meter_stop)},
        )
        if ended.connector is not None:
            await self._ledger.note(msgspec.structs.replace(ended, has_ended=True))
        return {} if said.id_tag is None else self._tag_info(said.id_tag)
