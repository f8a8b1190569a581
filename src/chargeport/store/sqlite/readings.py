"""The newest value of each signal, the changes that led there, and everything that is stored, in order."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from chargeport.signals.catalogue import BY_KEY, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.freshness import Freshness
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.signals.state import State
from chargeport.store.history.runs import ALWAYS
from chargeport.store.records import Change, Forgotten, Outcome, Selection, Stretch, VehicleSeries
from chargeport.store.sql import SlotsOf
from chargeport.store.sqlite import rows
from chargeport.store.sqlite.engine import Connection, Row, fetch
from chargeport.store.sqlite.forgetting import forget
from chargeport.store.sqlite.keys import MAX_SOURCES, SOURCE_BITS, VEHICLE_SHIFT
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.sightings import sightings
from chargeport.store.sqlite.slot import SlotTable
from chargeport.store.sqlite.writer import Writer

_SERIES: Final = (1 << VEHICLE_SHIFT) - 1  # the part of a slot that names a signal and a source
_STATE: Final = rows.VEHICLE.count(",") + 1  # where a state's columns begin behind a vehicle's
_SELECT: Final = f"SELECT {rows.VEHICLE}, {rows.STATE} FROM vehicles v LEFT JOIN latest l ON"
_ALL: Final = (
    f"{_SELECT} l.slot BETWEEN v.key << {VEHICLE_SHIFT} AND (v.key << {VEHICLE_SHIFT}) + {(1 << VEHICLE_SHIFT) - 1}"
    " WHERE v.id = ?1"
)


def _of_signal(key: str) -> str:
    """The condition for the series of a signal."""
    first = f"(v.key << {VEHICLE_SHIFT}) + ({key} << {SOURCE_BITS})"
    return f"l.slot BETWEEN {first} AND {first} + {MAX_SOURCES}"


def _of_signals(first: int, last: int) -> str:
    """The condition for the series of the signals from one key to another."""
    car = f"(v.key << {VEHICLE_SHIFT})"
    return f"l.slot BETWEEN {car} + ({first} << {SOURCE_BITS}) AND {car} + ({last} << {SOURCE_BITS}) + {MAX_SOURCES}"


_ONE: Final = f"{_SELECT} {_of_signal('?2')} WHERE v.id = ?1"
_FLAGS: Final = sorted((IS_CHARGING.key, CABLE_CONNECTED.key))  # next to each other: one range
_BESIDE_FLAGS: Final = f"{_SELECT} {_of_signal('?2')} OR {_of_signals(*_FLAGS)} WHERE v.id = ?1"
_CHANGES: Final = (
    "SELECT h.position, v.id, h.signal_key, h.observed_at, h.received_at, s.name, h.value, h.absence, r.text"
    " FROM history h JOIN vehicles v ON v.key = h.vehicle_key JOIN sources s ON s.key = h.source_key"
    " LEFT JOIN rules r ON r.key = h.rule_key"
    " WHERE h.position > ? AND h.continues IS NULL ORDER BY h.position LIMIT ?"
)
_CARS: Final = "SELECT key FROM vehicles WHERE key > ? ORDER BY key LIMIT ?"
_LIVE_KEYS: Final = ", ".join(str(key) for key, signal in BY_KEY.items() if signal.cadence is Cadence.LIVE)
_HEARD_OF: Final = (
    f"SELECT v.id FROM vehicles v WHERE v.key > ?1 AND v.key <= ?2 AND EXISTS (SELECT 1 FROM latest l WHERE l.slot BETWEEN"
    f" v.key << {VEHICLE_SHIFT} AND (v.key << {VEHICLE_SHIFT}) + {(1 << VEHICLE_SHIFT) - 1} AND l.observed_at >= ?3"
    f" AND l.signal_key IN ({_LIVE_KEYS}))"
)


class ReadingTables:
    """`store.protocols.Readings` on SQLite."""

    slots_of: SlotsOf = SlotTable

    def __init__(self, path: Path, reader: Reader, writer: Writer, scans: Scans) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._scans = scans
        self._hearers: list[Callable[[Sequence[Entry]], None]] = []
        self._freshness = Freshness()
        self._ranks = Ranks()
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

    @property
    def ranks(self) -> Ranks:
        """Which sources are preferred."""
        return self._ranks

    def set_ranks(self, ranks: Ranks) -> None:
        """From now on readers prefer sources as this says."""
        self._ranks = ranks

    async def sources(self) -> list[str]:
        """The names of all sources that ever reported. See `store.protocols.Readings`."""
        return [name for (name,) in self._reader.rows("SELECT name FROM sources ORDER BY name", ())]

    async def cars_heard_of(self, since_at: int, after: int, limit: int) -> tuple[list[str], int | None]:
        """The ids of cars of which a live value was observed since. See `store.protocols.Readings`."""

        def scan(connection: Connection) -> tuple[list[str], int | None]:
            keys = [key for (key,) in fetch(connection, _CARS, (after, limit))]
            if not keys:
                return [], None
            found = fetch(connection, _HEARD_OF, (after, keys[-1], since_at))
            return [vehicle_id for (vehicle_id,) in found], keys[-1] if len(keys) == limit else None

        return await self._scans.run(scan)

    async def signal(self, vehicle_id: str, signal: Signal) -> VehicleSeries | None:
        """The car with the series of one signal and of the flags that it depends on."""
        beside = signal.cadence is not Cadence.LASTING or signal is CABLE_CONNECTED
        return self._found(self._reader.rows(_BESIDE_FLAGS if beside else _ONE, (vehicle_id, signal.key)))

    async def signals(self, vehicle_id: str) -> VehicleSeries | None:
        """The car with all its series."""
        return self._found(self._reader.rows(_ALL, (vehicle_id,)))

    def _found(self, found: Sequence[Row]) -> VehicleSeries | None:
        """The car and the states that stand behind it in each row; none for a new car, of which nothing is known."""
        if not found:
            return None
        series: dict[int, tuple[State, ...]] = {}
        for row in found:
            if row[_STATE] is not None:
                state = self._state(row)
                key = state.signal.key
                series[key] = (*series[key], state) if key in series else (state,)
        return VehicleSeries(rows.vehicle(found[0]), series)

    def _state(self, row: Row) -> State:
        slot, value, observed_at, changed_at, received_at, position, gone, gone_at, gone_received_at, rule = row[_STATE:]
        series = slot & _SERIES
        signal_key = series >> SOURCE_BITS
        signal = BY_KEY[signal_key]
        source = self._reader.source(slot & MAX_SOURCES)
        live_for_ms = self._live_for_ms.get(series)
        if live_for_ms is None:
            live_for_ms = self._live_for_ms[series] = self._freshness.of(source, signal)
        return State(
            signal,
            rows.value(signal_key, value),
            observed_at,
            changed_at,
            received_at,
            source,
            position,
            None if gone is None else AbsenceReason(gone),
            gone_at,
            gone_received_at,
            None if gone is None else source,
            live_for_ms,
            None if rule is None else self._reader.rule(rule),
        )

    async def forget(
        self, source: str, vehicle_id: str | None = None, from_at: int | None = None, to_at: int | None = None
    ) -> Forgotten:
        """Erase what a source reported. See `store.protocols.Readings`."""
        bounds = (-ALWAYS if from_at is None else from_at, ALWAYS if to_at is None else to_at)
        found, after = Forgotten(), 0
        while True:
            step = partial(forget, slots_of=self.slots_of, source=source, vehicle_id=vehicle_id, bounds=bounds, after=after)
            erased, reached = await self._writer.call(step)
            found = found.plus(erased)
            if reached is None:
                return found
            after = reached

    async def changes(self, after: int, limit: int) -> list[Change]:
        """The stored changes after a position, oldest first."""
        return [rows.change(row) for row in self._reader.rows(_CHANGES, (after, limit))]

    async def position(self) -> int:
        """How far the feed has come."""
        return self._reader.count("SELECT value FROM sequences WHERE name = 'position'")

    def sightings(self, selection: Selection) -> AsyncIterator[Stretch]:
        """What is stored, in order. See `store.protocols.Readings`."""
        return sightings(self._path, selection)
