"""Entries that arrive after newer ones: where they belong in history, and what that changes about the present.

History is a function of the set of entries, never of their order: a late value inside a run of another splits it at exactly the
sightings before and after it. Of two values observed at the same instant the greater holds; an absence is less than any value.
"""

from array import array
from typing import Any, Final, NamedTuple

from chargeport.signals.reading import Entry
from chargeport.store.records import Outcome
from chargeport.store.sqlite.slot import MAX_OFFSET_MS, SeriesKey, Slot, SlotTable

COLUMNS: Final = "observed_at, position, received_at, value, absence, last_seen_at, seen, continues, rule_key"
_AT_OR_BEFORE: Final = (
    f"SELECT {COLUMNS} FROM history WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3 AND observed_at ="
    " (SELECT max(observed_at) FROM history WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3"
    " AND observed_at <= ?4)"
)
_NEWEST: Final = (
    f"SELECT {COLUMNS} FROM history WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND absence IS {{}} NULL"
    " ORDER BY observed_at DESC LIMIT 8"
)
_INSERT: Final = f"INSERT INTO history (vehicle_key, signal_key, source_key, {COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
_SET_SEEN: Final = (
    "UPDATE history SET seen = ?, last_seen_at = ?"
    " WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND observed_at = ? AND position = ?"
)


class Run(NamedTuple):
    """A row of history."""

    observed_at: int
    position: int
    received_at: int
    value: Any
    absence: str | None
    last_seen_at: int | None
    seen: bytes | None
    continues: int | None
    rule_key: int | None

    @property
    def ends_at(self) -> int:
        """When the value was seen last."""
        return self.observed_at if self.last_seen_at is None else self.last_seen_at

    def sightings(self) -> list[int]:
        """Every instant at which the value was seen, in order; of an absence only the first and the last are kept."""
        offsets = array("I", self.seen or b"")
        return sorted({self.observed_at, self.ends_at, *(self.observed_at + offset for offset in offsets)})

    def was_seen(self, at: int) -> bool:
        """Whether another word of it at this instant says nothing new."""
        return at <= self.ends_at if self.absence is not None else at in self.sightings()

    def is_less_than(self, value: Any, absence: str | None) -> bool:
        """Whether, of two entries at one instant, the other one holds."""
        if self.absence is not None or absence is not None:
            return absence is None or (self.absence is not None and self.absence < absence)
        return bool(self.value < value)

    def says(self, value: Any, absence: str | None) -> bool:
        """Whether it is of this value or absence."""
        return self.absence == absence and self.value == value

    def packed(self, sightings: list[int]) -> bytes | None:
        """Sightings after the first as offsets from it; of an absence, which may last for years, none is kept."""
        if self.absence is not None:
            return None
        return array("I", [at - sightings[0] for at in sightings[1:]]).tobytes() or None


def insert_late(table: SlotTable, slot: Slot, entry: Entry, value: Any, absence: str | None) -> Outcome:
    """Put a late entry into history and bring the slot in line with it."""
    table.flush(slot)
    key = slot.key
    at = entry.observed_at
    around = [Run(*row) for row in table.rows(_AT_OR_BEFORE, (*key, at))]
    if any(run.says(value, absence) and run.was_seen(at) for run in around):
        return Outcome.UNCHANGED
    run = _holding(around)
    carries_on = run is not None and run.says(value, absence)
    if run is not None and carries_on and (absence is not None or at - run.observed_at <= MAX_OFFSET_MS):
        _see_late(table, key, run, at)
    else:
        if run is not None and at <= run.ends_at:
            _split(table, key, run, at, yields=run.is_less_than(value, absence))
        new = Run(
            at, table.next_position(), entry.received_at, value, absence, None, None, 1 if carries_on else None,
            table.rule_key(entry.rule),
        )  # fmt: skip
        table.execute(_INSERT, (*key, *new))
    before = (slot.position, slot.value, slot.absence, slot.absence_at, slot.observed_at)
    _refresh(table, slot, entry)
    after = (slot.position, slot.value, slot.absence, slot.absence_at, slot.observed_at)
    slot.settle()
    table.touch(slot)
    holds = slot.newest_at == at and before != after
    return Outcome.ACCEPTED if holds else Outcome.SUPERSEDED


