"""evcc: what a wallbox controller says of its loadpoints and of the cars that it knows (sources 7).

A car is named by the place where evcc has it: `loadpoints/1` is whatever charges at the first loadpoint, in MQTT and in
/api/state alike; what evcc knows of a car itself goes by its name in evcc, and a session by the title that it bears. The place
is kept because the last word of a session, that the cable is out, is said of the place when the car's name is gone already.
"""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.amounts import alive_mean, amount, amounts
from chargeport.dialects.evcc_form import CURRENTS, SESSIONS, VOLTAGES, read, records, timers
from chargeport.dialects.forms import flag
from chargeport.dialects.table import Decoded, Gate, battery_range, capacity, combined, dialect, limit, quantity, row, value

_STATUS: Final = (
    "charging", "connected", "enabled", "vehicleSoc", "effectiveLimitSoc", "planActive", "effectivePlanTime",
)  # fmt: skip
_NANOSECONDS_ABOVE: Final = 100_000_000  # three years in seconds: releases before 0.130 wrote nanoseconds


def status(known: Mapping[str, Any]) -> Decoded:
    """Where in the course of charging the car is: evcc has no word for it."""
    if "connected" not in known:
        return None
    if not flag(known["connected"]):
        return value("DISCONNECTED")
    if "charging" in known and flag(known["charging"]):
        return value("CHARGING")
    if "charging" not in known or "enabled" not in known:
        return value("CONNECTED")
    if flag(known["enabled"]):
        target = amount(known.get("effectiveLimitSoc", 0)) or 100
        full = "vehicleSoc" in known and amount(known["vehicleSoc"]) >= target
        return value("FULLY_CHARGED" if full else "SUSPENDED_BY_CAR")
    waits = "effectivePlanTime" in known and not flag(known.get("planActive", False))
    return value("SCHEDULED" if waits else "SUSPENDED_BY_STATION")


def active_limit(known: Mapping[str, Any]) -> Decoded:
    """The lower of evcc's limit and the car's own; 0 is none."""
    ours = known.get("effectiveLimitSoc", known.get("limitSoc"))
    found = [
        percent for percent in (amount(each) for each in (ours, known.get("vehicleLimitSoc")) if each is not None) if percent
    ]
    return limit(min(found)) if found else None


def most_of_phases(known: Mapping[str, Any]) -> Decoded:
    """The current of the phase that carries most."""
    return quantity(max(amounts(known, CURRENTS)), "A")


def phase_voltage(known: Mapping[str, Any]) -> Decoded:
    """The mean of the phases that are connected."""
    mean = alive_mean(amounts(known, VOLTAGES))
    return None if mean is None else quantity(mean, "V")


def power(watts: Any) -> Decoded:
    """Power to the car; what flows back is no delivery to it, and a meter's offset is nothing."""
    return quantity(max(amount(watts), 0), "W")


def current_max(known: Mapping[str, Any]) -> Decoded:
    """The current that is allowed now, else what is set."""
    return quantity(amount(known.get("effectiveMaxCurrent", known.get("maxCurrent"))), "A")


def unless_zero(unit: str) -> Any:
    """A decoder of a number of which evcc writes 0 where it does not know it."""

    def decoded(content: Any) -> Decoded:
        found = amount(content)
        return quantity(found, unit) if found else None

    return decoded


def phases(content: Any) -> Decoded:
    """The phases in use; 0 is automatic."""
    return value(amount(content)) if amount(content) else None


def remaining(content: Any) -> Decoded:
    """Time to the limit; 0 is written while it is not known."""
    found = amount(content)
    return quantity(found / 1e9 if found > _NANOSECONDS_ABOVE else found, "s") if found else None


def range_km(content: Any) -> Decoded:
    """The range; 0 is written while it is not known."""
    return battery_range(amount(content), "km") if amount(content) else None


def capacity_kwh(content: Any) -> Decoded:
    """The capacity that the user has configured."""
    return capacity(amount(content), "evcc") if amount(content) else None


