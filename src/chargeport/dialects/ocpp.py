"""OCPP 1.6, 2.0.1 and 2.1: a charging station's reports of the car at one of its connectors.

Everything is measured on the grid's side. The field names are the measurands' own; the currents, the powers and the voltages of
one reading are one field each, with the samples by their measurands and phases.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chargeport.dialects.amounts import LOADED_ABOVE_A, amount, amounts, connected_mean, folded_value, loaded_phases, unit_of
from chargeport.dialects.ocpp_form import (
    CHARGES,
    CURRENT,
    ENERGY,
    FLOW,
    IN,
    METER,
    METER_START,
    OUT,
    OUT_OF_SERVICE,
    POWER,
    RECORD,
    UNAVAILABLE,
    UNREADABLE,
    VOLTAGE,
    read,
    record,
)
from chargeport.dialects.table import DC_ABOVE_W, NOT_KNOWN, Decoded, Gate, combined, dialect, limit, quantity, row, value
from chargeport.signals.definition import Dimension
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.units import convert
from chargeport.sources.ocpp.sampled_values import PAIRS, PHASES, REGISTER

_TO_NEUTRAL: Final = tuple(f"Voltage.{phase}-N" for phase in PHASES)
_BETWEEN: Final = tuple(f"Voltage.{pair}" for pair in PAIRS)
_SQRT_3: Final = 3**0.5

_STATUS: Final = {
    "available": "DISCONNECTED", "reserved": "DISCONNECTED", "preparing": "CONNECTED", "occupied": "CONNECTED",
    "charging": "CHARGING", "suspendedev": "SUSPENDED_BY_CAR", "suspendedevse": "SUSPENDED_BY_STATION",
    "finishing": "STOPPED", "faulted": "ERROR", OUT_OF_SERVICE: None,
}  # fmt: skip
_STATE: Final = {
    "evconnected": "CONNECTED", "charging": "CHARGING", "suspendedev": "SUSPENDED_BY_CAR",
    "suspendedevse": "SUSPENDED_BY_STATION", "ended": "STOPPED", "idle": "DISCONNECTED",
}  # fmt: skip
_FLOWING: Final = ("CHARGING", "SUSPENDED_BY_CAR", "SUSPENDED_BY_STATION")  # where power may flow back, too
_FULL_PERCENT: Final = 100


def _state(known: Mapping[str, Any]) -> str | None:
    """Return the transaction's state; the connector's where there is no transaction or the connector is out of order.

    A car that feeds power back does not charge, whatever the transaction's state is. Of a car that is only said to be plugged
    in, by a transaction's state or by a status without one, the power shows whether it charges. So it does where a station
    leaves it at suspended, or reports no status.
    """
    connector = _STATUS.get(folded_value(known.get("status")))
    going_on = _STATE.get(folded_value(known.get("chargingState")))
    is_reported = any(folded_value(known.get(field)) for field in ("status", "chargingState"))
    if not is_reported and known.get(FLOW) == CHARGES:
        return "CHARGING"
    if going_on == "STOPPED" and connector == "DISCONNECTED":
        return connector  # the plug was free before the transaction ended
    found = connector if connector == "ERROR" or going_on is None else going_on
    if (found == "CONNECTED" and known.get(FLOW) == IN) or (found in _FLOWING and known.get(FLOW) == CHARGES):
        return "CHARGING"
    return "DISCHARGING" if found in _FLOWING and known.get(FLOW) == OUT else found


def status(known: Mapping[str, Any]) -> Decoded:
    """Return the charging status; a car that has stopped drawing with a full battery is FULLY_CHARGED."""
    for field, words in (("status", _STATUS), ("chargingState", _STATE)):
        if field in known and folded_value(known[field]) not in words:
            names = ", ".join(UNAVAILABLE if word == OUT_OF_SERVICE else word for word in words)
            raise ValueError(f"{field}: {folded_value(known[field])[:40]!r} is none of the values known here: {names}")
    found = _state(known)
    if found == "SUSPENDED_BY_CAR" and "SoC" in known:
        full = amount(known["fullSoC"]) if "fullSoC" in known else _FULL_PERCENT
        found = "FULLY_CHARGED" if amount(known["SoC"]) >= full else found
    if found is None:
        return None if _is_unavailable(known) else NOT_KNOWN
    return value(found)


def is_charging(known: Mapping[str, Any]) -> Decoded:
    """Return whether energy flows: not at a connector that is unavailable."""
    found = _state(known)
    return NOT_KNOWN if found is None and not _is_unavailable(known) else value(found == "CHARGING")


def is_connected(known: Mapping[str, Any]) -> Decoded:
    """Return whether a cable is in; not known if the connector is out of order or unavailable."""
    found = _state(known)
    if found is None and _is_unavailable(known):
        return None
    return NOT_KNOWN if found in (None, "ERROR") else value(found != "DISCONNECTED")


def _is_unavailable(known: Mapping[str, Any]) -> bool:
    """Return whether the connector is out of service: nothing charges there, and whether a cable is in is not reported."""
    return folded_value(known.get("status")) == OUT_OF_SERVICE


def current(known: Any) -> Decoded:
    """Return the current of the phase that carries most; without phases, as it is given; else that of the neutral."""
    named = [f"Current.Import.{line}" for line in (*PHASES, *PAIRS)]
    fields = next((each for each in (named, ["Current.Import"], ["Current.Import.N"]) if amounts(known, each)), [])
    return _into_the_car(known, "Current.Export", fields, "A", max)


def power(known: Any) -> Decoded:
    """Return the power as it is given, else the sum of the phases."""
    named = [f"Power.Active.Import.{line}" for line in (*PHASES, *PAIRS)]
    groups = (["Power.Active.Import"], named, ["Power.Active.Import.N"])
    fields = next((each for each in groups if amounts(known, each)), [])
    return _into_the_car(known, "Power.Active.Export", fields, "W", sum)


def _into_the_car(
    known: Mapping[str, Any], export: str, fields: list[str], unit: str, whole: Callable[[list[float]], float]
) -> Decoded:
    """Return what flows into the car by these fields; a reason where it flows out, NOT_KNOWN where none is known."""
    present = [field for field in fields if field in known]
    if not present:
        return AbsenceReason.NOT_CHARGING if any(field.startswith(export) for field in known) else NOT_KNOWN
    found = whole(amounts(known, present))
    return AbsenceReason.NOT_CHARGING if found < 0 else quantity(found, unit_of(known[present[0]], unit))


def phases(known: Any) -> Decoded:
    """Count the phases that carry current; a circuit between two lines is one. None means nothing about the charger.

    A current without phases ends the earlier number of phases: the station may have changed it.
    """
    if any(f"Current.Import.{pair}" in known for pair in PAIRS):
        loaded = loaded_phases(amounts(known, [f"Current.Import.{pair}" for pair in PAIRS]))
        return value(loaded) if loaded else NOT_KNOWN
    currents = amounts(known, [f"Current.Import.{phase}" for phase in PHASES])
    if not currents and any(current > LOADED_ABOVE_A for current in amounts(known, ["Current.Import"])):
        return None
    loaded = loaded_phases(currents)
    return value(loaded) if loaded else NOT_KNOWN


def voltage(known: Any) -> Decoded:
    """Return the voltage from line to neutral: measured, or from line to line; without phases, as it is given.

    None where no line is connected.
    """
    measured = connected_mean(amounts(known, _TO_NEUTRAL))
    if measured is None and (between := connected_mean(amounts(known, _BETWEEN))) is not None:
        measured = round(between / _SQRT_3, 3)
    if measured is not None:
        return quantity(measured, "V")
    field = next((field for field in ("Voltage", "Voltage.N") if field in known), None)
    return None if field is None else quantity(amount(known[field]), unit_of(known[field], "V"))


def energy(known: Mapping[str, Any]) -> Decoded:
    """Return the energy by the register since the session began, for a payload that was not received from its station."""
    if REGISTER not in known or METER_START not in known:
        return NOT_KNOWN
    now, begun = (_wh(known[field]) for field in (REGISTER, METER_START))
    if now < begun:
        raise ValueError("the register is below its reading at the start of the session")
    return quantity(round(now - begun, 3), "Wh")


def _wh(content: Any) -> float:
    kwh = convert(amount(content), Dimension.ENERGY, unit_of(content, "Wh"))
    if kwh is None:
        raise ValueError(f"{unit_of(content, 'Wh')[:20]!r} is no unit of energy")
    return round(kwh * 1000, 3)


def charge(content: Any) -> Decoded:
    """Return the state of charge; NOT_KNOWN for 0, which stations report that can't read it from the car."""
    return quantity(found, unit_of(content, "%")) if (found := amount(content)) else NOT_KNOWN


