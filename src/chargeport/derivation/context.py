"""The input of the rules of live values, read from the store."""

from collections.abc import Mapping
from typing import Final

from chargeport.derivation import histories
from chargeport.derivation.samples import CURRENT, POWER, SAMPLED, SOC, VOLTAGE, SessionSamples, thinned
from chargeport.derivation.vehicles import FactsReader
from chargeport.derive.live.inputs import Context, Observed, OpenSession, Sample
from chargeport.derive.live.rules import RULES
from chargeport.derive.series import BRIDGED_GAP_MS, CHARGING_W
from chargeport.derive.tracks import Tracks, number, samples, sightings
from chargeport.signals.catalogue import BY_KEY, IS_CHARGING
from chargeport.signals.definition import Signal
from chargeport.signals.effective import Effective, Ranks, effective_of
from chargeport.signals.ranks import is_derived
from chargeport.store.protocols import Store
from chargeport.store.records import VehicleSeries
from chargeport.tasks import in_thread_if

EffectiveStates = Mapping[Signal, Effective]
"""The effective states of a vehicle, by signal."""

DERIVABLE: Final = frozenset(rule.signal for rule in RULES)
LONGEST_MS: Final = 3 * 24 * 3_600_000  # of a session that is used as context
SHORT_SAMPLES: Final = 1_000  # of a session, which are read within a millisecond
MAX_SESSIONS: Final = 2_000  # in memory, of some 30 kB each; if more cars charge, sessions are read more often


def every_effective(found: VehicleSeries, ranks: Ranks, now: int) -> EffectiveStates:
    """Return the effective states of all signals of a vehicle at `now`."""
    counts = effective_of(map(BY_KEY.__getitem__, found.series), found.series, ranks, now)
    return {counted.state.signal: counted for counted in counts}


def reported(counts: EffectiveStates) -> dict[Signal, Observed]:
    """Return the effective values that are available and were reported, not derived."""
    states = [counted.state for counted in counts.values() if counted.unavailability is None]
    return {
        state.signal: Observed(state.value, state.observed_at, state.source or "")
        for state in states
        if state.value is not None and state.observed_at is not None and not is_derived(state.source)
    }


class ContextReader:
    """Read contexts from the store, with a cache of the samples of open sessions."""

    def __init__(self, store: Store, facts: FactsReader) -> None:
        self._store = store
        self._facts = facts
        self._sampled: dict[str, SessionSamples] = {}

    async def of(self, found: VehicleSeries, counts: EffectiveStates, now: int) -> Context | None:
        """Return the context of a car; None where nothing was reported, or every signal that could be derived.

        `counts` are the effective states of the car at `now`.
        """
        values = reported(counts)
        if not values or values.keys() >= DERIVABLE:
            return None
        session = await self._session(found, counts.get(IS_CHARGING), values, now)
        return Context(values, session, await self._facts.facts(found, has_session=session is not None))

    async def _session(
        self, found: VehicleSeries, charging: Effective | None, values: dict[Signal, Observed], now: int
    ) -> OpenSession | None:
        """Return the samples since charging began; None if the car does not charge, or if that is unknown."""
        began_at = await self._began_at(found, charging, now)
        if began_at is None:
            self._sampled.pop(found.vehicle.id, None)
            return None
        session = await self._session_samples(found, began_at, now)
        for signal in SAMPLED:
            newest = values.get(signal)
            if newest is not None and isinstance(newest.value, int | float) and newest.observed_at >= began_at:
                session.add(signal, Sample(newest.observed_at, newest.value))
        power, voltage, current, soc = (session.samples.get(signal, []) for signal in (POWER, VOLTAGE, CURRENT, SOC))
        return OpenSession(
            started_at=began_at,
            idle_at=session.idle_at,
            soc_before=session.soc_before,
            power=power,
            voltage=voltage,
            amperage=current,
            soc=soc,
        )

    async def _session_samples(self, found: VehicleSeries, began_at: int, now: int) -> SessionSamples:
        vehicle_id = found.vehicle.id
        session = self._sampled.get(vehicle_id)
        if session is not None and session.is_current(began_at, now):
            return session
        known = await histories.tracks(
            self._store.history, found, (*SAMPLED, IS_CHARGING), began_at - BRIDGED_GAP_MS, now + 1
        )  # fmt: skip
        session = await in_thread_if(sightings(known) > SHORT_SAMPLES, _samples, known, began_at, now)
        self._sampled.pop(vehicle_id, None)
        self._sampled[vehicle_id] = session
        if len(self._sampled) > MAX_SESSIONS:
            del self._sampled[next(iter(self._sampled))]
        return session

    async def _began_at(self, found: VehicleSeries, charging: Effective | None, now: int) -> int | None:
        """Return when the open session began: by the stored sessions, else when charging became true."""
        is_charging = None if charging is None else charging.state
        if is_charging is not None and is_charging.value is False:
            return None
        sessions = await self._store.sessions.sessions(found.vehicle.id, now - LONGEST_MS, now + 1)
        open_sessions = [session for session in sessions if session.is_open]
        if open_sessions:
            return open_sessions[-1].started_at
        return None if is_charging is None or is_charging.value is not True else is_charging.changed_at


def _samples(known: Tracks, began_at: int, now: int) -> SessionSamples:
    """Return the samples of a session, by signal, and what was known just before it. Slow for many."""
    within = {
        signal: thinned(
            signal,
            [
                Sample(sample.at, sample.value)
                for sample in samples(known, signal)
                if sample.at >= began_at and isinstance(sample.value, int | float)
            ],
        )
        for signal in SAMPLED
    }
    idle_at = _idle_at(known, began_at)
    before = [] if idle_at is None else [number(sample) for sample in samples(known, SOC) if sample.at <= idle_at]
    return SessionSamples(began_at, now, within, idle_at, before[-1] if before else None)


def _idle_at(known: Tracks, began_at: int) -> int | None:
    """Return the last instant before a session at which one of its sources reported no charging; None without a recent one."""
    flows = [(sample.at, sample.source, sample.value is True) for sample in samples(known, IS_CHARGING)]
    flows += [(sample.at, sample.source, number(sample) > CHARGING_W) for sample in samples(known, POWER)]
    own = {source for at, source, charges in flows if charges and at >= began_at}
    idle = [at for at, source, charges in flows if not charges and source in own and at < began_at]
    return max((at for at in idle if at >= began_at - BRIDGED_GAP_MS), default=None)
