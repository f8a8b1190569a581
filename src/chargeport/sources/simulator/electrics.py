"""The electrics of charging: the flow between a station, a charger and a battery at one state of charge.

Pure functions. On AC voltage, current and power are those of the grid side, as a car measures them at its inlet (current
and voltage per phase); on DC they are those of the battery's own voltage. `battery_w` is what reaches the cells.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from chargeport.sources.simulator.profile import CarProfile
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR
from chargeport.sources.simulator.state import CarState, Segment
from chargeport.sources.simulator.station import MINIMUM_A, Station

RAMP_S = 20.0
"""On-board chargers and DC stations raise the current over some twenty seconds rather than stepping the load."""
RAMP_FROM = 0.1

AC_EFFICIENCY = ((MINIMUM_A, 0.85), (8.0, 0.90), (16.0, 0.92), (40.0, 0.945))
"""Grid to battery by the current per phase. The charger's constant losses (pumps, control units) matter less at high current.

Measured sessions lie between 0.85 and 0.95; one at 40 A had 0.943 to 0.953.
"""

DC_EFFICIENCY = 0.95
"""Inlet to cells, less cooling and heating of the pack; measured sessions lie between 0.92 and 0.98."""

AC_TAPER_FROM_PERCENT = 95.0
AC_TAPER_TO = 0.3
"""On AC only the last five percent slow down, by some 15 minutes over what full current would take."""

SUPPLY_OHM = 0.12
"""Line and cable up to the inlet: the voltage sags by 2 V at 16 A, 4 V at 32 A."""

RAMP_STEP_MS = 2_000
STEP_MS = 10_000
"""Power changes by a few parts in a thousand within it, on the steepest DC curve; its middle represents the whole."""
SLICE_PERCENT = 1.0
"""The step in which a remaining time is summed up where power depends on the state of charge."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Voltage, current and power at the inlet, and the power that reaches the cells; `phases` is None on DC."""

    voltage_v: float
    current_a: float
    phases: int | None
    power_w: float
    battery_w: float


def interpolate(points: Sequence[tuple[float, float]], x: float) -> float:
    """Return the value at `x` of the line through `points`, level beyond its ends.

    >>> interpolate([(0, 100), (50, 200)], 25)
    150.0
    """
    index = bisect_right(points, x, key=lambda point: point[0])
    if index == 0:
        return points[0][1]
    if index == len(points):
        return points[-1][1]
    (x0, y0), (x1, y1) = points[index - 1], points[index]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def ramp(charging_s: float) -> float:
    """Return the share of the full current that flows this many seconds into charging."""
    return RAMP_FROM + (1 - RAMP_FROM) * min(1.0, charging_s / RAMP_S)


def ac_efficiency(current_a: float) -> float:
    """Return the share of the grid's power that reaches the cells, at a current per phase."""
    return interpolate(AC_EFFICIENCY, current_a)


def available_a(profile: CarProfile, station: Station) -> float:
    """Return the highest current that this station and this car allow: per phase on AC."""
    if station.kind == "DC":
        return station.max_a
    return min(station.max_a, station.cable_a, profile.onboard_a)


def pack_v(profile: CarProfile, soc_percent: float) -> float:
    """Return the battery's voltage at a state of charge."""
    empty_v, full_v = profile.pack_v
    return empty_v + (full_v - empty_v) * soc_percent / 100


def wanted_dc_a(profile: CarProfile, station: Station, soc_percent: float) -> float:
    """Return the current that a car requests from a DC station: its own curve, within the limit of the station."""
    return min(interpolate(profile.dc_curve, soc_percent) / pack_v(profile, soc_percent), station.max_a)


def dc_flow(profile: CarProfile, station: Station, soc_percent: float, share: float) -> Flow:
    """Return the flow from a DC station, at a `share` of the full current."""
    voltage_v = pack_v(profile, soc_percent)
    current_a = share * min(wanted_dc_a(profile, station, soc_percent), station.power_w / voltage_v)
    power_w = voltage_v * current_a
    return Flow(voltage_v, current_a, None, power_w, power_w * DC_EFFICIENCY)


def ac_flow(profile: CarProfile, station: Station, soc_percent: float, share: float, requested_a: float) -> Flow:
    """Return the flow from an AC station, at a `share` of the current that car, cable, station and driver allow."""
    phases = min(station.phases, profile.onboard_phases)
    taper = interpolate([(AC_TAPER_FROM_PERCENT, 1.0), (100.0, AC_TAPER_TO)], soc_percent)
    current_a = max(MINIMUM_A, share * taper * min(available_a(profile, station), requested_a))
    voltage_v = station.voltage_v - SUPPLY_OHM * current_a
    power_w = voltage_v * current_a * phases
    return Flow(voltage_v, current_a, phases, power_w, power_w * ac_efficiency(current_a))


def flow(profile: CarProfile, station: Station, soc_percent: float, share: float, requested_a: float) -> Flow:
    """Return the flow at a state of charge; `requested_a` is the driver's setting, which applies to AC only."""
    if station.kind == "DC":
        return dc_flow(profile, station, soc_percent, share)
    return ac_flow(profile, station, soc_percent, share, requested_a)


def flow_at(state: CarState, station: Station, soc_percent: float, share: float = 1.0) -> Flow:
    """Return the flow from a station into this car at a state of charge."""
    return flow(state.profile, station, soc_percent, share, state.requested_a)


def present_flow(state: CarState, station: Station) -> Flow:
    """Return the present flow of a charging car."""
    return flow_at(state, station, state.soc_percent, ramp((state.at - state.since_at) / 1000))


def _is_even(station: Station, soc_percent: float) -> bool:
    return station.kind == "AC" and soc_percent < AC_TAPER_FROM_PERCENT


def hours_to(state: CarState, station: Station, target_percent: float) -> float:
    """Return the hours that charging takes from here to a state of charge, at full current all the time."""
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
    """Return the minutes until the active limit is reached, rounded up."""
    return math.ceil(60 * hours_to(state, station, state.limit_percent))


def charging_segment(state: CarState, station: Station) -> Segment:
    """Return the next uniform period of charging: hours of constant current, or seconds where power changes.

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
