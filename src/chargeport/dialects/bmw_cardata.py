"""BMW CarData: descriptors, from the stream or a container, and the charging history."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from chargeport.dialects.amounts import (
    amount,
    amount_beside,
    folded_value,
    is_contradicted,
    is_cut_to_zero,
    is_no_supply,
    unit_of,
)
from chargeport.dialects.bmw_form import HISTORY, SETTINGS, read, records, timers
from chargeport.dialects.field_values import FLAGS, by_folded, flag, folded, unknown_value
from chargeport.dialects.statuses import full_or
from chargeport.dialects.table import (
    NOT_KNOWN,
    Combiner,
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
from chargeport.signals.definition import Dimension
from chargeport.signals.units import factor_to_wire
from chargeport.signals.violation import Violation

_E: Final = "vehicle.drivetrain.electricEngine.charging"
_B: Final = "vehicle.powertrain.electric.battery"
_M: Final = "vehicle.drivetrain.batteryManagement"
_PORT: Final = "vehicle.body.chargingPort"
_AT: Final = "vehicle.powertrain.tractionBattery.charging.port"
_POSITIONS: Final = ("anyPosition", "frontLeft", "frontMiddle", "frontRight", "rearLeft", "rearMiddle", "rearRight")
_PLUGGED: Final = tuple(f"{_AT}.{position}.isPlugged" for position in _POSITIONS)
_OPEN: Final = tuple(f"{_AT}.{position}.flap.isOpen" for position in _POSITIONS)

_STATUS: Final = by_folded({
    "initialization": "STARTING", "chargingactive": "CHARGING", "chargingpaused": "SUSPENDED_BY_CAR",
    "chargingended": "STOPPED", "chargingerror": "ERROR", "nocharging": "NOT_CHARGING",
})  # fmt: skip
_HV_STATUS: Final = by_folded({
    "charging": "CHARGING", "waiting_for_charging": "SCHEDULED", "finished_fully_charged": "FULLY_CHARGED",
    "finished_not_full": "STOPPED", "error": "ERROR", "not_charging": "NOT_CHARGING",
})  # fmt: skip
_PLUG: Final = {"connected": True, "disconnected": False, "error": None}
_LATCH: Final = {
    "CHARGING_CABLE_LOCKED": True, "CHARGING_CABLE_NOT_LOCKED": False, "CHARGING_CABLE_LOCKING_ERROR_DETECTED": None,
    "LOCKING_ERROR_DETECTED": None,
}  # fmt: skip

_FIRST, _SECOND = f"{_E}.status", f"{_E}.hvStatus"
_STATE: Final = (_FIRST, _SECOND)
_WORDS: Final = {_FIRST: _STATUS, _SECOND: _HV_STATUS}
_PLUG_FIELDS: Final = (f"{_PORT}.status", f"{_E}.connectorStatus", f"{_PORT}.combinedStatus", f"{_PORT}.statusClearText")
_SOC: Final = (f"{_M}.header", f"{_E}.level", f"{_B}.stateOfCharge.displayed")
_TARGET: Final = f"{_B}.stateOfCharge.target"
_DC_PORT, _METHOD = f"{_PORT}.dcStatus", f"{_E}.method"
_POWER, _AMPS, _VOLTS = f"{_B}.charging.power", f"{_E}.acAmpere", f"{_E}.acVoltage"


def _state(known: Known) -> str | None:
    """Return the state by the two descriptors of the charging state.

    The newer one decides whether the car charges. If it only reports that the car does not, the other may have the reason. An
    unknown word of the other is ignored here: its issue comes from its own row.
    """
    fields = known.newest_first(_STATE)
    states = [_WORDS[field].get(folded_value(known[field])) for field in fields]
    if states[:1] == [None]:
        raise unknown_value(folded_value(known[fields[0]]), _WORDS[fields[0]], fields[0])
    is_tie = len({known.reported_at(field) for field in fields}) == 1
    other = states[1] if states[1:] else None
    if states[:1] == ["NOT_CHARGING"] and other and (is_tie or other not in ("CHARGING", "STARTING")):
        return other
    return states[0] if states else None


def _plug(known: Known) -> tuple[bool, int] | None:
    """Return whether a cable is in, and the instant of the report: the newest of the descriptors of all ports decides.

    Of several of the same instant, one `true` is enough: a car can have several ports.
    """
    reports = [(known.reported_at(field), _plugged(known, field)) for field in (*_PLUG_FIELDS, *_PLUGGED)]
    newest = max((at for at, plugged in reports if plugged is not None), default=None)
    return None if newest is None else (any(plugged for at, plugged in reports if at == newest), newest)


def _plugged(known: Known, field: str) -> bool | None:
    """Return what a descriptor reports of a plug; None for an error, or an unknown word: its issue comes from its own row."""
    return _plug_words(field).get(folded_value(known[field])) if field in known else None


def status(known: Known) -> Decoded:
    """Return the charging status: the state, refined by the plug and by the state of charge."""
    state, plug = _state(known), _plug(known)
    if plug is not None and not plug[0] and plug[1] >= _state_at(known) + (state in ("CHARGING", "STARTING")):
        return value("DISCONNECTED")
    if plug is not None and not plug[0] and state in (None, "NOT_CHARGING"):
        return value("DISCONNECTED")
    if state == "NOT_CHARGING" and plug is not None:
        state = "CONNECTED"
    if state is None:
        return NOT_KNOWN
    if folded_value(known.get(_SECOND)) != folded("finished_not_full"):
        socs = [amount_beside(known, field) for field in known.newest_first(_SOC)]
        soc = next((each for each in socs if each is not None), None)
        state = full_or(state, soc, amount_beside(known, _TARGET))
    return value(state)


def _state_at(known: Known) -> int:
    return max((known.reported_at(field) for field in _STATE if field in known), default=0)


def is_charging(known: Known) -> Decoded:
    """Return whether the battery receives energy; an unknown state is an issue of the row of the status.

    A plug that is reported as out later ends it; the state is not repeated after that was so for a moment.
    """
    try:
        state = _state(known)
    except Violation:
        return None
    plug = _plug(known)
    is_out = plug is not None and not plug[0] and plug[1] > _state_at(known)
    return NOT_KNOWN if state is None else value(state == "CHARGING" and not is_out)


def is_plugged(known: Known) -> Decoded:
    """Return whether a cable is in, by any descriptor of a port; None where the newest has an unknown word."""
    found = _plug(known)
    newest = next(iter(known.newest_first((*_PLUG_FIELDS, *_PLUGGED))), None)
    is_unknown = newest is not None and folded_value(known[newest]) not in _plug_words(newest)
    if newest is not None and is_unknown and (found is None or found[1] < known.reported_at(newest)):
        return None
    if found is None or _state_at(known) <= found[1]:
        return NOT_KNOWN if found is None else value(found[0])
    return value(True) if is_charging(known) == value(True) else NOT_KNOWN


def no_unknown_plug(known: Known) -> Decoded:
    """Return no value. Raises Violation for a descriptor of a plug with an unknown word, the newest one."""
    for field in known.newest_first((*_PLUGGED, *_PLUG_FIELDS)):
        if folded_value(known[field]) not in _plug_words(field):
            raise unknown_value(folded_value(known[field]), _plug_words(field), field)
    return NOT_KNOWN


def _plug_words(field: str) -> Mapping[str, bool | None]:
    return FLAGS if field in _PLUGGED else _PLUG


def is_open(known: Known) -> Decoded:
    """Return whether the door of any port is open."""
    return value(any(flag(folded_value(known[field])) for field in _OPEN if field in known))


def minutes(known: Known) -> Decoded:
    """Return the time to the target, else to a full battery."""
    field = known.best(f"{_E}.timeRemaining", f"{_E}.timeToFullyCharged")
    return NOT_KNOWN if field is None else {"value": amount(known[field]), "unit": unit_of(known[field], "min")}


def is_dc(known: Known) -> bool | None:
    """Return whether a DC plug is in: by the port and by the method of charging, of which the newer one decides."""
    for field in known.newest_first((_METHOD, _DC_PORT)):
        found = folded_value(known[field])
        if field == _DC_PORT and found in ("connected", "disconnected"):
            return found == "connected"
        if field == _METHOD and found.startswith(("ac", "dc")):
            return found.startswith("dc")
    return None


def fast(known: Known) -> Decoded:
    """Return whether a fast charger is connected."""
    if _DC_PORT in known and folded_value(known[_DC_PORT]) not in _PLUG:
        raise unknown_value(folded_value(known[_DC_PORT]), _PLUG)
    found = is_dc(known)
    return NOT_KNOWN if found is None else value(found)


def fast_type(known: Known) -> Decoded:
    """Return the standard that the method names, else CCS: all cars of the maker in CarData have it in Europe and America."""
    found, method = is_dc(known), folded_value(known.get(_METHOD))
    if not found:
        return NOT_KNOWN if found is None else None
    return value(next((kind for name, kind in (("chademo", "CHADEMO"), ("gbt", "GBT")) if name in method), "CCS"))


def connector(content: Any) -> Decoded:
    """Return the inlet, which the maker reports only while an AC plug is in."""
    kind = folded_value(content)
    if not kind.startswith(("ac", "dc", "nocharging")):
        raise ValueError(f"{kind[:40]!r} is no method of charging known here")
    found = {"actype1plug": "J1772", "actype2plug": "Type 2"}.get(kind)
    return NOT_KNOWN if found is None else value(found)


def ac_only(field: str, unit: str, is_unmeasured: Callable[[float, float | None], bool]) -> Combiner:
    """Return the combiner of a number of the charger on board, which reports nothing while a DC plug is in.

    A car that does not measure it reports 0 beside a power.
    """

    def combine(known: Known) -> Decoded:
        if field not in known:
            return NOT_KNOWN
        found = quantity(amount(known[field]), unit_of(known[field], unit))
        return None if is_dc(known) or is_unmeasured(amount(known[field]), _watts(known)) else found

    return combine


def _watts(known: Known) -> float | None:
    """Return the power while the car charges."""
    found = amount_beside(known, _POWER)
    factor = factor_to_wire(Dimension.POWER, unit_of(known.get(_POWER), "W"))
    return None if found is None or factor is None or is_charging(known) == value(False) else found * factor


def power(known: Known) -> Decoded:
    """Return the power; 0 kW while a current flows was truncated by the source, and is no value."""
    if _POWER not in known:
        return NOT_KNOWN
    found = amount(known[_POWER])
    amps, volts = (amount_beside(known, field) for field in (_AMPS, _VOLTS))
    is_cut = is_cut_to_zero(found, amps, volts) and is_charging(known) != value(False)
    return None if is_cut else quantity(found, unit_of(known[_POWER], "W"))


def target(content: Any) -> Decoded:
    """Return the limit in force, in percent."""
    return limit(amount(content))


def distance(known: Known) -> Decoded:
    """Return the electric range, preferably as the instrument shows it."""
    field = known.best(*_RANGES)
    return NOT_KNOWN if field is None else battery_range(amount(known[field]), unit_of(known[field], "km"))


def nominal(known: Known) -> Decoded:
    """Return the capacity: the battery's size, else its present maximum."""
    field = known.best(f"{_M}.batterySizeMax", f"{_M}.maxEnergy")
    if field is None:
        return NOT_KNOWN
    return capacity(amount(known[field]), "BMW CarData") | {"unit": unit_of(known[field], "kWh")}


