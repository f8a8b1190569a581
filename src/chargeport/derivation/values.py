"""What follows at this moment from what was reported of a vehicle: values that nobody reports, and withdrawals of old ones."""

from collections.abc import Iterator
from typing import Final

import msgspec

from chargeport.derivation.context import DERIVABLE, ContextReader, reported
from chargeport.derive.live.rule import Derived
from chargeport.derive.live.rules import derive
from chargeport.derive.live.view import ENERGY_ADDED
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED, Ranks, effective
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.signals.state import State, stale_at
from chargeport.store.protocols import Store
from chargeport.store.records import VehicleSeries
from chargeport.wire.provenance import OF

_STAYS: Final = frozenset({ENERGY_ADDED})  # it is of the last session as well


class Values(msgspec.Struct, frozen=True):
    """What is to be written of a vehicle; when its silence matters next; and whether it reports all that could be derived."""

    entries: list[Entry] = []
    silent_at: int | None = None
    is_complete: bool = False


class ValueDeriver:
    """Derives the values of a vehicle."""

    def __init__(self, store: Store, contexts: ContextReader) -> None:
        self._store = store
        self._contexts = contexts

    async def of(self, vehicle_id: str, now: int) -> Values:
        """Return what follows at `now` from what was reported of a vehicle. Raises StoreError."""
        found = await self._store.readings.signals(vehicle_id)
        if found is None:
            return Values()
        ranks = self._store.readings.ranks
        context = await self._contexts.of(found, now)
        is_complete = context is None and reported(found, ranks, now).keys() >= DERIVABLE
        if context is None and not any(each.source == DERIVED for states in found.series.values() for each in states):
            return Values(is_complete=is_complete)
        derived = [] if context is None else derive(context, now)
        entries: list[Entry] = [reading for each in derived if (reading := _news(found, each, now)) is not None]
        entries += _withdrawn(found, {each.signal for each in derived}, ranks, now)
        return Values(entries, _next_silence(found, now) if derived else None, is_complete)


def _news(found: VehicleSeries, derived: Derived, now: int) -> Reading | None:
    """Return a derived value as a reading; None where the store has it.

    One that replaces another is later than that: at one instant the greater would hold, not the newer.
    """
    known, at = _derived(found, derived.signal), derived.observed_at
    if known is not None and known.observed_at is not None:
        is_absent = known.absence_at is not None and known.absence_at > known.observed_at
        if not is_absent and derived.value == known.value and at <= known.observed_at:
            return None
        if is_absent or derived.value != known.value:
            at = max(at, known.observed_at + 1, (known.absence_at or 0) + 1)
    # The rule with what it went by this time: of the inputs that a rule may use, not all need be there.
    codes = " ".join(signal.code for signal in derived.inputs)
    rule = derived.rule + (OF + codes if codes else "")
    return Reading(found.vehicle.id, derived.signal, derived.value, at, now, DERIVED, rule)


def _withdrawn(found: VehicleSeries, derived: set[Signal], ranks: Ranks, now: int) -> Iterator[Absence]:
    """Yield an absence for each derived value that is shown although nothing leads to it now."""
    newest_at = max((state.observed_at or 0 for state in _reported(found)), default=0)
    for signal in DERIVABLE - derived - _STAYS:
        known = _derived(found, signal)
        if known is None or known.observed_at is None:
            continue
        counts = effective(signal, found.series, ranks, now)
        if counts is None or counts.state is not known or counts.unavailability is not None:
            continue
        at = max(known.observed_at + 1, min(newest_at, now) if newest_at > known.observed_at else _silent_since(found, now))
        reason = AbsenceReason.UNREACHABLE
        yield Absence(found.vehicle.id, signal, reason, at, now, DERIVED, known.rule)


def _derived(found: VehicleSeries, signal: Signal) -> State | None:
    """Return what was derived of a signal last."""
    return next((each for each in found.series.get(signal.key, ()) if each.source == DERIVED), None)


def _reported(found: VehicleSeries) -> Iterator[State]:
    return (each for states in found.series.values() for each in states if each.source != DERIVED)


def _live(found: VehicleSeries) -> Iterator[int]:
    """Yield when each reported live value stops being fresh."""
    for state in _reported(found):
        ends_at = stale_at(state)
        if ends_at is not None:
            yield ends_at


def _silent_since(found: VehicleSeries, now: int) -> int:
    """Return the newest instant at which a reported live value went stale; now, where none has."""
    return max((ends_at for ends_at in _live(found) if ends_at <= now), default=now)


def _next_silence(found: VehicleSeries, now: int) -> int | None:
    """Return when the next reported live value will go stale, unless it is reported again."""
    return min((ends_at for ends_at in _live(found) if ends_at > now), default=None)
