"""OCPP 1.6: what a station is answered and asked.

A start is remembered before it is handed on, so that a repetition gets the same transaction; an end after it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from chargeport.sources.ocpp.frames import IMPOSSIBLE, NOT_FOR_US, UNKNOWN, Call, Payload, Refused
from chargeport.sources.ocpp.messages16 import (
    Authorize,
    MeterValues,
    StartTransaction,
    StatusNotification,
    StopTransaction,
    id_of,
)
from chargeport.sources.ocpp.samples import decoded, instant, last_at
from chargeport.sources.ocpp.schema import is_action
from chargeport.sources.ocpp.session import Session
from chargeport.sources.ocpp.split_readings import Whole
from chargeport.sources.ocpp.station import Condition, Station, StationMessage, is_free, read
from chargeport.sources.ocpp.transactions import Numbering, Plug, Transaction, over, record
from chargeport.sources.ocpp.wishes import Outcome, Wish, fulfil

VERSION: Final = "1.6"
_TAKEN: Final = ("Accepted", "RebootRequired")
_ENDED: Final = "Ended"  # the state of a transaction that has ended, in the words of 2.x
_GOES_ON: Final = ("Charging", "SuspendedEV", "SuspendedEVSE")
_UNPROVEN: Final = "no transaction with this id is known, and nothing in the message says when it began"

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
        if call.action in _POLITE:
            return _POLITE[call.action]
        raise Refused(NOT_FOR_US if is_action(VERSION, call.action) else UNKNOWN, f"{call.action[:50]} is not answered here.")

    async def ask(self, session: Session) -> None:
        """Ask the station to measure what we want, and to report the status of all its connectors."""
        settings = self._station.settings
        wishes = [
            Wish("MeterValueSampleInterval", [str(settings.sample_interval_s)]),
            Wish("MeterValuesSampledData", settings.measurands),
        ]
        await fulfil(session, self, wishes, self._memory, self._station.now())
        for message in ("StatusNotification", "MeterValues"):
            await session.call("TriggerMessage", {"requestedMessage": message})

    async def values(self, session: Session, names: Sequence[str]) -> Mapping[str, str] | None:
        """Return the settings, as far as the station reports them; None where it does not reply."""
        said = await session.call("GetConfiguration", {"key": list(names)})
        if said is None:
            return None
        keys = said.get("configurationKey")
        found = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
        return {str(key.get("key")): str(key["value"]) for key in found if key.get("value") is not None}

    async def change(self, session: Session, name: str, value: str) -> Outcome | None:
        """Write a setting and return the outcome; None where the station does not reply."""
        said = await session.call("ChangeConfiguration", {"key": name, "value": value})
        if said is None:
            return None
        status = said.get("status")
        return Outcome.TAKEN if status in _TAKEN else Outcome.REFUSED if status == "Rejected" else Outcome.UNKNOWN

    async def _boot(self, _payload: bytes) -> Payload:
        await self._station.booted()
        interval = self._station.settings.heartbeat_s
        return {"status": "Accepted", "currentTime": self._station.time(), "interval": interval}

    async def _heartbeat(self, _payload: bytes) -> Payload:
        return {"currentTime": self._station.time()}

    async def _authorize(self, payload: bytes) -> Payload:
        return self._tag_info(read(payload, Authorize).id_tag)

    def _tag_info(self, id_tag: str) -> Payload:
        return {"idTagInfo": {"status": "Accepted" if self._station.admits(id_tag) else "Invalid"}}

    async def _start(self, payload: bytes) -> Payload:
        said, station = read(payload, StartTransaction), self._station
        if said.connector_id < 1:
            raise Refused(IMPOSSIBLE, "connectorId: a session is at one connector; they are numbered from 1.")
        stamp, knew_clock = instant(said.timestamp), station.clock.offset_ms is not None
        at = await station.when(stamp, may_wait=True)
        begun = Transaction(
            id="",
            connector=said.connector_id,
            started=said.timestamp,
            started_at=at,
            heard_at=None if knew_clock else station.now(),
            id_tag=said.id_tag,
            car=station.car_of(said.id_tag),
        )
        if said.register_wh is not None:
            begun = msgspec.structs.replace(begun, meter=begun.meter.begun(said.register_wh, at))
        # Where the clock was never set, every start has the same timestamp: then only one that goes on is the same.
        is_stamp_usable = station.clock.is_usable(stamp, station.now())
        known = self._memory.same_start(begun, may_have_ended=is_stamp_usable)
        if known is None:
            await station.replaces(begun)
            known = msgspec.structs.replace(begun, id=await self._numbering.next_id())
            await self._memory.begin(known, Plug(known.car))
        now = Condition(station.condition(said.connector_id).status, None, at)
        station.is_now(said.connector_id, now, begins=True)
        await station.tell(
            StationMessage(
                action="StartTransaction",
                payload=payload,
                vehicle=station.vehicle(said.connector_id, known.car),
                at=at,
                transaction=known,
                energy=[] if said.register_wh is None else [(at, 0)],
            )
        )
        return {"transactionId": int(known.id), **self._tag_info(said.id_tag or "")}

    async def _meter_values(self, payload: bytes) -> Payload:
        said, station, memory = read(payload, MeterValues), self._station, self._memory
        found = decoded(said.meter_value)
        name = id_of(said.transaction_id)
        at = await station.when(last_at(found), may_wait=name is not None)
        named = None if name is None else memory.find(name)
        connector = said.connector_id if said.connector_id > 0 else named.connector if named else None
        if connector is None:
            return {}
        transaction = named or memory.open_at(connector)
        energy: list[tuple[int, float]] = []
        whole = station.whole(connector, said.meter_value, found, transaction)
        if transaction is not None:
            # A reading may be the first of a transaction that began without one, as some stations do.
            transaction, energy = station.metered(
                transaction, whole, is_named=named is not None, may_begin=not transaction.has_ended
            )
            await memory.note(transaction, lazily=True)
        elif station.is_of_nobody(connector):
            return {}
        car = named.car if named else memory.plug(connector).car
        await station.tell(
            StationMessage(
                action="MeterValues",
                payload=payload,
                vehicle=station.vehicle(connector, car),
                at=at,
                transaction=transaction,
                energy=energy,
                earlier=whole.earlier,
            )
        )
        return {}

    async def _status(self, payload: bytes) -> Payload:
        said, station = read(payload, StatusNotification), self._station
        at = await station.when(instant(said.timestamp), is_status=True)
        if said.connector_id > 0:
            station.is_now(said.connector_id, Condition(said.status, None, at))
            if not station.is_of_nobody(said.connector_id):
                await station.tell(
                    StationMessage(
                        action="StatusNotification",
                        payload=payload,
                        vehicle=station.vehicle(said.connector_id, self._memory.plug(said.connector_id).car),
                        at=at,
                        transaction=self._memory.open_at(said.connector_id),
                    )
                )
            if is_free(said.status):
                await self._memory.unplugged(said.connector_id)
        return {}

    async def _stop(self, payload: bytes) -> Payload:
        said, station = read(payload, StopTransaction), self._station
        at = await station.when(instant(said.timestamp), may_wait=True)
        ended = self._ended(said)
        found = decoded(said.transaction_data)
        is_known = ended is not None
        if ended is None:
            ended = Transaction(id=id_of(said.transaction_id) or "0", id_tag=said.id_tag, car=station.car_of(said.id_tag))
        # A transaction that nobody knows is what its own data proves: a begin, and an end that is another instant.
        ended, energy = station.metered(ended, Whole(found, ended.meter), is_named=True, may_begin=len(found) > 1)
        if not is_known and energy and energy[0][0] < at:
            ended = msgspec.structs.replace(ended, started_at=energy[0][0])
        if said.meter_stop is not None:
            meter, energy_wh = ended.meter.read([said.meter_stop], at, is_named=True)
            ended = msgspec.structs.replace(ended, meter=meter)
            if energy_wh is not None:
                energy.append((at, energy_wh))
        ended = over(station.dated(ended), at)
        connector = ended.connector or station.only_connector()
        current = None if connector is None else self._memory.open_at(connector)
        is_current = connector is not None and (current is None or current.id == ended.id)
        if is_current:
            station.is_now(connector, Condition(station.condition(connector or 0).status, _ENDED, at))
        whole = record(station.name, ended)
        is_unproven = not is_known and whole is None and not found
        await station.tell(
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
                },
            )
        )
        if is_known:
            await self._memory.note(msgspec.structs.replace(ended, has_ended=True))
        return {} if said.id_tag is None else self._tag_info(said.id_tag)

    def _goes_on(self, one: Transaction) -> bool:
        """Return whether the connector's status shows that the transaction has not ended."""
        status = None if one.connector is None else self._station.condition(one.connector).status
        return status in _GOES_ON

    def _ended(self, said: StopTransaction) -> Transaction | None:
        """Return the transaction that ends: the one with this id, else the only open one that it can be.

        Stations that were offline, or have forgotten the id, write 0, -1 or anything else.
        """
        name = id_of(said.transaction_id)
        known = None if name is None else self._memory.find(name)
        if known is not None:
            return known
        at = self._station.clock.at(instant(said.timestamp), self._station.now())
        fitting = _fitting(said, at, self._memory.open) or _fitting(said, at, self._memory.replaced)
        stop = [] if said.meter_stop is None else [said.meter_stop]
        continued = [one for one in fitting if one.meter.read(stop, at, is_named=True)[1] is not None]
        for found in (continued, [one for one in continued if not self._goes_on(one)]):
            if len(found) == 1:
                return found[0]
        # An id that we never gave, with data of its own, may be of a transaction that was never told.
        is_own = name is not None and bytes(said.transaction_data) not in (b"", b"null", b"[]")
        return fitting[0] if len(fitting) == 1 and not is_own else None


def _fitting(said: StopTransaction, at: int, among: list[Transaction]) -> list[Transaction]:
    """Return the transactions that had begun when one ended, and are of its card where it names one."""
    return [
        one
        for one in among
        if (one.started_at or 0) <= at
        and (said.id_tag is None or one.id_tag is None or said.id_tag.casefold() == one.id_tag.casefold())
    ]