EVCC: Final = dialect(
    "evcc",
    row("charging", "charge-ischarging"),
    row("connected", "charge-ischargingcableconnected"),
    combined(_STATUS, "charge-detailedchargingstatus", status, note="sources 7"),
    row("chargePower", "charge-wattage", decode=power, gate=Gate.LIVE),
    combined(CURRENTS, "charge-amperage", most_of_phases, gate=Gate.LIVE),
    combined(VOLTAGES, "charge-voltage", phase_voltage, gate=Gate.LIVE),
    combined(("effectiveMaxCurrent", "maxCurrent"), "charge-amperagemax", current_max),
    row("offeredCurrent", "charge-amperagerequested", "A", note="what the station offers now: the closest that there is"),
    combined(("effectiveLimitSoc", "limitSoc", "vehicleLimitSoc"), "charge-chargelimits", active_limit),
    row("phasesActive", "charge-chargerphases", decode=phases),
    row("chargedEnergy", "charge-energyadded", "Wh", note="grid side, since the cable was plugged in"),
    row("chargeRemainingDuration", "charge-timetocomplete", decode=remaining, gate=Gate.CHARGING),
    row("vehicleSoc", "tractionbattery-stateofcharge", decode=unless_zero("%")),
    row("vehicleRange", "tractionbattery-range", decode=range_km),
    row("vehicle/capacity", "tractionbattery-nominalcapacity", decode=capacity_kwh),
    row("vehicle/repeatingPlans", "charge-chargetimers", decode=timers),
    row(SESSIONS, "charge-chargerecords", decode=records),
    topics=("evcc/loadpoints/{vehicle}/{field...}", "evcc/vehicles/{vehicle}/{field...}"),
    ignored=frozenset(
        {
            # The sum over the phases is no current and no voltage of any.
            "chargeCurrents", "chargeVoltages",
            # How the loadpoint is set up and how evcc decides.
            "name", "title", "disabled", "mode", "defaultMode", "charger", "meter", "circuit", "vehicle", "priority", "soc",
            "ui*",
            "thresholds*", "enableThreshold", "disableThreshold", "enableDelay", "disableDelay", "guardDuration",
            "batteryBoost*",
            "charger*", "minCurrent", "minSoc*", "limitEnergy", "phasesConfigured", "phasesEnabled", "phaseAction",
            "phaseRemaining", "pvAction", "pvRemaining", "effectivePriority", "effectiveMinCurrent", "effectiveMinSoc", "id",
            "remoteDisabled*", "dimmed", "suggestion*", "tariff*", "socBasedCharging", "socBasedPlanning", "targetSoc",
            "targetEnergy", "targetTime", "chargeCurrent", "heating", "integratedDevice", "sessionsCount",
            # Prices and plans: one instant ahead is no weekly timer.
            "smart*", "plan*", "effectivePlan*", "repeatingPlans*", "vehicle/plan*",
            # Counters and durations that no signal asks for.
            "session*", "chargeDuration", "connectedDuration", "chargeRemainingEnergy", "chargeTotalImport", "todayEnergy",
            "last24hEnergy", "last7dEnergy",
            # Who the car is; identity is mapped by place.
            "vehicleName", "vehicleTitle", "vehicleIdentity", "vehicleDetectionActive", "vehicleOdometer", "vehicleIcon",
            "vehicleClimaterActive", "vehicleWelcomeActive", "vehiclePresent", "vehicleCapacity", "vehicleFeature*",
            "vehicleTargetSoc", "vehicleMinSoc", "vehicleOnline", "vehicleStatus",
            # How a car is set up; over MQTT a plan comes in pieces, its number first.
            "vehicle/title", "vehicle/icon", "vehicle/phases", "vehicle/mode", "vehicle/minSoc", "vehicle/limitSoc",
            "vehicle/minCurrent", "vehicle/maxCurrent", "vehicle/priority", "vehicle/features*", "vehicle/repeatingPlans/*",
            # Commands to evcc, which a broker hands to everybody.
            "limitSoc/set", "maxCurrent/set", "minCurrent/set", "mode/set", "phasesConfigured/set", "priority/set",
            "limitEnergy/set", "enableThreshold/set", "disableThreshold/set", "enableDelay/set", "disableDelay/set",
            "vehicle/set", "phases/set", "vehicle/limitSoc/set", "vehicle/minSoc/set",
        }
    ),
    read=read,
)  # fmt: skip
