"""The rows of `latest` that a commit group changes, and the collected writes of the group.

Writes are collected and done in bulk at the end of the group; `flush` does them early where something must be read back.
"""

from array import array
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

import apsw
from msgspec.structs import astuple

from chargeport.errors import StoreError
from chargeport.signals.reading import Entry
from chargeport.store.history.late import Edits
from chargeport.store.history.latest import Latest, finish
from chargeport.store.sqlite.engine import Connection, Row
from chargeport.store.tables.keys import LATEST, MAX_SOURCES, OF, SOURCE_BITS, VEHICLE_SHIFT, SeriesKey, key_of
from chargeport.store.tables.runs import ONE, change, insert, set_seen
from chargeport.store.tables.series import Series

_COLUMNS: Final = ", ".join(f"latest.{column}" for column in LATEST.split(", "))
_SELECT: Final = f"SELECT {_COLUMNS}, slot FROM carray(?) CROSS JOIN latest ON slot = carray.value"
_STORE: Final = f"REPLACE INTO latest ({LATEST}, slot) VALUES"
_INSERT_FEED: Final = "INSERT INTO feed (position, slot, observed_at) VALUES"
_INSERT_RUNS: Final = (
    "INSERT INTO recent (vehicle_key, signal_key, source_key, observed_at, position, lag, value, absence, lasted, seen,"
    " continues, rule_key) VALUES"
)
_ROWS: Final = 64  # in one statement: the cost of a statement is that of half a row of the feed
_APPEND_SEEN: Final = f"UPDATE {{}} SET seen = CAST(coalesce(seen, x'') || ? AS BLOB), lasted = ? - observed_at WHERE {ONE}"
# While an absence is valid, its last instant is in `latest` only.
_NEWEST_ABSENCE: Final = (
    f"SELECT observed_at, position FROM history WHERE {OF} AND absence IS NOT NULL AND observed_at <= ?"
    " ORDER BY observed_at DESC, absence DESC LIMIT 1"
)
_LASTS_UNTIL: Final = f"UPDATE {{}} SET lasted = ? - observed_at WHERE {ONE}"


