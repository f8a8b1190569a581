"""What people change about records: laid over the computed ones, which stay.

An edit names records by id. Where a late report has moved a start, and with it the id, the span that the person saw finds the
record again; so edits hold when everything is computed anew.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from chargeport.derive.records.joined import over, united
from chargeport.derive.records.records import Record
from chargeport.derive.records.reported import JOINS_FROM, overlap
from chargeport.derive.sessions.power import SLOT_MS, Slot
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.stretches import Stretch
from chargeport.signals.records import Cost, Place


class Seen(msgspec.Struct, frozen=True):
    """A record as a person saw it: its id, and from when to when it was."""

    record_id: str
    started_at: int
    ended_at: int


class Split(msgspec.Struct, frozen=True, tag=True):
    """A record is two, from this instant on."""

    record: Seen
    at: int


class Merge(msgspec.Struct, frozen=True, tag=True):
    """Records are one."""

    records: tuple[Seen, ...]


class Annotate(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What a person knows better of a record; what is None stays as it was."""

    record: Seen
    note: str | None = None
    place_name: str | None = None
    is_public: bool | None = None
    cost: Cost | None = None
    energy_added_kwh: float | None = None


class Add(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """A session that a person knows of, under an id of its own, should no other record be the same session."""

    record_id: str
    session: Session
    note: str | None = None


class Remove(msgspec.Struct, frozen=True, tag=True):
    """A record is not shown. It is kept, and shown again when this is taken back."""

    record: Seen


class Imported(msgspec.Struct, frozen=True, tag=True):
    """A list of sessions was read in, as of a source, at an instant. Taken back, they count no more."""

    source: str
    at: int
    count: int


class Undo(msgspec.Struct, frozen=True, tag=True):
    """The change of this number is taken back."""

    number: int


Edit = Split | Merge | Annotate | Add | Remove
Change = Edit | Imported | Undo


def without_place(change: Change) -> Change:
    """Return a change without the place that it names."""
    match change:
        case Annotate():
            return msgspec.structs.replace(change, place_name=None)
        case Add():
            return msgspec.structs.replace(change, session=msgspec.structs.replace(change.session, place=None))
    return change


def in_force(changes: Mapping[int, Change]) -> list[Edit]:
    """Return the edits that were not taken back, of changes by number."""
    undone = {each.number for each in changes.values() if isinstance(each, Undo)}
    return [each for number, each in changes.items() if not isinstance(each, Undo | Imported) and number not in undone]


def withdrawn(changes: Mapping[int, Change]) -> set[tuple[str, int]]:
    """Return the imports that were taken back: of which source, and when."""
    undone = {each.number for each in changes.values() if isinstance(each, Undo)}
    return {(each.source, each.at) for number, each in changes.items() if isinstance(each, Imported) and number in undone}


class Edited(NamedTuple):
    """The records with the edits, and the edits that concern no record any more or do not fit."""

    records: list[Record]
    unused: list[Edit]


def seen(record: Record) -> Seen:
    """Return a record as it is now, for an edit of it."""
    return Seen(record.id, record.session.started_at, record.session.ended_at)


def edited(found: Sequence[Record], edits: Sequence[Edit]) -> Edited:
    """Return the records with all edits, one after the other: a later one may name what an earlier one made."""
    records, unused = list(found), []
    for edit in edits:
        changed = _with(records, edit)
        if changed is None:
            unused.append(edit)
        else:
            records = sorted(changed, key=lambda record: (record.session.started_at, record.id))
    return Edited(records, unused)


def _with(records: list[Record], edit: Edit) -> list[Record] | None:
    """Return the records with one edit; None where it does not fit."""
    if isinstance(edit, Add):
        return _added(records, edit)
    named = [_named(records, one) for one in (edit.records if isinstance(edit, Merge) else (edit.record,))]
    meant = [record for index, record in enumerate(named) if record is not None and record not in named[:index]]
    if None in named or not meant:
        return None
    others = [record for record in records if record not in meant]
    match edit:
        case Remove():
            return others
        case Merge():
            return [*others, _merged(meant)]
        case Annotate():
            return [*others, _annotated(meant[0], edit)]
    fits = meant[0].session.started_at < edit.at < meant[0].session.ended_at
    return [*others, *_split(meant[0], edit.at)] if fits else None


def _added(records: list[Record], edit: Add) -> list[Record]:
    """Return the records with one more; where it is the same session as one there is, that with what the person knows."""
    same = [record for record in records if overlap(record.session, edit.session) > JOINS_FROM]
    if not same:
        return [*records, Record(id=edit.record_id, session=edit.session, note=edit.note, original_ids=(edit.record_id,))]
    base = _merged(same)
    known = msgspec.structs.replace(
        base,
        session=over(edit.session, base.session),
        note=edit.note or base.note,
        original_ids=(*base.original_ids, edit.record_id),
    )
    return [*(record for record in records if record not in same), known]


def _named(records: Sequence[Record], wanted: Seen) -> Record | None:
    """Return the record that was meant: of that id, else the one that shares most of the time that it had then."""
    for record in records:
        if record.id == wanted.record_id:
            return record
    shared = [(_shared_ms(record.session, wanted), record.id, record) for record in records]
    most = max(shared, key=lambda each: each[:2], default=None)
    return None if most is None or 2 * most[0] <= wanted.ended_at - wanted.started_at else most[2]


def _shared_ms(session: Session, wanted: Seen) -> int:
    return min(session.ended_at, wanted.ended_at) - max(session.started_at, wanted.started_at)


def _merged(meant: Sequence[Record]) -> Record:
    """Return one record under the first one's id."""
    ordered = sorted(meant, key=lambda record: record.session.started_at)
    notes = "; ".join(record.note for record in ordered if record.note)
    ids = tuple(name for record in ordered for name in record.original_ids or (record.id,))
    return Record(
        id=ordered[0].id, session=united([record.session for record in ordered]), note=notes or None, original_ids=ids
    )


def _annotated(record: Record, edit: Annotate) -> Record:
    known = {"is_public": edit.is_public, "cost": edit.cost, "energy_added_kwh": edit.energy_added_kwh}
    changes = {name: value for name, value in known.items() if value is not None}
    session = msgspec.structs.replace(record.session, **changes)
    if edit.place_name is not None:
        place = msgspec.structs.replace(session.place, name=edit.place_name) if session.place else Place(name=edit.place_name)
        session = msgspec.structs.replace(session, place=place)
    if edit.energy_added_kwh is not None:
        session = msgspec.structs.replace(session, energy_method="reported", energy_bounds_kwh=None, estimated=False)
    ids = record.original_ids or (record.id,)
    return msgspec.structs.replace(record, session=session, note=edit.note or record.note, original_ids=ids)


def _split(record: Record, at: int) -> list[Record]:
    """Return the two halves. Energy and cost go by when it was drawn, else by time; together they are what there was."""
    whole = record.session
    before, after = _slots(whole, at)
    share = _share_before(whole, before, at)
    ids = record.original_ids or (record.id,)
    stretches = [Stretch(one.start, min(one.end, at), one.estimated) for one in whole.stretches if one.start < at]
    first = _half(whole, share, stretches, before)
    paid, rest = _shared(whole.cost, share)
    first = msgspec.structs.replace(
        first, ended_at=at, end_soc=None, meter_end_kwh=None, is_open=False, unplugged_at=None, cost=paid
    )
    stretches = [Stretch(max(one.start, at), one.end, one.estimated) for one in whole.stretches if one.end > at]
    second = _half(whole, 1 - share, stretches, after)
    second = msgspec.structs.replace(second, started_at=at, start_soc=None, meter_start_kwh=None, plugged_at=None, cost=rest)
    return [
        Record(id=record.id, session=first, note=record.note, original_ids=ids),
        Record(id=f"{record.id}-{at}", session=second, note=record.note, original_ids=ids),
    ]


def _shared(cost: Cost | None, share: float) -> tuple[Cost | None, Cost | None]:
    """Return a cost in two, the first in whole cents and the second what is left of it."""
    if cost is None:
        return None, None
    amounts = (cost.energyAmount, cost.otherAmount)
    paid = [None if each is None else round(each * share, 2) for each in amounts]
    left = [None if each is None or part is None else round(each - part, 6) for each, part in zip(amounts, paid, strict=True)]
    return Cost(cost.currency, *paid), Cost(cost.currency, *left)


def _slots(whole: Session, at: int) -> tuple[list[Slot], list[Slot]]:
    """Return the energy of each quarter of an hour before an instant and from it on; its own is divided by charging time."""
    before: list[Slot] = []
    after: list[Slot] = []
    for slot in whole.slots:
        first_ms, second_ms = whole.charged_ms(slot.at, at), whole.charged_ms(max(slot.at, at), slot.at + SLOT_MS)
        share = first_ms / (first_ms + second_ms) if slot.at < at < slot.at + SLOT_MS and first_ms + second_ms else None
        if share is None:
            (before if slot.at < at else after).append(slot)
        else:
            before.append(Slot(slot.at, slot.kwh * share))
            after.append(Slot(slot.at, slot.kwh * (1 - share)))
    return before, after


def _share_before(whole: Session, before: Sequence[Slot], at: int) -> float:
    drawn = sum(slot.kwh for slot in whole.slots)
    if drawn:
        return sum(slot.kwh for slot in before) / drawn
    charging_ms = whole.charged_ms(whole.started_at, whole.ended_at)
    if charging_ms:
        return whole.charged_ms(whole.started_at, at) / charging_ms
    return (at - whole.started_at) / (whole.ended_at - whole.started_at)


def _half(whole: Session, share: float, stretches: Sequence[Stretch], slots: Sequence[Slot]) -> Session:
    def part(amount: float | None) -> float | None:
        return None if amount is None else amount * share

    bounds = whole.energy_bounds_kwh
    return msgspec.structs.replace(
        whole,
        energy_added_kwh=part(whole.energy_added_kwh),
        energy_bounds_kwh=None if bounds is None else (bounds[0] * share, bounds[1] * share),
        energy_drawn_kwh=part(whole.energy_drawn_kwh),
        estimated=True,
        stretches=tuple(stretches),
        slots=tuple(slots),
    )
