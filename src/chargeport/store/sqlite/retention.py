"""History that grows coarse: one small step of folding, and the store's reads of what is only kept by the hour.

A round goes from car to car in steps. Each is one transaction of the one writer and folds a bounded number of sightings, so
that others wait for some milliseconds at the most; whatever stops a round, what is folded stays right and the next one goes on.
"""

from collections.abc import Sequence
from typing import Final

from chargeport.signals.catalogue import BY_KEY
from chargeport.store.retention_policy import DAY_MS, HOUR_MS, Keep, Policy, Progress
from chargeport.store.sqlite.engine import Connection, fetch
from chargeport.store.sqlite.folding import Fold, fold, late
from chargeport.store.sqlite.series import ALWAYS
from chargeport.store.sqlite.slot import OF_VEHICLE, SeriesKey
from chargeport.store.sqlite.writer import Writer

STEP_SIGHTINGS: Final = 2_000  # folded in one step: about 10 ms
STEP_CARS: Final = 8  # looked at in one step: about 10 ms
STEP_DROPPED: Final = 4_000  # hours dropped in one step

_CARS: Final = "SELECT key FROM vehicles WHERE key > ? ORDER BY key LIMIT ?"
_SERIES: Final = f"SELECT vehicle_key, signal_key, source_key FROM latest WHERE {OF_VEHICLE}"
_HORIZON: Final = "SELECT raw_from, position, hours_from FROM horizons WHERE vehicle_key = ? AND signal_group = ?"
_SET_HORIZON: Final = "INSERT OR REPLACE INTO horizons VALUES (?,?,?,(SELECT value FROM sequences WHERE name = 'position'),?)"
_SET_HOURS_FROM: Final = "UPDATE horizons SET hours_from = ? WHERE vehicle_key = ? AND signal_group = ?"
_FIRST: Final = "SELECT min(observed_at) FROM history WHERE vehicle_key = ? AND signal_key = ? AND source_key = ?"
_SIZES: Final = (
    "SELECT observed_at, coalesce(length(seen), 0) / 4 + 1 FROM history WHERE vehicle_key = ? AND signal_key = ?"
    " AND source_key = ? AND observed_at >= ? AND observed_at < ? ORDER BY observed_at LIMIT ?"
)
# The newest hour before the bound stays: it says what was known when the bound began.
_DROP: Final = (
    "DELETE FROM hourly WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3 AND hour IN (SELECT hour FROM hourly"
    " WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3 AND hour < (SELECT max(hour) FROM hourly"
    " WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3 AND hour < ?4) ORDER BY hour LIMIT ?5)"
)


def step(connection: Connection, now: int, policy: Policy, after: int = 0) -> Progress:
    """Fold and drop a little, from the car behind `after` on. Runs inside a transaction."""
    cars = fetch(connection, _CARS, (after, STEP_CARS))
    for (car,) in cars:
        for group, keep in policy.groups.items():
            if keep.raw_days is None:
                continue
            done = _step_of(connection, car, group, keep, now)
            if done is not None:
                return done
    return Progress(after=cars[-1][0], more=True) if len(cars) == STEP_CARS else Progress()


def _step_of(connection: Connection, car: int, group: str, keep: Keep, now: int) -> Progress | None:
    """What was done of one group of a car; None when there was nothing to do."""
    series: list[SeriesKey] = [(row[0], row[1], row[2]) for row in fetch(connection, _SERIES, (car,))]
    series = [key for key in series if BY_KEY[key[1]].group == group]
    what = _due(connection, car, group, series, _day(now, keep.raw_days or 0))
    if what is not None:
        runs, hours = fold(connection, series, what)
        connection.execute(_SET_HORIZON, (car, group, what.until, what.hours_from if what.hours_from > -ALWAYS else None))
        return Progress(runs, hours, 0, car - 1, True)
    dropped = 0 if keep.hourly_days is None else _drop(connection, car, group, series, _day(now, keep.hourly_days))
    return Progress(0, 0, dropped, car - 1, True) if dropped else None


def _day(now: int, days: int) -> int:
    """The beginning of the UTC day that many days ago: horizons move once a day."""
    return (now - days * DAY_MS) // DAY_MS * DAY_MS


def _due(connection: Connection, car: int, group: str, series: Sequence[SeriesKey], target: int) -> Fold | None:
    """What one step should fold of a group; None when nothing is due."""
    found = fetch(connection, _HORIZON, (car, group))
    if found:
        raw_from, position, hours_from = found[0]
        what = Fold(car, raw_from, raw_from, position, -ALWAYS if hours_from is None else hours_from)
        if raw_from >= target:
            return what if any(late(connection, key, what) for key in series) else None
    else:
        firsts = [first for key in series for (first,) in fetch(connection, _FIRST, key) if first is not None]
        if not firsts or min(firsts) >= target:
            return None
        start = min(firsts) // HOUR_MS * HOUR_MS
        what = Fold(car, start, start, 0, -ALWAYS)
    return what._replace(until=_reach(connection, series, what.from_at, target))


def _reach(connection: Connection, series: Sequence[SeriesKey], from_at: int, target: int) -> int:
    """How far one step gets: to the hour in which there are enough sightings, but an hour at least."""
    runs = sorted(row for key in series for row in fetch(connection, _SIZES, (*key, from_at, target, STEP_SIGHTINGS)))
    total = 0
    for observed_at, size in runs:
        total += size
        if total > STEP_SIGHTINGS:
            return min(target, max(int(observed_at) // HOUR_MS * HOUR_MS, from_at + HOUR_MS))
    return target


def _drop(connection: Connection, car: int, group: str, series: Sequence[SeriesKey], bound: int) -> int:
    """Delete hours that are too old; how many. Where the last ones went, that is put down."""
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
    """`store.protocols.Retention` on SQLite."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def fold(self, policy: Policy, now: int, after: int = 0) -> Progress:
        """Fold a little of what is older than the policy says. See `store.protocols.Retention`."""
        return await self._writer.call(lambda connection: step(connection, now, policy, after))
