"""A car's state in the simulator's own fields: absent where the car has no value.

Units are in the names; the formats of `limits`, `timers` and `records` are those of the charge-signals reference. No live
value remains from the past: voltage and minutes are absent without the cable; a car that is not charging reports 0 A, 0 W
and 0 km/h, with a cable or without.
"""

from typing import Any

from chargeport.sources.simulator.conditions import limits_on_the_wire
from chargeport.sources.simulator.electrics import available_a, minutes_to_limit, present_flow, wanted_dc_a
from chargeport.sources.simulator.profile import CarProfile
from chargeport.sources.simulator.state import CarState
from chargeport.sources.simulator.station import Station
from chargeport.sources.simulator.status import PORT_COLORS
from chargeport.sources.simulator.timers import timers_on_the_wire

FIELDS = (
    "current_a",
    "current_max_a",
    "current_requested_a",
    "limits",
    "port_color",
    "rate_km_h",
    "records",
    "phases",
    "timers",
    "inlet",
    "status",
    "energy_added_kwh",
    "fast_charger",
    "charging",
    "plugged",
    "latched",
    "flap_open",
    "fast_charger_present",
    "minutes_to_limit",
    "voltage_v",
    "power_w",
    "soc_percent",
    "capacity_kwh",
    "range_km",
)
"""All fields, in the order of the charge-signals reference, companions last."""

LIVE_FIELDS = (
    "current_a",
    "rate_km_h",
    "status",
    "energy_added_kwh",
    "charging",
    "minutes_to_limit",
    "voltage_v",
    "power_w",
    "soc_percent",
    "range_km",
)
"""The fields that change from one moment of charging to the next."""


def rate_km_h(profile: CarProfile, battery_w: float) -> float:
    """Return the range in km that a power into the cells adds in an hour."""
    return battery_w / 1000 / profile.consumption_kwh_per_km


def snapshot(state: CarState) -> dict[str, Any]:
    """Return all that a car can report at its instant, exact but for a real car's rounding."""
    fields = _lasting(state)
    if state.station is not None:
        fields |= _plugged(state, state.station)
    if state.station is not None and state.status == "CHARGING":
        fields |= _charging(state, state.station)
    else:
        fields |= _resting(state.station)
    return {name: value for name, value in fields.items() if name not in state.profile.not_capable}


def _lasting(state: CarState) -> dict[str, Any]:
    plugged = state.station is not None
    fields: dict[str, Any] = {
        "limits": limits_on_the_wire(state.limits, state.place, state.charging_type),
        "records": {"values": list(state.records)},
        "timers": timers_on_the_wire(state.timers),
        "inlet": state.profile.inlet,
        "current_requested_a": round(state.requested_a, 1),
        "status": state.status,
        "charging": state.status == "CHARGING",
        "plugged": plugged,
        "latched": plugged,
        "flap_open": plugged,
        "fast_charger_present": state.charging_type == "DC",
        "soc_percent": round(state.soc_percent, 1),
        "capacity_kwh": state.profile.capacity_kwh,
        "range_km": round(state.stored_kwh / state.profile.consumption_kwh_per_km, 1),
    }
    if (energy_kwh := state.energy_added_kwh) is not None:
        fields["energy_added_kwh"] = round(energy_kwh, 2)
    return fields


def _plugged(state: CarState, station: Station) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "port_color": PORT_COLORS[state.status],
        "current_max_a": round(available_a(state.profile, station), 1),
    }
    if state.profile.fast_charger is not None:  # with a cable in, a car reports the standard of its inlet
        fields["fast_charger"] = state.profile.fast_charger
    if station.kind == "DC":
        fields["current_requested_a"] = round(wanted_dc_a(state.profile, station, state.soc_percent), 1)
    else:
        fields["phases"] = min(station.phases, state.profile.onboard_phases)
    return fields


def _charging(state: CarState, station: Station) -> dict[str, Any]:
    flow = present_flow(state, station)
    return {
        "current_a": round(flow.current_a, 1),
        "voltage_v": round(flow.voltage_v, 1),
        "power_w": round(flow.power_w),
        "rate_km_h": round(rate_km_h(state.profile, flow.battery_w), 1),
        "minutes_to_limit": minutes_to_limit(state, station),
    }


def _resting(station: Station | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"current_a": 0.0, "power_w": 0, "rate_km_h": 0.0}
    # A DC station's contactor is open while nothing flows, and a socket without power has no voltage to measure.
    if station is not None and station.kind == "AC" and station.has_power:
        fields["voltage_v"] = round(station.voltage_v, 1)
    return fields
