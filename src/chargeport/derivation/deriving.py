"""What we can say of a car that nobody reports: values worked out, and those taken back that have lost their ground."""

from collections.abc import Iterator
from typing import Final

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


class ValueDeriver:
    """Works out the values of one car."""

    def __init__(self, store: Store, contexts: ContextReader) -> None:
        self._store = store
        self._contexts = contexts

    async def of(self, vehicle_id: str, now: int) -> tuple[list[Entry], int | None, bool]:
        """What is to be written of a car; when its silence will next matter; and whether it leaves anything to derive."""
        found = await self._store.readings.signals(vehicle_id)
        context = None if found is None else await self._contexts.of(found, now)
        if found is None:
            return [], None, False
        ranks = self._store.readings.ranks
        is_wanting = context is not None or not reported(found, ranks, now).keys() >= DERIVABLE
        if context is None and not any(each.source == DERIVED for states in found.series.values() for each in states):
            return [], None, is_wanting
        derived = [] if context is None else derive(context, now)
        entries: list[Entry] = [_reading(vehicle_id, each, now) for each in derived if _is_news(found, each)]
        entries += _withdrawn(found, {each.signal for each in derived}, ranks, now)
        return entries, _next_silence(found, now) if derived else None, is_wanting


def _reading(vehicle_id: str, derived: Derived, now: int) -> Reading:
    return Reading(vehicle_id, derived.signal, derived.value, derived.observed_at, now, DERIVED, _rule(derived))


def _rule(derived: Derived) -> str:
    """The rule and what it went by this time: of the inputs that a rule may heed, not all need be there."""
    codes = " ".join(signal.code for signal in derived.inputs)
    return derived.rule + (OF + codes if codes else "")


def _is_news(found: VehicleSeries, derived: Derived) -> bool:
    """Whether what was derived before does not say so already."""
    known = _derived(found, derived.signal)
    if known is None or known.observed_at is None:
        return True
    is_absent = known.absence_at is not None and known.absence_at > known.observed_at
    return is_absent or derived.observed_at > known.observed_at or derived.value != known.value


def _withdrawn(found: VehicleSeries, derived: set[Signal], ranks: Ranks, now: int) -> Iterator[Absence]:
    """An absence for each derived value that is shown although nothing leads to it now."""
    heard_at = max((state.observed_at or 0 for state in _reported(found)), default=0)
    for signal in DERIVABLE - derived - _STAYS:
        counts, known = effective(signal, found.series, ranks, now), _derived(found, signal)
        if counts is None or counts.state is not known or known.observed_at is None or counts.unavailability is not None:
            continue
        at = max(known.observed_at + 1, min(heard_at, now) if heard_at > known.observed_at else _silent_since(found, now))
        reason = AbsenceReason.UNREACHABLE
        yield Absence(found.vehicle.id, signal, reason, at, now, DERIVED, known.rule)


def _derived(found: VehicleSeries, signal: Signal) -> State | None:
    """What was derived of a signal last."""
    return next((each for each in found.series.get(signal.key, ()) if each.source == DERIVED), None)


def _reported(found: VehicleSeries) -> Iterator[State]:
    return (each for states in found.series.values() for each in states if each.source != DERIVED)


def _live(found: VehicleSeries) -> Iterator[int]:
    """When each reported live value stops being fresh."""
    for state in _reported(found):
        ends_at = stale_at(state)
        if ends_at is not None:
            yield ends_at


def _silent_since(found: VehicleSeries, now: int) -> int:
    """The newest instant at which a reported live value went stale; now, where none has."""
    return max((ends_at for ends_at in _live(found) if ends_at <= now), default=now)


def _next_silence(found: VehicleSeries, now: int) -> int | None:
    """When the next reported live value will go stale, unless it is heard again."""
    return min((ends_at for ends_at in _live(found) if ends_at > now), default=None)
