"""Find live values that go stale: an expiry is not stored, so followers of the feed need it from the clock.

The watch stores for each car the first instant at which a value may expire, and no values. At that instant it reads the store:
a value that was confirmed since is fresh for longer. Values that end with their session need no watch: the change of
charge-ischarging reports it.
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

MAX_CARS: Final = 200_000  # in memory: some 70 MB
BATCH: Final = 200  # cars checked by one call
YIELD_EVERY: Final = 20  # cars, to the event loop: after a millisecond or two
SWEEP_BATCH: Final = 2_000  # cars searched for fresh values by one call
MIN_RECHECK_MS: Final = 60_000  # until an expired value is checked again
MAX_RECHECK_MS: Final = 900_000
FORGET_MS: Final = 86_400_000  # after this silence an expired value is no longer checked

_LIVE: Final = tuple(signal for signal in CATALOGUE if signal.cadence is Cadence.LIVE)
_BITS: Final = {signal.code: 1 << place for place, signal in enumerate(_LIVE)}
_NONE: Final[Mapping[str, tuple[str | None, int | None]]] = {}

_log = logging.getLogger("chargeport.staleness")


class Expiry(msgspec.Struct, frozen=True):
    """A value that has expired at `at`.

    Or `has_returned`: a value is available again without a change. It was confirmed, or it is that of the next source, as the
    preferred one is silent.
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
    """A car: when to check it, the signals with a fresh value, and those whose expiry was reported."""

    __slots__ = ("checked_at", "due_at", "ended", "fresh", "since_at")

    def __init__(self, since_at: int) -> None:
        self.due_at: int | None = None
        self.since_at: int | None = since_at  # earlier expiries are not reported; None after the first check
        self.checked_at = since_at
        self.fresh = 0
        self.ended = _NONE  # expired values by code: source, and instant of the last change

    def add_fresh(self, code: str) -> None:
        """Note that the signal has a fresh value."""
        self.fresh |= _BITS[code]

    def take_ended(self, code: str) -> tuple[str | None, int | None] | None:
        """Remove and return the expired value of a signal that has a newer one."""
        before = self.ended.get(code)
        if before is not None:
            self.ended = {ended_code: value for ended_code, value in self.ended.items() if ended_code != code} or _NONE
        return before

    def expiry(self, signal: Signal, found: VehicleSeries, ranks: Ranks, now: int) -> Expiry | None:
        """Return the expiry or return of a signal's value at `now`, and note it."""
        code, current = signal.code, effective(signal, found.series, ranks, now)
        if current is None or (ends_at := stale_at(current.state)) is None:
            return None
        state, unavailability = current.state, current.unavailability
        was_fresh = bool(self.fresh & _BITS[code]) or (self.since_at is not None and ends_at > self.since_at)
        self.fresh &= ~_BITS[code]
        if unavailability is None:
            self.add_fresh(code)
            is_same = self.take_ended(code) == (state.source, state.changed_at)
            is_new = is_same or self._is_from_other_source(current, found, ranks)
            return Expiry(found.vehicle.id, current, now, has_returned=True) if is_new else None
        if not was_fresh or unavailability.reason is not AbsenceReason.UNREACHABLE or not has_value(state):
            return None
        self.ended = {**self.ended, code: (state.source, state.changed_at)}
        return Expiry(found.vehicle.id, current, now)

    def _is_from_other_source(self, current: Effective, found: VehicleSeries, ranks: Ranks) -> bool:
        """Return whether the value is that of another source than at the last check, only because time has passed."""
        state = current.state
        if not current.passed_over or (state.observed_at or 0) > self.checked_at:
            return False
        before = effective(state.signal, found.series, ranks, self.checked_at)
        return (
            before is not None and before.unavailability is None
            and before.state.source != state.source and before.state.value != state.value
        )  # fmt: skip

    def next_check(self, found: VehicleSeries, now: int) -> int | None:
        """Return when to check the car again, after all signals were checked; None if no value can expire or return."""
        states = [state for per_source in found.series.values() for state in per_source]
        expiries = [stale_at(state) for state in states if self.fresh & _BITS.get(state.signal.code, 0)]
        waits = [at for at in expiries if at is not None and at > now]
        if len(found.series.get(IS_CHARGING.key, ())) > 1:  # the "true" of one source expires before the "false" of another
            turn = next_change_at(IS_CHARGING, found.series, now)
            waits += [] if turn is None else [turn]
        if self.ended:
            newest_at = max((state.observed_at or 0 for state in states), default=0)
            if now - newest_at < FORGET_MS:
                waits.append(now + min(max((now - newest_at) // 4, MIN_RECHECK_MS), MAX_RECHECK_MS))
        return min(waits, default=None)


class ExpiryWatch:
    """Watch the cars that are followed. Belongs to one event loop."""

    def __init__(self, store: Store, clock: Clock, is_followed: Callable[[str], bool] = lambda _: True) -> None:
        """Prepare the watch. `is_followed` returns whether a car is still followed."""
        self._store = store
        self._clock = clock
        self._is_followed = is_followed
        self._cars: dict[str, _Watch] = {}
        self._due: list[tuple[int, str]] = []
        self._first: dict[str, int] = {}  # cars to check first, and since when expiries are reported
        self._sweep: tuple[int, int] | None = None  # the last car key, and since when expiries are reported
        self._freshness = store.readings.freshness
        self._is_full = False

    def watch(self, vehicle_ids: Iterable[str] | None) -> None:
        """Report expiries from now on, of these vehicles in addition, or of all (None)."""
        now = self._clock.now()
        if vehicle_ids is None:
            self._sweep = 0, now
        else:
            self._add_first(vehicle_ids, now)

    def stop(self) -> None:
        """Remove all vehicles."""
        self._cars, self._due, self._first, self._sweep = {}, [], {}, None

    def take(self, changes: Iterable[Change]) -> None:
        """Watch the live values among these changes of the feed."""
        now, freshness = self._clock.now(), self._store.readings.freshness
        for change in changes:
            if change.signal.cadence is not Cadence.LIVE:
                continue
            car = self._cars.get(change.vehicle_id)
            if car is not None:
                car.take_ended(change.signal.code)  # its new value is in the feed
            due_at = change.observed_at + freshness.of(change.source, change.signal)
            if change.value is None or due_at <= now or not self._is_followed(change.vehicle_id):
                continue
            car = car or self._add(change.vehicle_id, now)
            if car is not None:
                car.add_fresh(change.signal.code)
                self._schedule(change.vehicle_id, car, due_at)

    @property
    def is_behind(self) -> bool:
        """Return whether cars are due that the last call has not checked."""
        return bool(self._first) or self._sweep is not None or self._is_due(self._clock.now())

    async def look(self) -> list[Expiry]:
        """Return the expiries until now, of up to BATCH cars. Raises StoreError, and can then be called again."""
        if self._freshness is not self._store.readings.freshness:  # values expire at other instants
            self._freshness = self._store.readings.freshness
            self._first |= dict.fromkeys(self._cars, self._clock.now())
        await self._continue_sweep()
        expired: list[Expiry] = []
        for number in range(BATCH):
            next_vehicle = self._next_vehicle()
            if next_vehicle is None:
                break
            vehicle_id, since_at = next_vehicle
            try:
                found = await self._store.readings.signals(vehicle_id)
            except StoreError:
                if expired:
                    break  # the car is still on its list
                raise
            self._first.pop(vehicle_id, None)
            expired += self._checked(found, vehicle_id, since_at)
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return expired

    async def _continue_sweep(self) -> None:
        if self._sweep is None or len(self._first) >= BATCH:
            return
        after, since_at = self._sweep
        observed_since = since_at - self._store.readings.freshness.longest_ms
        found, next_key = await self._store.readings.cars_observed_since(observed_since, after, SWEEP_BATCH)
        self._add_first(found, since_at)
        self._sweep = None if next_key is None else (next_key, since_at)

    def _add_first(self, vehicle_ids: Iterable[str], since_at: int) -> None:
        room = MAX_CARS - len(self._first)
        new = (vehicle_id for vehicle_id in vehicle_ids if vehicle_id not in self._cars and vehicle_id not in self._first)
        self._first |= dict.fromkeys(islice(new, room), since_at)

    def _next_vehicle(self) -> tuple[str, int] | None:
        """Return the next car to check, and since when its expiries are reported. It stays in its list until it was checked."""
        for vehicle_id, since_at in self._first.items():
            return vehicle_id, since_at
        now = self._clock.now()
        return (self._due[0][1], now) if self._is_due(now) else None

    def _is_due(self, now: int) -> bool:
        """Return whether a car is due; remove outdated entries."""
        while self._due:
            due_at, vehicle_id = self._due[0]
            car = self._cars.get(vehicle_id)
            if car is not None and car.due_at == due_at:
                return due_at <= now
            heappop(self._due)
        return False

    def _checked(self, found: VehicleSeries | None, vehicle_id: str, since_at: int) -> list[Expiry]:
        """Return the expiries and returns of a car's values; schedule its next check if there is one."""
        now = self._clock.now()
        if found is None or not self._is_followed(vehicle_id):
            self._cars.pop(vehicle_id, None)
            return []
        car = self._cars.get(vehicle_id) or self._add(vehicle_id, since_at)
        if car is None:
            return []
        ranks = self._store.readings.ranks
        expired = [expiry for signal in _LIVE if (expiry := car.expiry(signal, found, ranks, now)) is not None]
        car.since_at, car.checked_at = None, now
        due_at = car.next_check(found, now)
        if due_at is None:
            del self._cars[vehicle_id]
        else:
            car.due_at = None
            self._schedule(vehicle_id, car, due_at)
        return expired

    def _add(self, vehicle_id: str, since_at: int) -> _Watch | None:
        if len(self._cars) >= MAX_CARS:
            if not self._is_full:
                _log.warning("more than %d cars have fresh values: expiries of other cars are not streamed", MAX_CARS)
            self._is_full = True
            return None
        car = self._cars[vehicle_id] = _Watch(since_at)
        return car

    def _schedule(self, vehicle_id: str, car: _Watch, due_at: int) -> None:
        """Check the car at `due_at`, or earlier if that was scheduled."""
        if car.due_at is None or due_at < car.due_at:
            car.due_at = due_at
            heappush(self._due, (due_at, vehicle_id))
