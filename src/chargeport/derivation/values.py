"""Derived values of a vehicle at an instant, and withdrawals of those that no longer follow from its reports."""

from collections.abc import Iterator
from typing import Final

import msgspec

from chargeport.derivation.context import DERIVABLE, ContextReader, EffectiveStates, every_effective, reported
from chargeport.derive.live.rule import Derived
from chargeport.derive.live.rules import derive
from chargeport.derive.live.view import ENERGY_ADDED
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.signals.ranks import derived_of
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.signals.state import State, stale_at
from chargeport.store.protocols import Store
from chargeport.store.records import VehicleSeries
from chargeport.wire.provenance import OF

_KEPT_AFTER_SESSION: Final = frozenset({ENERGY_ADDED})  # it also describes the last session


class Values(msgspec.Struct, frozen=True):
    """The entries of a vehicle, when its next value becomes stale, and whether it reports all derivable signals itself."""

    entries: list[Entry] = []
    silent_at: int | None = None
    is_complete: bool = False


class ValueDeriver:
    """Derive the values of a vehicle."""

    def __init__(self, store: Store, contexts: ContextReader) -> None:
        self._store = store
        self._contexts = contexts

    async def of(self, vehicle_id: str, now: int) -> Values:
        """Return the derived values of a vehicle at `now`. Raises StoreError."""
        found = await self._store.readings.signals(vehicle_id)
        if found is None:
            return Values()
        counts = every_effective(found, self._store.readings.ranks, now)
        context = await self._contexts.of(found, counts, now)
        is_complete = context is None and reported(counts).keys() >= DERIVABLE
        if context is None and not any(state.source == DERIVED for states in found.series.values() for state in states):
            return Values(is_complete=is_complete)
        derived = [] if context is None else derive(context, now)
        entries: list[Entry] = [reading for value in derived if (reading := _new_reading(found, value, now)) is not None]
        entries += _withdrawals(found, {value.signal for value in derived}, counts, now)
        return Values(entries, _next_silence(found, now) if derived else None, is_complete)


def _new_reading(found: VehicleSeries, derived: Derived, now: int) -> Reading | None:
    """Return a derived value as a reading; None where the store has it.

    A reading that replaces another one is later than it: at the same instant the greater value would hold.
    """
    known, at = derived_of(found.series, derived.signal), derived.observed_at
    if known is not None and known.observed_at is not None:
        is_absent = known.absence_at is not None and known.absence_at > known.observed_at
        if not is_absent and derived.value == known.value and at <= known.observed_at:
            return None
        if is_absent or derived.value != known.value:
            at = max(at, known.observed_at + 1, (known.absence_at or 0) + 1)
    # The rule with the inputs of this value: some inputs of a rule are optional.
    codes = " ".join(signal.code for signal in derived.inputs)
    rule = derived.rule + (OF + codes if codes else "")
    return Reading(found.vehicle.id, derived.signal, derived.value, at, now, DERIVED, rule)


def _withdrawals(found: VehicleSeries, derived: set[Signal], counts: EffectiveStates, now: int) -> Iterator[Absence]:
    """Yield an absence for each effective derived value that no longer follows from reports."""
    newest_at = max((state.observed_at or 0 for state in _reported(found)), default=0)
    for signal in DERIVABLE - derived - _KEPT_AFTER_SESSION:
        known = derived_of(found.series, signal)
        if known is None or known.observed_at is None:
            continue
        counted = counts.get(signal)
        if counted is None or counted.state is not known or counted.unavailability is not None:
            continue
        at = max(known.observed_at + 1, min(newest_at, now) if newest_at > known.observed_at else _silent_since(found, now))
        reason = AbsenceReason.UNREACHABLE
        yield Absence(found.vehicle.id, signal, reason, at, now, DERIVED, known.rule)


def _reported(found: VehicleSeries) -> Iterator[State]:
    return (state for states in found.series.values() for state in states if state.source != DERIVED)


def _stale_times(found: VehicleSeries) -> Iterator[int]:
    """Yield when each reported live value becomes stale."""
    for state in _reported(found):
        ends_at = stale_at(state)
        if ends_at is not None:
            yield ends_at


def _silent_since(found: VehicleSeries, now: int) -> int:
    """Return the last instant at which a reported live value became stale; `now` where none has."""
    return max((ends_at for ends_at in _stale_times(found) if ends_at <= now), default=now)


def _next_silence(found: VehicleSeries, now: int) -> int | None:
    """Return when the next reported live value becomes stale; None where none will."""
    return min((ends_at for ends_at in _stale_times(found) if ends_at > now), default=None)
