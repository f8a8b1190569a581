"""Buckets: what a signal was like in each stretch of time of one length, aligned to 1970 in UTC.

Weights are the milliseconds for which a value stood, as `?at=` would have shown it; what was stale or absent weighs nothing.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.effective import DERIVED
from chargeport.signals.spans import not_charging, stood
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store.protocols import History
from chargeport.store.records import Place, Run
from chargeport.store.retention_policy import HOUR_MS, Horizon, Hour

MAX_BUCKETS: Final = 100_000  # that one request may span: more is a wrong unit, or an export
PIECES: Final = 128  # runs read at once: at a sighting a second they are a month, and 22 MB
_CHANGES: Final = 1000
_HOURS: Final = 1000


class Grid(msgspec.Struct, frozen=True):
    """The stretches of `step_ms` that [from_at, to_at) touches, of each the part that lies in it."""

    step_ms: int
    from_at: int
    to_at: int

    def __len__(self) -> int:
        return max(0, -(-self.to_at // self.step_ms) - self.from_at // self.step_ms)


class Bucket:
    """What is known of one stretch: changes to a value that began in it, and for how many milliseconds each value stood.

    Of hours whose runs are no longer kept, only the bounds and means of their numbers and the total of documents are known.
    """

    __slots__ = ("_hours", "changes", "last", "start", "stood_ms")

    def __init__(self, start: int, first: Value) -> None:
        self.start = start
        self.changes = 0
        self.stood_ms: dict[Value, int] = {}
        self.last = first
        self._hours: list[Hour] = []

    def hold(self, value: Value, stood_ms: int) -> None:
        """The value stood for so long, later than all that was taken before."""
        self.stood_ms[value] = self.stood_ms.get(value, 0) + stood_ms
        self.last = value

    def take(self, hour: Hour, last: Value) -> None:
        """Values stood in this hour as it says, later than all that was taken before."""
        for value, stood_ms in hour.shares.items():
            self.hold(value, stood_ms)
        if not hour.shares:
            self._hours.append(hour)
        self.last = last

    @property
    def total_ms(self) -> int:
        """For how long any value stood."""
        return sum(self.stood_ms.values()) + sum(hour.held_ms for hour in self._hours)

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest of the numbers."""
        known: Any = [*self.stood_ms, *(bound for hour in self._hours for bound in (hour.least, hour.most))]
        return min(known), max(known)

    @property
    def mean(self) -> float:
        """The mean of the numbers, by time."""
        weights: Any = [*self.stood_ms.items(), *((hour.mean, hour.held_ms) for hour in self._hours)]
        if len(weights) == 1:
            return float(weights[0][0])
        least, most = self.bounds
        mean = math.fsum(value * weight for value, weight in weights) / self.total_ms
        return float(min(max(mean, least), most))  # a mean of equal values is that value, to the last digit


class Buckets:
    """Fills up to `size` buckets, in order; those in which no value stood are left out."""

    def __init__(self, signal: Signal, source: str, grid: Grid, size: int) -> None:
        self.signal = signal
        self.source = source
        self.grid = grid
        self._size = size
        self._by_start: dict[int, Bucket] = {}
        self._changes: Counter[int] = Counter()
        self._said: Value | None = None
        self.next_at: int | None = None
        """Where the next page begins, once there is no room for another bucket."""

    @property
    def found(self) -> list[Bucket]:
        """The buckets so far, in order."""
        for start, bucket in self._by_start.items():
            bucket.changes = self._changes[start]
        return list(self._by_start.values())

    def take(self, runs: Sequence[Run], pauses: Sequence[tuple[int, int]], from_at: int, until: int) -> None:
        """Put in what the runs say of [from_at, until), behind all that was taken before. Slow where sightings are many."""
        for span in stood(self.signal, _seen(runs), pauses, until):
            if not self._has_room_for(span.value, max(span.start, from_at), min(span.end, until)):
                break
        for run in runs:
            if run.value is not None and run.value != self._said and from_at <= run.observed_at:
                self._changes[self._start(run.observed_at)] += 1
            self._said = run.value

    def take_hours(self, hours: Sequence[Hour], from_at: int, until: int) -> None:
        """Put in what whole hours say of [from_at, until), behind all that was taken before."""
        lasts = self.signal.cadence is Cadence.LASTING
        for hour, following in zip(hours, [*(each.start for each in hours[1:]), until], strict=True):
            if hour.start >= from_at and not self._has_room_for_hour(hour):
                break
            if lasts and hour.value is not None and hour.absence is None:
                behind = max(hour.start + HOUR_MS, from_at)
                if not self._has_room_for(hour.value, behind, following):
                    break

    def _start(self, at: int) -> int:
        return at - at % self.grid.step_ms

    def _bucket(self, at: int, value: Value) -> Bucket | None:
        """The bucket of an instant; None, with a note of where the next page begins, when there is no room for it."""
        start = self._start(at)
        bucket = self._by_start.get(start)
        if bucket is None:
            if len(self._by_start) == self._size:
                self.next_at = start
                return None
            bucket = self._by_start[start] = Bucket(start, value)
        return bucket

    def _has_room_for_hour(self, hour: Hour) -> bool:
        self._changes[self._start(hour.start)] += hour.changes
        if not hour.held_ms or hour.value is None:
            return True
        bucket = self._bucket(hour.start, hour.value)
        if bucket is not None:
            bucket.take(hour, hour.value)
        return bucket is not None

    def _has_room_for(self, value: Value, at: int, end: int) -> bool:
        """Spread the time for which a value stood over its buckets; False when there is no room for one of them."""
        while at < end:
            bucket = self._bucket(at, value)
            if bucket is None:
                return False
            upto = min(bucket.start + self.grid.step_ms, end)
            bucket.hold(value, upto - at)
            at = upto
        return True


