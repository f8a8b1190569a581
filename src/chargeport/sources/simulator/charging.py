"""Charging over time: how long it takes, in stretches short enough to count as even."""

import math

from chargeport.sources.simulator.electrics import (
    AC_TAPER_FROM_PERCENT,
    RAMP_S,
    Flow,
    flow,
    ramp,
)
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR
from chargeport.sources.simulator.state import CarState, Segment
from chargeport.sources.simulator.station import Station

RAMP_STEP_MS = 2_000
STEP_MS = 10_000
"""Power changes by a few parts in a thousand within it, on the steepest DC curve; its middle stands for the whole."""

SLICE_PERCENT = 1.0
"""The stretch of battery over which a remaining time is summed up where power depends on the state of charge."""


def flow_at(state: CarState, station: Station, soc_percent: float, share: float = 1.0) -> Flow:
    """Return what would flow from a station into this car at a state of charge."""
    return flow(state.profile, station, soc_percent, share, state.requested_a)


def present_flow(state: CarState, station: Station) -> Flow:
    """Return what flows at this instant of a charging car."""
    return flow_at(state, station, state.soc_percent, ramp((state.at - state.since_at) / 1000))


def _is_even(station: Station, soc_percent: float) -> bool:
    return station.kind == "AC" and soc_percent < AC_TAPER_FROM_PERCENT


def hours_to(state: CarState, station: Station, target_percent: float) -> float:
    """Return the hours that charging takes from here to a state of charge, at full current all the way."""
    soc_percent, hours = state.soc_percent, 0.0
    while soc_percent < target_percent:
        if _is_even(station, soc_percent):
            end_percent = min(target_percent, AC_TAPER_FROM_PERCENT)
        else:
            end_percent = min(target_percent, soc_percent + SLICE_PERCENT)
        energy_wh = (end_percent - soc_percent) * 10 * state.profile.capacity_kwh
        hours += energy_wh / flow_at(state, station, (soc_percent + end_percent) / 2).battery_w
        soc_percent = end_percent
    return hours


def minutes_to_limit(state: CarState, station: Station) -> int:
    """Return whole minutes until the active limit is reached, the begun one counted."""
    return math.ceil(60 * hours_to(state, station, state.limit_percent))


def charging_segment(state: CarState, station: Station) -> Segment:
    """Return the next even stretch of charging: hours of constant current, or seconds where power changes.

    It ends at the latest where the limit is reached, to the millisecond.
    """
    charging_s = (state.at - state.since_at) / 1000
    start_kwh, target_kwh = state.stored_kwh, state.limit_kwh
    taper_kwh = AC_TAPER_FROM_PERCENT / 100 * state.profile.capacity_kwh
    if charging_s < RAMP_S:
        even = _middle(state, station, charging_s, RAMP_STEP_MS)
        longest_ms = RAMP_STEP_MS
    elif station.kind == "AC" and start_kwh < taper_kwh:
        even = flow_at(state, station, state.soc_percent)
        target_kwh = min(target_kwh, taper_kwh)
        longest_ms = math.ceil(_duration_ms(target_kwh - start_kwh, even))
    else:
        even = _middle(state, station, charging_s, STEP_MS)
        longest_ms = STEP_MS
    duration_ms = _duration_ms(target_kwh - start_kwh, even)
    if duration_ms <= longest_ms:
        return Segment(state.at, state.at + max(1, math.ceil(duration_ms)), start_kwh, target_kwh, even.power_w)
    end_kwh = start_kwh + even.battery_w / 1000 * longest_ms / MILLISECONDS_PER_HOUR
    return Segment(state.at, state.at + longest_ms, start_kwh, end_kwh, even.power_w)


def _middle(state: CarState, station: Station, charging_s: float, step_ms: int) -> Flow:
    """Return the flow half a step ahead: the midpoint rule, which is exact where power changes linearly."""
    share = ramp(charging_s + step_ms / 2000)
    now = flow_at(state, station, state.soc_percent, share)
    half_kwh = now.battery_w / 1000 * step_ms / 2 / MILLISECONDS_PER_HOUR
    return flow_at(state, station, state.soc_percent + 100 * half_kwh / state.profile.capacity_kwh, share)


def _duration_ms(energy_kwh: float, even: Flow) -> float:
    return energy_kwh * 1000 / even.battery_w * MILLISECONDS_PER_HOUR
