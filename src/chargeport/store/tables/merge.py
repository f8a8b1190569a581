"""Merge entries into the latest values and the history, inside the writer's transaction.

Entries of a commit group are sorted by vehicle and signal before anything is written: adjacent rows cost a third.
An entry that is newer than all others needs the row of `latest` only: see `store.history`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from chargeport.signals.reading import Entry
from chargeport.store.history.late import Editor, put
from chargeport.store.history.latest import Latest
from chargeport.store.records import Outcome
from chargeport.store.tables.keys import SOURCE_BITS, VEHICLE_SHIFT

_ACCEPTED, _UNCHANGED = Outcome.ACCEPTED, Outcome.UNCHANGED


# The series as one integer, observed_at; then which batch, which of its entries, and the entry.
_Item = tuple[int, int, int, int, Entry]


class Batch(NamedTuple):
    """The entries of one caller; `only_for` limits it to the vehicles that this application may write to."""

    entries: Sequence[Entry]
    only_for: str | None


class Naming(Protocol):
    """The vehicles of names, and who may write to them."""

    def keys(self, references: Collection[str]) -> dict[str, int]:
        """Return the keys of the vehicles with these names; unknown names have none."""
        ...

    def may_write(self, client_id: str, vehicle_key: int) -> bool:
        """Return whether an application has a connection to the vehicle that allows it to write."""
        ...


class Table(Editor, Protocol):
    """The rows of `latest` of a commit group, and what it writes."""

    sources: dict[str, int]

    def open(self, numbers: Sequence[int]) -> Mapping[int, Latest]:
        """Return the rows of series, read in this order and to be written at the end."""
        ...

    def source_key(self, name: str) -> int:
        """Return the number of a source."""
        ...

    def rule_key(self, text: str) -> int:
        """Return the number of a rule."""
        ...

    def store(self) -> None:
        """Write the collected writes of the group."""
        ...


def merge(table: Table, names: Naming, batches: Sequence[Batch]) -> list[list[Outcome]]:
    """Store the entries of all batches and return the outcome of each, batch by batch in their order."""
    outcomes = [[Outcome.UNKNOWN_VEHICLE] * len(batch.entries) for batch in batches]
    work = _sorted_work(table, names, batches, outcomes)
    slots = table.open(list(dict.fromkeys([item[0] for item in work])))
    for number, _, batch, index, entry in work:
        rule = None if entry.rule is None else table.rule_key(entry.rule)
        outcomes[batch][index] = put(slots[number], entry, rule, table)
    _tell_overtaken(work, outcomes)
    table.store()
    return outcomes


def _tell_overtaken(work: "list[_Item]", outcomes: list[list[Outcome]]) -> None:
    """Set the outcome SUPERSEDED for entries that arrived after a newer one in the same group, as if sent one by one."""
    newer: _Item | None = None  # of this series, the earliest to arrive among those observed later
    for item in reversed(work):
        if newer is None or newer[0] != item[0] or newer[2:4] > item[2:4]:
            newer = item
        elif newer[1] > item[1] and outcomes[item[2]][item[3]] is _ACCEPTED:
            outcomes[item[2]][item[3]] = Outcome.SUPERSEDED


def _sorted_work(table: Table, names: Naming, batches: Sequence[Batch], outcomes: list[list[Outcome]]) -> "list[_Item]":
    """Return the entries whose vehicle is known and may be written, by vehicle, signal, source and time of observation."""
    sources = table.sources
    keys = names.keys({entry.vehicle for entries, _ in batches for entry in entries})
    work: list[_Item] = []
    for number, (entries, only_for) in enumerate(batches):
        for index, entry in enumerate(entries):
            vehicle_key = keys.get(entry.vehicle)
            if vehicle_key is None:
                continue
            if only_for is not None and not names.may_write(only_for, vehicle_key):
                outcomes[number][index] = Outcome.NOT_PERMITTED
                continue
            source_key = sources.get(entry.source)
            if source_key is None:
                source_key = table.source_key(entry.source)
            series = (vehicle_key << VEHICLE_SHIFT) + (entry.signal.key << SOURCE_BITS) + source_key
            work.append((series, entry.observed_at, number, index, entry))
    work.sort()  # number and index are never twice the same, so entries are not compared
    return work
