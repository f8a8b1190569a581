"""OCPP 2.0.1 and 2.1: the answers to a station, and the requests to it.

The station numbers its transactions, and reports them in events. An EVSE of OCPP 2.x, which charges one car at a time and
may have several connectors, is a connector elsewhere in this package.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from chargeport.sources.ocpp.condition import Condition, is_free
from chargeport.sources.ocpp.desired_settings import DesiredSetting, apply_settings
from chargeport.sources.ocpp.frames import NOT_FOR_US, UNKNOWN, Call, Payload, Refused
from chargeport.sources.ocpp.messages201 import (
    NO_CARD,
    Authorize,
    ChargingNeeds,
    IdToken,
    MeterValues,
    StatusNotification,
    TransactionEvent,
    statuses_of,
)
from chargeport.sources.ocpp.sampled_values import REGISTER
from chargeport.sources.ocpp.samples import Reading, decoded, instant, last_at
from chargeport.sources.ocpp.schema import is_action
from chargeport.sources.ocpp.station import Station, StationMessage
from chargeport.sources.ocpp.station_connection import StationConnection
from chargeport.sources.ocpp.transaction_ends import end_replaced, end_time, end_unplugged, without_time_limit
from chargeport.sources.ocpp.transactions import Plug, Transaction, record, with_end
from chargeport.sources.ocpp.variables import Variables

_UNPLUGGED: Final = frozenset({"EVDeparted", "EVDisconnected"})  # triggers that mean a disconnected cable

# Calls that do not concern a car are acknowledged only; certificates and charging plans are not provided here.
_ACKNOWLEDGED: Final[Mapping[str, Payload]] = {
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
    """Chargeport as the central system of one station that uses OCPP 2.0.1 or 2.1."""

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
            "NotifyEvent": self._notify_event,
            "StatusNotification": self._status,
            "TransactionEvent": self._event,
        }

    async def answer(self, call: Call) -> Payload:
        """Return the answer to a call, once its content is stored. Raises Refused, StoreError."""
        if call.action in self._answers:
            return await self._answers[call.action](call.payload)
        is_known = is_action(self._version, call.action)
        if call.action in _ACKNOWLEDGED and (is_known or call.is_sent):
            return _ACKNOWLEDGED[call.action]
        raise Refused(NOT_FOR_US if is_known else UNKNOWN, f"{call.action[:50]} is not answered here.")

    async def ask(self, connection: StationConnection) -> None:
        """Write the desired settings, and request the status of all connectors and the state of the transactions."""
        settings = self._station.settings
        desired = [
            DesiredSetting("SampledDataCtrlr.TxUpdatedInterval", [str(settings.sample_interval_s)]),
            DesiredSetting("SampledDataCtrlr.TxUpdatedMeasurands", settings.measurands),
            DesiredSetting("SampledDataCtrlr.TxStartedMeasurands", [REGISTER]),
            DesiredSetting("SampledDataCtrlr.TxEndedMeasurands", [REGISTER]),
        ]
        await apply_settings(connection, Variables(), desired, self._memory, self._station.now())
        known = {int(number) for number in self._station.connectors} | self._memory.connectors
        for evse in sorted(known or {1}):  # the status is requested for each connector
            plug = {"id": evse, "connectorId": self._memory.plug(evse).connector or 1}
            await connection.call("TriggerMessage", {"requestedMessage": "StatusNotification", "evse": plug})
        await connection.call("TriggerMessage", {"requestedMessage": "TransactionEvent"})

    async def _boot(self, _payload: bytes) -> Payload:
        await self._station.booted()
        interval = self._station.settings.heartbeat_s
        return {"status": "Accepted", "currentTime": self._station.time(), "interval": interval}

    async def _heartbeat(self, _payload: bytes) -> Payload:
        return {"currentTime": self._station.time()}

    async def _authorize(self, payload: bytes) -> Payload:
        return self._token_info((await self._station.read(payload, Authorize)).id_token)

    def _token_info(self, token: IdToken) -> Payload:
        may = token.type == NO_CARD or self._station.accepts(str(token.id_token))
        return {"idTokenInfo": {"status": "Accepted" if may else "Unknown"}}

    async def _charging_needs(self, payload: bytes) -> Payload:
        message = await self._station.read(payload, ChargingNeeds)
        await self._of_evse("NotifyEVChargingNeeds", payload, message.evse_id)
        return {"status": "Rejected"}  # no charging plan will follow

    async def _meter_values(self, payload: bytes) -> Payload:
        message = await self._station.read(payload, MeterValues)
        found = decoded(message.meter_value)
        at = await self._station.event_time(last_at(found))
        await self._of_evse("MeterValues", payload, message.evse_id, at=at, found=found, raw=message.meter_value)
        return {}

    async def _status(self, payload: bytes) -> Payload:
        message, station = await self._station.read(payload, StatusNotification), self._station
        plug = self._memory.plug(message.evse_id)
        at = await station.event_time(instant(message.timestamp), is_status=True)
        if plug.connector not in (None, message.connector_id):
            return {}  # another connector of the EVSE does not concern the car
        if message.evse_id > 0:
            # An EVSE without a transaction has no charging state.
            known = station.condition(message.evse_id)
            has_state = self._memory.open_at(message.evse_id) is not None and not is_free(message.connector_status)
            state, state_at = (known.charging_state, known.state_at) if has_state else (None, at)
            station.set_condition(message.evse_id, Condition(message.connector_status, state, at, state_at))
        await self._of_evse("StatusNotification", payload, message.evse_id, at=at)
        if message.evse_id > 0 and is_free(message.connector_status):
            await end_unplugged(station, message.evse_id, at)
            await self._memory.clear_plug(message.evse_id)
        elif message.evse_id > 0 and message.connector_status == "Occupied":
            await self._memory.set_plug(message.evse_id, Plug(plug.car, message.connector_id))
        return {}

    async def _notify_event(self, payload: bytes) -> Payload:
        for status in statuses_of(payload):
            plug = self._memory.plug(status.evse_id)
            told = msgspec.structs.replace(status, connector_id=status.connector_id or plug.connector or 1)
            await self._status(msgspec.json.encode(told))
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
        """Emit a report of an EVSE for its car; a report of the whole station concerns no car."""
        if evse < 1:
            return
        transaction = self._memory.open_at(evse)
        if transaction is None and self._station.is_used_elsewhere(evse):
            return
        energy: list[tuple[int, float]] = []
        whole = self._station.complete_readings(evse, raw, list(found), transaction) if raw and found else None
        if transaction is not None and whole is not None:
            transaction, energy = self._station.with_readings(transaction, whole, is_named=False)
            await self._memory.store(transaction, lazily=True)
        vehicle = self._station.vehicle(evse, self._memory.plug(evse).car)
        await self._station.emit(
            StationMessage(
                action=action,
                payload=payload,
                vehicle=vehicle,
                at=at,
                transaction=transaction,
                energy=energy,
                earlier=whole.earlier if whole else (),
                more=self._station.condition_headers(evse),
            )
        )

    async def _event(self, payload: bytes) -> Payload:
        message, station = await self._station.read(payload, TransactionEvent), self._station
        knew_clock = station.clock.offset_ms is not None
        at = await station.event_time(instant(message.timestamp), is_queued=bool(message.offline))
        before, is_end = self._before(message, at), message.event_type == "Ended"
        now = self._with(before, message, at, None if knew_clock else station.now())
        stated_at, at = at, end_time(station, now, at) if is_end else at
        now = without_time_limit(station, now, instant(message.timestamp), at) if is_end else now
        found = decoded(message.meter_value)
        # The first reading is that of the start, if the start was reported; a single one at the end is not.
        may_begin = now.started_at is not None and (not is_end or len(found) > 1)
        whole = station.complete_readings(now.connector, message.meter_value, found, now)
        now, energy = station.with_readings(now, whole, is_named=True, may_begin=may_begin)
        if before is None and message.event_type == "Started":
            await end_replaced(station, now)
        is_over = is_end or now.has_ended
        if not is_over:
            await self._note(before, now, message.evse.connector_id if message.evse else None)
        more = {} if is_end else station.condition_headers(now.connector)
        if at != stated_at:
            more["own_at"], energy = str(at), [(at, wh) for _, wh in energy[-1:]]
        if is_end:
            now = with_end(station.with_start_time(now), at)
            if now.started_at is None and len(found) > 1 and energy and energy[0][0] < at:
                now = msgspec.structs.replace(now, started_at=energy[0][0])  # its own readings show its start
        if is_over and (is_end or (before is not None and record(station.name, now) != record(station.name, before))):
            more["record"] = record(station.name, now)  # of a late event, too, that completes it
        if (condition := self._condition(message, now, at)) is not None:
            station.set_condition(now.connector, condition)
            more["charging_state"] = condition.charging_state
        await station.emit(
            StationMessage(
                action="TransactionEvent",
                payload=payload,
                vehicle=station.vehicle(now.connector, now.car),
                at=at,
                transaction=now,
                energy=energy,
                earlier=whole.earlier,
                more=more,
            )
        )
        if is_over:
            await self._memory.store(msgspec.structs.replace(now, has_ended=True))
        return {} if message.id_token is None else self._token_info(message.id_token)

    def _before(self, message: TransactionEvent, at: int) -> Transaction | None:
        """Return the known transaction of an event; a station may use an id again once its transaction has ended."""
        known = self._memory.find(message.transaction)
        if known is None or not known.has_ended or message.event_type != "Started" or known.started == message.timestamp:
            return known
        return known if known.ended_at is not None and at <= known.ended_at else None

    def _with(self, known: Transaction | None, message: TransactionEvent, at: int, heard_at: int | None) -> Transaction:
        """Return the transaction with the content of an event; a known car and card stay."""
        before = known or Transaction(id=message.transaction)
        is_begin = message.event_type == "Started" and before.started is None
        now = msgspec.structs.replace(
            before,
            connector=(message.evse.id if message.evse else 0) or before.connector or self._station.only_connector(),
            started=message.timestamp if is_begin else before.started,
            started_at=at if is_begin else before.started_at,
            heard_at=heard_at if is_begin else before.heard_at,
            id_tag=before.id_tag or message.tag,
            car=before.car or self._station.car_of(message.tag),
        )
        return self._station.begun_by(now, at)

    async def _note(self, before: Transaction | None, now: Transaction, plug: int | None) -> None:
        """Store the transaction, and its car at its EVSE."""
        known = Transaction(id=now.id) if before is None else before
        if now.connector is not None:
            plugged = Plug(now.car, plug or self._memory.plug(now.connector).connector)
            if known.connector is None:
                await self._memory.begin(now, plugged)
                return
            if plugged != self._memory.plug(now.connector):
                await self._memory.set_plug(now.connector, plugged)
        await self._memory.store(now, lazily=msgspec.structs.replace(now, meter=known.meter) == known)

    def _condition(self, message: TransactionEvent, now: Transaction, at: int) -> Condition | None:
        """Return the condition of the transaction's EVSE after an event; None if unknown, or of an earlier transaction."""
        if now.connector is None:
            return None
        current = self._memory.open_at(now.connector)
        if current is not None and current.id != now.id:
            return None
        known, state = self._station.condition(now.connector), message.transaction_info.charging_state
        if at < known.state_at or (state is None and message.event_type != "Ended"):
            return None
        if message.event_type == "Ended" and state != "Idle":
            # The connector may have been free before its transaction ended.
            state = "Idle" if message.trigger_reason in _UNPLUGGED or is_free(known.status) else "Ended"
        # The last state of a transaction holds, also where the status is newer: only the event may have waited in a queue.
        return Condition(known.status, state, max(at, known.at), at)
