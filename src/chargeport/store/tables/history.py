"""`store.protocols.History` on tables: changes by time, sightings by time, and what was known at an instant."""

from array import array
from collections.abc import Callable, Sequence
from typing import Any, Final

from chargeport.signals.definition import Signal, Value
from chargeport.signals.reading import AbsenceReason
from chargeport.store.history.hours import HourRow, hour
from chargeport.store.history.reading import changes, pieces, states_at
from chargeport.store.history.runs import Run as StoredRun
from chargeport.store.protocols import Readings
from chargeport.store.records import Run, RunStart, VehicleSeries
from chargeport.store.retention_policy import HOUR_MS, Horizon, Hour
from chargeport.store.sql import Connection, Reader, Scans, fetch
from chargeport.store.tables import rows
from chargeport.store.tables.hourly import HourTable
from chargeport.store.tables.keys import MAX_SOURCES, SOURCE_BITS, VEHICLE_SHIFT, SeriesKey
from chargeport.store.tables.series import Series

_HORIZON_OF: Final = (
    "SELECT h.raw_from, h.hours_from FROM vehicles v JOIN horizons h ON h.vehicle_key = v.key"
    " WHERE v.id = ? AND h.signal_group = ?"
)
_KEYS: Final = "SELECT v.key, s.key FROM vehicles v, sources s WHERE v.id = ? AND s.name = ?"
_SOURCE_KEYS: Final = "SELECT s.name, v.key, s.key FROM vehicles v, sources s WHERE v.id = ?"
_NONE: Final = 0, 0  # keys that no vehicle and no source has
_SOURCES_OF: Final = (
    "SELECT s.name FROM vehicles v JOIN latest l ON l.vehicle_key = v.key AND l.slot BETWEEN"
    f" (v.key << {VEHICLE_SHIFT}) + (?2 << {SOURCE_BITS})"
    f" AND (v.key << {VEHICLE_SHIFT}) + (?2 << {SOURCE_BITS}) + {MAX_SOURCES}"
    " JOIN sources s ON s.key = l.source_key WHERE v.id = ?1"
)


