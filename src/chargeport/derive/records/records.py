"""Charge records: sessions with a name that stays, and how they are shown as charge-chargerecords."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from chargeport.derive.sessions.session import Session
from chargeport.signals.records import ChargeRecord, Cost, Place

NEWEST: Final = 200
"""So many records are shown: half a year of daily charging, in some 60 kB."""
ENERGY_DIGITS: Final = 2  # 10 Wh: finer than any counter in a car


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A session under the id by which it is shown; `note` is a person's, `original_ids` what an edit made it from."""

    id: str
    session: Session
    note: str | None = None
    original_ids: tuple[str, ...] = ()


def record_id(vehicle_id: str, session: Session) -> str:
    """Return the id of a session. It is made of car and start alone, so it stays the same while the session goes on.

    A reported session that has an id keeps that.
    """
    if session.reported_id is not None and not session.stretches:
        return session.reported_id
    return named(vehicle_id, session.started_at)


def named(vehicle_id: str, started_at: int) -> str:
    """Return the id of what began at an instant: its day in UTC, for people, and a hash."""
    day = datetime.fromtimestamp(started_at / 1000, UTC).strftime("%Y%m%d")
    return f"CHG-{day}-{hashlib.sha256(f'{vehicle_id} {started_at}'.encode()).hexdigest()[:12].upper()}"


def records(vehicle_id: str, found: Sequence[Session]) -> list[Record]:
    """Return the sessions of a car as records, by time. Of two with one id, as sources may give, the later gets another."""
    made: dict[str, Record] = {}
    for session in sorted(found, key=lambda one: (one.started_at, one.ended_at)):
        name = record_id(vehicle_id, session)
        if name in made:
            name = named(f"{vehicle_id} {name}", session.started_at)
        made[name] = Record(id=name, session=session)
    return list(made.values())


def to_body(found: Sequence[Record]) -> dict[str, Any]:
    """Return the body of charge-chargerecords: the newest records, the newest last. One that is still open has no end."""
    newest = sorted(found, key=lambda record: (record.session.started_at, record.id))[-NEWEST:]
    values = [msgspec.to_builtins(shown(record)) for record in newest]
    return {"values": [{name: each for name, each in one.items() if each is not None} for one in values]}


def shown(record: Record) -> ChargeRecord:
    """Return a record as it is shown; one that is open has no end."""
    one = record.session
    return ChargeRecord(
        startTime=wire_instant(one.started_at),
        endTime=None if one.is_open else wire_instant(one.ended_at),
        startStateOfCharge=one.start_soc,
        endStateOfCharge=None if one.is_open else one.end_soc,
        energyAdded=None if one.energy_added_kwh is None else round(one.energy_added_kwh, ENERGY_DIGITS),
        isPublicCharger=one.is_public,
        chargingType=one.charging_type,
        cost=_cost(one.cost),
        location=_place(one.place),
        id=record.id,
    )


def _cost(cost: Cost | None) -> Cost | None:
    """Return what was paid. The wire has no word for being paid, as happens with prices below zero."""
    if cost is None or cost == Cost() or min(cost.energyAmount or 0, cost.otherAmount or 0) < 0:
        return None
    return cost


def _place(place: Place | None) -> Place | None:
    return None if place == Place() else place


def wire_instant(at: int) -> str:
    """Return an instant as records write it.

    >>> wire_instant(1697398200000)
    '2023-10-15T19:30:00.000Z'
    """
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def total_kwh(found: Sequence[Session]) -> float:
    """Return all energy that sessions added; those of which it is not known count as nothing."""
    return sum(one.energy_added_kwh or 0.0 for one in found)
