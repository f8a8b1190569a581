"""The actions of a driver: drive, arrive, plug in, unplug.

Each is a change to a `CarState` at its own instant, independent of its origin: an itinerary or a control.
"""

from chargeport.sources.simulator.itinerary import drive_ms
from chargeport.sources.simulator.place import Place
from chargeport.sources.simulator.session import record
from chargeport.sources.simulator.state import CarState, Segment
from chargeport.sources.simulator.station import Station

RESERVE_PERCENT = 1.0
"""A drive never empties the battery below this, whatever its length."""


def drive(state: CarState, km: float, to: Place | None) -> None:
    """Set out, unplugged, on a drive of `km`; the battery falls evenly until the car is at `to` (None: on the road)."""
    halt(state)
    spare_kwh = max(0.0, state.stored_kwh - RESERVE_PERCENT / 100 * state.profile.capacity_kwh)
    left_kwh = state.stored_kwh - min(km * state.profile.consumption_kwh_per_km, spare_kwh)
    state.segment = Segment(state.at, state.at + max(1, drive_ms(km)), state.stored_kwh, left_kwh)
    state.driving, state.place, state.destination = True, None, to
    state.changed()


def arrive(state: CarState) -> None:
    """End the drive at this instant: the car is at its destination."""
    state.close_segment()
    state.driving, state.place = False, state.destination
    state.changed()


def halt(state: CarState) -> None:
    """Stop, and pull the cable."""
    unplug(state)
    if state.driving:
        arrive(state)


def plug(state: CarState, station: Station) -> None:
    """Open the flap and plug into a station, out of any other; the car is where the station is."""
    halt(state)
    state.station, state.plugged_at, state.wish = station, state.at, None
    state.place = station.place or state.place
    state.changed()


def unplug(state: CarState) -> None:
    """Pull the cable, if one is in, and store the session's record."""
    if state.station is None:
        return
    state.close_segment()
    if state.session is not None:
        state.last_session_kwh = state.energy_added_kwh
        entry = record(state.session, state.profile.id, state.stored_kwh, state.profile.capacity_kwh)
        if entry is not None:
            state.records.append(entry)
    state.station, state.session = None, None
    state.changed()
