"""The gate that timers hold: whether a plugged-in car may charge now, with the instant at which that changes.

Timers are an AC matter: nobody waits at a DC station. Where the applicable timer has schedules, they alone decide, and its
departure times merely say when the cabin is to be warm. Where it has departure times alone, charging begins just early
enough to reach the limit, and once begun goes on. A timer with neither holds nothing back.
"""

from dataclasses import dataclass

from chargeport.sources.simulator.charging import hours_to
from chargeport.sources.simulator.conditions import applicable
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR
from chargeport.sources.simulator.state import CarState
from chargeport.sources.simulator.station import Station
from chargeport.sources.simulator.timers import FOREVER, Timer, next_departure_at, windows

DEPARTURE_MARGIN_MS = 10 * 60_000
"""Ready ten minutes early: the handshake, the ramp and a sagging grid all come out of it."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether charging is allowed, and until when that holds."""

    is_open: bool
    until_at: int = FOREVER


def gate(state: CarState, station: Station) -> Gate:
    """Return the gate in front of a car at this station, at the state's instant."""
    timer = applicable(state.timers, state.place, station.kind) if station.kind == "AC" else None
    if timer is None:
        return Gate(is_open=True)
    if timer.schedules:
        return _by_schedule(timer, state)
    if timer.departure_timers and state.status not in {"STARTING", "CHARGING"}:
        return _by_departure(timer, state, station)
    return Gate(is_open=True)


def _by_schedule(timer: Timer, state: CarState) -> Gate:
    """Open inside any window; windows that touch or overlap count as one."""
    closes_at = 0
    for window_opens_at, window_closes_at in windows(timer, state.at, state.profile.local_zone):
        if window_opens_at > max(state.at, closes_at):
            return Gate(closes_at > state.at, closes_at if closes_at > state.at else window_opens_at)
        if window_closes_at > state.at:
            closes_at = max(closes_at, window_closes_at)
    return Gate(is_open=True, until_at=closes_at)


def _by_departure(timer: Timer, state: CarState, station: Station) -> Gate:
    leaves_at = next_departure_at(timer, state.at, state.profile.local_zone)
    needed_ms = round(hours_to(state, station, state.limit_percent) * MILLISECONDS_PER_HOUR)
    begins_at = leaves_at - needed_ms - DEPARTURE_MARGIN_MS
    return Gate(is_open=True) if state.at >= begins_at else Gate(is_open=False, until_at=begins_at)