class SlotTable:
    """All the slots that a commit group touches. `store.history.late.Editor` on SQLite."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._execute = connection.cursor().execute  # one cursor for all: creating one costs as much as stepping it
        self._slots: dict[int, Latest] = {}
        self._runs: list[Any] = []  # the columns of one run after the other
        self._feed: list[int] = []  # as well
        self._sightings: list[tuple[Any, ...]] = []
        self._absent_until: list[tuple[SeriesKey, int]] = []
        self.sources: dict[str, int] = dict(self.rows("SELECT name, key FROM sources"))
        self._rules: dict[str, int] = {}
        self._position: int = self.rows("SELECT value FROM sequences WHERE name = 'position'")[0][0]
        self._first_position = self._position

    def rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Row]:
        """Return the rows of a query."""
        return self._execute(sql, bindings).fetchall()

    def execute(self, sql: str, bindings: tuple[Any, ...]) -> None:
        """Change the database at once."""
        self.connection.execute(sql, bindings)

    @property
    def position(self) -> int:
        """The greatest position that was assigned."""
        return self._position

    def take(self, numbers: Sequence[int]) -> None:
        """Move to history what only the rows of these series have."""
        for latest in self.open(numbers).values():
            self.flush(latest)

    def put(self, number: int, latest: Latest) -> None:
        """Write the row of a series that has none."""
        self._insert(_STORE, 12, [*latest.columns(), number])

    def open(self, numbers: Sequence[int]) -> Mapping[int, Latest]:
        """Return the rows of series, read in this order and to be written at the end; an empty one where nothing is known."""
        slots = self._slots
        if numbers:
            for row in self.rows(_SELECT, (apsw.carray(array("q", numbers)),)):
                slots[row[-1]] = Latest(*row)
            for number in numbers:
                if number not in slots:
                    slots[number] = Latest(slot=number)
        return slots

    def source_key(self, name: str) -> int:
        """Return the number of a source, assigned at its first reading. Raises StoreError if no more can be assigned."""
        key = self.sources.get(name)
        if key is None:
            if len(self.sources) >= MAX_SOURCES:
                raise StoreError(f"The database has {MAX_SOURCES} sources: no other one can be added.")
            self.execute("INSERT INTO sources (name) VALUES (?)", (name,))
            key = self.sources[name] = self.connection.last_insert_rowid()
        return key

    def rule_key(self, text: str) -> int:
        """Return the number of a rule of derivation, assigned at its first value."""
        if not self._rules:
            self._rules = dict(self.rows("SELECT text, key FROM rules"))
        key = self._rules.get(text)
        if key is None:
            self.execute("INSERT INTO rules (text) VALUES (?)", (text,))
            key = self._rules[text] = self.connection.last_insert_rowid()
        return key

    def next_position(self) -> int:
        """Return a new position in the feed of changes."""
        self._position += 1
        return self._position

    def begin(self, latest: Latest, entry: Entry, value: Any, absence: str | None, rule: Any, *, continues: int | None) -> int:
        """Begin a run with an entry; return its position in the feed."""
        self._position = position = self._position + 1
        slot, at = latest.slot, entry.observed_at
        self._runs += (
            slot >> VEHICLE_SHIFT, slot >> SOURCE_BITS & 255, slot & MAX_SOURCES, at, position, entry.received_at - at, value,
            absence, None, None, continues, rule,
        )  # fmt: skip
        self._feed += position, slot, at
        return position

    def extend(self, latest: Latest) -> None:
        """Move the newest sightings of a value to its run."""
        self._sightings.append((latest.seen, latest.observed_at, *key_of(latest.slot), latest.run_at, latest.position))

    def extend_absence(self, latest: Latest) -> None:
        """Note that the newest absence was last seen at this instant."""
        if latest.absence_at is not None:
            self._absent_until.append((key_of(latest.slot), latest.absence_at))

    def flush(self, latest: Latest) -> Series:
        """Write everything about the slot to history; return the series to read it."""
        finish(latest, self)
        self._write_history()
        if latest.absence_at is not None:
            self._extend_absence(key_of(latest.slot), latest.absence_at)
        return Series(self.connection, key_of(latest.slot))

    def edit(self, latest: Latest, edits: Edits) -> None:
        """Change runs at once."""
        key = key_of(latest.slot)
        set_seen(
            self.connection,
            [(after.seen, after.last_seen_at, *key, before.observed_at, before.position) for before, after in edits.changed],
        )
        insert(self.connection, [(*key, *run) for run in edits.added])
        for run in edits.added:
            self._feed += run.position, latest.slot, run.observed_at
        self._write_history()

    def store(self) -> None:
        """Write the collected writes of the group."""
        self._write_history()
        self._insert(_STORE, 12, list(chain.from_iterable(map(astuple, self._slots.values()))))
        if self._position != self._first_position:
            self.execute("UPDATE sequences SET value = ? WHERE name = 'position'", (self._position,))

    def _write_history(self) -> None:
        self._insert(_INSERT_RUNS, 12, self._runs)
        self._insert(_INSERT_FEED, 3, self._feed)
        self._runs, self._feed = [], []
        if self._sightings:
            change(self.connection, _APPEND_SEEN, self._sightings)
            self._sightings = []
        for key, at in self._absent_until:
            self._extend_absence(key, at)
        self._absent_until = []

    def _insert(self, into: str, width: int, columns: list[Any]) -> None:
        """Insert rows with this number of columns, which are given one after the other."""
        row = f"({','.join('?' * width)}),"
        for start in range(0, len(columns), width * _ROWS):
            part = columns[start : start + width * _ROWS]
            self._execute(f"{into} {(row * (len(part) // width))[:-1]}", part)

    def _extend_absence(self, key: SeriesKey, at: int) -> None:
        """Note that the newest absence of a series that began until an instant was last seen then."""
        for began_at, position in self.rows(_NEWEST_ABSENCE, (*key, at)):
            if began_at < at:
                change(self.connection, _LASTS_UNTIL, [(at, *key, began_at, position)])
