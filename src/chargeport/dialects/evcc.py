"""evcc: a wallbox controller's reports of its loadpoints and of the cars that it has configured.

A car is named by its loadpoint: `loadpoints/1` is the car that charges at the first loadpoint, in MQTT and in /api/state. Facts
of a car itself are under its name in evcc, and a session has its title. The loadpoint is used because the last message of a
session, that the cable is out, arrives when the loadpoint no longer has the car's name.
"""

import re
from typing import Any, Final

from chargeport.dialects.amounts import amount, amount_beside, amounts, connected_mean, flag_beside
from chargeport.dialects.evcc_form import CURRENTS, SESSIONS, VOLTAGES, read, records, timers
from chargeport.dialects.field_values import FLAGS, folded
from chargeport.dialects.statuses import full_or
from chargeport.dialects.table import (
    NOT_KNOWN,
    Decoded,
    Gate,
    Known,
    battery_range,
    capacity,
    combined,
    dialect,
    limit,
    quantity,
    row,
    value,
)

_WAITS: Final = "chargerStatusReason"  # why the station does not charge: it needs a card, or the cable plugged in again
_STATUS: Final = (
    "charging", "connected", "enabled", _WAITS, "vehicleSoc", "effectiveLimitSoc", "planActive", "effectivePlanTime",
)  # fmt: skip
_CHECKED: Final = dict.fromkeys(FLAGS, NOT_KNOWN)  # another word is an issue
_NANOSECONDS_ABOVE: Final = 100_000_000  # three years in seconds: releases before 0.130 wrote nanoseconds


def status(known: Known) -> Decoded:
    """Return the charging status, from flags and from what the station waits for; evcc has no status of its own."""
    if "connected" not in known:
        return NOT_KNOWN
    connected = flag_beside(known, "connected")
    if not connected:
        return None if connected is None else value("DISCONNECTED")
    if flag_beside(known, "charging"):
        return value("CHARGING")
    return value("SUSPENDED_BY_STATION" if _WAITS in known and folded(known[_WAITS]) else _pause(known))


def _pause(known: Known) -> str:
    """Return why a car that is connected does not charge, where the station waits for nothing."""
    charging, enabled = flag_beside(known, "charging"), flag_beside(known, "enabled")
    if charging is None or enabled is None:
        return "CONNECTED"
    if enabled:
        return full_or("SUSPENDED_BY_CAR", amount_beside(known, "vehicleSoc"), amount_beside(known, "effectiveLimitSoc"))
    waits = "effectivePlanTime" in known and not flag_beside(known, "planActive")
    return "SCHEDULED" if waits else "SUSPENDED_BY_STATION"


def active_limit(known: Known) -> Decoded:
    """Return the lower of evcc's limit and the car's own; 0 is none."""
    own = known.best("effectiveLimitSoc", "limitSoc")
    percents = [amount(known[field]) for field in (own, "vehicleLimitSoc") if field is not None and field in known]
    return limit(min((percent for percent in percents if percent), default=0))


def most_of_phases(known: Known) -> Decoded:
    """Return the current of the phase that carries most."""
    currents = amounts(known, CURRENTS)
    return quantity(max(currents), "A") if currents else NOT_KNOWN


def phase_voltage(known: Known) -> Decoded:
    """Return the mean of the phases that are connected."""
    mean = connected_mean(amounts(known, VOLTAGES))
    return None if mean is None else quantity(mean, "V")


def power(watts: Any) -> Decoded:
    """Return the power to the car; a negative one, from the car or a meter's offset, is 0."""
    return quantity(max(amount(watts), 0), "W")


def current_max(known: Known) -> Decoded:
    """Return the current that is allowed now, else what is set."""
    field = known.best("effectiveMaxCurrent", "maxCurrent")
    return NOT_KNOWN if field is None else quantity(amount(known[field]), "A")


def charge(percent: Any) -> Decoded:
    """Return the state of charge; evcc writes 0 while it is not known."""
    return quantity(found, "%") if (found := amount(percent)) else NOT_KNOWN


def phases(content: Any) -> Decoded:
    """Return the phases in use; 0 is automatic."""
    return value(found) if (found := amount(content)) else None


def remaining(content: Any) -> Decoded:
    """Return the time to the limit; evcc writes 0 while there is none."""
    found = amount(content)
    return quantity(found / 1e9 if found > _NANOSECONDS_ABOVE else found, "s") if found else None


def range_km(content: Any) -> Decoded:
    """Return the range; evcc writes 0 while it is not known."""
    return battery_range(found, "km") if (found := amount(content)) else NOT_KNOWN


def capacity_kwh(content: Any) -> Decoded:
    """Return the capacity that the user has configured."""
    return capacity(found, "evcc") if (found := amount(content)) else NOT_KNOWN


