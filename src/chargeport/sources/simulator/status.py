"""The next detailed status: the rules of a charge port by priority, and whether timers allow charging.

Timers apply to AC: a car never waits at a DC station. Where the applicable timer has schedules, they alone decide, and its
departure times only set when the cabin is to be warm. With departure times alone, charging begins just early enough to reach
the limit, and then continues. A timer with neither delays nothing.
"""

from dataclasses import dataclass

from chargeport.sources.simulator.conditions import applicable
from chargeport.sources.simulator.electrics import hours_to
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR
from chargeport.sources.simulator.state import CarState, Status
from chargeport.sources.simulator.station import MINIMUM_A, Station
from chargeport.sources.simulator.timers import FOREVER, Timer, next_departure_at, windows

DEPARTURE_MARGIN_MS = 10 * 60_000
"""Ready ten minutes early, as a reserve for the handshake, the ramp and a low grid voltage."""

LATCHING_MS = 3_000
"""From the cable in the port to the pin that locks it."""
HANDSHAKE_MS = {"AC": 6_000, "DC": 20_000}
"""On AC a control pilot and a relay; on DC also the limits' exchange, an insulation test and pre-charge (DIN 70121)."""
PORT_COLORS: dict[Status, str] = {
    "CONNECTED": "White",
    "STARTING": "White",
    "CHARGING": "Green",
    "SCHEDULED": "Blue",
    "STOPPED": "Amber",
    "FULLY_CHARGED": "Green",
    "NO_POWER": "Red",
    "ERROR": "Red",
}
"""The light of a fictitious maker's port; it is off while nothing is plugged in."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether charging is allowed, and until when that is so."""

    is_open: bool
    until_at: int = FOREVER


def gate(state: CarState, station: Station) -> Gate:
    """Return the gate of a car at this station, at the state's instant."""
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


def next_status(state: CarState, station: Station | None, gate: Gate | None) -> Status:
    """Return the next status, one step from the present one; `gate` is that of the timers, None while unplugged."""
    if station is None or gate is None:
        return "DISCONNECTED"
    if state.fault:
        return "ERROR"
    if state.at < state.plugged_at + LATCHING_MS:
        return "CONNECTED"
    return _obstacle(state, station, gate) or _progress(state, station)


def _obstacle(state: CarState, station: Station, gate: Gate) -> Status | None:
    if not station.has_power:
        return "NO_POWER"
    if state.stored_kwh >= state.limit_kwh:
        return "FULLY_CHARGED"
    if state.wish == "STOP" or (station.kind == "AC" and state.requested_a < MINIMUM_A):
        return "STOPPED"
    return None if gate.is_open or state.wish == "START" else "SCHEDULED"


def _progress(state: CarState, station: Station) -> Status:
    started = state.status == "STARTING" and state.at >= state.since_at + HANDSHAKE_MS[station.kind]
    return "CHARGING" if started or state.status == "CHARGING" else "STARTING"


def status_ends_at(state: CarState) -> int:
    """Return when the present status ends by itself: latching and handshaking do, the others wait for an event."""
    if state.station is None:
        return FOREVER
    if state.status == "CONNECTED":
        return state.plugged_at + LATCHING_MS
    if state.status == "STARTING":
        return state.since_at + HANDSHAKE_MS[state.station.kind]
    return FOREVER
