"""evcc: a wallbox controller's reports of its loadpoints and of the cars that it has configured.

A car is named by its loadpoint: `loadpoints/1` is the car that charges at the first loadpoint, in MQTT and in /api/state. Facts
of a car itself are under its name in evcc, and a session has its title. The loadpoint is used because the last message of a
session, that the cable is out, arrives when the loadpoint no longer has the car's name.
"""

import re
from contextlib import suppress
from typing import Any, Final

from chargeport.dialects.amounts import (
    LOADED_ABOVE_A,
    amount,
    amount_beside,
    amounts,
    bare,
    connected_mean,
    flag_beside,
    is_contradicted,
    loaded_phases,
)
from chargeport.dialects.evcc_form import CURRENTS, SESSIONS, VOLTAGES, read, records, timers
from chargeport.dialects.field_values import FLAGS, flag, folded
from chargeport.dialects.forms import at_ms
from chargeport.dialects.statuses import full_or, unless_unplugged
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

# Names of the present release, and of earlier ones: a broker retains those, too.
_LIMITS: Final = ("effectiveLimitSoc", "limitSoc", "targetSoc", "targetSoC")
_CAR_LIMITS: Final = ("vehicleLimitSoc", "vehicleTargetSoc", "vehicleTargetSoC")
_SOCS: Final = ("vehicleSoc", "vehicleSoC", "socCharge")
_PHASES: Final = ("phasesActive", "activePhases")
_OFFERED: Final = ("offeredCurrent", "chargeCurrent")
_WAITS: Final = "chargerStatusReason"  # why the station does not charge: it needs a card, or the cable plugged in again
_STATUS: Final = (
    "charging", "connected", "enabled", _WAITS, *_SOCS, "effectiveLimitSoc", "planActive", "effectivePlanTime",
)  # fmt: skip
_CHECKED: Final = dict.fromkeys(FLAGS, NOT_KNOWN)  # another word is an issue
_OFFSET_W: Final = 100
_HIGHEST_V: Final = 1_000  # of a fast charger
_READABLE_W: Final = 50_000  # below, the currents may be of another instant
_NANOSECONDS_ABOVE: Final = 100_000_000  # three years in seconds: releases before 0.130 wrote nanoseconds


def status(known: Known) -> Decoded:
    """Return the charging status, from flags and from what the station waits for; evcc has no status of its own."""
    if "connected" not in known:
        return NOT_KNOWN
    connected, charging = flag_beside(known, "connected"), flag_beside(known, "charging")
    if not connected and not (charging and known.reported_at("charging") > known.reported_at("connected")):
        return None if connected is None else value("DISCONNECTED")
    if charging:
        return value("CHARGING")
    return value("SUSPENDED_BY_STATION" if _WAITS in known and folded(known[_WAITS]) else _pause(known))


def _pause(known: Known) -> str:
    """Return why a car that is connected does not charge, where the station waits for nothing."""
    charging, enabled = flag_beside(known, "charging"), flag_beside(known, "enabled")
    if charging is None or enabled is None:
        return "CONNECTED"
    if enabled:
        soc = amount_beside(known, known.best(*_SOCS) or "")
        return full_or("SUSPENDED_BY_CAR", soc, amount_beside(known, "effectiveLimitSoc"))
    waits = _has_plan(known) and not flag_beside(known, "planActive")
    return "SCHEDULED" if waits else "SUSPENDED_BY_STATION"


def _has_plan(known: Known) -> bool:
    """Return whether a plan is to end later than the newest of the fields; 0 is no plan."""
    with suppress(ValueError, TypeError):
        ends_at = at_ms(bare(known.get("effectivePlanTime"))) or 0
        return ends_at > max(map(known.reported_at, known))
    return False


def active_limit(known: Known) -> Decoded:
    """Return the lower of evcc's limit and the car's own; 0 is none. The limit of a heater is a temperature."""
    if flag_beside(known, "heating"):
        return NOT_KNOWN
    limits = known.best(*_LIMITS), known.best(*_CAR_LIMITS)
    percents = [amount(known[field]) for field in limits if field is not None]
    return limit(min((percent for percent in percents if percent), default=0))


def most_of_phases(known: Known) -> Decoded:
    """Return the current of the phase that carries most; a station that measures none has 0 on each."""
    currents = amounts(known, CURRENTS)
    if not currents:
        return NOT_KNOWN
    watts = amount_beside(known, "chargePower") if flag_beside(known, "charging") is not False else None
    return None if is_contradicted(max(map(abs, currents)), watts) else quantity(max(currents), "A")


def phase_voltage(known: Known) -> Decoded:
    """Return the mean of the phases that carry current; where none does, or it is not known, of those that are connected."""
    currents = [amount_beside(known, field) for field in CURRENTS]
    volts = [(amount(known[field]), amps) for field, amps in zip(VOLTAGES, currents, strict=True) if field in known]
    loaded = [each for each, amps in volts if amps is not None and abs(amps) > LOADED_ABOVE_A]
    mean = connected_mean(loaded or [each for each, _ in volts])
    return None if mean is None else quantity(mean, "V")


