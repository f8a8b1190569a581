"""The newest value of each signal on SQLite, the changes that led there, and everything that is stored, in order."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final

import apsw

from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.store.records import Change, Selection, Stretch, VehicleSeries
from chargeport.store.sql import SlotsOf
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

CACHE_KIB: Final = 16_384  # each page is read once: a greater cache would only be filled
_FLAGS: Final = sorted((IS_CHARGING.key, CABLE_CONNECTED.key))  # next to each other: one range
_FIRST_FLAG: Final = _FLAGS[0] << SOURCE_BITS
_LAST_FLAG: Final = (_FLAGS[-1] << SOURCE_BITS) + MAX_SOURCES
# Short: the text of a statement is compared at each call.
_RANGE: Final = f"SELECT {rows.STATE} FROM latest l WHERE slot BETWEEN ? AND ?"
_TWO_RANGES: Final = f"{_RANGE} OR slot BETWEEN ? AND ?"


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
        return self.signal_at_once(vehicle_id, signal)

    def signal_at_once(self, vehicle_id: str, signal: Signal) -> VehicleSeries | None:
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
        return VehicleSeries(found[1], self._series(self._reader.rows(_RANGE, (car, car + SERIES))))

    async def signals_of(self, vehicle_ids: Sequence[str]) -> dict[str, VehicleSeries]:
        """Return these cars with all their series. A read for each: one of all would be no faster."""
        found = [(each, await self.signals(each)) for each in vehicle_ids]
        return {vehicle_id: series for vehicle_id, series in found if series is not None}

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the stored changes after a position, oldest first."""
        return await self._feed.changes(after, limit)

    async def position(self) -> int:
        """Return how far the feed has come."""
        return self._reader.count("SELECT value FROM sequences WHERE name = 'position'")

    def sightings(self, selection: Selection) -> AsyncGenerator[Stretch, None]:
        """Return what is stored, in order. See `store.protocols.Readings`."""
        return _sightings(self._path, selection)


async def _sightings(path: Path, selection: Selection) -> AsyncGenerator[Stretch, None]:
    """Yield what is stored, as it is when the first stretch is asked for. See `store.protocols.Readings`."""
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
    """Do a step in a thread, so that others have their turn. One that is cancelled is waited for: it uses the connection."""
    doing = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise
