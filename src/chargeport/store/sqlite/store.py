"""SqliteStore: the whole store on one file, put together from its parts."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from chargeport.signals.catalogue import BY_KEY, IS_CHARGING, TWINS
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.freshness import Freshness
from chargeport.signals.held import SILENT_MS
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.signals.state import State
from chargeport.store.records import Change, Outcome, VehicleStates
from chargeport.store.sqlite import rows
from chargeport.store.sqlite.access import AccessTables
from chargeport.store.sqlite.engine import Connection, Row, fetch
from chargeport.store.sqlite.files import DatabaseFiles, refuse_new
from chargeport.store.sqlite.health import Health
from chargeport.store.sqlite.issues import IssueTable
from chargeport.store.sqlite.notes import NoteTables
from chargeport.store.sqlite.opening import opened
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.retention import AgeingHistory
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.sessions import SessionTables
from chargeport.store.sqlite.sightings import SightingTables
from chargeport.store.sqlite.sign_in import SignInTables
from chargeport.store.sqlite.slot import SIGNAL_BITS
from chargeport.store.sqlite.vehicles import VehicleTables
from chargeport.store.sqlite.writer import Writer

_STATE: Final = rows.VEHICLE.count(",") + 1  # where a state's columns begin behind a vehicle's
_STATE_END: Final = _STATE + rows.STATE.count(",") + 1
_OF_CAR: Final = f"FROM vehicles v LEFT JOIN latest l ON l.slot = (v.key << {SIGNAL_BITS})"
_ALL: Final = (
    f"SELECT {rows.VEHICLE}, {rows.STATE} FROM vehicles v LEFT JOIN latest l ON l.slot BETWEEN v.key << {SIGNAL_BITS}"
    f" AND (v.key << {SIGNAL_BITS}) + {(1 << SIGNAL_BITS) - 1} WHERE v.id = ?1"
)
_LASTING: Final = f"SELECT {rows.VEHICLE}, {rows.STATE} {_OF_CAR} + ?2 WHERE v.id = ?1"
_LIVE: Final = (
    f"SELECT {rows.VEHICLE}, {rows.STATE}, coalesce(d.value, c.value), coalesce(d.changed_at, c.changed_at),"
    f" coalesce(d.received_at, c.received_at) {_OF_CAR} + ?2"
    f" LEFT JOIN latest c ON c.slot = (v.key << {SIGNAL_BITS}) + {IS_CHARGING.key}"
    f" LEFT JOIN latest d ON d.slot = (v.key << {SIGNAL_BITS}) + {TWINS[IS_CHARGING].key} AND d.observed_at IS NOT NULL"
    f" AND (c.observed_at IS NULL OR d.observed_at > c.observed_at + {SILENT_MS}) WHERE v.id = ?1"  # as held.charging_of
)
_CHANGES: Final = (
    "SELECT h.position, v.id, h.signal_key, h.observed_at, h.received_at, s.name, h.value, h.absence"
    " FROM history h JOIN vehicles v ON v.key = h.vehicle_key JOIN sources s ON s.key = h.source_key"
    " WHERE h.position > ? AND h.continues IS NULL ORDER BY h.position LIMIT ?"
)
_CARS: Final = "SELECT key FROM vehicles WHERE key > ? ORDER BY key LIMIT ?"
_LIVE_KEYS: Final = ", ".join(str(key) for key, signal in BY_KEY.items() if signal.cadence is Cadence.LIVE)
_HEARD_OF: Final = (
    f"SELECT v.id FROM vehicles v WHERE v.key > ?1 AND v.key <= ?2 AND EXISTS (SELECT 1 FROM latest l WHERE l.slot BETWEEN"
    f" v.key << {SIGNAL_BITS} AND (v.key << {SIGNAL_BITS}) + {(1 << SIGNAL_BITS) - 1} AND l.observed_at >= ?3"
    f" AND l.slot & {(1 << SIGNAL_BITS) - 1} IN ({_LIVE_KEYS}))"
)

PROBE_BYTES: Final = 1 << 18
_PROBE: Final = "INSERT OR REPLACE INTO remembered VALUES ('chargeport', 'probe', zeroblob(?))"
_PROBED: Final = "DELETE FROM remembered WHERE owner = 'chargeport' AND key = 'probe'"


class SqliteStore(VehicleTables, AccessTables, AgeingHistory, IssueTable, NoteTables, SessionTables, SightingTables):
    """The store on SQLite. Open it with `SqliteStore.open`; it belongs to the event loop it is used on."""

    def __init__(self, path: Path, connection: Connection, ring: Callable[[], None]) -> None:
        """`connection` is the writing one, of a database that is up to date."""
        self.path = path
        self._health = Health()
        self._writer = Writer(connection, ring, DatabaseFiles(path), self._health)
        self._reader = Reader(path, self._health)
        self._scans = Scans(path, self._health)
        self.sign_in = SignInTables(self._reader, self._writer)
        self._hearers: list[Callable[[Sequence[Entry]], None]] = []
        self._freshness = Freshness()
        self._live_for_ms: dict[int, int] = {}  # what that says, by source key and signal key in one number

    @classmethod
    def open(cls, path: Path, ring: Callable[[], None] = lambda: None, *, anew: bool = False) -> "SqliteStore":
        """Open the file, made if there was none and brought up to date if it is old.

        `ring` is called after each commit. Where there was a database once, an empty one is made only `anew`. Raises StartError
        or SchemaError with one sentence.
        """
        if not anew:
            refuse_new(path)
        return cls(path, opened(path), ring)

    @classmethod
    def temporary(cls, ring: Callable[[], None] = lambda: None) -> "SqliteStore":
        """A store in a new file in a folder of its own, which the caller removes."""
        return cls.open(Path(tempfile.mkdtemp(prefix="chargeport-")) / "chargeport.db", ring)

    async def write(self, entries: Sequence[Entry], only_for: str | None = None) -> list[Outcome]:
        """Store entries; returns when they are on disk. See `store.base.Readings`."""
        outcomes = await self._writer.write(entries, only_for)
        for hear in self._hearers:
            hear(entries)
        return outcomes

    def on_written(self, hear: Callable[[Sequence[Entry]], None]) -> None:
        """Tell somebody what was stored."""
        self._hearers.append(hear)

    @property
    def freshness(self) -> Freshness:
        """For how long states stand."""
        return self._freshness

    def set_freshness(self, freshness: Freshness) -> None:
        """From now on states stand for as long as this says."""
        self._freshness = freshness
        self._live_for_ms = {}

    async def cars_heard_of(self, since_at: int, after: int, limit: int) -> tuple[list[str], int | None]:
        """The ids of cars of which a live value was observed since. See `store.base.Readings`."""

        def scan(connection: Connection) -> tuple[list[str], int | None]:
            keys = [key for (key,) in fetch(connection, _CARS, (after, limit))]
            if not keys:
                return [], None
            found = fetch(connection, _HEARD_OF, (after, keys[-1], since_at))
            return [vehicle_id for (vehicle_id,) in found], keys[-1] if len(keys) == limit else None

        return await self._scans.run(scan)

    async def signal(self, vehicle_id: str, signal: Signal) -> VehicleStates | None:
        """The car with the state of one signal and, beside a live one, what is needed of charge-ischarging."""
        is_live = signal.cadence is Cadence.LIVE
        found = self._reader.rows(_LIVE if is_live else _LASTING, (vehicle_id, signal.key))
        if not found:
            return None
        row = found[0]
        state = self._state(row)
        states = {} if state is None else {signal.key: state}
        if is_live and row[-2] is not None and signal.code != IS_CHARGING.code:
            states[IS_CHARGING.key] = State(IS_CHARGING, bool(row[-3]), row[-2], row[-2], row[-1])
        return VehicleStates(rows.vehicle(row), states)

    async def signals(self, vehicle_id: str) -> VehicleStates | None:
        """The car with all its states."""
        found = self._reader.rows(_ALL, (vehicle_id,))
        if not found:
            return None
        known = [state for row in found if (state := self._state(row)) is not None]
        return VehicleStates(rows.vehicle(found[0]), {state.signal.key: state for state in known})

    async def states_at(self, vehicle_id: str, at: int) -> VehicleStates | None:
        """The car with what was known of it at an instant. See `store.base.History`."""
        present = await self.signals(vehicle_id)
        if present is None:
            return None
        overtaken = [each for each in present.states.values() if max(each.observed_at or -1, each.absence_at or -1) > at]
        if not overtaken:
            return present
        kept = {key: state for key, state in present.states.items() if state not in overtaken}
        before = await self.states_before(vehicle_id, overtaken, at)
        past = {
            key: msgspec.structs.replace(state, live_for_ms=self._freshness.of(state.source, state.signal))
            for key, state in before.items()
        }
        return VehicleStates(present.vehicle, kept | past)

    def _state(self, row: Row) -> State | None:
        """The state that stands behind the vehicle in a row; None for a new car, of which nothing is known."""
        key, value, observed_at, changed_at, received_at, source, position, gone, gone_at, gone_received_at, gone_source = row[
            _STATE:_STATE_END
        ]
        if key is None:
            return None
        pair = (source or 0) << SIGNAL_BITS | key
        live_for_ms = self._live_for_ms.get(pair)
        if live_for_ms is None:
            live_for_ms = self._freshness.of(None if source is None else self._reader.source(source), BY_KEY[key])
            self._live_for_ms[pair] = live_for_ms
        return State(
            BY_KEY[key],
            rows.value(key, value),
            observed_at,
            changed_at,
            received_at,
            None if source is None else self._reader.source(source),
            position,
            None if gone is None else AbsenceReason(gone),
            gone_at,
            gone_received_at,
            None if gone_source is None else self._reader.source(gone_source),
            live_for_ms,
        )

    async def changes(self, after: int, limit: int) -> list[Change]:
        """The stored changes after a position, oldest first."""
        return [rows.change(row) for row in self._reader.rows(_CHANGES, (after, limit))]

    async def position(self) -> int:
        """How far the feed has come."""
        return self._reader.count("SELECT value FROM sequences WHERE name = 'position'")

    async def ping(self) -> None:
        """Read a row and write a page; after a failure write as much as a batch does. Raises StoreError."""
        self._reader.row("SELECT 1")
        if self._health.failure is not None:
            await self._writer.call(lambda connection: connection.execute(_PROBE, (PROBE_BYTES,)))
            await self._writer.call(lambda connection: connection.execute(_PROBED))
        await self._writer.call(lambda connection: connection.execute("UPDATE sequences SET value = value"))

    async def close(self) -> None:
        """Finish what is queued and let go of the file."""
        await self._writer.close()
        self._scans.close()
        self._reader.close()