def _holding(runs: list[Run]) -> Run | None:
    """Of the runs that start at one instant, the one that holds."""
    holding: Run | None = None
    for run in runs:
        if holding is None or holding.is_less_than(run.value, run.absence):
            holding = run
    return holding


def _see_late(table: SlotTable, key: SeriesKey, run: Run, at: int) -> None:
    """The run's value was seen at one more instant."""
    sightings = sorted({*run.sightings(), at})
    table.execute(_SET_SEEN, (run.packed(sightings), sightings[-1], *key, run.observed_at, run.position))


def _split(table: SlotTable, key: SeriesKey, run: Run, at: int, *, yields: bool) -> None:
    """Another entry came at an instant within the run: it ends before, and begins again after.

    At the very instant of a sighting the greater of the two holds. If the run `yields`, its sighting stays as a row of its own;
    if not, the second part begins there, and a run that starts at that instant is left whole.
    """
    sightings = run.sightings()
    if run.observed_at == at and not yields:
        return
    first = [seen for seen in sightings if seen < at] or [at]
    second = [seen for seen in sightings if seen > first[-1] and (seen > at or not yields)]
    last_seen_at = first[-1] if len(first) > 1 else None
    table.execute(_SET_SEEN, (run.packed(first), last_seen_at, *key, run.observed_at, run.position))
    if yields and at in sightings and run.observed_at != at:
        _insert_part(table, key, run, [at], continues=1)
    if second:
        _insert_part(table, key, run, second, continues=None)


def _insert_part(table: SlotTable, key: SeriesKey, run: Run, sightings: list[int], continues: int | None) -> None:
    """A part of a run that was split, as a run of its own."""
    part = run._replace(
        observed_at=sightings[0],
        position=table.next_position(),
        last_seen_at=sightings[-1] if len(sightings) > 1 else None,
        seen=run.packed(sightings),
        continues=continues,
    )
    table.execute(_INSERT, (*key, *part))


def _refresh(table: SlotTable, slot: Slot, entry: Entry) -> None:
    """Read the slot's value and absence again from what history now says is newest.

    Where that is another one than before, it is what the entry says. Else when the newest was received stays as it is: a part
    of a run that was split only knows when the first was.
    """
    key = slot.key
    run = _newest(table, key, "")
    if run is not None:
        if (run.value, run.ends_at) != (slot.value, slot.observed_at):
            slot.received_at, slot.rule_key = entry.received_at, table.rule_key(entry.rule)
        slot.value, slot.observed_at = run.value, run.ends_at
        slot.position, slot.run_at = run.position, run.observed_at
        slot.changed_at = _became(table, key, run)
    gone = _newest(table, key, "NOT")
    if gone is not None and gone.ends_at >= (slot.absence_at or 0):
        if (gone.absence, gone.ends_at) != (slot.absence, slot.absence_at):
            slot.absence_received_at, slot.rule_key = entry.received_at, table.rule_key(entry.rule)
        slot.absence, slot.absence_at = gone.absence, gone.ends_at


def _newest(table: SlotTable, key: SeriesKey, absent: str) -> Run | None:
    runs = [Run(*row) for row in table.rows(_NEWEST.format(absent), key)]
    return _holding([run for run in runs if run.observed_at == runs[0].observed_at])


def _became(table: SlotTable, key: SeriesKey, run: Run) -> int:
    """Since when the value of the newest run has held without another in between."""
    became = run.observed_at
    while True:
        before = _holding([Run(*row) for row in table.rows(_AT_OR_BEFORE, (*key, became - 1))])
        if before is None or not before.says(run.value, None):
            return became
        became = before.observed_at
