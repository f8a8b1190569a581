"""OCPP 1.6: the answers to a station, and the requests to it.

The start of a transaction is stored before it is emitted, so that a repeated start gets the same transaction; its end after.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from chargeport.sources.ocpp.condition import Condition, is_free
from chargeport.sources.ocpp.desired_settings import DesiredSetting, Outcome, apply_settings
from chargeport.sources.ocpp.frames import IMPOSSIBLE, NOT_FOR_US, UNKNOWN, Call, Payload, Refused
from chargeport.sources.ocpp.messages16 import (
    Authorize,
    MeterValues,
    StartTransaction,
    StatusNotification,
    StopTransaction,
    id_of,
)
from chargeport.sources.ocpp.samples import Reading, decoded, instant, last_at
from chargeport.sources.ocpp.schema import is_action
from chargeport.sources.ocpp.split_readings import CompleteReadings
from chargeport.sources.ocpp.station import Station, StationMessage
from chargeport.sources.ocpp.station_connection import StationConnection
from chargeport.sources.ocpp.transaction_ends import end_replaced, end_time, end_unplugged, without_time_limit
from chargeport.sources.ocpp.transactions import Numbering, Plug, Transaction, record, with_end

VERSION: Final = "1.6"
_TAKEN: Final = ("Accepted", "RebootRequired")
_ENDED: Final = "Ended"  # the charging state of an ended transaction, as in 2.x
_ACTIVE_STATUSES: Final = ("Charging", "SuspendedEV", "SuspendedEVSE")
_UNPROVEN: Final = "no transaction with this id is known, and the message does not contain its start"

# Calls that do not concern a car are acknowledged only; certificates are not signed here.
_ACKNOWLEDGED: Final[Mapping[str, Payload]] = {
    "DataTransfer": {"status": "UnknownVendorId"},
    "DiagnosticsStatusNotification": {},
    "FirmwareStatusNotification": {},
    "LogStatusNotification": {},
    "SecurityEventNotification": {},
    "SignCertificate": {"status": "Rejected"},
    "SignedFirmwareStatusNotification": {},
}


class Ocpp16:
    """Chargeport as the central system of one station that uses OCPP 1.6."""

    def __init__(self, station: Station, numbering: Numbering) -> None:
        self._station = station
        self._memory = station.memory
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
        """Return the answer to a call, once its content is stored. Raises Refused, StoreError."""
        if call.action in self._answers:
            return await self._answers[call.action](call.payload)
        if call.action in _ACKNOWLEDGED:
            return _ACKNOWLEDGED[call.action]
        raise Refused(NOT_FOR_US if is_action(VERSION, call.action) else UNKNOWN, f"{call.action[:50]} is not answered here.")

    async def ask(self, connection: StationConnection) -> None:
        """Write the desired settings, and request the status and the meter values of all connectors."""
        settings = self._station.settings
        desired = [
            DesiredSetting("MeterValueSampleInterval", [str(settings.sample_interval_s)]),
            DesiredSetting("MeterValuesSampledData", settings.measurands),
        ]
        await apply_settings(connection, self, desired, self._memory, self._station.now())
        connectors = {int(number) for number in self._station.connectors} | self._station.known_connectors()
        for message in ("StatusNotification", "MeterValues"):
            reply = await connection.call("TriggerMessage", {"requestedMessage": message})
            # Some stations send it for a named connector only.
            for connector in sorted(connectors or {1}) if reply is not None and reply.get("status") == "Rejected" else ():
                await connection.call("TriggerMessage", {"requestedMessage": message, "connectorId": connector})

    async def values(self, connection: StationConnection, names: Sequence[str]) -> Mapping[str, str] | None:
        """Return the settings, as far as the station reports them; None where it does not reply."""
        reply = await connection.call("GetConfiguration", {"key": list(names)})
        if reply is None:
            return None
        keys = reply.get("configurationKey")
        found = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
        return {str(key.get("key")): str(key["value"]) for key in found if key.get("value") is not None}

    async def change(self, connection: StationConnection, name: str, value: str) -> Outcome | None:
        """Write a setting and return the outcome; None where the station does not reply."""
        reply = await connection.call("ChangeConfiguration", {"key": name, "value": value})
        if reply is None:
            return None
        status = reply.get("status")
        return Outcome.TAKEN if status in _TAKEN else Outcome.REFUSED if status == "Rejected" else Outcome.UNKNOWN

    async def _boot(self, _payload: bytes) -> Payload:
        await self._station.booted()
        interval = self._station.settings.heartbeat_s
        return {"status": "Accepted", "currentTime": self._station.time(), "interval": interval}

    async def _heartbeat(self, _payload: bytes) -> Payload:
        return {"currentTime": self._station.time()}

    async def _authorize(self, payload: bytes) -> Payload:
        return self._tag_info((await self._station.read(payload, Authorize)).id_tag)

    def _tag_info(self, id_tag: str) -> Payload:
        return {"idTagInfo": {"status": "Accepted" if self._station.accepts(id_tag) else "Invalid"}}

    async def _start(self, payload: bytes) -> Payload:
        message, station = await self._station.read(payload, StartTransaction), self._station
        connector = message.connector_id or station.only_connector()  # 0 is the station as a whole
        if connector is None or connector < 1:
            raise Refused(IMPOSSIBLE, "connectorId: a session is at one connector; they are numbered from 1.")
        knew_clock = station.clock.offset_ms is not None
        at = await station.event_time(instant(message.timestamp), may_wait=True)
        begun = Transaction(
            id="",
            connector=connector,
            started=message.timestamp,
            started_at=at,
            heard_at=None if knew_clock else station.now(),
            id_tag=message.id_tag,
            car=station.car_of(message.id_tag),
        )
        if message.register_wh is not None:
            begun = msgspec.structs.replace(begun, meter=begun.meter.started(message.register_wh, at))
        known = await self._stored(begun)
        status = station.condition(connector).status
        station.set_condition(connector, Condition(status, None, at, at), begins=True)
        vehicle = station.vehicle(connector, known.car)
        energy: list[tuple[int, float]] = [] if message.register_wh is None else [(at, 0)]
        emitted = StationMessage(
            action="StartTransaction", payload=payload, vehicle=vehicle, at=at, transaction=known, energy=energy
        )  # fmt: skip
        await station.emit(emitted)
        return {"transactionId": int(known.id), **self._tag_info(message.id_tag or "")}

    async def _stored(self, begun: Transaction) -> Transaction:
        """Return the transaction that was begun, with its id, once it is stored; of a repeated start the same one."""
        station = self._station
        is_stamp_usable = station.clock.is_usable(instant(begun.started), station.now())
        known = self._memory.same_start(begun, is_stamp_usable=is_stamp_usable)
        if known is None:
            await end_replaced(station, begun)
            known = msgspec.structs.replace(begun, id=await self._numbering.next_id())
            await self._memory.begin(known, Plug(known.car))
        return known

    async def _meter_values(self, payload: bytes) -> Payload:
        message, station, memory = await self._station.read(payload, MeterValues), self._station, self._memory
        found = decoded(message.meter_value)
        name = id_of(message.transaction_id)
        at = await station.event_time(last_at(found), may_wait=name is not None)
        named = None if name is None else memory.named(name, message.connector_id, at)
        named = None if named is None else station.begun_by(named, at)
        connector = message.connector_id if message.connector_id > 0 else named.connector if named else None
        if connector is None:
            return {}
        transaction = named or memory.open_at(connector)
        energy: list[tuple[int, float]] = []
        whole = station.complete_readings(connector, message.meter_value, found, transaction)
        if transaction is not None:
            # Some stations start a transaction without a register reading: then its first one counts as that of the start.
            transaction, energy = station.with_readings(
                transaction, whole, is_named=named is not None, may_begin=not transaction.has_ended
            )
            await memory.store(transaction, lazily=True)
        elif station.is_used_elsewhere(connector):
            return {}
        car = named.car if named else memory.plug(connector).car
        await station.emit(
            StationMessage(
                action="MeterValues",
                payload=payload,
                vehicle=station.vehicle(connector, car),
                at=at,
                transaction=transaction,
                energy=energy,
                earlier=whole.earlier,
                more=station.condition_headers(connector),
            )
        )
        return {}

    async def _status(self, payload: bytes) -> Payload:
        message, station = await self._station.read(payload, StatusNotification), self._station
        at = await station.event_time(instant(message.timestamp), is_status=True)
        if message.connector_id > 0:
            station.set_condition(message.connector_id, Condition(message.status, None, at, at))
            if not station.is_used_elsewhere(message.connector_id):
                await station.emit(
                    StationMessage(
                        action="StatusNotification",
                        payload=payload,
                        vehicle=station.vehicle(message.connector_id, self._memory.plug(message.connector_id).car),
                        at=at,
                        transaction=self._memory.open_at(message.connector_id),
                    )
                )
            if is_free(message.status):
                await end_unplugged(station, message.connector_id, at)
                await self._memory.clear_plug(message.connector_id)
        return {}

    async def _stop(self, payload: bytes) -> Payload:
        message, station = await self._station.read(payload, StopTransaction), self._station
        at = await station.event_time(instant(message.timestamp), may_wait=True)
        found = decoded(message.transaction_data)
        known = self._ended(message)
        known = None if known is None else station.begun_by(known, at)
        stated_at, at = at, end_time(station, known, at)
        ended, energy = self._with_end(message, known, found, at)
        connector = ended.connector or station.only_connector()
        current = None if connector is None else self._memory.open_at(connector)
        is_current = connector is not None and (current is None or current.id == ended.id)
        if is_current:
            status = station.condition(connector or 0).status
            station.set_condition(connector, Condition(status, _ENDED, at, at))
        whole = record(station.name, ended)
        is_unproven = known is None and whole is None and not found
        await station.emit(
            StationMessage(
                action="StopTransaction",
                payload=payload,
                vehicle=station.vehicle(ended.connector, ended.car),
                at=at,
                transaction=ended,
                energy=energy,
                more={
                    "record": whole,
                    "is_current": "yes" if is_current else None,
                    "error": _UNPROVEN if is_unproven else None,
                    "own_at": None if at == stated_at else str(at),
                },
            )
        )
        if known is not None:
            await self._memory.store(msgspec.structs.replace(ended, has_ended=True))
        return {} if message.id_tag is None else self._tag_info(message.id_tag)

    def _with_end(
        self, message: StopTransaction, known: Transaction | None, found: list[Reading], at: int
    ) -> tuple[Transaction, list[tuple[int, float]]]:
        """Return the transaction with its end, and its energy at instants, in Wh. An unknown one has what its data shows."""
        station = self._station
        if known is None:
            name = id_of(message.transaction_id) or "0"
            known_or_new = Transaction(id=name, id_tag=message.id_tag, car=station.car_of(message.id_tag))
        else:
            known_or_new = known
        ended, energy = station.with_readings(
            known_or_new, CompleteReadings(found, known_or_new.meter), is_named=True, may_begin=len(found) > 1
        )
        if known is None and energy and energy[0][0] < at:
            ended = msgspec.structs.replace(ended, started_at=energy[0][0])
        ended = without_time_limit(station, ended, instant(message.timestamp), at)
        if message.register_wh is not None:
            meter, energy_wh = ended.meter.with_reading([message.register_wh], at, is_named=True)
            ended = msgspec.structs.replace(ended, meter=meter)
            energy = energy if energy_wh is None else [*energy, (at, energy_wh)]
        return with_end(station.with_start_time(ended), at), energy

    def _is_active(self, one: Transaction) -> bool:
        """Return whether the connector's status shows that the transaction is active."""
        status = None if one.connector is None else self._station.condition(one.connector).status
        return status in _ACTIVE_STATUSES

    def _is_repeated(self, message: StopTransaction, ended: Transaction, at: int) -> bool:
        """Return whether the end of a transaction that has ended is reported again, by the register in the message.

        Where that shows nothing, it is repeated unless another transaction is open at the connector.
        """
        stop = [] if message.register_wh is None else [message.register_wh]
        energy_wh = ended.meter.with_reading(stop, at, is_named=True)[1]
        return self._memory.open_at(ended.connector) is None if energy_wh is None else energy_wh == ended.meter.total_wh

    def _ended(self, message: StopTransaction) -> Transaction | None:
        """Return the transaction that ends: the one with this id, else the only open one that matches.

        Stations that were offline, or have lost the id, write 0, -1 or any other id, also one that has ended. Such an end, too,
        is sent again until it is acknowledged.
        """
        name = None if self._memory.has_own_ids else id_of(message.transaction_id)
        at = self._station.clock.at(instant(message.timestamp), self._station.now())
        if name is not None and (named := self._memory.named(name, 0, at)) is not None:
            return named
        matching = _matching(message, at, self._memory.open) or _matching(message, at, self._memory.replaced)
        is_shown = message.register_wh is not None or not matching
        for one in self._memory.ended:
            if (one.id == name or (one.ended_at == at and is_shown)) and self._is_repeated(message, one, at):
                return one
        stop = [] if message.register_wh is None else [message.register_wh]
        after = [(one, *one.meter.with_reading(stop, at, is_named=True)) for one in matching]
        continued = [one for one, _, energy_wh in after if energy_wh is not None]
        exact = [one for one, meter, energy_wh in after if energy_wh is not None and not meter.is_from_begin]
        for found in (continued, exact, [one for one in continued if not self._is_active(one)]):
            if len(found) == 1:
                return found[0]
        # An unknown id, with data of its own, may be of a transaction whose start was lost.
        is_own = name is not None and bytes(message.transaction_data) not in (b"", b"null", b"[]")
        return matching[0] if len(matching) == 1 and not is_own else None


def _matching(message: StopTransaction, at: int, among: list[Transaction]) -> list[Transaction]:
    """Return the transactions that had begun at an instant, and have the card of the end if both have one."""
    return [
        one
        for one in among
        if (one.started_at or 0) <= at
        and (message.id_tag is None or one.id_tag is None or message.id_tag.casefold() == one.id_tag.casefold())
    ]
