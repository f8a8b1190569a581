"""Whether a car charges and whether its cable is connected, from the series of all sources: since when, or when that ended.

Either flag is true as soon as one source reports it and is not stale. The "false" of another source ends it only if that one
began after the last report of the "true": a wallbox that is idle all day ends nothing. Derived flags count if no source reports
one.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Signal
from chargeport.signals.ranks import Ranks, is_derived
from chargeport.signals.state import Series, State, stale_at

LAG_MS: Final = 2 * 60_000
"""How long a flag holds after its last report against the "false" of another source, which may report sooner."""


class Flag(msgspec.Struct, frozen=True):
    """A flag at an instant. `since` is when it became so; `states` are those that report it, the newest first."""

    is_on: bool | None = None
    since: int = 0
    received_at: int = 0
    states: tuple[State, ...] = ()


UNKNOWN: Final = Flag()


def has_value(state: State) -> bool:
    """Return whether the newest report of a series is a value."""
    return state.observed_at is not None and (state.absence_at is None or state.absence_at <= state.observed_at)


def is_fresh(state: State, now: int) -> bool:
    """Return whether the newest report is a value that has not gone stale."""
    until = stale_at(state)
    return has_value(state) and (until is None or now < until)


def flag(signal: Signal, series: Series, ranks: Ranks, now: int) -> Flag:
    """Return charge-ischarging or charge-ischargingcableconnected at `now`."""
    known = [state for state in series.get(signal.key, ()) if state.observed_at is not None]
    if not known:
        return UNKNOWN
    reported = [state for state in known if not is_derived(state.source)]
    current = _either(signal, reported, series, ranks, now) if ranks.is_either(signal) else _ranked(reported, ranks, now)
    if current.is_on or any(is_fresh(state, now) for state in current.states):
        return current
    return _derived(known, reported, now) or current


def denied_at(state: State, series: Series, ranks: Ranks) -> int | None:
    """Return when later reports end the "true" of a series; None where none does."""
    return min(_denials(state, series, ranks), default=None)


def _either(signal: Signal, reported: Sequence[State], series: Series, ranks: Ranks, now: int) -> Flag:
    """Return the flag where the "true" of one source is enough."""
    ends: list[tuple[int, int]] = []
    on, off = [], []
    for state in reported:
        if state.value is False:
            off.append(state)
            ends.append((state.changed_at or 0, state.received_at or 0))
            continue
        ended_at = denied_at(state, series, ranks)
        if ended_at is not None and now >= ended_at:
            off.append(state)
            ends.append((ended_at, state.received_at or 0))
        elif is_fresh(state, now):
            on.append(state)
        elif signal is IS_CHARGING and has_value(state):
            ends.append((stale_at(state) or 0, state.received_at or 0))
    if on:
        first = min(on, key=lambda state: state.changed_at or 0)
        return Flag(True, first.changed_at or 0, first.received_at or 0, _newest_first(on))
    if not off:
        return UNKNOWN
    return Flag(False, *max(ends), _newest_first([state for state in off if state.value is False]))


def _ranked(reported: Sequence[State], ranks: Ranks, now: int) -> Flag:
    """Return the flag by the settings' order of sources."""
    fresh = [state for state in reported if is_fresh(state, now)]
    newest = max((state.observed_at or 0 for state in reported), default=0)
    pool = [state for state in fresh or reported if within(state, newest, ranks)]
    if not pool:
        return UNKNOWN
    best = min(pool, key=lambda state: (ranks.rank(state.signal, state.source), -(state.observed_at or 0), state.source or ""))
    if best.value is True and not fresh:
        return UNKNOWN
    return Flag(best.value is True, best.changed_at or 0, best.received_at or 0, (best,))


def within(state: State, newest: int, ranks: Ranks) -> bool:
    """Return whether a series is recent enough to be preferred to the newest of its signal, observed at `newest`."""
    preferred_for_ms = ranks.preferred_for_ms(state)
    return preferred_for_ms is None or (state.observed_at or 0) + preferred_for_ms > newest or state.observed_at == newest


def _derived(known: Sequence[State], reported: Sequence[State], now: int) -> Flag | None:
    """Return the derived flag where it is newer than all reports; None otherwise."""
    newest = max((state.observed_at or 0 for state in reported), default=-1)
    for state in known:
        is_newer = is_derived(state.source) and (state.observed_at or 0) > newest
        if is_newer and has_value(state) and (state.value is False or is_fresh(state, now)):
            return Flag(state.value is True, state.changed_at or 0, state.received_at or 0, (state,))
    return None


def _denials(state: State, series: Series, ranks: Ranks) -> Iterator[int]:
    """Yield the instants from which on another series ends the "true" of this one."""
    source, reported_at = state.source, state.observed_at or 0
    if state.signal is CABLE_CONNECTED:  # the cable is connected while the source reports that the car charges
        for other in series.get(IS_CHARGING.key, ()):
            if other.source == source and other.value is True and has_value(other):
                reported_at = max(reported_at, other.observed_at or 0)
    for signal in (IS_CHARGING, CABLE_CONNECTED) if state.signal is IS_CHARGING else (CABLE_CONNECTED,):
        for other in series.get(signal.key, ()):
            began_at = other.changed_at
            if other.value is not False or began_at is None or began_at <= reported_at or is_derived(other.source):
                continue
            if other.source == source:
                yield began_at
            elif not (ranks.is_station(source) and ranks.is_station(other.source)):  # each station reports its own plug only
                yield max(began_at, reported_at + LAG_MS)


def _newest_first(states: Sequence[State]) -> tuple[State, ...]:
    return tuple(sorted(states, key=lambda state: (-(state.observed_at or 0), state.source or "")))
