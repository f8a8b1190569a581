"""People's changes of records: checked, and stored as edits. The original records are retained."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.records.edits import Add, Change, Edit, Seen, Undo, edited, seen
from chargeport.derive.records.records import Record, id_at
from chargeport.derive.records.reported import RECORDS, from_record
from chargeport.errors import ChargeportError, NotFoundError
from chargeport.signals.records import ChargeRecord
from chargeport.signals.violation import Violation
from chargeport.store.protocols import Store

BY_HAND: Final = "by hand"


class Of(NamedTuple):
    """A vehicle and its present records."""

    vehicle_id: str
    records: Sequence[Record]


async def keep(store: Store, of: Of, ids: Sequence[str], change: Callable[[list[Seen]], Edit], now: int) -> int:
    """Store an edit of the records with these ids; return its number. Raises NotFoundError, ChargeportError."""
    known = {record.id: record for record in of.records}
    missing = next((record_id for record_id in ids if record_id not in known), None)
    if missing is not None:
        raise NotFoundError(f"No record has the id {missing[:80]!r}: chargeport records shows those there are.")
    edit = change([seen(known[record_id]) for record_id in ids])
    if edited(of.records, [edit]).unused:
        raise ChargeportError("A split must be between the start and the end of its record: chargeport records shows them.")
    return await store.sessions.add_edit(of.vehicle_id, now, msgspec.json.encode(edit).decode())


async def take_back(store: Store, vehicle_id: str, number: int, now: int) -> int:
    """Undo the edit of this number; return the number of the undo. Raises NotFoundError."""
    known = {edit.number: edit for edit in await store.sessions.edits(vehicle_id)}
    if number not in known or isinstance(msgspec.json.decode(known[number].body, type=Change), Undo):
        raise NotFoundError(f"No edit of its records has the number {number}: chargeport record edits lists them.")
    return await store.sessions.add_edit(vehicle_id, now, msgspec.json.encode(Undo(number)).decode())


def by_hand(vehicle_id: str, record: ChargeRecord, now: int, *, note: str | None = None, drawn_kwh: float | None = None) -> Add:
    """Return the edit that adds a session that no source reported. Raises ChargeportError."""
    try:
        record.check(RECORDS.code)
    except Violation as violation:
        raise ChargeportError(f"{violation.detail}.") from None
    session = from_record(record, BY_HAND, now)
    if session is None or session.ended_at > now:
        raise ChargeportError("The session has not ended yet: its end is in the future.")
    session = msgspec.structs.replace(session, energy_drawn_kwh=drawn_kwh)
    return Add(record_id=id_at(f"{vehicle_id} {BY_HAND}", session.started_at), session=session, note=note)
