"""Folding of history: one small step of it, and the reads of hours.

A round proceeds from car to car in steps. Each is one transaction of the one writer and folds a bounded number of sightings, so
that others wait for some milliseconds at most; whatever stops a round, what is folded stays correct and the next one continues.
"""

from collections.abc import Sequence
from typing import Final

from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.freshness import Freshness
from chargeport.store.history.folding import Fold, day, due, fold, kept, reach
from chargeport.store.history.runs import ALWAYS
from chargeport.store.protocols import Readings
from chargeport.store.retention_policy import HOUR_MS, KeepFor, Policy, Progress
from chargeport.store.sql import Connection, SlotsOf, Writer, fetch
from chargeport.store.tables.hourly import HourTable
from chargeport.store.tables.keys import OF, OF_VEHICLE, SeriesKey
from chargeport.store.tables.runs import ONE, change, change_all
from chargeport.store.tables.series import Series

STEP_SIGHTINGS: Final = 500  # folded in one step: about 10 ms
STEP_CARS: Final = 8  # read in one step: about 10 ms
STEP_DROPPED: Final = 4_000  # hours dropped in one step

_CARS: Final = "SELECT key FROM vehicles WHERE key > ? ORDER BY key LIMIT ?"
_SERIES: Final = f"SELECT vehicle_key, signal_key, source_key FROM latest WHERE {OF_VEHICLE}"
_HORIZON: Final = "SELECT raw_from, position, hours_from FROM horizons WHERE vehicle_key = ? AND signal_group = ?"
_SET_HORIZON: Final = (
    "INSERT INTO horizons VALUES (?,?,?,?,?) ON CONFLICT (vehicle_key, signal_group) DO UPDATE SET"
    " raw_from = excluded.raw_from, position = excluded.position, hours_from = excluded.hours_from"
)
_SET_HOURS_FROM: Final = "UPDATE horizons SET hours_from = ? WHERE vehicle_key = ? AND signal_group = ?"
_SIZES: Final = (
    "SELECT observed_at, coalesce(length(seen), 0) / 4 + 1 FROM history WHERE vehicle_key = ? AND signal_key = ?"
    " AND source_key = ? AND observed_at >= ? AND observed_at < ? ORDER BY observed_at LIMIT ?"
)
_DELETE: Final = f"DELETE FROM {{table}} WHERE {OF} AND observed_at <= ? AND position NOT IN (0{{positions}})"
_TRIM: Final = f"UPDATE {{}} SET seen = NULL, lasted = NULL WHERE {ONE} AND lasted IS NOT NULL"
# The newest hour before the bound stays: it has what was known when the bound began.
_DROP: Final = (
    "DELETE FROM hourly WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3 AND hour IN (SELECT hour FROM hourly"
    " WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3 AND hour < (SELECT max(hour) FROM hourly"
    " WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3 AND hour < ?4) ORDER BY hour LIMIT ?5)"
)


def step(
    connection: Connection, now: int, policy: Policy, freshness: Freshness, after: int = 0, *, slots_of: SlotsOf
) -> Progress:
    """Fold and drop a part, from the car after `after` on. Runs inside a transaction."""
    cars = fetch(connection, _CARS, (after, STEP_CARS))
    connection.lock_vehicles([car for (car,) in cars])
    for (car,) in cars:
        for group, keep in policy.groups.items():
            if keep.raw_days is None:
                continue
            done = _step_of(slots_of, connection, car, (group, keep), now, freshness=freshness)
            if done is not None:
                return done
    return Progress(after=cars[-1][0], more=True) if len(cars) == STEP_CARS else Progress()


def _step_of(
    slots_of: SlotsOf, connection: Connection, car: int, what_of: tuple[str, KeepFor], now: int, *, freshness: Freshness
) -> Progress | None:
    """Return what was done of one group of a car; None if there was nothing to do."""
    group, keep = what_of
    sources: dict[int, str] = dict(fetch(connection, "SELECT key, name FROM sources"))
    series: list[SeriesKey] = [(row[0], row[1], row[2]) for row in fetch(connection, _SERIES, (car,))]
    series = [key for key in series if BY_KEY[key[1]].group == group]
    parts = {(BY_KEY[key[1]], sources[key[2]]): (Series.whole(connection, key), HourTable(connection, key)) for key in series}
    what = due(parts, _known(connection, car, group), day(now, keep.raw_days or 0))
    if what is not None:
        sizes = (row for key in series for row in fetch(connection, _SIZES, (*key, what.from_at, what.until, STEP_SIGHTINGS)))
        what = what._replace(until=reach(sizes, what.from_at, what.until, STEP_SIGHTINGS))
        hours = fold(parts, what, freshness)
        runs = sum(_delete(connection, key, what.until) for key in series)
        hours_from = what.hours_from if what.hours_from > -ALWAYS else None
        connection.execute(_SET_HORIZON, (car, group, what.until, slots_of(connection).position, hours_from))
        return Progress(runs, hours, 0, car - 1, True)
    dropped = 0 if keep.hourly_days is None else _drop(connection, car, group, series, day(now, keep.hourly_days))
    return Progress(0, 0, dropped, car - 1, True) if dropped else None


def _delete(connection: Connection, key: SeriesKey, folded_until: int) -> int:
    """Delete the runs that are folded, except those that are still needed; return their number."""
    until, positions, trimmed = kept(Series.whole(connection, key), folded_until)
    change(connection, _TRIM, [(*key, run.observed_at, run.position) for run in trimmed])
    delete = _DELETE.format(table="{}", positions=",?" * len(positions))
    return change_all(connection, delete, (*key, until, *positions))


def _known(connection: Connection, car: int, group: str) -> Fold | None:
    """Return what was folded of a group before; None without any."""
    found = fetch(connection, _HORIZON, (car, group))
    if not found:
        return None
    raw_from, position, hours_from = found[0]
    return Fold(raw_from, raw_from, position, -ALWAYS if hours_from is None else hours_from)


def _drop(connection: Connection, car: int, group: str, series: Sequence[SeriesKey], bound: int) -> int:
    """Delete hours that are too old; return their number. When all are deleted, the horizon is updated."""
    found = fetch(connection, _HORIZON, (car, group))
    if not found or (found[0][2] or -ALWAYS) >= bound:
        return 0
    dropped: int = 0
    for key in series:
        connection.execute(_DROP, (*key, bound // HOUR_MS, STEP_DROPPED - dropped))
        dropped += connection.changes()
        if dropped == STEP_DROPPED:
            return dropped
    connection.execute(_SET_HOURS_FROM, (min(bound, found[0][0]), car, group))
    return dropped


class RetentionTables:
    """`store.protocols.Retention`."""

    def __init__(self, writer: Writer, readings: Readings, slots_of: SlotsOf) -> None:
        self._writer = writer
        self._readings = readings
        self._slots_of = slots_of

    async def fold(self, policy: Policy, now: int, after: int = 0) -> Progress:
        """Fold a part of what is older than the policy states. See `store.protocols.Retention`."""
        freshness, slots_of = self._readings.freshness, self._slots_of
        return await self._writer.call(lambda connection: step(connection, now, policy, freshness, after, slots_of=slots_of))
