"""BMW CarData: descriptors, from the stream or a container, and the charging history (sources 11.2)."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.amounts import amount, unit_of, word
from chargeport.dialects.bmw_form import HISTORY, SETTINGS, read, records, timers
from chargeport.dialects.forms import flag
from chargeport.dialects.table import Decoded, Gate, battery_range, capacity, combined, dialect, limit, row, value

_E: Final = "vehicle.drivetrain.electricEngine.charging"
_B: Final = "vehicle.powertrain.electric.battery"
_M: Final = "vehicle.drivetrain.batteryManagement"
_PORT: Final = "vehicle.body.chargingPort"
_AT: Final = "vehicle.powertrain.tractionBattery.charging.port"
_POSITIONS: Final = ("anyPosition", "frontLeft", "frontMiddle", "frontRight", "rearLeft", "rearMiddle", "rearRight")
_PLUGGED: Final = tuple(f"{_AT}.{position}.isPlugged" for position in _POSITIONS)
_OPEN: Final = tuple(f"{_AT}.{position}.flap.isOpen" for position in _POSITIONS)

_STATUS: Final = {
    "initialization": "STARTING", "chargingactive": "CHARGING", "chargingpaused": "SUSPENDED_BY_CAR",
    "chargingended": "STOPPED", "charging_error": "ERROR", "chargingerror": "ERROR", "nocharging": "NOT_CHARGING",
}  # fmt: skip
_HV_STATUS: Final = {
    "charging": "CHARGING", "waiting_for_charging": "SCHEDULED", "finished_fully_charged": "FULLY_CHARGED",
    "finished_not_full": "STOPPED", "error": "ERROR", "not_charging": "NOT_CHARGING",
}  # fmt: skip
_PLUG: Final = {"connected": True, "disconnected": False, "error": None}
_LATCH: Final = {
    "CHARGING_CABLE_LOCKED": True, "CHARGING_CABLE_NOT_LOCKED": False, "CHARGING_CABLE_LOCKING_ERROR_DETECTED": None,
    "LOCKING_ERROR_DETECTED": None,
}  # fmt: skip
_FULL_PERCENT: Final = 100

_STATE: Final = (f"{_E}.status", f"{_E}.hvStatus")
_PLUG_FIELDS: Final = (f"{_PORT}.status", f"{_E}.connectorStatus", f"{_PORT}.combinedStatus", f"{_PORT}.statusClearText")
_SOC: Final = (f"{_M}.header", f"{_E}.level", f"{_B}.stateOfCharge.displayed")
_TARGET: Final = f"{_B}.stateOfCharge.target"


def _state(known: Mapping[str, Any]) -> str | None:
    """What the two descriptors of the charging state say; the first, unless it only says that the car does not charge."""
    found: str | None = None
    for field, words in zip(_STATE, (_STATUS, _HV_STATUS), strict=True):
        said = word(known.get(field))
        if said and said not in words:
            raise ValueError(f"{field}: {said[:40]!r} is none of the words known here: {', '.join(words)}")
        if found in (None, "NOT_CHARGING"):
            found = words.get(said, found)
    return found


def _is_plugged(known: Mapping[str, Any]) -> bool | None:
    said = [_PLUG.get(word(known[field])) for field in _PLUG_FIELDS if field in known]
    said += [flag(word(known[field])) for field in _PLUGGED if field in known]
    told = [each for each in said if each is not None]
    return any(told) if told else None


def status(known: Mapping[str, Any]) -> Decoded:
    """Where in the course of charging the car is: the state, refined by the plug and by how full the battery is."""
    found = _state(known)
    if found == "NOT_CHARGING":
        plugged = _is_plugged(known)
        found = found if plugged is None else "CONNECTED" if plugged else "DISCONNECTED"
    if found == "STOPPED" and word(known.get(f"{_E}.hvStatus")) != "finished_not_full":
        soc = next((amount(known[field]) for field in _SOC if field in known), None)
        full = amount(known[_TARGET]) if _TARGET in known else _FULL_PERCENT
        found = "FULLY_CHARGED" if soc is not None and soc >= full else found
    return None if found is None else value(found)


def is_charging(known: Mapping[str, Any]) -> Decoded:
    """Whether the battery receives energy; the row of the status tells a new word."""
    first, second = (word(known.get(field)) for field in _STATE)
    if first not in _STATUS and second not in _HV_STATUS:
        return None
    return value(first == "chargingactive" if first in _STATUS and first != "nocharging" else second == "charging")


def is_plugged(known: Mapping[str, Any]) -> Decoded:
    """Whether a cable is in, by any descriptor of a port."""
    for field in _PLUG_FIELDS:
        if field in known and word(known[field]) not in _PLUG:
            raise ValueError(f"{field}: {word(known[field])[:40]!r} is none of the words known here: {', '.join(_PLUG)}")
    found = _is_plugged(known)
    return None if found is None else value(found)


def is_open(known: Mapping[str, Any]) -> Decoded:
    """Whether the door of any port is open."""
    return value(any(flag(word(known[field])) for field in _OPEN if field in known))


def minutes(known: Mapping[str, Any]) -> Decoded:
    """The time to the target, else to a full battery."""
    field = next(each for each in (f"{_E}.timeRemaining", f"{_E}.timeToFullyCharged") if each in known)
    return {"value": amount(known[field]), "unit": unit_of(known[field], "min")}


def is_dc(known: Mapping[str, Any]) -> bool | None:
    """Whether a DC plug is in: by the port, else by the method."""
    port, method = word(known.get(f"{_PORT}.dcStatus")), word(known.get(f"{_E}.method"))
    if port in ("connected", "disconnected") and not method.startswith("ac"):
        return port == "connected"
    return method.startswith("dc") if method.startswith(("ac", "dc")) else None


def fast(known: Mapping[str, Any]) -> Decoded:
    """Whether a fast charger is connected."""
    port = word(known.get(f"{_PORT}.dcStatus"))
    if port and port not in _PLUG:
        raise ValueError(f"{port[:40]!r} is none of the words known here: {', '.join(_PLUG)}")
    found = is_dc(known)
    return None if found is None else value(found)


def fast_type(known: Mapping[str, Any]) -> Decoded:
    """CCS, which is what all cars of the maker that are in CarData have in Europe and America."""
    return value("CCS") if is_dc(known) else None


def connector(content: Any) -> Decoded:
    """The inlet, which the maker tells only while an AC plug is in."""
    kind = word(content)
    if not kind.startswith(("ac_", "dc", "nocharging")):
        raise ValueError(f"{kind[:40]!r} is no method of charging known here")
    found = {"ac_type1plug": "J1772", "ac_type2plug": "Type 2"}.get(kind)
    return None if found is None else value(found)


def target(content: Any) -> Decoded:
    """The limit in force, in percent."""
    return limit(amount(content)) if amount(content) else None


def distance(known: Mapping[str, Any]) -> Decoded:
    """The electric range, as the instrument shows it where it does."""
    field = next(each for each in _RANGES if each in known)
    return battery_range(amount(known[field]), unit_of(known[field], "km"))


def nominal(known: Mapping[str, Any]) -> Decoded:
    """The capacity: the battery's size, else the most that it holds now."""
    field = next(each for each in (f"{_M}.batterySizeMax", f"{_M}.maxEnergy") if each in known)
    return capacity(amount(known[field]), "BMW CarData") | {"unit": unit_of(known[field], "kWh")}


