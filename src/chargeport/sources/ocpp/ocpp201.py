"""OCPP 2.0.1 and 2.1: what a station is answered and asked.

The station numbers its transactions itself, and tells of them in events. A connector of ours is an EVSE here: the place for one
car, which may have several plugs.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
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
from chargeport.sources.ocpp.samples import REGISTER, Reading, decoded, instant, last_at
from chargeport.sources.ocpp.schema import is_action
from chargeport.sources.ocpp.session import Session
from chargeport.sources.ocpp.station import Condition, Station, StationMessage, is_free, read
from chargeport.sources.ocpp.transactions import Plug, Transaction, over, record
from chargeport.sources.ocpp.variables import Variables
from chargeport.sources.ocpp.wishes import Wish, fulfil

_GONE: Final = frozenset({"EVDeparted", "EVDisconnected"})  # reasons of an end that mean that the cable is out

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
    # of 2.1
    "BatterySwap": {},
    "NotifyDERAlarm": {},
    "NotifyDERStartStop": {},
    "NotifyPeriodicEventStream": {},
    "NotifyPriorityCharging": {},
    "NotifySettlement": {},
    "OpenPeriodicEventStream": {"status": "Rejected"},
    "ClosePeriodicEventStream": {},
    "PullDynamicScheduleUpdate": {"status": "Rejected"},
    "ReportDERControl": {},
}


class Ocpp201:
    """Chargeport as the central system of one station that speaks OCPP 2.0.1 or 2.1."""

    def __init__(self, station: Station, version: str) -> None:
        self._station = station
        self._version = version
        self._memory = station.memory
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
        """Return the answer to a call, once its content is stored. Raises Refused, StoreError."""
        if call.action in self._answers:
            return await self._answers[call.action](call.payload)
        is_known = is_action(self._version, call.action)
        if call.action in _POLITE and (is_known or call.is_sent):
            return _POLITE[call.action]
        raise Refused(NOT_FOR_US if is_known else UNKNOWN, f"{call.action[:50]} is not answered here.")

    async def ask(self, session: Session) -> None:
        """Ask the station to measure what we want, and to report the status of all its plugs."""
        settings = self._station.settings
        wishes = [
            Wish("SampledDataCtrlr.TxUpdatedInterval", [str(settings.sample_interval_s)]),
            Wish("SampledDataCtrlr.TxUpdatedMeasurands", settings.measurands),
            Wish("SampledDataCtrlr.TxStartedMeasurands", [REGISTER]),
            Wish("SampledDataCtrlr.TxEndedMeasurands", [REGISTER]),
        ]
        await fulfil(session, Variables(), wishes, self._memory, self._station.now())
        known = {int(number) for number in self._station.connectors} | self._memory.connectors
        for evse in sorted(known or {1}):  # a status is asked for plug by plug here
            plug = {"id": evse, "connectorId": self._memory.plug(evse).connector or 1}
            await session.call("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": plug})
        await session.call("TriggerMessage", {"requestedMessage": "TransactionEvent"})

    async def _boot(self, _payload: bytes) -> Payload:
        await self._station.booted()
        interval = self._station.settings.heartbeat_s
        return {"status": "Accepted", "currentTime": self._station.time(), "interval": interval}

    async def _heartbeat(self, _payload: bytes) -> Payload:
        return {"currentTime": self._station.time()}

    async def _authorize(self, payload: bytes) -> Payload:
        return self._token_info(read(payload, Authorize).id_token)

    def _token_info(self, token: IdToken) -> Payload:
        may = token.type == NO_CARD or self._station.admits(str(token.id_token))
        return {"idTokenInfo": {"status": "Accepted" if may else "Unknown"}}

    async def _charging_needs(self, payload: bytes) -> Payload:
        said = read(payload, ChargingNeeds)
        await self._of_evse("NotifyEVChargingNeeds", payload, said.evse_id)
        return {"status": "Rejected"}  # no plan will follow: the station goes by its own

    async def _meter_values(self, payload: bytes) -> Payload:
        said = read(payload, MeterValues)
        found = decoded(said.meter_value)
        at = await self._station.when(last_at(found))
        await self._of_evse("MeterValues", payload, said.evse_id, at=at, found=found, raw=said.meter_value)
        return {}

    async def _status(self, payload: bytes) -> Payload:
        said, station = read(payload, StatusNotification), self._station
        plug = self._memory.plug(said.evse_id)
        at = await station.when(instant(said.timestamp), is_status=True)
        if plug.connector not in (None, said.connector_id):
            return {}  # another plug of the same place says nothing of the car that uses this one
        if said.evse_id > 0:
            # A place without a transaction has no state but its status.
            state = station.condition(said.evse_id).charging_state if self._memory.open_at(said.evse_id) else None
            state = None if is_free(said.connector_status) else state
            station.is_now(said.evse_id, Condition(said.connector_status, state, at))
        await self._of_evse("StatusNotification", payload, said.evse_id, at=at)
        if said.evse_id > 0 and is_free(said.connector_status):
            await self._memory.unplugged(said.evse_id)
        elif said.evse_id > 0 and said.connector_status == "Occupied":
            await self._memory.plugged(said.evse_id, Plug(plug.car, said.connector_id))
        return {}

    async def _of_evse(
        self,
        action: str,
        payload: bytes,
        evse: int,
        *,
        at: int | None = None,
        found: Sequence[Reading] = (),
        raw: msgspec.Raw | None = None,
    ) -> None:
        """Emit what is reported of a place for a car; what concerns the whole station is of no car."""
        if evse < 1:
            return
        transaction = self._memory.open_at(evse)
        if transaction is None and self._station.is_of_nobody(evse):
            return
        energy: list[tuple[int, float]] = []
        whole = self._station.whole(evse, raw, list(found), transaction) if raw and found else None
        if transaction is not None and whole is not None:
            transaction, energy = self._station.metered(transaction, whole, is_named=False)
            await self._memory.note(transaction, lazily=True)
        vehicle = self._station.vehicle(evse, self._memory.plug(evse).car)
        await self._station.tell(
            StationMessage(
                action=action,
                payload=payload,
                vehicle=vehicle,
                at=at,
                transaction=transaction,
                energy=energy,
                earlier=whole.earlier if whole else (),
            )
        )

    async def _event(self, payload: bytes) -> Payload:
        said, station = read(payload, TransactionEvent), self._station
        found = decoded(said.meter_value)
        knew_clock = station.clock.offset_ms is not None
        at = await station.when(instant(said.timestamp), is_queued=bool(said.offline), may_wait=True)
        before = self._before(said)
        now = self._with(before, said, at, None if knew_clock else station.now())
        # The first reading is the begin's, if the begin was told; that of an end only is not.
        may_begin = now.started_at is not None and (said.event_type != "Ended" or len(found) > 1)
        whole = station.whole(now.connector, said.meter_value, found, now)
        now, energy = station.metered(now, whole, is_named=True, may_begin=may_begin)
        is_over = said.event_type == "Ended" or now.has_ended
        if before is None and said.event_type == "Started":
            await station.replaces(now)
        if not is_over:
            await self._note(before, now, said.evse.connector_id if said.evse else None)
        more: dict[str, str | None] = {}
        if said.event_type == "Ended":
            now = over(station.dated(now), at)
            if now.started_at is None and len(found) > 1 and energy and energy[0][0] < at:
                now = msgspec.structs.replace(now, started_at=energy[0][0])  # its own readings prove when it began
            more["record"] = record(station.name, now)
        condition = self._condition(said, now, at)
        if condition is not None:
            station.is_now(now.connector, condition)
            more["charging_state"] = condition.charging_state
        vehicle = station.vehicle(now.connector, now.car)
        await station.tell(
            StationMessage(
                action="TransactionEvent",
                payload=payload,
                vehicle=vehicle,
                at=at,
                transaction=now,
                energy=energy,
                earlier=whole.earlier,
                more=more,
            )
        )
        if is_over:
            await self._memory.note(msgspec.structs.replace(now, has_ended=True))
        return {} if said.id_token is None else self._token_info(said.id_token)

    def _before(self, said: TransactionEvent) -> Transaction | None:
        """Return the transaction as it was known; a station may give an id again once its transaction has ended."""
        known = self._memory.find(said.transaction)
        is_anew = known is not None and known.has_ended and said.event_type == "Started" and known.started != said.timestamp
        return None if is_anew else known

    def _with(self, known: Transaction | None, said: TransactionEvent, at: int, heard_at: int | None) -> Transaction:
        """Return the transaction with what this event adds; who it was once known to be, it stays."""
        before = known or Transaction(id=said.transaction)
        is_begin = said.event_type == "Started" and before.started is None
        return msgspec.structs.replace(
            before,
            connector=(said.evse.id if said.evse else 0) or before.connector or self._station.only_connector(),
            started=said.timestamp if is_begin else before.started,
            started_at=at if is_begin else before.started_at,
            heard_at=heard_at if is_begin else before.heard_at,
            id_tag=before.id_tag or said.tag,
            car=before.car or self._station.car_of(said.tag),
        )

    async def _note(self, before: Transaction | None, now: Transaction, plug: int | None) -> None:
        """Store the transaction, and its car at its place."""
        known = Transaction(id=now.id) if before is None else before
        if now.connector is not None:
            place = Plug(now.car, plug or self._memory.plug(now.connector).connector)
            if known.connector is None:
                await self._memory.begin(now, place)
                return
            if place != self._memory.plug(now.connector):
                await self._memory.plugged(now.connector, place)
        await self._memory.note(now, lazily=msgspec.structs.replace(now, meter=known.meter) == known)

    def _condition(self, said: TransactionEvent, now: Transaction, at: int) -> Condition | None:
        """Return the condition of the transaction's place after an event; None if unknown or of an earlier transaction."""
        if now.connector is None:
            return None
        current = self._memory.open_at(now.connector)
        if current is not None and current.id != now.id:
            return None
        state, status = said.transaction_info.charging_state, self._station.condition(now.connector).status
        if said.event_type != "Ended":
            return None if state is None else Condition(status, state, at)
        if state != "Idle":
            # The plug may have been free before its transaction ended.
            state = "Idle" if said.trigger_reason in _GONE or is_free(status) else "Ended"
        return Condition(status, state, at)
