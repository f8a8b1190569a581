"""The rows of `latest` that a transaction changes, and its collected writes: read and written in bulk, by arrays.

The counterpart of `sqlite/slot.py`. All series of a group are read by one query, once their vehicles are locked.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec.structs import astuple

from chargeport.signals.reading import Entry
from chargeport.store.history.late import Edits
from chargeport.store.history.latest import Latest, finish
from chargeport.store.postgres.connection import Connection
from chargeport.store.postgres.positions import FIRST
from chargeport.store.retention_policy import DAY_MS
from chargeport.store.tables.keys import LATEST, VEHICLE_SHIFT, key_of
from chargeport.store.tables.runs import insert, set_seen
from chargeport.store.tables.series import Series

_encode: Final = msgspec.json.Encoder().encode

_VEHICLES: Final = f"SELECT {FIRST}, ARRAY(SELECT key FROM vehicles WHERE key = ANY($1::bigint[]))"
_LATEST_COLUMNS: Final = ", ".join(f"l.{column.strip()}" for column in LATEST.split(","))
_LOAD: Final = (
    f"SELECT {_LATEST_COLUMNS}, l.slot FROM unnest($1::bigint[], $2::bigint[]) AS n (vehicle_key, slot)"
    " JOIN latest l ON l.vehicle_key = n.vehicle_key AND l.slot = n.slot"
)
_PUT: Final = f"INSERT INTO latest (vehicle_key, slot, {LATEST}) VALUES ({','.join(f'${n + 1}' for n in range(13))})"


def _unnest(types: str) -> str:
    """Return the arrays of columns, of these types, as rows."""
    return f"unnest({', '.join(f'${number}::{kind}[]' for number, kind in enumerate(types.split(), 1))})"


_RUN_NAMES: Final = "vehicle_key, signal_key, source_key, observed_at, position, lag, value, absence, continues, rule_key"
_RUN_TYPES: Final = "bigint smallint integer bigint bigint bigint text text smallint bigint"
ADD_RUNS: Final = (
    f"INSERT INTO runs ({_RUN_NAMES}) SELECT vehicle_key, signal_key, source_key, observed_at, position, lag - observed_at,"
    f" value::json, absence, continues, rule_key FROM {_unnest(_RUN_TYPES)} AS n ({_RUN_NAMES})"
)
_SLOT_NAMES: Final = f"vehicle_key, slot, {LATEST}"
_SLOT_TYPES: Final = "bigint bigint text bigint bigint bigint bigint bigint text bigint bigint bigint bytea"
STORE: Final = (
    f"INSERT INTO latest ({_SLOT_NAMES}) SELECT vehicle_key, slot, value::json,"
    f" {LATEST.partition(', ')[2]} FROM {_unnest(_SLOT_TYPES)} AS n ({_SLOT_NAMES})"
    " ON CONFLICT (vehicle_key, slot) DO UPDATE SET "
    + ", ".join(f"{column.strip()} = excluded.{column.strip()}" for column in LATEST.split(","))
)
_EXTEND: Final = (
    "UPDATE runs h SET seen = coalesce(h.seen, ''::bytea) || n.seen, lasted = n.last_seen_at - h.observed_at"
    f" FROM {_unnest('bigint smallint integer bigint bigint bytea bigint')}"
    " AS n (vehicle_key, signal_key, source_key, observed_at, position, seen, last_seen_at)"
    " WHERE h.vehicle_key = n.vehicle_key AND h.signal_key = n.signal_key AND h.source_key = n.source_key"
    " AND h.observed_at = n.observed_at AND h.position = n.position"
)
_LATE_NAMES: Final = "vehicle_key, signal_key, source_key, day, first_at, last_at, position"
_SEE_LATE: Final = (
    f"INSERT INTO late_sightings AS s ({_LATE_NAMES}) SELECT {_LATE_NAMES}"
    f" FROM {_unnest('bigint smallint integer bigint bigint bigint bigint')} AS n ({_LATE_NAMES})"
    " ON CONFLICT (vehicle_key, signal_key, source_key, day) DO UPDATE SET position = excluded.position,"
    " first_at = least(s.first_at, excluded.first_at), last_at = greatest(s.last_at, excluded.last_at)"
)
# While an absence is valid, its last instant is in `latest` only.
_ABSENT_UNTIL: Final = (
    "UPDATE runs SET lasted = ?1 - observed_at WHERE vehicle_key = ?2 AND signal_key = ?3 AND source_key = ?4"
    " AND absence IS NOT NULL AND observed_at < ?1 AND position = (SELECT position FROM runs WHERE vehicle_key = ?2"
    " AND signal_key = ?3 AND source_key = ?4 AND absence IS NOT NULL AND observed_at <= ?1"
    " ORDER BY observed_at DESC, absence DESC LIMIT 1)"
)


class VehicleGoneError(Exception):
    """A vehicle was removed after its name was looked up: the group is started again."""


class Group:
    """`store.history.late.Editor` and `store.sql.Slots` on PostgreSQL. Belongs to one transaction."""

    def __init__(
        self, connection: Connection, sources: dict[str, int] | None = None, rules: dict[str, int] | None = None
    ) -> None:
        """Begin a group; `sources` and `rules` have the keys of all names in the entries."""
        self.connection = connection
        self.sources = sources or {}
        self._rules = rules or {}
        self._slots: dict[int, Latest] = {}
        self._runs: list[tuple[Any, ...]] = []
        self._sightings: dict[tuple[int, ...], tuple[bytes, int | None]] = {}
        self._absent_until: list[tuple[Any, ...]] = []
        self._seen_late: dict[tuple[int, ...], list[int]] = {}  # the instants, by series and day
        self._position = -1

    @property
    def position(self) -> int:
        """The greatest position that was assigned. The vehicles are locked."""
        if self._position < 0:
            self._position = self.connection.fetch(f"SELECT {FIRST}")[0][0]
        return self._position

    def open(self, numbers: Sequence[int]) -> Mapping[int, Latest]:
        """Lock the vehicles of these series, then read the series, which are written at the end. Raises VehicleGoneError."""
        if numbers:
            keys = list(dict.fromkeys(number >> VEHICLE_SHIFT for number in numbers))
            self.connection.lock_vehicles(keys)
            ((self._position, found),) = self.connection.fetch(_VEHICLES, keys)
            if len(found) < len(keys):
                raise VehicleGoneError
            self._slots |= self._read(numbers)
        return self._slots

    def take(self, numbers: Sequence[int]) -> None:
        """Move to history what only the rows of these series have. Their vehicle is locked."""
        read = self._read(numbers) if numbers else {}
        self._slots |= read
        for latest in read.values():
            self.flush(latest)

    def _read(self, numbers: Sequence[int]) -> dict[int, Latest]:
        """Return the rows of series; an empty one where nothing is known yet."""
        rows = self.connection.fetch(_LOAD, [number >> VEHICLE_SHIFT for number in numbers], list(numbers))
        known = {row[-1]: Latest(*row) for row in rows}
        return {number: known.get(number) or Latest(slot=number) for number in numbers}

    def put(self, number: int, latest: Latest) -> None:
        """Write the row of a series that has none."""
        self.connection.fetch(_PUT, number >> VEHICLE_SHIFT, number, *latest.columns())

    def source_key(self, name: str) -> int:
        """Return the number of a source."""
        return self.sources[name]

    def rule_key(self, text: str) -> int:
        """Return the number of a rule of derivation."""
        return self._rules[text]

    def next_position(self) -> int:
        """Return a new position in the feed of changes."""
        self._position = self.position + 1
        return self._position

    def begin(self, latest: Latest, entry: Entry, value: Any, absence: str | None, rule: Any, *, continues: int | None) -> int:
        """Begin a run with an entry; return its position in the feed."""
        position = self.next_position()
        run = (entry.observed_at, position, entry.received_at, value, absence, None, None, continues, rule)
        self._runs.append(key_of(latest.slot) + run)
        return position

    def extend(self, latest: Latest) -> None:
        """Move the newest sightings of a value to its run."""
        run = (*key_of(latest.slot), latest.run_at, latest.position)
        before = self._sightings.get(run, (b"", None))[0]
        self._sightings[run] = before + (latest.seen or b""), latest.observed_at

    def extend_absence(self, latest: Latest) -> None:
        """Note that the newest absence was last seen at this instant."""
        self._absent_until.append((latest.absence_at, *key_of(latest.slot)))

    def flush(self, latest: Latest) -> Series:
        """Write everything about the series to history; return the series to read it."""
        finish(latest, self)
        if latest.absence_at is not None:
            self.extend_absence(latest)
        self._write_history()
        return Series(self.connection, key_of(latest.slot))

    def edit(self, latest: Latest, edits: Edits) -> None:
        """Change runs together."""
        key = key_of(latest.slot)
        changed = [
            (after.seen, after.last_seen_at, *key, before.observed_at, before.position) for before, after in edits.changed
        ]
        set_seen(self.connection, changed)
        if not edits.added:  # else the positions of the added runs show it
            self._note_late(key, edits)
        insert(self.connection, [(*key, *run) for run in edits.added])

    def _note_late(self, key: tuple[int, int, int], edits: Edits) -> None:
        for before, after in edits.changed:
            for at in {*after.sightings()} - {*before.sightings()}:
                self._seen_late.setdefault((*key, at // DAY_MS), []).append(at)

    def store(self) -> None:
        """Write the collected writes of the group."""
        self._write_history()
        if self._seen_late:
            position = self.next_position()
            late = [(*day, min(seen), max(seen), position) for day, seen in sorted(self._seen_late.items())]
            self.connection.fetch(_SEE_LATE, *zip(*late, strict=True))
            self._seen_late = {}
        if self._slots:
            keys = [slot >> VEHICLE_SHIFT for slot in self._slots]
            values, *others, slots = zip(*map(astuple, self._slots.values()), strict=True)
            self.connection.fetch(STORE, keys, slots, _as_json(values), *others)

    def _write_history(self) -> None:
        if self._runs:
            *before, values, absences, _, _, continues, rules = zip(*self._runs, strict=True)  # seen once: they begin
            self.connection.fetch(ADD_RUNS, *before, _as_json(values), absences, continues, rules)
            self._runs = []
        if self._sightings:
            rows = [(*run, *seen) for run, seen in self._sightings.items()]
            self.connection.fetch(_EXTEND, *zip(*rows, strict=True))
            self._sightings = {}
        if self._absent_until:
            self.connection.executemany(_ABSENT_UNTIL, self._absent_until)
            self._absent_until = []


def _as_json(values: Sequence[Any]) -> list[str | None]:
    """Return a column of values as JSON texts."""
    return [None if value is None else _encode(value).decode() for value in values]
