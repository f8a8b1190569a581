"""Commands to stations: which connector a car is at, and how start, stop and limit are asked for in each version of OCPP.

A station that accepts has promised, no more. So it is waited for a moment whether the transaction begins or ends.
A station knows no state of charge: a limit becomes a charging profile that ends when the limit is expected to be reached.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from chargeport.sources.base import Command, CommandError, Done
from chargeport.sources.ocpp.session import Session
from chargeport.sources.ocpp.settings import OcppSettings
from chargeport.sources.ocpp.station import Station, iso
from chargeport.sources.ocpp.transactions import Transaction

CONFIRMED_WITHIN_S: Final = 5.0
LOOK_EVERY_S: Final = 0.05
ID_TAG: Final = "CHARGEPORT"  # where no card is known to be the car's
PROFILE: Final = 1601  # the number of our charging profile: a later one takes the place of an earlier one
NO_LIMIT_A: Final = 500.0


async def command(stations: Iterable[Station], settings: OcppSettings, fixed: str | None, wanted: Command) -> Done | None:
    """Command the station that the car is at; return None where it is at none of ours. Raises CommandError."""
    for station in stations:
        connector = _connector(station, wanted.names)
        if connector is not None and station.session is not None:
            return await _asked(station, station.session, connector, wanted)
    named = [name for name, own in settings.stations.items() if not wanted.names.isdisjoint(own.connectors.values())]
    if named or fixed in wanted.names:
        which = f"The station {named[0]}" if named else "The station of the vehicle"
        raise CommandError("UPSTREAM", "NO_RESPONSE", f"{which} is not connected.")
    return None


def _connector(station: Station, names: frozenset[str]) -> int | None:
    """Return the connector of a station that the car is at, as far as is known."""
    known = {int(number) for number in station.connectors} | station.memory.connectors | station.known_connectors()
    for connector in sorted(known | {1}):
        open_one = station.memory.open_at(connector)
        car = open_one.car if open_one is not None else station.memory.plug(connector).car
        if station.vehicle(connector, car) in names:
            return connector
    return None


async def _asked(station: Station, session: Session, connector: int, wanted: Command) -> Done:
    open_one = station.memory.open_at(connector)
    is_16 = station.version == "1.6"
    if wanted.kind == "charge-start":
        if open_one is not None:
            raise CommandError("VEHICLE_STATE", "CHARGING_IN_PROGRESS", f"A transaction goes on at the station {station.name}.")
        tag = station.card_of(wanted.names) or ID_TAG
        action, payload = _start(connector, tag, is_16=is_16)
        await _accepted(station, session, action, payload)
        return await _confirmed(lambda: station.memory.open_at(connector) is not None)
    if wanted.kind not in ("charge-stop", "charge-set-limit"):
        raise CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", f"A charging station can't do {wanted.kind}.")
    if open_one is None:
        raise CommandError("VEHICLE_STATE", "NOT_CHARGING", f"No transaction goes on at the station {station.name}.")
    if wanted.kind == "charge-stop":
        transaction_id: Any = int(open_one.id) if is_16 else open_one.id
        await _accepted(
            station, session, "RemoteStopTransaction" if is_16 else "RequestStopTransaction", {"transactionId": transaction_id}
        )
        return await _confirmed(lambda: station.memory.open_at(connector) is None)
    if wanted.seconds_left is None:
        raise CommandError(
            "COMPATIBILITY", "VEHICLE_NOT_CAPABLE",
            "A station knows no state of charge, and without the car's, its capacity and its power no end can be told.",
        )  # fmt: skip
    profile = _profile(station, connector, open_one, round(wanted.seconds_left), is_16=is_16)
    await _accepted(station, session, "SetChargingProfile", profile)
    return Done.OBEYED


def _start(connector: int, tag: str, *, is_16: bool) -> tuple[str, dict[str, Any]]:
    if is_16:
        return "RemoteStartTransaction", {"connectorId": connector, "idTag": tag}
    return "RequestStartTransaction", {
        "evseId": connector, "remoteStartId": connector, "idToken": {"idToken": tag, "type": "Central"},
    }  # fmt: skip


def _profile(station: Station, connector: int, transaction: Transaction, left_s: int, *, is_16: bool) -> dict[str, Any]:
    """Return a profile of this transaction: as much as there is until the end, nothing after it."""
    periods = [{"startPeriod": 0, "limit": NO_LIMIT_A}] if left_s else []
    schedule = {
        "startSchedule": iso(station.now()),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [*periods, {"startPeriod": left_s, "limit": 0.0}],
    }
    common = {"stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute"}
    if is_16:
        profile = {
            **common, "chargingProfileId": PROFILE, "transactionId": int(transaction.id), "chargingSchedule": schedule,
        }  # fmt: skip
        return {"connectorId": connector, "csChargingProfiles": profile}
    profile = {**common, "id": PROFILE, "transactionId": transaction.id, "chargingSchedule": [{"id": 1, **schedule}]}
    return {"evseId": connector, "chargingProfile": profile}


async def _accepted(station: Station, session: Session, action: str, payload: dict[str, Any]) -> None:
    """Ask the station. Raises CommandError where it does not accept."""
    reply = await session.call(action, payload)
    if reply is None:
        raise CommandError("UPSTREAM", "NO_RESPONSE", f"The station {station.name} did not answer {action}.")
    if not reply:
        raise CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", f"The station {station.name} can't do {action}.")
    if reply.get("status") != "Accepted":
        why = f"The station {station.name} refused {action}: {reply.get('status')}."
        raise CommandError("UPSTREAM", "UNKNOWN_ISSUE", why)


async def _confirmed(is_so: Callable[[], bool]) -> Done:
    """Wait a moment for what was accepted to happen; return OBEYED if it does, else TAKEN."""
    for _ in range(round(CONFIRMED_WITHIN_S / LOOK_EVERY_S)):
        if is_so():
            return Done.OBEYED
        await asyncio.sleep(LOOK_EVERY_S)
    return Done.TAKEN