class HistoryTables:
    """`store.protocols.History`."""

    def __init__(self, reader: Reader, scans: Scans, readings: Readings) -> None:
        self._reader = reader
        self._scans = scans
        self._readings = readings

    async def history(
        self,
        vehicle_id: str,
        signal: Signal,
        from_at: int | None = None,
        to_at: int | None = None,
        *,
        source: str,
        after: RunStart | None = None,
        limit: int,
    ) -> list[Run]:
        """Return the changes of a series, oldest first. See `store.protocols.History`."""
        return await self._series_scan(vehicle_id, signal, source, lambda rows: changes(rows, from_at, to_at, after, limit))

    async def pieces(
        self, vehicle_id: str, series: Sequence[tuple[Signal, str]], from_at: int, to_at: int, *, limit: int, every: bool
    ) -> list[list[Run]]:
        """Return the runs of series as they are stored, in one scan. See `store.protocols.History`."""

        def scan(connection: Connection) -> list[list[Run]]:
            keys = {name: (vehicle, source) for name, vehicle, source in fetch(connection, _SOURCE_KEYS, (vehicle_id,))}
            found: list[list[StoredRun]] = []
            for signal, source in series:
                vehicle_key, source_key = keys.get(source, _NONE)
                runs = Series.whole(connection, (vehicle_key, signal.key, source_key))
                found.append(pieces(runs, from_at, to_at, limit=limit, every=every))
            rules = _rules(connection) if any(run.rule is not None for runs in found for run in runs) else {}
            return [
                [_record(signal, source, run, rules, every=every) for run in runs]
                for (signal, source), runs in zip(series, found, strict=True)
            ]

        return await self._scans.run(scan)

    async def sources_of(self, vehicle_id: str, signal: Signal) -> list[str]:
        """Return the sources that have a series of the signal, by name. See `store.protocols.History`."""
        found = await self._reader.select(_SOURCES_OF, (vehicle_id, signal.key))
        return sorted(name for (name,) in found)

    async def series_at(self, vehicle_id: str, at: int) -> VehicleSeries | None:
        """Return the car with what was known of it at an instant. See `store.protocols.History`."""
        present = await self._readings.signals(vehicle_id)
        if present is None:
            return None
        states = [state for series in present.series.values() for state in series]
        if all(max(each.observed_at or -1, each.absence_at or -1) <= at for each in states):
            return present
        freshness = self._readings.freshness
        series = await self._scans.run(lambda scan: states_at(states, _Past(scan, vehicle_id), at, freshness))
        return VehicleSeries(present.vehicle, series)

    async def horizon(self, vehicle_id: str, signal: Signal) -> Horizon | None:
        """Return since when the signal's runs are complete. See `store.protocols.History`."""
        row = await self._reader.select_row(_HORIZON_OF, (vehicle_id, signal.group))
        return None if row is None else Horizon(*row)

    async def hours(self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, source: str, limit: int) -> list[Hour]:
        """Return the stored hours. See `store.protocols.History`."""

        def scan(connection: Connection) -> list[Hour]:
            key = _key(connection, vehicle_id, signal, source)
            if key is None:
                return []
            first, rules, hours = from_at // HOUR_MS, _rules(connection), HourTable(connection, key)
            before = hours.newest(first - 1)
            kept = hours.between(first, -(-to_at // HOUR_MS), limit)
            return [_hour(signal, row, source, rules) for row in ([] if before is None else [before]) + kept]

        return await self._scans.run(scan)

    async def _series_scan(
        self, vehicle_id: str, signal: Signal, source: str, scan: Callable[[Series], list[StoredRun]], *, every: bool = False
    ) -> list[Run]:
        """Return the rows that `scan` finds in a series, as records; none when there is no such series."""

        def run(connection: Connection) -> list[Run]:
            key = _key(connection, vehicle_id, signal, source)
            if key is None:
                return []
            found = scan(Series.whole(connection, key))
            rules = _rules(connection) if any(run.rule is not None for run in found) else {}
            return [_record(signal, source, run, rules, every=every) for run in found]

        return await self._scans.run(run)


def _key(connection: Connection, vehicle_id: str, signal: Signal, source: str) -> SeriesKey | None:
    """Return the key of a series; None if there is no such car or source."""
    found = fetch(connection, _KEYS, (vehicle_id, source))
    return (found[0][0], signal.key, found[0][1]) if found else None


def _rules(connection: Connection) -> dict[int, str]:
    return dict(fetch(connection, "SELECT key, text FROM rules"))


def _hour(signal: Signal, row: HourRow, source: str, rules: dict[int, str]) -> Hour:
    return hour(signal, row, source, lambda value: rows.value(signal.key, value), rules.get(row.known.rule))


def _record(signal: Signal, source: str, run: StoredRun, rules: dict[int, str], *, every: bool) -> Run:
    return Run(
        run.observed_at, run.ends_at, run.received_at, source, run.position, rows.value(signal.key, run.value),
        None if run.absence is None else AbsenceReason(run.absence), array("q", run.sightings()) if every else (),
        rules.get(run.rule),
    )  # fmt: skip


class _Past:
    """`store.history.reading.Past` in a snapshot."""

    def __init__(self, connection: Connection, vehicle_id: str) -> None:
        self._connection = connection
        self._vehicle_id = vehicle_id
        self._rules = _rules(connection)

    def rows(self, signal: Signal, source: str) -> Series:
        """Return the runs of a series."""
        return Series.whole(self._connection, self._key(signal, source))

    def horizon(self, signal: Signal) -> Horizon | None:
        """Return since when the runs of a signal are complete."""
        found = fetch(self._connection, _HORIZON_OF, (self._vehicle_id, signal.group))
        return Horizon(*found[0]) if found else None

    def hour_before(self, signal: Signal, source: str, at: int) -> Hour | None:
        """Return the newest hour of a series until that of an instant."""
        row = HourTable(self._connection, self._key(signal, source)).newest(at // HOUR_MS)
        return None if row is None else _hour(signal, row, source, self._rules)

    def value(self, signal: Signal, value: Any) -> Value | None:
        """Return a value in its original type."""
        return rows.value(signal.key, value)

    def rule(self, rule: Any) -> str | None:
        """Return the text of a rule."""
        return self._rules.get(rule)

    def _key(self, signal: Signal, source: str) -> SeriesKey:
        return _key(self._connection, self._vehicle_id, signal, source) or (0, 0, 0)  # of a car that was removed meanwhile