def unreadable(content: Any) -> Decoded:
    """Refuse the samples that can't be read, whose fields are named in the text."""
    raise ValueError(str(content))


def fast_by_power(content: Any) -> Decoded:
    """Return true for more power than almost any AC station offers; NOT_KNOWN for less: there are slow DC stations."""
    watts = convert(amount(content), Dimension.POWER, unit_of(content, "W")) or 0
    return value(True) if watts > DC_ABOVE_W else NOT_KNOWN


def fast_by_transfer(content: Any) -> Decoded:
    """Return whether the requested kind of energy transfer is DC. Raises ValueError for an unknown kind."""
    kind = str(content).upper()
    if not kind.startswith(("AC", "DC", "WPT")):
        raise ValueError(f"{str(content)[:40]!r} is no energy transfer known here")
    return value(kind.startswith("DC"))


def target(content: Any) -> Decoded:
    """Return a limit that the car has reported to the station, in percent."""
    return limit(amount(content))


_WHERE: Final = ("status", "chargingState", FLOW)
OCPP: Final = dialect(
    "ocpp",
    combined(_WHERE, "charge-ischarging", is_charging),
    combined(_WHERE, "charge-ischargingcableconnected", is_connected),
    combined((*_WHERE, "SoC", "fullSoC"), "charge-detailedchargingstatus", status),
    row(CURRENT, "charge-amperage", decode=current, gate=Gate.LIVE),
    row(CURRENT, "charge-chargerphases", decode=phases),
    row(VOLTAGE, "charge-voltage", decode=voltage, gate=Gate.LIVE),
    row(POWER, "charge-wattage", decode=power, gate=Gate.LIVE),
    row("numberOfPhasesUsed", "charge-chargerphases"),
    row(ENERGY, "charge-energyadded", "Wh", note="grid side; the transport computes it from the register of the transaction"),
    row(UNREADABLE, "charge-energyadded", decode=unreadable),
    combined((REGISTER, METER_START), "charge-energyadded", energy, note="grid side"),
    row("Current.Offered", "charge-amperagemax", "A"),
    row("Current.Import.Offered", "charge-amperagemax", "A", note="OCPP 2.1"),
    row("evMaxCurrent", "charge-amperagerequested", "A", note="of the charging needs: the most that the car takes"),
    row("Power.Offered", "charge-isfastchargerpresent", decode=fast_by_power),
    row("Power.Import.Offered", "charge-isfastchargerpresent", decode=fast_by_power, note="OCPP 2.1"),
    row("requestedEnergyTransfer", "charge-isfastchargerpresent", decode=fast_by_transfer),
    row("fullSoC", "charge-chargelimits", decode=target),
    row("Display.TargetSOC", "charge-chargelimits", decode=target, note="OCPP 2.1"),
    row("Display.RemainingTimeToTargetSOC", "charge-timetocomplete", "s", gate=Gate.CHARGING, note="OCPP 2.1"),
    row("SoC", "tractionbattery-stateofcharge", decode=charge, note="0: the station does not have it"),
    row("Display.PresentSOC", "tractionbattery-stateofcharge", "%", note="OCPP 2.1"),
    row(METER, "chargeport-energyregister", "Wh", note="grid side; at the begin and at the end of a transaction"),
    row(RECORD, "charge-chargerecords", decode=record),
    ignored=frozenset(
        {
            # Power that is not active, and properties of the grid.
            "Current.Export.Offered", "Current.Export.Minimum", "Current.Import.Minimum", "Power.Active.Setpoint*",
            "Power.Active.Residual*", "Power.Reactive*", "Power.Factor*", "Power.Import.Minimum", "Power.Export.*",
            "Energy.Active.Export*", "Energy.Reactive*", "Energy.Apparent*", "Energy.Active.Net*", "Energy.Active.Setpoint*",
            "Energy.Active.Import.Interval*", "Energy.Active.Import.CableLoss*", "Energy.Active.Import.LocalGeneration*",
            "Energy.Request*", "EnergyRequest*", "Frequency*", "Voltage.Minimum", "Voltage.Maximum",
            # The register by phases: the form adds them up.
            "Energy.Active.Import.Register.*",
            # The station itself.
            "Temperature*", "RPM*", "Display.*",
        }
    ),
    read=read,
)  # fmt: skip
