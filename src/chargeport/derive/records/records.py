"""Charge records: sessions with a permanent id, and the body of charge-chargerecords that shows them."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from chargeport.derive.sessions.session import Session
from chargeport.signals.records import ChargeRecord, Cost, Place

NEWEST: Final = 200
"""The number of records that are shown: half a year of daily charging, in about 60 kB."""
ENERGY_DIGITS: Final = 2  # 10 Wh: finer than any counter in a car


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its id. `note` is by a person; `original_ids` are those of the records from which an edit created it."""

    id: str
    session: Session
    note: str | None = None
    original_ids: tuple[str, ...] = ()


def record_id(vehicle_id: str, session: Session) -> str:
    """Return the id of a session: the one that its source reported, else one of vehicle and start.

    The id stays the same while the session continues.
    """
    if session.reported_id is not None and not session.stretches:
        return session.reported_id
    return id_at(vehicle_id, session.started_at)


def id_at(vehicle_id: str, started_at: int) -> str:
    """Return the id of a session that began at an instant: its day in UTC, for people, and a hash."""
    day = datetime.fromtimestamp(started_at / 1000, UTC).strftime("%Y%m%d")
    return f"CHG-{day}-{hashlib.sha256(f'{vehicle_id} {started_at}'.encode()).hexdigest()[:12].upper()}"


def records(vehicle_id: str, found: Sequence[Session]) -> list[Record]:
    """Return the sessions of a car as records, by time. Sources may give one id twice: the later session gets another one."""
    by_id: dict[str, Record] = {}
    for session in sorted(found, key=lambda each: (each.started_at, each.ended_at)):
        own_id = record_id(vehicle_id, session)
        if own_id in by_id:
            own_id = id_at(f"{vehicle_id} {own_id}", session.started_at)
        by_id[own_id] = Record(id=own_id, session=session)
    return list(by_id.values())


def to_body(found: Sequence[Record]) -> dict[str, Any]:
    """Return the body of charge-chargerecords: the newest records, the newest last."""
    newest = sorted(found, key=lambda record: (record.session.started_at, record.id))[-NEWEST:]
    values = [msgspec.to_builtins(shown(record)) for record in newest]
    return {"values": [{name: each for name, each in value.items() if each is not None} for value in values]}


def shown(record: Record) -> ChargeRecord:
    """Return a record as charge-chargerecords shows it. An open one has no end yet."""
    session = record.session
    return ChargeRecord(
        startTime=wire_instant(session.started_at),
        endTime=None if session.is_open else wire_instant(session.ended_at),
        startStateOfCharge=session.start_soc,
        endStateOfCharge=None if session.is_open else session.end_soc,
        energyAdded=None if session.energy_added_kwh is None else round(session.energy_added_kwh, ENERGY_DIGITS),
        isPublicCharger=session.is_public,
        chargingType=session.charging_type,
        cost=None if session.cost == Cost() else session.cost,
        location=_place(session.place),
        id=record.id,
    )


def _place(place: Place | None) -> Place | None:
    return None if place == Place() else place


def wire_instant(at: int) -> str:
    """Return an instant in the format of records.

    >>> wire_instant(1697398200000)
    '2023-10-15T19:30:00.000Z'
    """
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def total_kwh(found: Sequence[Session]) -> float:
    """Return the total added energy in kWh; a session of unknown energy adds nothing to it."""
    return sum(session.energy_added_kwh or 0.0 for session in found)
