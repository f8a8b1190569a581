"""The newest value of each signal on SQLite, the changes that led there, and everything that is stored, in order."""

import asyncio
from bisect import bisect_left
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final

import apsw

from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING, VIN
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.effective import FlagReporter, flag_reporter
from chargeport.store.immediate import Sole
from chargeport.store.records import Change, Selection, Stretch, Vehicle, VehicleSeries
from chargeport.store.sql import Row, SlotsOf
from chargeport.store.sqlite.engine import connect, translated
from chargeport.store.sqlite.feed import Feed
from chargeport.store.sqlite.known_vehicles import KnownVehicles
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.slot import SlotTable
from chargeport.store.sqlite.writer import Writer
from chargeport.store.tables import rows
from chargeport.store.tables.keys import MAX_SOURCES, SERIES, SOURCE_BITS, VEHICLE_SHIFT
from chargeport.store.tables.readings import ReadingTables
from chargeport.store.tables.sightings import Pass

CACHE_KIB: Final = 16_384  # each page is read once: a larger cache would not be used
_FLAGS: Final = sorted((IS_CHARGING.key, CABLE_CONNECTED.key))  # next to each other: one range
_FIRST_FLAG: Final = _FLAGS[0] << SOURCE_BITS
_LAST_FLAG: Final = (_FLAGS[-1] << SOURCE_BITS) + MAX_SOURCES
# Short: the text of a statement is compared at each call.
_RANGE: Final = f"SELECT {rows.STATE} FROM latest l WHERE slot BETWEEN ? AND ?"
_TWO_RANGES: Final = f"{_RANGE} OR slot BETWEEN ? AND ?"
# The columns of a series for a plain read, and next to them each flag: a join of two ranges costs less than two in one.
_LEAN: Final = f"SELECT l.slot & {SERIES}, l.value, l.observed_at, l.received_at, l.absence_at, l.rule_key"
_OF_ONE: Final = "WHERE l.slot BETWEEN ? AND ? ORDER BY l.slot"
_SOLE: Final = f"{_LEAN}, NULL, NULL FROM latest l {_OF_ONE}"
_SOLE_WITH_FLAGS: Final = f"{_LEAN}, f.slot, f.changed_at FROM latest l LEFT JOIN latest f ON f.slot BETWEEN ? AND ? {_OF_ONE}"


class SqliteReadings(ReadingTables):
    """`store.protocols.Readings` on SQLite."""

    slots_of: SlotsOf = SlotTable

    _reader: Reader

    def __init__(self, path: Path, reader: Reader, writer: Writer, scans: Scans, feed: Feed) -> None:
        super().__init__(reader, writer, scans)
        self._path = path
        self._feed = feed
        self._known = KnownVehicles(reader)

    async def sources(self) -> list[str]:
        """Return the names of all sources that ever reported. See `store.protocols.Readings`."""
        return [name for (name,) in self._reader.rows("SELECT name FROM sources ORDER BY name", ())]

    async def signal(self, vehicle_id: str, signal: Signal) -> VehicleSeries | None:
        """Return the car with the series of one signal. See `store.protocols.Readings`."""
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
        return VehicleSeries(found[1], self.series(ranges))

    def sole(self, vehicle_id: str, signal: Signal) -> Sole | None:
        """Return the only series of a signal. See `store.immediate.Immediate`."""
        found = self._known.find(vehicle_id)
        if found is None or (signal is VIN and found[1].vin is not None):
            return None
        car = found[0] << VEHICLE_SHIFT
        first = car + (signal.key << SOURCE_BITS)
        if signal.cadence is Cadence.LASTING:
            joined = self._reader.rows(_SOLE, (first, first + MAX_SOURCES))
        else:
            joined = self._reader.rows(_SOLE_WITH_FLAGS, (car + _FIRST_FLAG, car + _LAST_FLAG, first, first + MAX_SOURCES))
        if not joined or joined[0][0] != joined[-1][0]:
            return None
        number, value, observed_at, received_at, absence_at, rule_key, flag, _ = joined[0]
        by = flag_reporter([(row[6] & MAX_SOURCES, row[7]) for row in joined] if flag is not None else ())
        return found[1], number, value, observed_at, received_at, absence_at, rule_key, by

    def rows_of(self, vehicle_id: str) -> tuple[Vehicle, Sequence[Row], FlagReporter] | None:
        """Return a vehicle and its rows, in the order of their keys. See `store.immediate.Immediate`."""
        found = self._known.find(vehicle_id)
        if found is None:
            return None
        car = found[0] << VEHICLE_SHIFT
        states = self._reader.rows(_RANGE, (car, car + SERIES))
        flags = states[bisect_left(states, (_FIRST_FLAG,)) : bisect_left(states, (_LAST_FLAG + 1,))]
        return found[1], states, flag_reporter([(row[0] & MAX_SOURCES, row[3]) for row in flags])

    def rule(self, key: int) -> str:
        """Return the text of a rule."""
        return self._reader.rule(key)

    async def signals(self, vehicle_id: str) -> VehicleSeries | None:
        """Return the car with all its series."""
        found = self.rows_of(vehicle_id)
        return None if found is None else VehicleSeries(found[0], self.series(found[1]))

    async def signals_of(self, vehicle_ids: Sequence[str]) -> dict[str, VehicleSeries]:
        """Return these cars with all their series. One read for each: a single one for all would not be faster."""
        found = [(each, await self.signals(each)) for each in vehicle_ids]
        return {vehicle_id: series for vehicle_id, series in found if series is not None}

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the stored changes after a position, oldest first."""
        return await self._feed.changes(after, limit)

    async def position(self) -> int:
        """Return the position of the feed."""
        return self._reader.count("SELECT value FROM sequences WHERE name = 'position'")

    def sightings(self, selection: Selection) -> AsyncGenerator[Stretch, None]:
        """Return what is stored, in order. See `store.protocols.Readings`."""
        return _sightings(self._path, selection)


async def _sightings(path: Path, selection: Selection) -> AsyncGenerator[Stretch, None]:
    """Yield what is stored, in a snapshot from the first stretch on. See `store.protocols.Readings`."""
    connection = connect(path)
    try:
        connection.execute(f"PRAGMA query_only = ON; PRAGMA cache_size = -{CACHE_KIB}").fetchall()
        connection.execute("BEGIN")
        stretches = Pass(connection, selection).stretches()
        while (stretch := await _in_thread(lambda: next(stretches, None))) is not None:
            yield stretch
    except (apsw.Error, UnicodeDecodeError) as error:
        raise translated(error) from error
    finally:
        connection.close()


async def _in_thread(step: Callable[[], Stretch | None]) -> Stretch | None:
    """Run a step in a thread, so that others have their turn. A cancelled one is waited for: it uses the connection."""
    doing = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise
