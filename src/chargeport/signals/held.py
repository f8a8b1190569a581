"""Which state speaks for a signal: what was reported, or else what we derived."""

from collections.abc import Mapping
from typing import Final

from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.signals.state import LIVE_FOR_MS, State, standing

Series = Mapping[int, tuple[State, ...]]
"""By signal key, what each source said."""

DERIVED_FIRST: Final = frozenset({BY_CODE["charge-chargerecords"]})
"""Derived records are more than reported ones: they hold these, and the sessions that no source told of."""

SETTINGS: Final = "settings"
"""The source of what the settings file says of a car: it stands before all others."""

SILENT_MS: Final = LIVE_FOR_MS
"""Once nobody has reported charge-ischarging for so long, what we derived of it since is believed."""


def reported_of(series: Series, signal: Signal) -> State | None:
    """What was reported last of a signal, or is in the settings file; None where nothing was."""
    return max((each for each in series.get(signal.key, ()) if each.source != DERIVED), key=_newest, default=None)


def derived_of(series: Series, signal: Signal) -> State | None:
    """What we derived of a signal; None where nothing was."""
    return next((each for each in series.get(signal.key, ()) if each.source == DERIVED), None)


def _newest(state: State) -> tuple[bool, bool, int, str]:
    """That one source can't tell hides nothing that another one told."""
    observed_at, absence_at = state.observed_at or 0, state.absence_at or 0
    return state.source == SETTINGS, absence_at <= observed_at, max(observed_at, absence_at), state.source or ""


def charging_of(series: Series) -> State | None:
    """The state of charge-ischarging that decides whether live values still count."""
    reported, derived = reported_of(series, IS_CHARGING), derived_of(series, IS_CHARGING)
    if derived is None or derived.observed_at is None:
        return reported
    if reported is None or reported.observed_at is None:
        return derived
    return derived if derived.observed_at > reported.observed_at + SILENT_MS else reported


def held(series: Series, signal: Signal, now: int) -> State | None:
    """The state that speaks for a signal at `now`; None when nothing is known. A reported value beats a derived one."""
    reported, derived = reported_of(series, signal), derived_of(series, signal)
    if reported is None or derived is None:
        return reported or derived
    if signal in DERIVED_FIRST:
        return derived
    charging = charging_of(series)
    if standing(reported, charging, now) is None or standing(derived, charging, now) is not None:
        return reported
    return derived


def recorded(series: Series, signal: Signal) -> str:
    """The source whose history is told: the one that reported last, unless only we ever knew a value."""
    reported, derived = reported_of(series, signal), derived_of(series, signal)
    has_reported = reported is not None and reported.value is not None
    told = derived if derived is not None and (signal in DERIVED_FIRST or not has_reported) else reported
    return DERIVED if told is None else told.source or DERIVED
