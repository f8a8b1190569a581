"""The newest value of each signal on PostgreSQL, and the feed."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final

from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.effective import DERIVED
from chargeport.store.postgres.connection import Connection, Scans, in_thread
from chargeport.store.postgres.group import Group
from chargeport.store.postgres.positions import END, NEWEST
from chargeport.store.postgres.reader import Lookups, Reader, SlotRange
from chargeport.store.postgres.writer import Writer
from chargeport.store.records import Change, DirtyVehicle, Selection, Stretch, VehicleSeries
from chargeport.store.sql import SlotsOf
from chargeport.store.tables import rows
from chargeport.store.tables.keys import MAX_SOURCES, SOURCE_BITS
from chargeport.store.tables.readings import ReadingTables
from chargeport.store.tables.sightings import Pass

_STATE: Final = rows.VEHICLE.count(",") + 2  # where a state's columns begin, after the number of the request and a vehicle's
_FLAGS: Final = (IS_CHARGING.key, CABLE_CONNECTED.key)
_WITHOUT: Final = f"SELECT {rows.VEHICLE} FROM vehicles v WHERE v.id = ANY($1::text[])"
_CHANGES: Final = (
    "SELECT h.position, v.id, h.signal_key, h.observed_at, h.received_at, s.name, h.value, h.absence, r.text"
    " FROM history h JOIN vehicles v ON v.key = h.vehicle_key JOIN sources s ON s.key = h.source_key"
    " LEFT JOIN rules r ON r.key = h.rule_key"
    f" WHERE h.position > $1 AND h.position < {END} AND h.continues IS NULL ORDER BY h.position LIMIT $2"
)
# The input of derivations: the changes, and late sightings, which are no changes.
_OBSERVED: Final = (
    "(SELECT position, vehicle_key, signal_key, source_key, observed_at AS first_at, observed_at AS last_at FROM history"
    " UNION ALL SELECT position, vehicle_key, signal_key, source_key, first_at, last_at FROM late_sightings) h"
)
_REACHED: Final = (
    "SELECT max(position) FROM ("
    f"SELECT position FROM {_OBSERVED} WHERE position > ?1 AND position < ?2 ORDER BY position LIMIT ?3) n"
)
_CHANGED: Final = (
    "SELECT v.id, min(CASE WHEN {telling} THEN h.first_at END), max(CASE WHEN {telling} THEN h.last_at END)"
    f" FROM {_OBSERVED} JOIN vehicles v ON v.key = h.vehicle_key WHERE h.position > ? AND h.position <= ?"
    f" AND h.source_key != (SELECT key FROM sources WHERE name = '{DERIVED}') GROUP BY v.id"
)


class PostgresReadings(ReadingTables):
    """`store.protocols.Readings` on PostgreSQL."""

    slots_of: SlotsOf = Group

    _reader: Reader
    _scans: Scans

    def __init__(self, reader: Reader, writer: Writer, scans: Scans) -> None:
        super().__init__(reader, writer, scans)
        self._lookups = Lookups(reader)

    async def sources(self) -> list[str]:
        """Return the names of all sources that ever reported. See `store.protocols.Readings`."""
        return sorted(name for (name,) in await self._reader.select("SELECT name FROM sources"))

    async def signal(self, vehicle_id: str, signal: Signal) -> VehicleSeries | None:
        """Return the car with the series of one signal and of the flags that it depends on."""
        beside = signal.cadence is not Cadence.LASTING or signal is CABLE_CONNECTED
        keys = {signal.key, *(_FLAGS if beside else ())}
        asked = [SlotRange(vehicle_id, key << SOURCE_BITS, (key << SOURCE_BITS) + MAX_SOURCES) for key in keys]
        return await self._one(vehicle_id, asked)

    async def signals(self, vehicle_id: str) -> VehicleSeries | None:
        """Return the car with all its series."""
        return await self._one(vehicle_id, [SlotRange(vehicle_id)])

    async def _one(self, vehicle_id: str, asked: Sequence[SlotRange]) -> VehicleSeries | None:
        if "\0" in vehicle_id:  # no text in the database has one
            return None
        return (await self._with_series([vehicle_id], await self._lookups.find(asked))).get(vehicle_id)

    async def signals_of(self, vehicle_ids: Sequence[str]) -> dict[str, VehicleSeries]:
        """Return these cars with all their series, by one statement; by two where some have none."""
        possible = [each for each in dict.fromkeys(vehicle_ids) if "\0" not in each]
        return await self._with_series(possible, await self._lookups.find_immediately([SlotRange(each) for each in possible]))

    async def _with_series(self, asked: Sequence[str], found: Sequence[Any]) -> dict[str, VehicleSeries]:
        """Return the cars with the states of these rows, by id, once the names in them are loaded; also those without rows."""
        cars: dict[str, tuple[Any, list[Any]]] = {}
        for row in found:
            car = cars.get(row[1])
            if car is None:
                car = cars[row[1]] = row[1:_STATE], []
            car[1].append(row[_STATE:])
        every = [state for _, states in cars.values() for state in states]
        await self._reader.know({state[0] & MAX_SOURCES for state in every}, {state[-1] for state in every} - {None})
        if rest := [each for each in asked if each not in cars]:
            cars |= {row[0]: (row, []) for row in map(tuple, await self._reader.select(_WITHOUT, (rest,)))}
        return {car: VehicleSeries(rows.vehicle(row), self.series(states)) for car, (row, states) in cars.items()}

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the stored changes after a position, oldest first, as far as the feed is complete."""
        return [rows.change(row) for row in await self._reader.select(_CHANGES, (after, limit))]

    async def position(self) -> int:
        """Return the position up to which the feed is complete. See `store.protocols.Readings`."""
        return await self._reader.select_count(f"{NEWEST} WHERE position < {END}")

    async def changed_since(self, after: int, limit: int, signals: frozenset[Signal]) -> tuple[list[DirtyVehicle], int]:
        """Return the cars with reports among the next changes. See `store.sessions.Sessions`."""
        telling = f"h.signal_key IN ({', '.join(str(signal.key) for signal in signals)})"

        def scan(connection: Connection) -> tuple[list[DirtyVehicle], int]:
            end = connection.execute(f"SELECT {END}").fetchall()[0][0]
            reached = connection.execute(_REACHED, (after, end, limit)).fetchall()[0][0]
            if reached is None:
                return [], after
            found = connection.execute(_CHANGED.format(telling=telling), (after, reached)).fetchall()
            return [DirtyVehicle(*row) for row in found], reached

        return await self._scans.run(scan)

    async def sightings(self, selection: Selection) -> AsyncGenerator[Stretch, None]:
        """Yield what is stored, in order. See `store.protocols.Readings`."""
        async with self._scans.snapshot() as raw:
            await raw.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # the reader may be slow
            stretches = await in_thread(raw, lambda connection: Pass(connection, selection).stretches())
            while True:
                stretch = await in_thread(raw, lambda _: next(stretches, None))
                if stretch is None:
                    return
                yield stretch
