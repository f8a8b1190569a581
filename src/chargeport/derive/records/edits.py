"""Edits of records: people's changes, which are applied to the computed records and stored separately.

In: the computed records and the edits, in order. Out: the edited records, and the edits that no longer apply. An edit names
records by id. A late report may move the start of a record, and so change its id; then the record is found by the time that it
had when the person edited it. So edits still apply when all sessions are computed again.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from chargeport.derive.records.joined import overlaid, united, without_another_drawn
from chargeport.derive.records.records import Record
from chargeport.derive.records.reported import SAME_SESSION_SHARE, overlap
from chargeport.derive.sessions.power import SLOT_MS, Slot
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.stretches import Stretch
from chargeport.signals.records import Cost, Place


class Seen(msgspec.Struct, frozen=True):
    """A record as a person saw it: its id and its time."""

    record_id: str
    started_at: int
    ended_at: int


class Split(msgspec.Struct, frozen=True, tag=True):
    """Split a record in two at an instant."""

    record: Seen
    at: int


class Merge(msgspec.Struct, frozen=True, tag=True):
    """Merge records into one."""

    records: tuple[Seen, ...]


class Annotate(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Change members of a record; those that are None are not changed."""

    record: Seen
    note: str | None = None
    place_name: str | None = None
    is_public: bool | None = None
    cost: Cost | None = None
    energy_added_kwh: float | None = None


class Add(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Add a session, under an id of its own unless a record of the same session exists."""

    record_id: str
    session: Session
    note: str | None = None


class Remove(msgspec.Struct, frozen=True, tag=True):
    """Hide a record. It is shown again when this edit is undone."""

    record: Seen


class Imported(msgspec.Struct, frozen=True, tag=True):
    """The import of a list of sessions as the reports of a source at an instant. Undoing it removes the sessions."""

    source: str
    at: int
    count: int


class Undo(msgspec.Struct, frozen=True, tag=True):
    """Undo the change of this number."""

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
    """Return the edits that were not undone, from changes by number."""
    undone = {each.number for each in changes.values() if isinstance(each, Undo)}
    return [each for number, each in changes.items() if not isinstance(each, Undo | Imported) and number not in undone]


def withdrawn(changes: Mapping[int, Change]) -> set[tuple[str, int]]:
    """Return source and instant of the imports that were undone."""
    undone = {each.number for each in changes.values() if isinstance(each, Undo)}
    return {(each.source, each.at) for number, each in changes.items() if isinstance(each, Imported) and number in undone}


class Edited(NamedTuple):
    """The edited records, and the edits that apply to no record."""

    records: list[Record]
    unused: list[Edit]


def seen(record: Record) -> Seen:
    """Return the reference to a record that an edit of it needs."""
    return Seen(record.id, record.session.started_at, record.session.ended_at)


def edited(found: Sequence[Record], edits: Sequence[Edit], priced: Callable[[Session], Session] = lambda each: each) -> Edited:
    """Return the records with all edits, in order: a later edit may name a record that an earlier one created.

    `priced` returns a session with its cost: that of the corrected energy, and before a split or a merge that of each record.
    """
    records, unused = list(found), []
    for edit in edits:
        changed = _with(records, edit, priced)
        if changed is None:
            unused.append(edit)
        else:
            records = sorted(changed, key=lambda record: (record.session.started_at, record.id))
    return Edited([_priced(record, priced) for record in records], unused)


def _priced(record: Record, priced: Callable[[Session], Session]) -> Record:
    return msgspec.structs.replace(record, session=priced(record.session))


def _with(records: list[Record], edit: Edit, priced: Callable[[Session], Session]) -> list[Record] | None:
    """Return the records with one edit; None where it does not apply."""
    if isinstance(edit, Add):
        return _added(records, edit)
    named = [_named(records, seen_record) for seen_record in (edit.records if isinstance(edit, Merge) else (edit.record,))]
    chosen = [record for index, record in enumerate(named) if record is not None and record not in named[:index]]
    if None in named or not chosen:
        return None
    others = [record for record in records if record not in chosen]
    match edit:
        case Remove():
            return others
        case Merge():
            return [*others, _merged([_priced(record, priced) for record in chosen])]
        case Annotate():
            return [*others, _annotated(chosen[0], edit)]
    is_inside = chosen[0].session.started_at < edit.at < chosen[0].session.ended_at
    return [*others, *_split(_priced(chosen[0], priced), edit.at)] if is_inside else None


def _added(records: list[Record], edit: Add) -> list[Record]:
    """Return the records with one more, or with the added members in the record of the same session."""
    same = [record for record in records if overlap(record.session, edit.session) > SAME_SESSION_SHARE]
    if not same:
        return [*records, Record(id=edit.record_id, session=edit.session, note=edit.note, original_ids=(edit.record_id,))]
    base = _merged(same)
    completed = msgspec.structs.replace(
        base,
        session=overlaid(edit.session, base.session),
        note=edit.note or base.note,
        original_ids=(*base.original_ids, edit.record_id),
    )
    return [*(record for record in records if record not in same), completed]


def _named(records: Sequence[Record], wanted: Seen) -> Record | None:
    """Return the record of that id, else the one that shares most of its former time; None below half of it."""
    for record in records:
        if record.id == wanted.record_id:
            return record
    candidates = [(_shared_ms(record.session, wanted), record.id, record) for record in records]
    best = max(candidates, key=lambda each: each[:2], default=None)
    return None if best is None or 2 * best[0] <= wanted.ended_at - wanted.started_at else best[2]


def _shared_ms(session: Session, wanted: Seen) -> int:
    return min(session.ended_at, wanted.ended_at) - max(session.started_at, wanted.started_at)


def _merged(records: Sequence[Record]) -> Record:
    """Return one record, under the id of the first."""
    ordered = sorted(records, key=lambda record: record.session.started_at)
    notes = "; ".join(record.note for record in ordered if record.note)
    ids = tuple(each for record in ordered for each in record.original_ids or (record.id,))
    return Record(
        id=ordered[0].id, session=united([record.session for record in ordered]), note=notes or None, original_ids=ids
    )


def _annotated(record: Record, edit: Annotate) -> Record:
    members = {"is_public": edit.is_public, "cost": edit.cost, "energy_added_kwh": edit.energy_added_kwh}
    changes = {name: value for name, value in members.items() if value is not None}
    session = msgspec.structs.replace(record.session, **changes)
    if edit.place_name is not None:
        place = msgspec.structs.replace(session.place, name=edit.place_name) if session.place else Place(name=edit.place_name)
        session = msgspec.structs.replace(session, place=place)
    if edit.energy_added_kwh is not None:
        session = msgspec.structs.replace(session, energy_method="reported", energy_bounds_kwh=None, estimated=False)
        session = without_another_drawn(session)
    ids = record.original_ids or (record.id,)
    return msgspec.structs.replace(record, session=session, note=edit.note or record.note, original_ids=ids)


def _split(record: Record, at: int) -> list[Record]:
    """Return the two parts. Energy and cost are divided by when the energy was drawn, else by time; the sums do not change."""
    session = record.session
    before, after = _split_slots(session, at)
    share = _share_before(session, before, at)
    ids = record.original_ids or (record.id,)
    stretches = [Stretch(each.start, min(each.end, at), each.estimated) for each in session.stretches if each.start < at]
    first = _part(session, share, stretches, before)
    first_cost, second_cost = _split_cost(session.cost, share)
    first = msgspec.structs.replace(
        first, ended_at=at, end_soc=None, meter_end_kwh=None, is_open=False, unplugged_at=None, cost=first_cost
    )
    stretches = [Stretch(max(each.start, at), each.end, each.estimated) for each in session.stretches if each.end > at]
    second = _part(session, 1 - share, stretches, after)
    second = msgspec.structs.replace(
        second, started_at=at, start_soc=None, meter_start_kwh=None, plugged_at=None, cost=second_cost
    )
    return [
        Record(id=record.id, session=first, note=record.note, original_ids=ids),
        Record(id=f"{record.id}-{at}", session=second, note=record.note, original_ids=ids),
    ]


def _split_cost(cost: Cost | None, share: float) -> tuple[Cost | None, Cost | None]:
    """Return a cost in two parts: the first in whole cents, the second the rest."""
    if cost is None:
        return None, None
    amounts = (cost.energyAmount, cost.otherAmount)
    first = [None if each is None else round(each * share, 2) for each in amounts]
    rest = [None if each is None or part is None else round(each - part, 6) for each, part in zip(amounts, first, strict=True)]
    return Cost(cost.currency, *first), Cost(cost.currency, *rest)


def _split_slots(session: Session, at: int) -> tuple[list[Slot], list[Slot]]:
    """Return the slots before an instant and those after; the slot that contains it is divided by the time of charging."""
    before: list[Slot] = []
    after: list[Slot] = []
    for slot in session.slots:
        first_ms, second_ms = session.charged_ms(slot.at, at), session.charged_ms(max(slot.at, at), slot.at + SLOT_MS)
        share = first_ms / (first_ms + second_ms) if slot.at < at < slot.at + SLOT_MS and first_ms + second_ms else None
        if share is None:
            (before if slot.at < at else after).append(slot)
        else:
            before.append(Slot(slot.at, slot.kwh * share))
            after.append(Slot(slot.at, slot.kwh * (1 - share)))
    return before, after


def _share_before(session: Session, before: Sequence[Slot], at: int) -> float:
    """Return the share of the energy that was drawn before an instant; without slots, that of the charging, or of the time."""
    drawn = sum(slot.kwh for slot in session.slots)
    if drawn:
        return sum(slot.kwh for slot in before) / drawn
    charging_ms = session.charged_ms(session.started_at, session.ended_at)
    if charging_ms:
        return session.charged_ms(session.started_at, at) / charging_ms
    return (at - session.started_at) / (session.ended_at - session.started_at)


def _part(session: Session, share: float, stretches: Sequence[Stretch], slots: Sequence[Slot]) -> Session:
    """Return a part of a session, with that share of its energy."""

    def shared(amount: float | None) -> float | None:
        return None if amount is None else amount * share

    bounds = session.energy_bounds_kwh
    return msgspec.structs.replace(
        session,
        energy_added_kwh=shared(session.energy_added_kwh),
        energy_bounds_kwh=None if bounds is None else (bounds[0] * share, bounds[1] * share),
        energy_drawn_kwh=shared(session.energy_drawn_kwh),
        estimated=True,
        stretches=tuple(stretches),
        slots=tuple(slots),
    )
