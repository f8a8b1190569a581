"""What we can say of a car that nobody reports: values worked out, and those taken back that have lost their ground."""

from collections.abc import Iterator
from typing import Final

from chargeport.derivation.context import DERIVABLE, Scenes, reported
from chargeport.derive.live.rule import Derived
from chargeport.derive.live.rules import derive
from chargeport.derive.live.view import ENERGY_ADDED
from chargeport.signals.catalogue import BY_KEY, TWINS
from chargeport.signals.definition import Signal
from chargeport.signals.held import charging_of
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.signals.state import stale_at, standing
from chargeport.store.protocols import Store
from chargeport.store.records import VehicleStates

PREFIX: Final = "derived:"  # of the source that a derived value names; its rule follows
OF: Final = " of "  # and then the codes that this value rests on: `derived:wattage/voltage-amperage@1 of charge-voltage …`

_STAYS: Final = frozenset({ENERGY_ADDED})  # it is of the last session as well


class Deriver:
    """Works out the values of one car."""

    def __init__(self, store: Store, scenes: Scenes) -> None:
        self._store = store
        self._scenes = scenes

    async def of(self, vehicle_id: str, now: int) -> tuple[list[Entry], int | None, bool]:
        """What is to be written of a car; when its silence will next matter; and whether it leaves anything to derive."""
        found = await self._store.readings.signals(vehicle_id)
        scene = None if found is None else await self._scenes.of(found, now)
        if found is None:
            return [], None, False
        is_wanting = scene is not None or not reported(found, now).keys() >= DERIVABLE
        if scene is None and not any(BY_KEY[key].is_derived for key in found.states):
            return [], None, is_wanting
        derived = [] if scene is None else derive(scene, now)
        entries: list[Entry] = [_reading(vehicle_id, each, now) for each in derived if _is_news(found, each)]
        entries += _withdrawn(found, {each.signal for each in derived}, now)
        return entries, _next_silence(found, now) if derived else None, is_wanting


def _reading(vehicle_id: str, derived: Derived, now: int) -> Reading:
    signal = TWINS[derived.signal]
    return Reading(vehicle_id, signal, derived.value, derived.observed_at, now, _source(derived))


def _source(derived: Derived) -> str:
    """The rule and what it went by this time: of the inputs that a rule may heed, not all need be there."""
    codes = " ".join(signal.code for signal in derived.inputs)
    return PREFIX + derived.rule + (OF + codes if codes else "")


def _is_news(found: VehicleStates, derived: Derived) -> bool:
    """Whether the twin does not say so already."""
    twin = found.states.get(TWINS[derived.signal].key)
    if twin is None or twin.observed_at is None:
        return True
    is_absent = twin.absence_at is not None and twin.absence_at > twin.observed_at
    return is_absent or derived.observed_at > twin.observed_at or derived.value != twin.value


def _withdrawn(found: VehicleStates, derived: set[Signal], now: int) -> Iterator[Absence]:
    """An absence for each twin that stands although nothing leads to it now. What somebody reports instead is left alone."""
    charging = charging_of(found.states)
    heard_at = max((state.observed_at or 0 for state in found.states.values() if not state.signal.is_derived), default=0)
    for signal in DERIVABLE - derived - _STAYS:
        twin, told = found.states.get(TWINS[signal].key), found.states.get(signal.key)
        if twin is None or twin.observed_at is None or standing(twin, charging, now) is not None:
            continue
        if told is not None and told.value is not None and standing(told, charging, now) is None:
            continue
        at = max(twin.observed_at + 1, min(heard_at, now) if heard_at > twin.observed_at else _silent_since(found, now))
        reason = AbsenceReason.UNREACHABLE
        yield Absence(found.vehicle.id, twin.signal, reason, at, now, twin.source or PREFIX)


def _live(found: VehicleStates) -> Iterator[int]:
    """When each reported live value stops being fresh."""
    for state in found.states.values():
        ends_at = None if state.signal.is_derived else stale_at(state)
        if ends_at is not None:
            yield ends_at


def _silent_since(found: VehicleStates, now: int) -> int:
    """The newest instant at which a reported live value went stale; now, where none has."""
    return max((ends_at for ends_at in _live(found) if ends_at <= now), default=now)


def _next_silence(found: VehicleStates, now: int) -> int | None:
    """When the next reported live value will go stale, unless it is heard again."""
    return min((ends_at for ends_at in _live(found) if ends_at > now), default=None)
