"""History that grows coarse: one small step of folding, and the store's reads of what is only kept by the hour.

A round goes from car to car in steps. Each is one transaction of the one writer and folds a bounded number of sightings, so
that others wait for some milliseconds at the most; whatever stops a round, what is folded stays right and the next one goes on.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from chargeport.signals.catalogue import BY_KEY, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.state import State
from chargeport.store.retention_policy import DAY_MS, HOUR_MS, Horizon, Hour, Keep, Policy, Progress
from chargeport.store.sqlite import hourly
from chargeport.store.sqlite.engine import Connection, fetch
from chargeport.store.sqlite.folding import Fold, fold, late
from chargeport.store.sqlite.history import HistoryTable
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.series import ALWAYS
from chargeport.store.sqlite.slot import OF_VEHICLE
from chargeport.store.sqlite.writer import Writer

STEP_SIGHTINGS: Final = 2_000  # folded in one step: about 10 ms
STEP_CARS: Final = 8  # looked at in one step: about 10 ms
STEP_DROPPED: Final = 4_000  # hours dropped in one step

_CARS: Final = "SELECT key FROM vehicles WHERE key > ? ORDER BY key LIMIT ?"
_SIGNALS: Final = f"SELECT signal_key FROM latest WHERE {OF_VEHICLE}"
_HORIZON: Final = "SELECT raw_from, position, hours_from FROM horizons WHERE vehicle_key = ? AND signal_group = ?"
_HORIZON_OF: Final = (
    "SELECT h.raw_from, h.hours_from FROM vehicles v JOIN horizons h ON h.vehicle_key = v.key"
    " WHERE v.id = ? AND h.signal_group = ?"
)
_SET_HORIZON: Final = "INSERT OR REPLACE INTO horizons VALUES (?,?,?,(SELECT value FROM sequences WHERE name = 'position'),?)"
_SET_HOURS_FROM: Final = "UPDATE horizons SET hours_from = ? WHERE vehicle_key = ? AND signal_group = ?"
_FIRST: Final = "SELECT min(observed_at) FROM history WHERE vehicle_key = ? AND signal_key = ?"
_SIZES: Final = (
    "SELECT observed_at, coalesce(length(seen), 0) / 4 + 1 FROM history WHERE vehicle_key = ? AND signal_key = ?"
    " AND observed_at >= ? AND observed_at < ? ORDER BY observed_at LIMIT ?"
)
# The newest hour before the bound stays: it says what was known when the bound began.
_DROP: Final = (
    "DELETE FROM hourly WHERE vehicle_key = ?1 AND signal_key = ?2 AND hour IN (SELECT hour FROM hourly WHERE vehicle_key = ?1"
    " AND signal_key = ?2 AND hour < (SELECT max(hour) FROM hourly WHERE vehicle_key = ?1 AND signal_key = ?2 AND hour < ?3)"
    " ORDER BY hour LIMIT ?4)"
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
    signals = [BY_KEY[key] for (key,) in fetch(connection, _SIGNALS, (car,)) if BY_KEY[key].group == group]
    what = _due(connection, car, group, signals, _day(now, keep.raw_days or 0))
    if what is not None:
        runs, hours = fold(connection, signals, what)
        connection.execute(_SET_HORIZON, (car, group, what.until, what.hours_from if what.hours_from > -ALWAYS else None))
        return Progress(runs, hours, 0, car - 1, True)
    dropped = 0 if keep.hourly_days is None else _drop(connection, car, group, signals, _day(now, keep.hourly_days))
    return Progress(0, 0, dropped, car - 1, True) if dropped else None


def _day(now: int, days: int) -> int:
    """The beginning of the UTC day that many days ago: horizons move once a day."""
    return (now - days * DAY_MS) // DAY_MS * DAY_MS


def _due(connection: Connection, car: int, group: str, signals: Sequence[Signal], target: int) -> Fold | None:
    """What one step should fold of a group; None when nothing is due."""
    found = fetch(connection, _HORIZON, (car, group))
    if found:
        raw_from, position, hours_from = found[0]
        what = Fold(car, raw_from, raw_from, position, -ALWAYS if hours_from is None else hours_from)
        if raw_from >= target:
            return what if any(late(connection, (car, signal.key), what) for signal in signals) else None
    else:
        firsts = [first for signal in signals for (first,) in fetch(connection, _FIRST, (car, signal.key)) if first is not None]
        if not firsts or min(firsts) >= target:
            return None
        start = min(firsts) // HOUR_MS * HOUR_MS
        what = Fold(car, start, start, 0, -ALWAYS)
    return what._replace(until=_reach(connection, car, signals, what.from_at, target))


def _reach(connection: Connection, car: int, signals: Sequence[Signal], from_at: int, target: int) -> int:
    """How far one step gets: to the hour in which there are enough sightings, but an hour at least."""
    runs = sorted(
        row for signal in signals for row in fetch(connection, _SIZES, (car, signal.key, from_at, target, STEP_SIGHTINGS))
    )
    total = 0
    for observed_at, size in runs:
        total += size
        if total > STEP_SIGHTINGS:
            return min(target, max(int(observed_at) // HOUR_MS * HOUR_MS, from_at + HOUR_MS))
    return target


def _drop(connection: Connection, car: int, group: str, signals: Sequence[Signal], bound: int) -> int:
    """Delete hours that are too old; how many. Where the last ones went, that is put down."""
    found = fetch(connection, _HORIZON, (car, group))
    if not found or (found[0][2] or -ALWAYS) >= bound:
        return 0
    dropped: int = 0
    for signal in signals:
        connection.execute(_DROP, (car, signal.key, bound // HOUR_MS, STEP_DROPPED - dropped))
        dropped += connection.changes()
        if dropped == STEP_DROPPED:
            return dropped
    connection.execute(_SET_HOURS_FROM, (min(bound, found[0][0]), car, group))
    return dropped


class AgeingHistory(HistoryTable):
    """`store.base.History` and `Retention` on SQLite."""

    _reader: Reader
    _writer: Writer

    async def fold(self, policy: Policy, now: int, after: int = 0) -> Progress:
        """Fold a little of what is older than the policy says. See `store.base.Retention`."""
        return await self._writer.call(lambda connection: step(connection, now, policy, after))

    async def horizon(self, vehicle_id: str, signal: Signal) -> Horizon | None:
        """Since when the signal's runs are whole. See `store.base.History`."""
        row = self._reader.row(_HORIZON_OF, (vehicle_id, signal.group))
        return None if row is None else Horizon(*row)

    async def hours(self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, limit: int) -> list[Hour]:
        """The hours that are kept. See `store.base.History`."""

        def scan(connection: Connection) -> list[Hour]:
            found = fetch(connection, "SELECT key FROM vehicles WHERE id = ?", (vehicle_id,))
            if not found:
                return []
            key, sources = (found[0][0], signal.key), _sources(connection)
            first = from_at // HOUR_MS
            before = hourly.newest(connection, key, first - 1)
            kept = hourly.between(connection, key, first, -(-to_at // HOUR_MS), limit)
            return [hourly.record(signal, row, sources) for row in ([] if before is None else [before]) + kept]

        return await self._scans.run(scan)

    async def states_before(self, vehicle_id: str, states: list[State], at: int) -> dict[int, State]:
        """What was known at an instant, from hours where runs are no longer kept. What is not known any more is left out.

        The runs are read first: if they were folded meanwhile, the horizon that is read then says so.
        """
        found = await super().states_before(vehicle_id, states, at)
        coarse = await self._scans.run(lambda connection: dict(_coarse(connection, vehicle_id, states, at)))
        if isinstance(coarse.get(IS_CHARGING.key), _Lost):  # nobody knows which sessions were over
            coarse = {key: _LOST if BY_KEY[key].cadence is Cadence.LIVE else past for key, past in coarse.items()}
        known = {key: past for key, past in coarse.items() if isinstance(past, State)}
        return {key: state for key, state in found.items() if key not in coarse} | known


def _sources(connection: Connection) -> dict[int, str]:
    return dict(fetch(connection, "SELECT key, name FROM sources"))


class _Lost:
    """In the place of a state that is not known any more, as against one that never was."""


_LOST: Final = _Lost()


def _coarse(
    connection: Connection, vehicle_id: str, states: list[State], at: int
) -> Iterator[tuple[int, State | _Lost | None]]:
    """By key, what hours say of the instant for signals whose runs are not kept any more."""
    sources = _sources(connection)
    found = fetch(connection, "SELECT key FROM vehicles WHERE id = ?", (vehicle_id,))
    for signal in (state.signal for state in states if found):
        horizon = fetch(connection, _HORIZON_OF, (vehicle_id, signal.group))
        if not horizon or at >= horizon[0][0]:
            continue
        row = hourly.newest(connection, (found[0][0], signal.key), at // HOUR_MS)
        if row is None:
            yield signal.key, None if horizon[0][1] is None or at >= horizon[0][1] else _LOST
        else:
            yield signal.key, _state(signal, hourly.record(signal, row, sources), at)


def _state(signal: Signal, hour: Hour, at: int) -> State | _Lost:
    """What was known at an instant when this hour was the newest, if nothing was heard later in that hour."""
    newest_at = hour.value_at if hour.absence_at is None else hour.absence_at
    if at < hour.start + HOUR_MS and (newest_at is None or at < newest_at):
        return _LOST
    return State(
        signal, hour.value, hour.value_at, hour.since_at, hour.value_at, hour.source,
        absence=hour.absence, absence_at=hour.absence_at, absence_received_at=hour.absence_at,
        absence_source=None if hour.absence is None else hour.source,
    )  # fmt: skip
