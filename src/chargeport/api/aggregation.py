"""Buckets: aggregates of a signal over intervals of one length, aligned to 1970 in UTC.

Weights are the milliseconds for which a value was valid, as `?at=` would have shown it; stale and absent values have no weight.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.sweep import Content, Span, last_content, step_of
from chargeport.store.effective_history import EffectiveHistory
from chargeport.store.retention_policy import HOUR_MS, Horizon, Hour

MAX_BUCKETS: Final = 100_000  # that one request may span: more indicates a wrong unit, or needs an export
_HOURS: Final = 1000


class Grid(msgspec.Struct, frozen=True):
    """The intervals of length `step_ms` that overlap [from_at, to_at), each restricted to this range."""

    step_ms: int
    from_at: int
    to_at: int

    def __len__(self) -> int:
        return max(0, -(-self.to_at // self.step_ms) - self.from_at // self.step_ms)


class Bucket:
    """The values of one interval: the number of changes that began in it, and for how many milliseconds each value was valid.

    For hours whose runs are no longer stored, only the bounds and means of numbers and the total of documents are known.
    """

    __slots__ = ("_hours", "changes", "last", "start", "stood_ms")

    def __init__(self, start: int, first: Value) -> None:
        self.start = start
        self.changes = 0
        self.stood_ms: dict[Value, int] = {}
        self.last = first
        self._hours: list[Hour] = []

    def hold(self, value: Value, stood_ms: int) -> None:
        """Add a value that was valid for `stood_ms`, later than all values added before."""
        self.stood_ms[value] = self.stood_ms.get(value, 0) + stood_ms
        self.last = value

    def take(self, hour: Hour, last: Value) -> None:
        """Add the values of an hour with their durations, later than all values added before."""
        for value, stood_ms in hour.shares.items():
            self.hold(value, stood_ms)
        if not hour.shares:
            self._hours.append(hour)
        self.last = last

    @property
    def total_ms(self) -> int:
        """The duration for which any value was valid."""
        return sum(self.stood_ms.values()) + sum(hour.held_ms for hour in self._hours)

    @property
    def bounds(self) -> tuple[float, float]:
        """The minimum and the maximum of the numbers."""
        known: Any = [*self.stood_ms, *(bound for hour in self._hours for bound in (hour.least, hour.most))]
        return min(known), max(known)

    @property
    def mean(self) -> float:
        """The mean of the numbers, weighted by time."""
        weights: Any = [*self.stood_ms.items(), *((hour.mean, hour.held_ms) for hour in self._hours)]
        if len(weights) == 1:
            return float(weights[0][0])
        least, most = self.bounds
        mean = math.fsum(value * weight for value, weight in weights) / self.total_ms
        return float(min(max(mean, least), most))  # the mean of equal values is exactly that value


class Buckets:
    """Fill up to `size` buckets, in order; those without a valid value are left out."""

    def __init__(self, signal: Signal, grid: Grid, size: int) -> None:
        self.signal = signal
        self.grid = grid
        self._size = size
        self._by_start: dict[int, Bucket] = {}
        self._changes: Counter[int] = Counter()
        self._last_content: Content | None = None
        self.next_at: int | None = None
        """The start of the next page, once `size` buckets are full."""

    @property
    def found(self) -> list[Bucket]:
        """The buckets so far, in order."""
        for start, bucket in self._by_start.items():
            bucket.changes = self._changes[start]
        return list(self._by_start.values())

    def take(self, spans: Sequence[Span], from_at: int) -> None:
        """Add the values of the spans from `from_at` on, after all values added before. Slow for many spans."""
        for span in spans:
            step = step_of(span)
            if span.start < from_at:
                self._last_content = last_content(span)
            elif step is not None and (step.value, step.absence) != self._last_content:
                self._last_content = step.value, step.absence
                if step.value is not None:
                    self._changes[self._start(step.at)] += 1
            if step is None or step.value is None:
                continue
            if not self._has_room_for(step.value, max(span.start, from_at), span.end):
                break

    def take_hours(self, hours: Sequence[Hour], from_at: int, until: int) -> None:
        """Add the values of the whole hours of [from_at, until), after all values added before."""
        lasts = self.signal.cadence is not Cadence.LIVE
        for hour, following in zip(hours, [*(hour.start for hour in hours[1:]), until], strict=True):
            if hour.start >= from_at and not self._has_room_for_hour(hour):
                break
            if lasts and hour.value is not None and hour.absence is None:
                behind = max(hour.start + HOUR_MS, from_at)
                if not self._has_room_for(hour.value, behind, following):
                    break

    def _start(self, at: int) -> int:
        return at - at % self.grid.step_ms

    def _bucket(self, at: int, value: Value) -> Bucket | None:
        """Return the bucket of an instant; if the page is full, set `next_at` and return None."""
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
        """Distribute the duration of a value over its buckets; return False if the page is full."""
        while at < end:
            bucket = self._bucket(at, value)
            if bucket is None:
                return False
            upto = min(bucket.start + self.grid.step_ms, end)
            bucket.hold(value, upto - at)
            at = upto
        return True


async def buckets(history: EffectiveHistory, vehicle_id: str, signal: Signal, grid: Grid, size: int) -> Buckets:
    """Return the first `size` buckets of the grid that have a valid value.

    Where only hourly aggregates are stored, buckets of whole hours are computed from them, and an hour that is only partly
    in the range counts in full; shorter buckets are left out.
    """
    while True:
        horizon = await history.horizon(vehicle_id, signal)
        filled = await _filled(history, vehicle_id, Buckets(signal, grid, size), horizon)
        if await history.horizon(vehicle_id, signal) == horizon:  # else runs were folded into hours while they were read
            return filled


def is_hourly(step_ms: int) -> bool:
    """Return whether intervals of this length consist of whole hours."""
    return step_ms % HOUR_MS == 0


async def _filled(history: EffectiveHistory, vehicle_id: str, filled: Buckets, horizon: Horizon | None) -> Buckets:
    grid, at = filled.grid, filled.grid.from_at
    if horizon is not None and at < horizon.raw_from:
        at = horizon.raw_from
        if is_hourly(grid.step_ms):
            await _take_hours(history, vehicle_id, filled, grid, at)
        else:
            at = -(-at // grid.step_ms) * grid.step_ms
    if filled.next_at is None:
        await _take_spans(history, vehicle_id, filled, msgspec.structs.replace(grid, from_at=at))
    return filled


async def _take_hours(history: EffectiveHistory, vehicle_id: str, filled: Buckets, grid: Grid, raw_from: int) -> None:
    at, until = grid.from_at // HOUR_MS * HOUR_MS, min(-(-grid.to_at // HOUR_MS) * HOUR_MS, raw_from)
    while filled.next_at is None and at < until:
        hours = await history.hours(vehicle_id, filled.signal, at, until, limit=_HOURS)
        upto = hours[-1].start + HOUR_MS if len([hour for hour in hours if hour.start >= at]) == _HOURS else until
        filled.take_hours(hours, at, upto)
        at = upto


async def _take_spans(history: EffectiveHistory, vehicle_id: str, filled: Buckets, grid: Grid) -> None:
    async for spans in history.spans(vehicle_id, filled.signal, grid.from_at - 1, grid.to_at):
        await asyncio.to_thread(filled.take, spans, grid.from_at)
        if filled.next_at is not None:
            break