def _seen(runs: Iterable[Run]) -> Iterator[tuple[int, Value | None]]:
    """What was seen when; of a run without its sightings the first will do."""
    for run in runs:
        for at in run.sightings or (run.observed_at,):
            yield at, run.value


async def buckets(history: History, vehicle_id: str, signal: Signal, grid: Grid, size: int, *, source: str) -> Buckets:
    """The first `size` buckets of the grid in which any value of the source stood.

    Where only hours are kept, buckets of whole hours are put together from them, and an hour that a bound cuts counts whole;
    of shorter ones nothing is said.
    """
    while True:
        horizon = await history.horizon(vehicle_id, signal)
        filled = await _filled(history, vehicle_id, Buckets(signal, source, grid, size), horizon)
        if await history.horizon(vehicle_id, signal) == horizon:  # else runs were folded into hours while they were read
            return filled


def is_hourly(step_ms: int) -> bool:
    """Whether stretches of this length are made of whole hours."""
    return step_ms % HOUR_MS == 0


async def _filled(history: History, vehicle_id: str, filled: Buckets, horizon: Horizon | None) -> Buckets:
    grid, at = filled.grid, filled.grid.from_at
    if horizon is not None and at < horizon.raw_from:
        at = horizon.raw_from
        if is_hourly(grid.step_ms):
            await _take_hours(history, vehicle_id, filled, grid, at)
        else:
            at = -(-at // grid.step_ms) * grid.step_ms
    await _take_runs(history, vehicle_id, filled, msgspec.structs.replace(grid, from_at=at))
    return filled


async def _take_hours(history: History, vehicle_id: str, filled: Buckets, grid: Grid, raw_from: int) -> None:
    at, until = grid.from_at // HOUR_MS * HOUR_MS, min(-(-grid.to_at // HOUR_MS) * HOUR_MS, raw_from)
    while filled.next_at is None and at < until:
        hours = await history.hours(vehicle_id, filled.signal, at, until, source=filled.source, limit=_HOURS)
        upto = hours[-1].start + HOUR_MS if len([hour for hour in hours if hour.start >= at]) == _HOURS else until
        filled.take_hours(hours, at, upto)
        at = upto


async def _take_runs(history: History, vehicle_id: str, filled: Buckets, grid: Grid) -> None:
    signal, source, at = filled.signal, filled.source, grid.from_at
    is_live = signal.cadence is Cadence.LIVE
    while filled.next_at is None and at < grid.to_at:
        runs = await history.pieces(vehicle_id, signal, at, grid.to_at, source=source, limit=PIECES, every=is_live)
        if not runs:
            break
        until = grid.to_at
        if (
            len([run for run in runs if run.observed_at >= at]) == PIECES
        ):  # the last one may go on behind: it is taken next time
            until = runs.pop().observed_at
        pauses = (
            await _pauses(history, vehicle_id, at - LIVE_FOR_MS, until, runs, source=source)
            if is_live and signal.code != IS_CHARGING.code
            else []
        )
        await asyncio.to_thread(filled.take, runs, pauses, grid.from_at, until)
        at = until if until == grid.to_at else until + 1


async def _pauses(
    history: History, vehicle_id: str, start: int, until: int, runs: Sequence[Run], *, source: str
) -> list[tuple[int, int]]:
    """When charging was over while the runs could still stand: as their source says, or else another one that told of it."""
    end = min(until, runs[-1].last_seen_at + LIVE_FOR_MS)
    others = sorted(await history.sources_of(vehicle_id, IS_CHARGING), key=lambda each: (each == DERIVED, each))
    for each in dict.fromkeys((source, *others)):
        if changes := await _all_changes(history, vehicle_id, each, start, end):
            return not_charging([(run.observed_at, run.value) for run in changes], end)
    return []


async def _all_changes(history: History, vehicle_id: str, source: str, start: int, end: int) -> list[Run]:
    changes: list[Run] = []
    after: Place | None = None
    while True:
        page = await history.history(vehicle_id, IS_CHARGING, start, end, source=source, after=after, limit=_CHANGES)
        changes += page
        if len(page) < _CHANGES:
            return changes
        after = Place(page[-1].observed_at, page[-1].position)
