"""Which detailed status comes next: the rules of a charge port, in the order in which they win."""

from chargeport.sources.simulator.gate import Gate
from chargeport.sources.simulator.state import CarState, Status
from chargeport.sources.simulator.station import MINIMUM_A, Station
from chargeport.sources.simulator.timers import FOREVER

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
"""The light of an imaginary maker's port; it is dark while nothing is plugged in."""


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
