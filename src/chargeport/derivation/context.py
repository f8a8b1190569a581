"""What the rules of derivation are given of a car at this moment, gathered from the store."""

import asyncio
from typing import Final

from chargeport.derivation import histories
from chargeport.derivation.samples import CURRENT, POWER, SAMPLED, SOC, VOLTAGE, SessionSamples, thinned
from chargeport.derivation.vehicles import FactsReader
from chargeport.derive.live.inputs import Context, Observed, OpenSession, Sample
from chargeport.derive.live.rules import RULES
from chargeport.derive.tracks import Tracks, samples
from chargeport.signals.catalogue import BY_KEY, IS_CHARGING
from chargeport.signals.definition import Signal
from chargeport.signals.effective import Ranks, effective, effective_of
from chargeport.signals.ranks import is_derived
from chargeport.store.protocols import Store
from chargeport.store.records import VehicleSeries

DERIVABLE: Final = frozenset(rule.signal for rule in RULES)
LONGEST_MS: Final = 3 * 24 * 3_600_000  # of a session that is looked back on
MAX_SESSIONS: Final = 2_000  # remembered at once, of some 30 kB each; who has more cars charging reads more often


def reported(found: VehicleSeries, ranks: Ranks, now: int) -> dict[Signal, Observed]:
    """Return the effective values of now that were reported."""
    counts = effective_of(map(BY_KEY.__getitem__, found.series), found.series, ranks, now)
    states = [each.state for each in counts if each.unavailability is None]
    return {
        state.signal: Observed(state.value, state.observed_at, state.source or "")
        for state in states
        if state.value is not None and state.observed_at is not None and not is_derived(state.source)
    }


class ContextReader:
    """Reads contexts from the store. The samples of sessions that go on are kept for a while."""

    def __init__(self, store: Store, facts: FactsReader) -> None:
        self._store = store
        self._facts = facts
        self._sampled: dict[str, SessionSamples] = {}

    async def of(self, found: VehicleSeries, now: int) -> Context | None:
        """Return the context of a car; None where every signal that could be derived was reported, or nothing was."""
        ranks = self._store.readings.ranks
        values = reported(found, ranks, now)
        if not values or values.keys() >= DERIVABLE:
            return None
        session = await self._session(found, values, now)
        return Context(values, session, await self._facts.facts(found, has_session=session is not None))

    async def _session(self, found: VehicleSeries, values: dict[Signal, Observed], now: int) -> OpenSession | None:
        """Return what was measured since charging began; None where nothing says that the car charges."""
        began_at = await self._began_at(found, now)
        if began_at is None:
            self._sampled.pop(found.vehicle.id, None)
            return None
        session = await self._session_samples(found, began_at, now)
        for signal in SAMPLED:
            each = values.get(signal)
            if each is not None and isinstance(each.value, int | float) and each.observed_at >= began_at:
                session.add(signal, Sample(each.observed_at, each.value))
        power, voltage, current, soc = (session.samples.get(signal, []) for signal in (POWER, VOLTAGE, CURRENT, SOC))
        return OpenSession(started_at=began_at, power=power, voltage=voltage, amperage=current, soc=soc)

    async def _session_samples(self, found: VehicleSeries, began_at: int, now: int) -> SessionSamples:
        vehicle_id = found.vehicle.id
        session = self._sampled.get(vehicle_id)
        if session is not None and session.holds(began_at, now):
            return session
        known = await histories.tracks(self._store.history, found, SAMPLED, began_at, now + 1)
        session = SessionSamples(began_at, now, await asyncio.to_thread(_samples, known, began_at))
        self._sampled.pop(vehicle_id, None)
        self._sampled[vehicle_id] = session
        if len(self._sampled) > MAX_SESSIONS:
            del self._sampled[next(iter(self._sampled))]
        return session

    async def _began_at(self, found: VehicleSeries, now: int) -> int | None:
        """Return when the session that goes on began: as the sessions know it, or as charging turned true."""
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
    """Return the samples of a session, by signal. Slow where they are many."""
    return {
        signal: thinned(
            signal,
            [
                Sample(each.at, each.value)
                for each in samples(known, signal)
                if each.at >= began_at and isinstance(each.value, int | float)
            ],
        )
        for signal in SAMPLED
    }
