"""When live values go stale: nothing is stored then, so whoever follows the feed must learn it by the clock.

Holds a car and the first instant at which one of its values may end, no values. When that comes it looks at the store: a
value that was confirmed meanwhile has more time. What is over because the session is over needs nothing of its own: the change
of charge-ischarging says it.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from itertools import islice
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.signals.catalogue import CATALOGUE, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.effective import Effective, Ranks, effective, next_change_at
from chargeport.signals.flags import has_value
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import State, stale_at
from chargeport.store.protocols import Store
from chargeport.store.records import Change, VehicleSeries

MAX_CARS: Final = 200_000  # watched at once: some 70 MB
LOOKS: Final = 200  # at cars in one go
TURN: Final = 20  # of them while nobody else is served: a millisecond or two
SWEPT: Final = 2_000  # cars looked through in one go for values that are fresh
AGAIN_MS: Final = 60_000  # when an ended value is looked at again, at the earliest
SELDOM_MS: Final = 900_000  # and at the latest
FORGET_MS: Final = 86_400_000  # after so much silence nobody waits any more

_LIVE: Final = tuple(signal for signal in CATALOGUE if signal.cadence is Cadence.LIVE)
_BITS: Final = {signal.code: 1 << place for place, signal in enumerate(_LIVE)}
_NONE: Final[Mapping[str, tuple[str | None, int | None]]] = {}

_log = logging.getLogger("chargeport.staleness")


class Expiry(msgspec.Struct, frozen=True):
    """At `at` the time of a value had run out.

    Or `has_returned`: a value is shown again though nothing changed. It was confirmed, or it is that of the next source, for
    the preferred one is silent.
    """

    vehicle_id: str
    effective: Effective
    at: int
    has_returned: bool = False

    @property
    def state(self) -> State:
        """Return the effective state at that moment."""
        return self.effective.state


class _Watch:
    """A car: when to look at it, which signals' values held, and of which the end was reported."""

    __slots__ = ("due_at", "ended", "holding", "looked_at", "since_at")

    def __init__(self, since_at: int) -> None:
        self.due_at: int | None = None
        self.since_at: int | None = since_at  # what ended before is old; None once it was looked at
        self.looked_at = since_at
        self.holding = 0
        self.ended = _NONE  # by code, the value: its source, and since when it was the same

    def hold(self, code: str) -> None:
        """Note that a value of the signal holds."""
        self.holding |= _BITS[code]

    def return_of(self, code: str) -> tuple[str | None, int | None] | None:
        """Forget that the signal's value had ended, as something newer is known; return that value."""
        before = self.ended.get(code)
        if before is not None:
            self.ended = {each: value for each, value in self.ended.items() if each != code} or _NONE
        return before

    def expiry(self, signal: Signal, found: VehicleSeries, ranks: Ranks, now: int) -> Expiry | None:
        """Return what expired or returned of a signal at `now`, and note it."""
        code, counts = signal.code, effective(signal, found.series, ranks, now)
        if counts is None or (ends_at := stale_at(counts.state)) is None:
            return None
        state, against = counts.state, counts.unavailability
        was_holding = bool(self.holding & _BITS[code]) or (self.since_at is not None and ends_at > self.since_at)
        self.holding &= ~_BITS[code]
        if against is None:
            self.hold(code)
            is_same = self.return_of(code) == (state.source, state.changed_at)
            is_new = is_same or self._has_taken_over(counts, found, ranks)
            return Expiry(found.vehicle.id, counts, now, has_returned=True) if is_new else None
        if not was_holding or against.reason is not AbsenceReason.UNREACHABLE or not has_value(state):
            return None
        self.ended = {**self.ended, code: (state.source, state.changed_at)}
        return Expiry(found.vehicle.id, counts, now)

    def _has_taken_over(self, counts: Effective, found: VehicleSeries, ranks: Ranks) -> bool:
        """Return whether the value is that of another source than at the last look, only because time has passed."""
        state = counts.state
        if not counts.passed_over or (state.observed_at or 0) > self.looked_at:
            return False
        before = effective(state.signal, found.series, ranks, self.looked_at)
        return (
            before is not None and before.unavailability is None
            and before.state.source != state.source and before.state.value != state.value
        )  # fmt: skip

    def next_look(self, found: VehicleSeries, now: int) -> int | None:
        """Return when to look again, after all signals were looked at; None when there is nothing to wait for."""
        states = [state for each in found.series.values() for state in each]
        fresh = [stale_at(state) for state in states if self.holding & _BITS.get(state.signal.code, 0)]
        waits = [each for each in fresh if each is not None and each > now]
        if len(found.series.get(IS_CHARGING.key, ())) > 1:  # a "yes" of one source gives way to the "no" of another in time
            turn = next_change_at(IS_CHARGING, found.series, now)
            waits += [] if turn is None else [turn]
        if self.ended:
            newest_at = max((state.observed_at or 0 for state in states), default=0)
            if now - newest_at < FORGET_MS:
                waits.append(now + min(max((now - newest_at) // 4, AGAIN_MS), SELDOM_MS))
        return min(waits, default=None)


class ExpiryWatch:
    """Watches the cars that somebody wants. Belongs to one event loop."""

    def __init__(self, store: Store, clock: Clock, wants: Callable[[str], bool] = lambda _: True) -> None:
        """Prepare the watch. `wants` tells whether anybody still follows a car."""
        self._store = store
        self._clock = clock
        self._wants = wants
        self._cars: dict[str, _Watch] = {}
        self._due: list[tuple[int, str]] = []
        self._first: dict[str, int] = {}  # cars to look at as soon as there is time, and since when that is wanted
        self._sweep: tuple[int, int] | None = None  # the place that it has come to, and since when it is wanted
        self._freshness = store.readings.freshness
        self._is_full = False

    def watch(self, vehicle_ids: Iterable[str] | None) -> None:
        """Report what ends from now on, of these vehicles too, or of all (None)."""
        now = self._clock.now()
        if vehicle_ids is None:
            self._sweep = 0, now
        else:
            self._look_first(vehicle_ids, now)

    def stop(self) -> None:
        """Forget all vehicles: nobody wants anything any more."""
        self._cars, self._due, self._first, self._sweep = {}, [], {}, None

    def take(self, changes: Iterable[Change]) -> None:
        """Watch the live values among these changes of the feed."""
        now, freshness = self._clock.now(), self._store.readings.freshness
        for change in changes:
            if change.signal.cadence is not Cadence.LIVE:
                continue
            car = self._cars.get(change.vehicle_id)
            if car is not None:
                car.return_of(change.signal.code)  # whatever it is now, the feed tells it
            due_at = change.observed_at + freshness.of(change.source, change.signal)
            if change.value is None or due_at <= now or not self._wants(change.vehicle_id):
                continue
            car = car or self._add(change.vehicle_id, now)
            if car is not None:
                car.hold(change.signal.code)
                self._look_at(change.vehicle_id, car, due_at)

    @property
    def is_behind(self) -> bool:
        """Return whether there is more to look at than one go has done."""
        return bool(self._first) or self._sweep is not None or self._is_due(self._clock.now())

    async def look(self) -> list[Expiry]:
        """Return what has ended until now, as far as one go gets. Raises StoreError; nothing is lost by that."""
        if self._freshness is not self._store.readings.freshness:  # times have moved
            self._freshness = self._store.readings.freshness
            self._first |= dict.fromkeys(self._cars, self._clock.now())
        await self._go_on_sweeping()
        expired: list[Expiry] = []
        for number in range(LOOKS):
            next_one = self._next_one()
            if next_one is None:
                break
            try:
                found = await self._store.readings.signals(next_one[0])
            except StoreError:
                if expired:
                    break  # the car is still on its list
                raise
            self._first.pop(next_one[0], None)
            expired += self._looked(found, *next_one)
            if number % TURN == 0:
                await asyncio.sleep(0)
        return expired

    async def _go_on_sweeping(self) -> None:
        if self._sweep is None or len(self._first) >= LOOKS:
            return
        after, wanted_at = self._sweep
        heard_since = wanted_at - self._store.readings.freshness.longest_ms
        found, next_one = await self._store.readings.cars_observed_since(heard_since, after, SWEPT)
        self._look_first(found, wanted_at)
        self._sweep = None if next_one is None else (next_one, wanted_at)

    def _look_first(self, vehicle_ids: Iterable[str], since_at: int) -> None:
        room = MAX_CARS - len(self._first)
        new = (each for each in vehicle_ids if each not in self._cars and each not in self._first)
        self._first |= dict.fromkeys(islice(new, room), since_at)

    def _next_one(self) -> tuple[str, int] | None:
        """Return a car to look at, and since when that is wanted. It stays on its list until it was looked at."""
        for one in self._first.items():
            return one
        now = self._clock.now()
        return (self._due[0][1], now) if self._is_due(now) else None

    def _is_due(self, now: int) -> bool:
        """Return whether a car is due; lets go of what was put off or forgotten meanwhile."""
        while self._due:
            due_at, vehicle_id = self._due[0]
            car = self._cars.get(vehicle_id)
            if car is not None and car.due_at == due_at:
                return due_at <= now
            heappop(self._due)
        return False

    def _looked(self, found: VehicleSeries | None, vehicle_id: str, since_at: int) -> list[Expiry]:
        """Return what expired or returned of a car; watch it on if there is anything to wait for."""
        now = self._clock.now()
        if found is None or not self._wants(vehicle_id):
            self._cars.pop(vehicle_id, None)
            return []
        car = self._cars.get(vehicle_id) or self._add(vehicle_id, since_at)
        if car is None:
            return []
        ranks = self._store.readings.ranks
        found_ones = [each for signal in _LIVE if (each := car.expiry(signal, found, ranks, now)) is not None]
        car.since_at, car.looked_at = None, now
        due_at = car.next_look(found, now)
        if due_at is None:
            del self._cars[vehicle_id]
        else:
            car.due_at = None
            self._look_at(vehicle_id, car, due_at)
        return found_ones

    def _add(self, vehicle_id: str, since_at: int) -> _Watch | None:
        if len(self._cars) >= MAX_CARS:
            if not self._is_full:
                _log.warning("more than %d cars have fresh values: streams do not learn when those of others end", MAX_CARS)
            self._is_full = True
            return None
        car = self._cars[vehicle_id] = _Watch(since_at)
        return car

    def _look_at(self, vehicle_id: str, car: _Watch, due_at: int) -> None:
        """Look at the car then, or earlier if that was the plan."""
        if car.due_at is None or due_at < car.due_at:
            car.due_at = due_at
            heappush(self._due, (due_at, vehicle_id))
