"""Buckets: what a signal was like in each stretch of time of one length, aligned to 1970 in UTC.

Weights are the milliseconds for which a value stood, as `?at=` would have shown it; what was stale or absent weighs nothing.
"""

import asyncio
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.spans import Span, not_charging, stood
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store.base import History
from chargeport.store.records import Place, Run

MAX_BUCKETS: Final = 100_000  # that one request may span: more is a wrong unit, or an export
PIECES: Final = 128  # runs read at once: at a sighting a second they are a month, and 22 MB
_CHANGES: Final = 1000


class Grid(msgspec.Struct, frozen=True):
    """The stretches of `step_ms` that [from_at, to_at) touches, of each the part that lies in it."""

    step_ms: int
    from_at: int
    to_at: int

    def __len__(self) -> int:
        return max(0, -(-self.to_at // self.step_ms) - self.from_at // self.step_ms)


class Bucket:
    """What is known of one stretch: changes to a value that began in it, and for how many milliseconds each value stood."""

    __slots__ = ("changes", "last", "start", "stood_ms")

    def __init__(self, start: int, first: Value) -> None:
        self.start = start
        self.changes = 0
        self.stood_ms: dict[Value, int] = {}
        self.last = first

    @property
    def total_ms(self) -> int:
        """For how long any value stood."""
        return sum(self.stood_ms.values())

    @property
    def mean(self) -> float:
        """The mean of the numbers, by time."""
        values: Any = self.stood_ms
        mean = math.fsum(value * weight for value, weight in values.items()) / self.total_ms
        return float(min(max(mean, min(values)), max(values)))  # a mean of equal values is that value, to the last digit


class Buckets:
    """Fills up to `size` buckets, in order; those in which no value stood are left out."""

    def __init__(self, signal: Signal, grid: Grid, size: int) -> None:
        self._signal = signal
        self._grid = grid
        self._size = size
        self._by_start: dict[int, Bucket] = {}
        self._said: Value | None = None
        self.next_at: int | None = None
        """Where the next page begins, once there is no room for another bucket."""

    @property
    def found(self) -> list[Bucket]:
        """The buckets so far, in order."""
        return list(self._by_start.values())

    def take(self, runs: Sequence[Run], pauses: Sequence[tuple[int, int]], until: int) -> None:
        """Put in the runs that follow those taken before; the last one holds until `until`. Slow where sightings are many."""
        for span in stood(self._signal, _seen(runs), pauses, until):
            if not self._has_room_for(span):
                break
        for run in runs:
            if run.value is not None and run.value != self._said and self._grid.from_at <= run.observed_at:
                bucket = self._by_start.get(run.observed_at - run.observed_at % self._grid.step_ms)
                if bucket is not None:
                    bucket.changes += 1
            self._said = run.value

    def _has_room_for(self, span: Span) -> bool:
        """Spread the span over its buckets; False when there is no room for one of them."""
        step_ms = self._grid.step_ms
        at, end = max(span.start, self._grid.from_at), min(span.end, self._grid.to_at)
        while at < end:
            start = at - at % step_ms
            bucket = self._by_start.get(start)
            if bucket is None:
                if len(self._by_start) == self._size:
                    self.next_at = start
                    return False
                bucket = self._by_start[start] = Bucket(start, span.value)
            upto = min(start + step_ms, end)
            bucket.stood_ms[span.value] = bucket.stood_ms.get(span.value, 0) + upto - at
            bucket.last = span.value
            at = upto
        return True


def _seen(runs: Iterable[Run]) -> Iterator[tuple[int, Value | None]]:
    """What was seen when; of a run without its sightings the first will do."""
    for run in runs:
        for at in run.sightings or (run.observed_at,):
            yield at, run.value


async def buckets(history: History, vehicle_id: str, signal: Signal, grid: Grid, size: int) -> Buckets:
    """The first `size` buckets of the grid in which any value stood."""
    filled = Buckets(signal, grid, size)
    is_live = signal.cadence is Cadence.LIVE
    at = grid.from_at
    while filled.next_at is None and at < grid.to_at:
        runs = await history.pieces(vehicle_id, signal, at, grid.to_at, limit=PIECES, every=is_live)
        if not runs:
            break
        until = grid.to_at
        if (
            len([run for run in runs if run.observed_at >= at]) == PIECES
        ):  # the last one may go on behind: it is taken next time
            until = runs.pop().observed_at
        pauses = (
            await _pauses(history, vehicle_id, at - LIVE_FOR_MS, until, runs) if is_live and signal is not IS_CHARGING else []
        )
        await asyncio.to_thread(filled.take, runs, pauses, until)
        at = until if until == grid.to_at else until + 1
    return filled


async def _pauses(history: History, vehicle_id: str, start: int, until: int, runs: Sequence[Run]) -> list[tuple[int, int]]:
    """When charging was over while the runs could still stand."""
    end = min(until, runs[-1].last_seen_at + LIVE_FOR_MS)
    changes: list[Run] = []
    after: Place | None = None
    while True:
        page = await history.history(vehicle_id, IS_CHARGING, start, end, after=after, limit=_CHANGES)
        changes += page
        if len(page) < _CHANGES:
            return not_charging([(run.observed_at, run.value) for run in changes], end)
        after = Place(page[-1].observed_at, page[-1].position)
