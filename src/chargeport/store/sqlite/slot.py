"""The latest row of one series while a commit group works on it, and the writes that the group has gathered.

Writes are gathered and done in bulk at the end of the group; `flush` does them early where something must be read back.
"""

from typing import Any, Final

from chargeport.errors import StoreError
from chargeport.signals.reading import Entry
from chargeport.store.sqlite.engine import Connection, Row

_EMPTY: Final = (None, None, None, None, 0, 0, None, None, None, None, None)
TAIL_BYTES: Final = 4 * 32  # sightings kept in `latest` before they move to the run in history
RUN_MS: Final = 6 * 3600 * 1000  # a run that lasts longer is carried on in a new row: keeps `seen` under ten kilobytes
MAX_OFFSET_MS: Final = 0xFFFF_FFFF

# `slot` is the keys of the vehicle, the signal and the source in one integer: see the schema.
SOURCE_BITS: Final = 20
VEHICLE_SHIFT: Final = SOURCE_BITS + 8
MAX_SOURCES: Final = (1 << SOURCE_BITS) - 1
_COLUMNS: Final = (
    "value, observed_at, changed_at, received_at, position, run_at, absence, absence_at, absence_received_at, rule_key, seen"
)
OF_VEHICLE: Final = f"slot BETWEEN ?1 << {VEHICLE_SHIFT} AND (?1 << {VEHICLE_SHIFT}) + {(1 << VEHICLE_SHIFT) - 1}"
_SELECT: Final = f"SELECT vehicle_key, signal_key, source_key, {_COLUMNS} FROM latest WHERE"
_SELECT_VEHICLE: Final = f"{_SELECT} {OF_VEHICLE}"
_SELECT_ONE: Final = f"{_SELECT} slot = ?"
_INSERT: Final = f"INSERT INTO latest (slot, {_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
_UPDATE: Final = (
    "UPDATE latest SET value = ?2, observed_at = ?3, changed_at = ?4, received_at = ?5, position = ?6, run_at = ?7,"
    " absence = ?8, absence_at = ?9, absence_received_at = ?10, rule_key = ?11, seen = ?12 WHERE slot = ?1"
)
_INSERT_RUN: Final = (
    "INSERT INTO history (vehicle_key, signal_key, source_key, observed_at, position, received_at, value, absence, continues,"
    " rule_key) VALUES (?,?,?,?,?,?,?,?,?,?)"
)
_APPEND_SEEN: Final = (
    "UPDATE history SET seen = CAST(coalesce(seen, x'') || ? AS BLOB), last_seen_at = ?"
    " WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND observed_at = ? AND position = ?"
)
# While an absence holds, the last time of it is kept in `latest` only.
_ABSENT_UNTIL: Final = (
    "UPDATE history SET last_seen_at = ?1 WHERE vehicle_key = ?2 AND signal_key = ?3 AND source_key = ?4"
    " AND absence IS NOT NULL AND observed_at < ?1 AND position = (SELECT position FROM history WHERE vehicle_key = ?2"
    " AND signal_key = ?3 AND source_key = ?4 AND absence IS NOT NULL AND observed_at <= ?1"
    " ORDER BY observed_at DESC, absence DESC LIMIT 1)"
)


SeriesKey = tuple[int, int, int]
"""The keys of a vehicle, a signal and a source."""


def slot_of(vehicle_key: int, signal_key: int, source_key: int) -> int:
    """The keys of a series in one integer."""
    return (vehicle_key << VEHICLE_SHIFT) + (signal_key << SOURCE_BITS) + source_key


class Slot:
    """One row of `latest`, in columns' order, with what follows from it: whether an absence holds, the newest instant."""

    __slots__ = (
        "absence",
        "absence_at",
        "absence_received_at",
        "absent",
        "changed_at",
        "dirty",
        "new",
        "newest_at",
        "observed_at",
        "position",
        "received_at",
        "rule_key",
        "run_at",
        "seen",
        "signal_key",
        "source_key",
        "value",
        "vehicle_key",
    )

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.vehicle_key: int
        self.signal_key: int
        self.source_key: int
        self.value: Any
        self.observed_at: int | None
        self.changed_at: int | None
        self.received_at: int | None
        self.position: int
        self.run_at: int
        self.absence: str | None
        self.absence_at: int | None
        self.absence_received_at: int | None
        self.rule_key: int | None
        (
            self.vehicle_key, self.signal_key, self.source_key, self.value, self.observed_at, self.changed_at,
            self.received_at, self.position, self.run_at, self.absence, self.absence_at, self.absence_received_at,
            self.rule_key, seen,
        ) = row  # fmt: skip
        self.seen: bytes = seen or b""
        self.dirty = False
        self.new = self.position == 0 and self.absence_at is None
        if self.absence_at is None:  # nearly always
            self.absent = False
            self.newest_at = -1 if self.observed_at is None else self.observed_at
        else:
            self.settle()

    @property
    def key(self) -> SeriesKey:
        """The vehicle's, the signal's and the source's key."""
        return self.vehicle_key, self.signal_key, self.source_key

    def settle(self) -> None:
        """Work out what follows from the times."""
        observed_at = -1 if self.observed_at is None else self.observed_at
        absence_at = -1 if self.absence_at is None else self.absence_at
        self.absent = absence_at > observed_at
        self.newest_at = max(absence_at, observed_at)

    def row(self) -> tuple[Any, ...]:
        """The row to write."""
        return (
            slot_of(*self.key), self.value, self.observed_at, self.changed_at, self.received_at, self.position, self.run_at,
            self.absence, self.absence_at, self.absence_received_at, self.rule_key, self.seen or None,
        )  # fmt: skip


