"""What the rules of derivation are given of a car at this moment, gathered from the store."""

import asyncio
from typing import Final

from chargeport.derivation import histories
from chargeport.derivation.samples import COURSES, CURRENT, POWER, SOC, VOLTAGE, Course, thinned
from chargeport.derivation.vehicles import Cars
from chargeport.derive.live.inputs import Observed, OpenSession, Sample, Scene
from chargeport.derive.live.rules import RULES
from chargeport.derive.tracks import Tracks, samples
from chargeport.signals.catalogue import BY_KEY, IS_CHARGING
from chargeport.signals.definition import Signal
from chargeport.signals.effective import Ranks, effective
from chargeport.signals.ranks import is_derived
from chargeport.store.protocols import Store
from chargeport.store.records import VehicleSeries

DERIVABLE: Final = frozenset(rule.signal for rule in RULES)
LONGEST_MS: Final = 3 * 24 * 3_600_000  # of a session that is looked back on
MAX_COURSES: Final = 2_000  # remembered at once, of some 30 kB each; who has more cars charging reads more often


def reported(found: VehicleSeries, ranks: Ranks, now: int) -> dict[Signal, Observed]:
    """The effective values of now that were reported."""
    counts = (effective(BY_KEY[key], found.series, ranks, now) for key in found.series)
    states = [each.state for each in counts if each is not None and each.unavailability is None]
    return {
        state.signal: Observed(state.value, state.observed_at, state.source or "")
        for state in states
        if state.value is not None and state.observed_at is not None and not is_derived(state.source)
    }


class Scenes:
    """Makes scenes. What it read of sessions that go on is remembered for a while."""

    def __init__(self, store: Store, cars: Cars) -> None:
        self._store = store
        self._cars = cars
        self._courses: dict[str, Course] = {}

    async def of(self, found: VehicleSeries, now: int) -> Scene | None:
        """The scene of a car; None where every signal that could be derived was reported, or nothing was."""
        ranks = self._store.readings.ranks
        values = reported(found, ranks, now)
        if not values or values.keys() >= DERIVABLE:
            return None
        session = await self._session(found, values, now)
        return Scene(values, session, await self._cars.facts(found, has_session=session is not None))

    async def _session(self, found: VehicleSeries, values: dict[Signal, Observed], now: int) -> OpenSession | None:
        """What was measured since charging began; None where nothing says that the car charges."""
        began_at = await self._began_at(found, now)
        if began_at is None:
            self._courses.pop(found.vehicle.id, None)
            return None
        course = await self._course(found.vehicle.id, began_at, now)
        for signal in COURSES:
            each = values.get(signal)
            if each is not None and isinstance(each.value, int | float) and each.observed_at >= began_at:
                course.add(signal, Sample(each.observed_at, each.value))
        power, voltage, current, soc = (course.samples.get(signal, []) for signal in (POWER, VOLTAGE, CURRENT, SOC))
        return OpenSession(started_at=began_at, power=power, voltage=voltage, amperage=current, soc=soc)

    async def _course(self, vehicle_id: str, began_at: int, now: int) -> Course:
        course = self._courses.get(vehicle_id)
        if course is not None and course.holds(began_at, now):
            return course
        known = await histories.tracks(self._store.history, vehicle_id, COURSES, began_at, now + 1)
        course = Course(began_at, now, await asyncio.to_thread(_samples, known, began_at))
        self._courses.pop(vehicle_id, None)
        self._courses[vehicle_id] = course
        if len(self._courses) > MAX_COURSES:
            del self._courses[next(iter(self._courses))]
        return course

    async def _began_at(self, found: VehicleSeries, now: int) -> int | None:
        """When the session that goes on began: as the sessions know it, or as charging turned true."""
        counts = effective(IS_CHARGING, found.series, self._store.readings.ranks, now)
        is_charging = None if counts is None else counts.state
        if is_charging is not None and is_charging.value is False:
            return None
        open_ones = [
            each for each in await self._store.sessions.sessions(found.vehicle.id, now - LONGEST_MS, now + 1) if each.is_open
        ]
        if open_ones:
            return open_ones[-1].started_at
        return None if is_charging is None or is_charging.value is not True else is_charging.changed_at


def _samples(known: Tracks, began_at: int) -> dict[Signal, list[Sample]]:
    """The samples of a session, by signal. Slow where they are many."""
    return {
        signal: thinned(
            signal,
            [
                Sample(each.at, each.value)
                for each in samples(known, signal)
                if each.at >= began_at and isinstance(each.value, int | float)
            ],
        )
        for signal in COURSES
    }
