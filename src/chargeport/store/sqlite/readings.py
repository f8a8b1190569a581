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
from chargeport.store.audit import Act, recorded
from chargeport.store.history.runs import ALWAYS
from chargeport.store.records import Change, Forgotten, Outcome, Selection, Stretch, VehicleSeries
from chargeport.store.sql import SlotsOf
from chargeport.store.sqlite import rows
from chargeport.store.sqlite.engine import Connection, Row, fetch
from chargeport.store.sqlite.feed import Feed
from chargeport.store.sqlite.forgetting import forget
from chargeport.store.sqlite.keys import MAX_SOURCES, SOURCE_BITS, VEHICLE_SHIFT
from chargeport.store.sqlite.known_vehicles import KnownVehicles
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.sightings import sightings
from chargeport.store.sqlite.slot import SlotTable
from chargeport.store.sqlite.writer import Writer

_SERIES: Final = (1 << VEHICLE_SHIFT) - 1  # the part of a slot that names a signal and a source
_FLAGS: Final = sorted((IS_CHARGING.key, CABLE_CONNECTED.key))  # next to each other: one range
_FIRST_FLAG: Final = _FLAGS[0] << SOURCE_BITS
_LAST_FLAG: Final = (_FLAGS[-1] << SOURCE_BITS) + MAX_SOURCES
# Short: the text of a statement is compared at each call.
_RANGE: Final = f"SELECT {rows.STATE} FROM latest l WHERE slot BETWEEN ? AND ?"
_TWO_RANGES: Final = f"{_RANGE} OR slot BETWEEN ? AND ?"
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
    is_immediate = True

    def __init__(self, path: Path, reader: Reader, writer: Writer, scans: Scans, feed: Feed) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._scans = scans
        self._feed = feed
        self._known = KnownVehicles(reader)
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
        """Have states stand for as long as this says from now on."""
        self._freshness = freshness
        self._live_for_ms = {}

    @property
    def ranks(self) -> Ranks:
        """Which sources are preferred."""
        return self._ranks

    def set_ranks(self, ranks: Ranks) -> None:
        """Have readers prefer sources as this says from now on."""
        self._ranks = ranks

    async def sources(self) -> list[str]:
        """Return the names of all sources that ever reported. See `store.protocols.Readings`."""
        return [name for (name,) in self._reader.rows("SELECT name FROM sources ORDER BY name", ())]

    async def cars_heard_of(self, since_at: int, after: int, limit: int) -> tuple[list[str], int | None]:
        """Return the ids of cars of which a live value was observed since. See `store.protocols.Readings`."""

        def scan(connection: Connection) -> tuple[list[str], int | None]:
            keys = [key for (key,) in fetch(connection, _CARS, (after, limit))]
            if not keys:
                return [], None
            found = fetch(connection, _HEARD_OF, (after, keys[-1], since_at))
            return [vehicle_id for (vehicle_id,) in found], keys[-1] if len(keys) == limit else None

        return await self._scans.run(scan)

    async def signal(self, vehicle_id: str, signal: Signal) -> VehicleSeries | None:
        """Return the car with the series of one signal and of the flags that it depends on."""
        found = self._known.find(vehicle_id)
        if found is None:
            return None
        car = found[0] << VEHICLE_SHIFT
        first = car + (signal.key << SOURCE_BITS)
        if signal.cadence is Cadence.LASTING and signal is not CABLE_CONNECTED:
            ranges = self._reader.rows(_RANGE, (first, first + MAX_SOURCES))
        elif signal.key in _FLAGS:
            ranges = self._reader.rows(_RANGE, (car + _FIRST_FLAG, car + _LAST_FLAG))
        else:
            ranges = self._reader.rows(_TWO_RANGES, (first, first + MAX_SOURCES, car + _FIRST_FLAG, car + _LAST_FLAG))
        return VehicleSeries(found[1], self._series(ranges))

    async def signals(self, vehicle_id: str) -> VehicleSeries | None:
        """Return the car with all its series."""
        found = self._known.find(vehicle_id)
        if found is None:
            return None
        car = found[0] << VEHICLE_SHIFT
        return VehicleSeries(found[1], self._series(self._reader.rows(_RANGE, (car, car + _SERIES))))

    def _series(self, found: Sequence[Row]) -> dict[int, tuple[State, ...]]:
        """Return the states of rows, by signal."""
        series: dict[int, tuple[State, ...]] = {}
        sources, live_for = self._reader.sources, self._live_for_ms
        for slot, value, observed_at, changed_at, received_at, position, gone, gone_at, gone_received_at, rule in found:
            key = slot >> SOURCE_BITS & 255
            signal = BY_KEY[key]
            source = sources.get(slot & MAX_SOURCES) or self._reader.source(slot & MAX_SOURCES)
            live_for_ms = live_for.get(slot & _SERIES)
            if live_for_ms is None:
                live_for_ms = live_for[slot & _SERIES] = self._freshness.of(source, signal)
            state = State(
                signal,
                value if value is None or key not in rows.FLAGS else value == 1,
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
            series[key] = (*series[key], state) if key in series else (state,)
        return series

    async def forget(
        self, source: str, vehicle_id: str | None = None, from_at: int | None = None, to_at: int | None = None
    ) -> Forgotten:
        """Erase what a source reported. See `store.protocols.Readings`."""
        bounds = (-ALWAYS if from_at is None else from_at, ALWAYS if to_at is None else to_at)
        found, after = Forgotten(), 0
        while True:
            step = partial(forget, slots_of=self.slots_of, source=source, vehicle_id=vehicle_id, bounds=bounds, after=after)
            is_first = after == 0
            do = recorded(Act.SOURCE_FORGOTTEN, vehicle_id or "", step, source) if is_first else step
            erased, reached = await self._writer.call(do)
            found = found.plus(erased)
            if reached is None:
                return found
            after = reached

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the stored changes after a position, oldest first."""
        return await self._feed.changes(after, limit)

    async def position(self) -> int:
        """Return how far the feed has come."""
        return self._reader.count("SELECT value FROM sequences WHERE name = 'position'")

    def sightings(self, selection: Selection) -> AsyncIterator[Stretch]:
        """Return what is stored, in order. See `store.protocols.Readings`."""
        return sightings(self._path, selection)
