"""Which state speaks for a signal: what was reported, or else what we derived."""

from collections.abc import Mapping
from typing import Final

from chargeport.signals.catalogue import BY_CODE, IS_CHARGING, TWINS
from chargeport.signals.definition import Signal
from chargeport.signals.state import LIVE_FOR_MS, State, standing

DERIVED_FIRST: Final = frozenset({BY_CODE["charge-chargerecords"]})
"""Derived records are more than reported ones: they hold these, and the sessions that no source told of."""

SILENT_MS: Final = LIVE_FOR_MS
"""Once nobody has reported charge-ischarging for so long, what we derived of it since is believed."""


def charging_of(states: Mapping[int, State]) -> State | None:
    """The state of charge-ischarging that decides whether live values still count. The store picks it by the same rule."""
    reported, derived = states.get(IS_CHARGING.key), states.get(TWINS[IS_CHARGING].key)
    if derived is None or derived.observed_at is None:
        return reported
    if reported is None or reported.observed_at is None:
        return derived
    return derived if derived.observed_at > reported.observed_at + SILENT_MS else reported


def held(states: Mapping[int, State], signal: Signal, now: int) -> State | None:
    """The state that speaks for a signal at `now`; None when nothing is known. A reported value beats a derived one."""
    reported, derived = states.get(signal.key), states.get(TWINS[signal].key)
    if reported is None or derived is None:
        return reported or derived
    if signal in DERIVED_FIRST:
        return derived
    charging = charging_of(states)
    if standing(reported, charging, now) is None or standing(derived, charging, now) is not None:
        return reported
    return derived


def recorded(states: Mapping[int, State], signal: Signal) -> Signal:
    """The signal whose history is told: the reported one, unless only we ever knew a value."""
    reported, twin = states.get(signal.key), TWINS[signal]
    has_reported = reported is not None and reported.value is not None
    return twin if twin.key in states and (signal in DERIVED_FIRST or not has_reported) else signal