_RANGES: Final = (
    "vehicle.drivetrain.electricEngine.kombiRemainingElectricRange",
    "vehicle.drivetrain.electricEngine.remainingElectricRange",
)

BMW_CARDATA: Final = dialect(
    "bmw_cardata",
    combined((*_STATE, *_PLUG_FIELDS, *_PLUGGED), "charge-ischarging", is_charging),
    combined(
        (*_STATE, *_PLUG_FIELDS, *_PLUGGED, *_SOC, _TARGET), "charge-detailedchargingstatus", status
    ),
    row(_SECOND, "charge-detailedchargingstatus", words=dict.fromkeys(_HV_STATUS, NOT_KNOWN)),
    combined((*_PLUG_FIELDS, *_PLUGGED, *_STATE), "charge-ischargingcableconnected", is_plugged),
    combined((*_PLUGGED, *_PLUG_FIELDS), "charge-ischargingcableconnected", no_unknown_plug),
    row(f"{_PORT}.lockedStatus", "charge-ischargingcablelatched", words=_LATCH),
    combined(_OPEN, "charge-ischargingportflapopen", is_open),
    combined((_DC_PORT, _METHOD), "charge-isfastchargerpresent", fast),
    combined((_DC_PORT, _METHOD), "charge-fastchargertype", fast_type),
    row(_METHOD, "charge-chargingconnectortype", decode=connector),
    combined(
        (_AMPS, _POWER, _DC_PORT, _METHOD), "charge-amperage", ac_only(_AMPS, "A", is_contradicted), beside=_STATE,
        gate=Gate.LIVE,
    ),
    combined(
        (_VOLTS, _POWER, _DC_PORT, _METHOD), "charge-voltage", ac_only(_VOLTS, "V", is_no_supply), beside=_STATE,
        gate=Gate.LIVE,
    ),
    combined((_POWER, _AMPS), "charge-wattage", power, beside=(_VOLTS, *_STATE), gate=Gate.LIVE),
    row(f"{_B}.charging.acLimit.max", "charge-amperagemax", "A"),
    row(f"{_B}.charging.acLimit.selected", "charge-amperagerequested", "A", note="the user's choice"),
    row(_TARGET, "charge-chargelimits", decode=target),
    row(
        f"{_E}.phaseNumber",
        "charge-chargerphases",
        words={f"{count}{end}": count or None for count in range(4) for end in ("", "-PHASES", "-PHASE")}
        | {"NO_CHARGING": None, "NOT_CHARGING": None},
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
            # Parts of the car that are unrelated to charging.
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
            # Of charging, without a signal.
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
    relevant=re.compile("charg|battery", re.IGNORECASE),
    read=read,
)  # fmt: skip