def power(known: Known) -> Decoded:
    """Return the power to the car; a slightly negative one is a meter's offset: 0. More than the currents carry is none."""
    if "chargePower" not in known:
        return NOT_KNOWN
    watts = amount(known["chargePower"])
    currents = [amps for field in CURRENTS if (amps := amount_beside(known, field)) is not None]
    carried = sum(map(abs, currents)) * _HIGHEST_V + _OFFSET_W
    if len(currents) == len(CURRENTS) and watts > max(carried, _READABLE_W):
        return None  # such as 65,508 W: -28 W without its sign
    return quantity(0 if -_OFFSET_W < watts < 0 else watts, "W")


def charges(known: Known) -> Decoded:
    """Return whether the car charges; evcc publishes changes, and none after `connected` was false for a moment."""
    found = value(flag(bare(known["charging"]))) if "charging" in known else NOT_KNOWN
    return unless_unplugged(found, known, "charging", "connected", plugged=flag_beside(known, "connected"))


def current_max(known: Known) -> Decoded:
    """Return the current that is allowed now, else what is set."""
    field = known.best("effectiveMaxCurrent", "maxCurrent")
    return NOT_KNOWN if field is None else quantity(amount(known[field]), "A")


def offered(known: Known) -> Decoded:
    """Return the current that the station offers now; evcc has no closer field."""
    field = known.best(*_OFFERED)
    return NOT_KNOWN if field is None else quantity(amount(known[field]), "A")


def charge(known: Known) -> Decoded:
    """Return the state of charge; evcc writes 0 while it is not known, and the temperature of a heater."""
    field = None if flag_beside(known, "heating") else known.best(*_SOCS)
    return NOT_KNOWN if field is None or not (found := amount(known[field])) else quantity(found, "%")


def phases(known: Known) -> Decoded:
    """Return the phases in use, at most those that carry current, if any does; 0 is automatic."""
    field = known.best(*_PHASES)
    if field is None:
        return NOT_KNOWN
    loaded = loaded_phases(amps for each in CURRENTS if (amps := amount_beside(known, each)) is not None)
    return value(min(amount(known[field]), loaded if loaded and known.keys() >= set(CURRENTS) else len(CURRENTS)))


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
    combined(("charging", "connected"), "charge-ischarging", charges),
    row("connected", "charge-ischargingcableconnected"),
    combined(_STATUS, "charge-detailedchargingstatus", status),
    row("enabled", "charge-detailedchargingstatus", words=_CHECKED),
    row("planActive", "charge-detailedchargingstatus", words=_CHECKED),
    combined(("chargePower",), "charge-wattage", power, beside=CURRENTS, gate=Gate.LIVE),
    combined((*CURRENTS, "chargePower"), "charge-amperage", most_of_phases, beside=("charging",), gate=Gate.LIVE),
    combined((*VOLTAGES, *CURRENTS), "charge-voltage", phase_voltage, gate=Gate.LIVE),
    combined(("effectiveMaxCurrent", "maxCurrent"), "charge-amperagemax", current_max),
    combined(_OFFERED, "charge-amperagerequested", offered),
    combined((*_LIMITS, *_CAR_LIMITS, "heating"), "charge-chargelimits", active_limit),
    combined((*_PHASES, *CURRENTS), "charge-chargerphases", phases),
    row("chargedEnergy", "charge-energyadded", "Wh", note="grid side, since the cable was plugged in"),
    row("chargeRemainingDuration", "charge-timetocomplete", decode=remaining, gate=Gate.CHARGING),
    combined((*_SOCS, "heating"), "tractionbattery-stateofcharge", charge),
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
            "remoteDisabled*", "dimmed", "suggestion*", "tariff*", "socBasedCharging", "socBasedPlanning",
            "targetEnergy", "targetTime", "integratedDevice", "sessionsCount",
            # Prices and plans: a single instant is not a weekly timer.
            "smart*", "plan*", "effectivePlan*", "repeatingPlans*", "vehicle/plan*",
            # Counters and durations without a signal.
            "session*", "chargeDuration", "connectedDuration", "chargeRemainingEnergy", "chargeTotalImport", "todayEnergy",
            "last24hEnergy", "last7dEnergy",
            # The identity of the car, which is mapped by loadpoint.
            "vehicleName", "vehicleTitle", "vehicleIdentity", "vehicleDetectionActive", "vehicleOdometer", "vehicleIcon",
            "vehicleClimaterActive", "vehicleWelcomeActive", "vehiclePresent", "vehicleCapacity", "vehicleFeature*",
            "vehicleMinSoc", "vehicleOnline", "vehicleStatus",
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