EVCC: Final = dialect(
    "evcc",
    row("charging", "charge-ischarging"),
    row("connected", "charge-ischargingcableconnected"),
    combined(_STATUS, "charge-detailedchargingstatus", status),
    row("enabled", "charge-detailedchargingstatus", words=_CHECKED),
    row("planActive", "charge-detailedchargingstatus", words=_CHECKED),
    row("chargePower", "charge-wattage", decode=power, gate=Gate.LIVE),
    combined(CURRENTS, "charge-amperage", most_of_phases, gate=Gate.LIVE),
    combined(VOLTAGES, "charge-voltage", phase_voltage, gate=Gate.LIVE),
    combined(("effectiveMaxCurrent", "maxCurrent"), "charge-amperagemax", current_max),
    row("offeredCurrent", "charge-amperagerequested", "A", note="what the station offers now; evcc has no closer field"),
    combined(("effectiveLimitSoc", "limitSoc", "vehicleLimitSoc"), "charge-chargelimits", active_limit),
    row("phasesActive", "charge-chargerphases", decode=phases),
    row("chargedEnergy", "charge-energyadded", "Wh", note="grid side, since the cable was plugged in"),
    row("chargeRemainingDuration", "charge-timetocomplete", decode=remaining, gate=Gate.CHARGING),
    row("vehicleSoc", "tractionbattery-stateofcharge", decode=charge),
    row("vehicleRange", "tractionbattery-range", decode=range_km),
    row("vehicle/capacity", "tractionbattery-nominalcapacity", decode=capacity_kwh),
    row("vehicle/repeatingPlans", "charge-chargetimers", decode=timers),
    row(SESSIONS, "charge-chargerecords", decode=records),
    connectors=re.compile("^loadpoints/"),
    plug="connected",
    topics=("evcc/loadpoints/{vehicle}/{field...}", "evcc/vehicles/{vehicle}/{field...}"),
    status=("evcc/status",),
    heartbeats=("evcc/updated",),
    ignored=frozenset(
        {
            # The sum over the phases is not the current or the voltage of any of them.
            "chargeCurrents", "chargeVoltages",
            # The configuration of the loadpoint, and how evcc decides.
            "name", "title", "disabled", "mode", "defaultMode", "charger", "meter", "circuit", "vehicle", "priority", "soc",
            "ui*",
            "thresholds*", "enableThreshold", "disableThreshold", "enableDelay", "disableDelay", "guardDuration",
            "batteryBoost*",
            "charger*", "minCurrent", "minSoc*", "limitEnergy", "phasesConfigured", "phasesEnabled", "phaseAction",
            "phaseRemaining", "pvAction", "pvRemaining", "effectivePriority", "effectiveMinCurrent", "effectiveMinSoc", "id",
            "remoteDisabled*", "dimmed", "suggestion*", "tariff*", "socBasedCharging", "socBasedPlanning", "targetSoc",
            "targetEnergy", "targetTime", "chargeCurrent", "heating", "integratedDevice", "sessionsCount",
            # Prices and plans: a single instant is not a weekly timer.
            "smart*", "plan*", "effectivePlan*", "repeatingPlans*", "vehicle/plan*",
            # Counters and durations without a signal.
            "session*", "chargeDuration", "connectedDuration", "chargeRemainingEnergy", "chargeTotalImport", "todayEnergy",
            "last24hEnergy", "last7dEnergy",
            # The identity of the car, which is mapped by loadpoint.
            "vehicleName", "vehicleTitle", "vehicleIdentity", "vehicleDetectionActive", "vehicleOdometer", "vehicleIcon",
            "vehicleClimaterActive", "vehicleWelcomeActive", "vehiclePresent", "vehicleCapacity", "vehicleFeature*",
            "vehicleTargetSoc", "vehicleMinSoc", "vehicleOnline", "vehicleStatus",
            # The configuration of a car; over MQTT a plan is sent in parts, its number first.
            "vehicle/title", "vehicle/icon", "vehicle/phases", "vehicle/mode", "vehicle/minSoc", "vehicle/limitSoc",
            "vehicle/minCurrent", "vehicle/maxCurrent", "vehicle/priority", "vehicle/features*", "vehicle/repeatingPlans/*",
            # Commands to evcc, which a broker sends to all subscribers.
            "limitSoc/set", "maxCurrent/set", "minCurrent/set", "mode/set", "phasesConfigured/set", "priority/set",
            "limitEnergy/set", "enableThreshold/set", "disableThreshold/set", "enableDelay/set", "disableDelay/set",
            "vehicle/set", "phases/set", "vehicle/limitSoc/set", "vehicle/minSoc/set",
        }
    ),
    # Prefixes of the fields that a loadpoint or a car measures, and that decide on charging, in all releases so far.
    relevant=re.compile(r"^(vehicle/)?(charg|connected|enabled|phases|offered|effective|soc|range|capacity)|^vehicle(?!/)"),
    read=read,
)  # fmt: skip