class SlotTable:
    """All the slots that a commit group touches."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._execute = connection.cursor().execute  # one cursor for all: making one costs as much as stepping it
        self._slots: dict[SeriesKey, Slot] = {}
        self._scanned: set[int] = set()
        self._touched: list[Slot] = []
        self._runs: list[tuple[Any, ...]] = []
        self._sightings: list[tuple[Any, ...]] = []
        self._absent_until: list[tuple[int, int, int, int]] = []
        self._sources: dict[str, int] = dict(self.rows("SELECT name, key FROM sources"))
        self._rules: dict[str, int] = {}
        self._position: int = self.rows("SELECT value FROM sequences WHERE name = 'position'")[0][0]
        self._first_position = self._position

    def rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Row]:
        """What a query finds."""
        return self._execute(sql, bindings).fetchall()

    def execute(self, sql: str, bindings: tuple[Any, ...]) -> None:
        """Change the database at once."""
        self._connection.execute(sql, bindings)

    def load_vehicle(self, vehicle_key: int) -> None:
        """Read all rows of a vehicle at once."""
        self._scanned.add(vehicle_key)
        for row in self.rows(_SELECT_VEHICLE, (vehicle_key,)):
            self._slots[row[:3]] = Slot(row)

    def slot(self, key: SeriesKey) -> Slot:
        """The slot of a series, read if need be; an empty one where nothing is known yet."""
        slot = self._slots.get(key)
        if slot is None:
            rows = () if key[0] in self._scanned else self.rows(_SELECT_ONE, (slot_of(*key),))
            slot = self._slots[key] = Slot(rows[0] if rows else (*key, *_EMPTY))
        return slot

    def touch(self, slot: Slot) -> None:
        """Have the slot written at the end of the group."""
        if not slot.dirty:
            slot.dirty = True
            self._touched.append(slot)

    def source_key(self, name: str) -> int:
        """The number of a source, given at its first reading. Raises StoreError when no more can be given."""
        key = self._sources.get(name)
        if key is None:
            if len(self._sources) >= MAX_SOURCES:
                raise StoreError(f"The database knows {MAX_SOURCES} sources: no other one can be added.")
            self.execute("INSERT INTO sources (name) VALUES (?)", (name,))
            key = self._sources[name] = self._connection.last_insert_rowid()
        return key

    def rule_key(self, text: str | None) -> int | None:
        """The number of a rule of derivation, given at its first value; None of what was reported."""
        if text is None:
            return None
        if not self._rules:
            self._rules = dict(self.rows("SELECT text, key FROM rules"))
        key = self._rules.get(text)
        if key is None:
            self.execute("INSERT INTO rules (text) VALUES (?)", (text,))
            key = self._rules[text] = self._connection.last_insert_rowid()
        return key

    def next_position(self) -> int:
        """A new place in the feed of changes."""
        self._position += 1
        return self._position

    def start_run(self, slot: Slot, entry: Entry, value: Any, absence: str | None, *, continues: bool = False) -> None:
        """A run begins with this entry; the one before it is finished."""
        self.finish_run(slot)
        position = self.next_position()
        self._runs.append((
            *slot.key, entry.observed_at, position, entry.received_at, value, absence, 1 if continues else None,
            self.rule_key(entry.rule),
        ))  # fmt: skip
        if absence is None:
            slot.position, slot.run_at = position, entry.observed_at

    def see(self, slot: Slot, entry: Entry) -> None:
        """The value of the slot's run was seen once more, later than ever before."""
        offset = entry.observed_at - slot.run_at
        if offset > MAX_OFFSET_MS or (offset > RUN_MS and len(slot.seen) >= TAIL_BYTES):
            self.start_run(slot, entry, slot.value, None, continues=True)
            return
        if len(slot.seen) >= TAIL_BYTES:
            self.finish_run(slot)
        slot.seen += offset.to_bytes(4, "little")

    def finish_run(self, slot: Slot) -> None:
        """Move what `latest` still holds of the run that ends to history: its sightings, or an absence's last instant."""
        if slot.seen:
            self._sightings.append((slot.seen, slot.observed_at, *slot.key, slot.run_at, slot.position))
            slot.seen = b""
        if slot.absent and slot.absence_at is not None:
            self._absent_until.append((slot.absence_at, *slot.key))

    def flush(self, slot: Slot) -> None:
        """Have everything about the slot in the database, so that its history can be read and changed."""
        self.finish_run(slot)
        self._write_history()
        if slot.absence_at is not None:
            self.execute(_ABSENT_UNTIL, (slot.absence_at, *slot.key))

    def store(self) -> None:
        """Write what the group has gathered."""
        self._write_history()
        if self._touched:
            self._connection.executemany(_INSERT, [slot.row() for slot in self._touched if slot.new])
            self._connection.executemany(_UPDATE, [slot.row() for slot in self._touched if not slot.new])
        if self._position != self._first_position:
            self.execute("UPDATE sequences SET value = ? WHERE name = 'position'", (self._position,))

    def _write_history(self) -> None:
        if self._runs:
            self._connection.executemany(_INSERT_RUN, self._runs)
            self._runs = []
        if self._sightings:
            self._connection.executemany(_APPEND_SEEN, self._sightings)
            self._sightings = []
        if self._absent_until:
            self._connection.executemany(_ABSENT_UNTIL, self._absent_until)
            self._absent_until = []