_RANGES: Final = (
    "vehicle.drivetrain.electricEngine.kombiRemainingElectricRange",
    "vehicle.drivetrain.electricEngine.remainingElectricRange",
)

BMW_CARDATA: Final = dialect(
    "bmw_cardata",
    combined(_STATE, "charge-ischarging", is_charging),
    combined(
        (*_STATE, *_PLUG_FIELDS, *_PLUGGED, *_SOC, _TARGET), "charge-detailedchargingstatus", status, note="sources 11.2"
    ),
    combined((*_PLUG_FIELDS, *_PLUGGED), "charge-ischargingcableconnected", is_plugged),
    row(f"{_PORT}.lockedStatus", "charge-ischargingcablelatched", words=_LATCH),
    combined(_OPEN, "charge-ischargingportflapopen", is_open),
    combined((f"{_PORT}.dcStatus", f"{_E}.method"), "charge-isfastchargerpresent", fast),
    combined((f"{_PORT}.dcStatus", f"{_E}.method"), "charge-fastchargertype", fast_type),
    row(f"{_E}.method", "charge-chargingconnectortype", decode=connector),
    row(f"{_E}.acAmpere", "charge-amperage", "A", gate=Gate.LIVE),
    row(f"{_E}.acVoltage", "charge-voltage", "V", gate=Gate.LIVE),
    row(f"{_B}.charging.power", "charge-wattage", "W", gate=Gate.LIVE),
    row(f"{_B}.charging.acLimit.max", "charge-amperagemax", "A"),
    row(f"{_B}.charging.acLimit.selected", "charge-amperagerequested", "A", note="the user's choice"),
    row(_TARGET, "charge-chargelimits", decode=target),
    row(
        f"{_E}.phaseNumber",
        "charge-chargerphases",
        words={"1-PHASES": 1, "2-PHASES": 2, "3-PHASES": 3, "NO_CHARGING": None, "NOCHARGING": None},
    ),
    combined((f"{_E}.timeRemaining", f"{_E}.timeToFullyCharged"), "charge-timetocomplete", minutes, gate=Gate.CHARGING),
    *(row(field, "tractionbattery-stateofcharge", "%") for field in _SOC),
    combined(_RANGES, "tractionbattery-range", distance),
    combined((f"{_M}.batterySizeMax", f"{_M}.maxEnergy"), "tractionbattery-nominalcapacity", nominal),
    row(HISTORY, "charge-chargerecords", decode=records),
    row(SETTINGS, "charge-chargetimers", decode=timers),
    topics=("{}/{vehicle}",),
    ignored=frozenset(
        {
            # Parts of the car that have nothing to do with charging.
            "vehicle.cabin.*", "vehicle.channel.*", "vehicle.chassis.*", "vehicle.electricalSystem.*", "vehicle.vehicle.*",
            "vehicle.electronicControlUnit.*", "vehicle.extras.*", "vehicle.isMoving", "vehicle.learningNavigation*",
            "vehicle.look.*", "vehicle.privacySettings.*", "vehicle.service.*", "vehicle.serviceDemand.*", "vehicle.sim.*",
            "vehicle.status.*", "vehicle.trip.*", "vehicle.vehicleIdentification.*", "vehicle.body.flap.*",
            "vehicle.body.hood.*",
            "vehicle.body.lights.*", "vehicle.body.trunk.*", "vehicle.drivetrain.engine.*", "vehicle.drivetrain.fuelSystem.*",
            "vehicle.drivetrain.internalCombustionEngine.*", "vehicle.location.*", "vehicle.navigation.*",
            "vehicle.drivetrain.avgElectricRangeConsumption", "vehicle.drivetrain.transmission.*", "vehicle.adas.*",
            # The range of both drives together.
            "vehicle.drivetrain.lastRemainingRange", "vehicle.drivetrain.totalRemainingRange",
            "vehicle.drivetrain.remainingRange",
            # Of charging, what no signal asks for.
            f"{_E}.authentication.*", f"{_E}.acRestriction.*", f"{_E}.chargingMode", f"{_E}.connectionType",
            f"{_E}.consumptionOverLifeTime.*", f"{_E}.hvpmFinishReason", f"{_E}.is*", f"{_E}.lastCharging*",
            f"{_E}.modeDeviation",
            f"{_E}.profile.*", f"{_E}.reasonChargingEnd", f"{_E}.routeOptimizedChargingStatus", f"{_E}.smeEnergyDelta*",
            f"{_E}.windowSelection", f"{_PORT}.plugEventId", f"{_PORT}.iso*", f"{_PORT}.isHospitalityActive",
            f"{_AT}.*", f"{_B}.biDirectionalCharging.*", f"{_B}.charging.acLimit.min", f"{_B}.charging.acLimit.isActive",
            f"{_B}.charging.acousticLimit", f"{_B}.charging.batteryCare*", f"{_B}.charging.cableCheckVoltage",
            f"{_B}.charging.dcChargingModeActive", f"{_B}.charging.preferenceSmartCharging", f"{_B}.charging.history.*",
            f"{_B}.charging.settingsList", f"{_B}.preconditioning.*", f"{_B}.stateOfCharge.targetMin", f"{_B}.stateOfHealth.*",
            f"{_B}.stateOfCharge.targetSoCForProfessionalMode", "vehicle.powertrain.electric.range.*",
            "vehicle.powertrain.electric.chargingDuration.*", "vehicle.powertrain.electric.departureTime.*",
            "vehicle.drivetrain.electricEngine.consumption*", "vehicle.powertrain.electric.engine.*",
            "vehicle.drivetrain.electricEngine.trip*", "vehicle.powertrain.tractionBattery.temperature*",
        }
    ),
    read=read,
)  # fmt: skip
