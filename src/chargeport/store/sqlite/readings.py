"""The newest value of each signal, the changes that led there, and everything that is stored, in order."""

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from chargeport.signals.catalogue import BY_KEY, IS_CHARGING, TWINS
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.freshness import Freshness
from chargeport.signals.held import SILENT_MS
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.signals.state import State
from chargeport.store.records import Change, Outcome, Selection, Stretch, VehicleStates
from chargeport.store.sqlite import rows
from chargeport.store.sqlite.engine import Connection, Row, fetch
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.sightings import sightings
from chargeport.store.sqlite.slot import SIGNAL_BITS
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


class ReadingTables:
    """`store.protocols.Readings` on SQLite."""

    def __init__(self, path: Path, reader: Reader, writer: Writer, scans: Scans) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._scans = scans
        self._hearers: list[Callable[[Sequence[Entry]], None]] = []
        self._freshness = Freshness()
        self._live_for_ms: dict[int, int] = {}  # what that says, by source key and signal key in one number

    async def write(self, entries: Sequence[Entry], only_for: str | None = None) -> list[Outcome]:
        """Store entries; returns when they are on disk. See `store.protocols.Readings`."""
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
        """The ids of cars of which a live value was observed since. See `store.protocols.Readings`."""

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

    def sightings(self, selection: Selection) -> AsyncIterator[Stretch]:
        """What is stored, in order. See `store.protocols.Readings`."""
        return sightings(self._path, selection)
