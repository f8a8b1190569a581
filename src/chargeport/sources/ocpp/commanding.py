"""Commands to stations: find the connector of a car, and send the requests of each version of OCPP.

A station that accepts a command has not executed it yet, so the start or the end of the transaction is awaited for a moment.
A station has no state of charge: a limit becomes a charging profile that ends when the limit is expected to be reached. A
schedule becomes a recurring profile of the connector; a profile of the transaction takes precedence over it.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.sources.base import Command, CommandError, Done
from chargeport.sources.ocpp.schedules import Schedule, asked_for, utc_offset_s
from chargeport.sources.ocpp.settings import OcppSettings
from chargeport.sources.ocpp.station import Station
from chargeport.sources.ocpp.station_connection import StationConnection
from chargeport.sources.ocpp.transactions import Transaction

CONFIRMED_WITHIN_S: Final = 5.0
CHECK_EVERY_S: Final = 0.05
ID_TAG: Final = "CHARGEPORT"  # if no card of the car is known
NO_LIMIT_A: Final = 500.0
SCHEDULE_CREATE: Final = "charge-schedule-create"
SCHEDULE_DELETE: Final = "charge-schedule-delete"
_PROFILES: Final = 1600  # the numbers of our charging profiles begin here: two for each connector


class _At(NamedTuple):
    """A connector of a station that is connected."""

    station: Station
    connection: StationConnection
    connector: int

    @property
    def is_16(self) -> bool:
        """Whether the station uses OCPP 1.6."""
        return self.station.version == "1.6"

    @property
    def transaction(self) -> Transaction | None:
        """The open transaction of the connector."""
        return self.station.memory.open_at(self.connector)

    @property
    def schedule(self) -> Schedule | None:
        """The schedule of the connector."""
        return self.station.memory.schedules.get(self.connector)

    def profile_id(self, *, of_transaction: bool) -> int:
        """Return the number of a profile: a station takes one of the same number in place of an earlier one."""
        return _PROFILES + 2 * self.connector - of_transaction


async def command(stations: Iterable[Station], settings: OcppSettings, fixed: str | None, wanted: Command) -> Done | None:
    """Command the station of a car; return None if the car is at no station of this source. Raises CommandError."""
    for station in stations:
        connector = _connector(station, wanted)
        if connector is not None and station.connection is not None:
            return await _asked(_At(station, station.connection, connector), wanted)
    named = [name for name, own in settings.stations.items() if not wanted.names.isdisjoint(own.connectors.values())]
    if named or fixed in wanted.names:
        which = f"The station {named[0]}" if named else "The station of the vehicle"
        raise CommandError("UPSTREAM", "NO_RESPONSE", f"{which} is not connected.")
    return None


def is_off_schedule(station: Station) -> bool:
    """Return whether a schedule must be sent again or cleared: the local clock was changed, or its car was erased."""
    return any(_is_off(schedule, _offset_s(station)) for schedule in station.memory.schedules.values())


async def mend_schedules(station: Station, connection: StationConnection) -> None:
    """Send schedules again after a change of the local clock, and clear those of erased cars; a refusal becomes an issue."""
    offset_s = _offset_s(station)
    for connector, schedule in station.memory.schedules.items():
        if not _is_off(schedule, offset_s):
            continue
        at, is_erased = _At(station, connection, connector), schedule.car == ""
        moved = schedule if offset_s is None else msgspec.structs.replace(schedule, utc_offset_s=offset_s)
        try:
            await (_clear(at) if is_erased else _accepted(at, "SetChargingProfile", _recurring(at, moved)))
        except CommandError as error:
            if error.code == "NO_RESPONSE":
                return  # it is retried when the station connects again
            was = "is that of an erased vehicle" if is_erased else "has the UTC offset of before the change"
            await station.report_issue("charging profile", f"its schedule {was}: {error}")
        await station.memory.set_schedule(connector, None if is_erased else moved)


def _offset_s(station: Station) -> int | None:
    """Return how far the local clock is ahead of UTC now; None where it is not known."""
    return None if station.zone is None else utc_offset_s(station.zone, station.now())


def _is_off(schedule: Schedule, offset_s: int | None) -> bool:
    return schedule.car == "" or (offset_s is not None and schedule.utc_offset_s != offset_s)


def _connector(station: Station, wanted: Command) -> int | None:
    """Return the connector of a station that the car is at, or that has the schedule to be deleted."""
    if wanted.kind == SCHEDULE_DELETE:
        for connector, schedule in station.memory.schedules.items():
            if schedule.id == wanted.parameters["scheduleId"] and station.is_own(connector, wanted.names):
                return connector
    known = {int(number) for number in station.connectors} | station.memory.connectors | station.known_connectors()
    for connector in sorted(known | {1}):
        open_one = station.memory.open_at(connector)
        car = open_one.car if open_one is not None else station.memory.plug(connector).car
        if station.vehicle(connector, car) in wanted.names:
            return connector
    return None


async def _asked(at: _At, wanted: Command) -> Done:
    match wanted.kind:
        case "charge-start":
            return await _start(at, wanted.names)
        case "charge-stop":
            return await _stop(at)
        case "charge-set-limit":
            return await _limit(at, wanted.seconds_left)
        case "charge-schedule-create":
            return await _schedule(at, wanted)
        case "charge-schedule-delete":
            return await _unschedule(at, wanted)
    raise CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", f"A charging station can't do {wanted.kind}.")


async def _start(at: _At, names: frozenset[str]) -> Done:
    """Start a transaction; for one that a schedule has paused, send a profile that allows the current."""
    station, connector, schedule = at.station, at.connector, at.schedule
    transaction = at.transaction
    if transaction is not None:
        if schedule is None:
            why = f"A transaction is active at the station {station.name}."
            raise CommandError("VEHICLE_STATE", "CHARGING_IN_PROGRESS", why)
        await _accepted(at, "SetChargingProfile", _setting(at, _profile(at, transaction)))
        return Done.OBEYED
    tag = station.card_of(names) or ID_TAG
    if at.is_16:
        payload: dict[str, Any] = {"connectorId": connector, "idTag": tag}
    else:
        payload = {"evseId": connector, "remoteStartId": connector, "idToken": {"idToken": tag, "type": "Central"}}
    if schedule is not None:
        payload["chargingProfile"] = _profile(at, None)
    await _accepted(at, "RemoteStartTransaction" if at.is_16 else "RequestStartTransaction", payload)
    return await _confirmed(lambda: at.transaction is not None)


async def _stop(at: _At) -> Done:
    transaction = _open_transaction(at)
    transaction_id: Any = int(transaction.id) if at.is_16 else transaction.id
    action = "RemoteStopTransaction" if at.is_16 else "RequestStopTransaction"
    await _accepted(at, action, {"transactionId": transaction_id})
    return await _confirmed(lambda: at.transaction is None)


async def _limit(at: _At, seconds_left: float | None) -> Done:
    transaction = _open_transaction(at)
    if seconds_left is None:
        raise CommandError(
            "COMPATIBILITY", "VEHICLE_NOT_CAPABLE",
            "A station has no state of charge; without the car's state, capacity and power no end can be computed.",
        )  # fmt: skip
    await _accepted(at, "SetChargingProfile", _setting(at, _profile(at, transaction, round(seconds_left))))
    return Done.OBEYED


async def _schedule(at: _At, wanted: Command) -> Done:
    """Set the schedule of a connector, in place of one that it has."""
    station = at.station
    if not station.is_own(at.connector, wanted.names):
        why = f"Connector {at.connector} of the station {station.name} is not the car's own: a schedule would hold for others."
        raise CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", why)
    if station.zone is None:
        why = f"The time zone of the station {station.name} is not known: its source takes `zone` in the settings."
        raise CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", why)
    offset_s = utc_offset_s(station.zone, station.now())
    car = station.vehicle(at.connector, None)
    schedule = msgspec.structs.replace(asked_for(wanted.parameters), car=car, utc_offset_s=offset_s)
    await _accepted(at, "SetChargingProfile", _recurring(at, schedule))
    await station.memory.set_schedule(at.connector, schedule)
    return Done.OBEYED


async def _unschedule(at: _At, wanted: Command) -> Done:
    schedule = at.schedule
    if schedule is None or schedule.id != wanted.parameters["scheduleId"]:
        raise CommandError("RESOURCE_NOT_FOUND", "PATH", "The station of the vehicle has no schedule with this id.")
    await _clear(at)
    await at.station.memory.set_schedule(at.connector, None)
    return Done.OBEYED


async def _clear(at: _At) -> None:
    """Delete the schedule of a connector. Raises CommandError."""
    number = at.profile_id(of_transaction=False)
    payload = {"id": number} if at.is_16 else {"chargingProfileId": number}
    await _accepted(at, "ClearChargingProfile", payload, also="Unknown")  # the station no longer has it


def _open_transaction(at: _At) -> Transaction:
    transaction = at.transaction
    if transaction is None:
        raise CommandError("VEHICLE_STATE", "NOT_CHARGING", f"No transaction is active at the station {at.station.name}.")
    return transaction


def _profile(at: _At, transaction: Transaction | None, left_s: int | None = None) -> dict[str, Any]:
    """Return a profile of a transaction (None: of the one to start): no limit until the end, no current after it."""
    periods = [] if left_s == 0 else [{"startPeriod": 0, "limit": NO_LIMIT_A}]
    if left_s is not None:
        periods.append({"startPeriod": left_s, "limit": 0.0})
    schedule = {
        "startSchedule": at.station.station_time(at.station.now()), "chargingRateUnit": "A", "chargingSchedulePeriod": periods,
    }  # fmt: skip
    profile = {"stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute"}
    number = at.profile_id(of_transaction=True)
    if at.is_16:
        named = {} if transaction is None else {"transactionId": int(transaction.id)}
        return {**profile, **named, "chargingProfileId": number, "chargingSchedule": schedule}
    named_2 = {} if transaction is None else {"transactionId": transaction.id}
    return {**profile, **named_2, "id": number, "chargingSchedule": [{"id": 1, **schedule}]}


def _recurring(at: _At, schedule: Schedule) -> dict[str, Any]:
    """Return the request that sets the schedule of a connector, for all its transactions."""
    begin_s = schedule.begin_s(at.station.now() // 1000)
    content = {
        "startSchedule": at.station.station_time(begin_s * 1000), "duration": schedule.recurs_s, "chargingRateUnit": "A",
        "chargingSchedulePeriod": schedule.periods(NO_LIMIT_A),
    }  # fmt: skip
    profile: dict[str, Any] = {
        "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Recurring",
        "recurrencyKind": "Daily" if schedule.is_daily else "Weekly",
    }  # fmt: skip
    number = at.profile_id(of_transaction=False)
    if at.is_16:
        return _setting(at, {**profile, "chargingProfileId": number, "chargingSchedule": content})
    return _setting(at, {**profile, "id": number, "chargingSchedule": [{"id": 1, **content}]})


def _setting(at: _At, profile: dict[str, Any]) -> dict[str, Any]:
    if at.is_16:
        return {"connectorId": at.connector, "csChargingProfiles": profile}
    return {"evseId": at.connector, "chargingProfile": profile}


async def _accepted(at: _At, action: str, payload: dict[str, Any], also: str = "Accepted") -> None:
    """Send a request to the station. Raises CommandError where it does not accept."""
    name = at.station.name
    reply = await at.connection.call(action, payload)
    if reply is None:
        raise CommandError("UPSTREAM", "NO_RESPONSE", f"The station {name} did not answer {action}.")
    if not reply:
        raise CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", f"The station {name} can't do {action}.")
    if reply.get("status") not in ("Accepted", also):
        raise CommandError("UPSTREAM", "UNKNOWN_ISSUE", f"The station {name} refused {action}: {reply.get('status')}.")


async def _confirmed(is_so: Callable[[], bool]) -> Done:
    """Wait a moment until what was accepted happens; return OBEYED if it does, else TAKEN."""
    for _ in range(round(CONFIRMED_WITHIN_S / CHECK_EVERY_S)):
        if is_so():
            return Done.OBEYED
        await asyncio.sleep(CHECK_EVERY_S)
    return Done.TAKEN
