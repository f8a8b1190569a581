"""OCPP 1.6, 2.0.1 and 2.1: what a charging station says of the car at one of its connectors (sources 8).

Everything is measured on the grid's side. The field names are the measurands' own, with the phase where there is one.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chargeport.dialects.amounts import alive_mean, amount, amounts, loaded_phases, unit_of, word
from chargeport.dialects.ocpp_form import METER_START, RECORD, read, record
from chargeport.dialects.table import DC_ABOVE_W, NOT_KNOWN, Decoded, Gate, combined, dialect, limit, quantity, row, value
from chargeport.signals.definition import Dimension
from chargeport.signals.units import convert

_PHASES: Final = ("L1", "L2", "L3")
_CURRENTS: Final = tuple(f"Current.Import.{phase}" for phase in _PHASES)
_POWERS: Final = tuple(f"Power.Active.Import.{phase}" for phase in _PHASES)
_TO_NEUTRAL: Final = tuple(f"Voltage.{phase}-N" for phase in _PHASES)
_BETWEEN: Final = ("Voltage.L1-L2", "Voltage.L2-L3", "Voltage.L3-L1")
_REGISTER: Final = "Energy.Active.Import.Register"
_SQRT_3: Final = 3**0.5

_STATUS: Final = {
    "available": "DISCONNECTED", "reserved": "DISCONNECTED", "preparing": "CONNECTED", "occupied": "CONNECTED",
    "charging": "CHARGING", "suspendedev": "SUSPENDED_BY_CAR", "suspendedevse": "SUSPENDED_BY_STATION",
    "finishing": "STOPPED", "faulted": "ERROR", "unavailable": None,
}  # fmt: skip
_STATE: Final = {
    "evconnected": "CONNECTED", "charging": "CHARGING", "suspendedev": "SUSPENDED_BY_CAR",
    "suspendedevse": "SUSPENDED_BY_STATION", "ended": "STOPPED", "idle": None,
}  # fmt: skip
_FULL_PERCENT: Final = 100


def _state(known: Mapping[str, Any]) -> str | None:
    """The transaction's state decides while it has one; what the connector says, otherwise and when it is out of order."""
    connector = _STATUS.get(word(known.get("status")))
    going_on = _STATE.get(word(known.get("chargingState")))
    return connector if connector == "ERROR" or going_on is None else going_on


def status(known: Mapping[str, Any]) -> Decoded:
    """Where in the course of charging the car is; one that has stopped drawing with a full battery is full."""
    for field, words in (("status", _STATUS), ("chargingState", _STATE)):
        if field in known and word(known[field]) not in words:
            raise ValueError(f"{field}: {word(known[field])[:40]!r} is none of the words known here: {', '.join(words)}")
    found = _state(known)
    if found == "SUSPENDED_BY_CAR" and "SoC" in known:
        full = amount(known["fullSoC"]) if "fullSoC" in known else _FULL_PERCENT
        found = "FULLY_CHARGED" if amount(known["SoC"]) >= full else found
    return NOT_KNOWN if found is None else value(found)


def is_charging(known: Mapping[str, Any]) -> Decoded:
    """Whether energy flows."""
    found = _state(known)
    return NOT_KNOWN if found is None else value(found == "CHARGING")


def is_connected(known: Mapping[str, Any]) -> Decoded:
    """Whether a cable is in; a station that is out of order does not say."""
    found = _state(known)
    return NOT_KNOWN if found in (None, "ERROR") else value(found != "DISCONNECTED")


def current(known: Mapping[str, Any]) -> Decoded:
    """The current of the phase that carries most; without phases, as it is given."""
    phases = amounts(known, _CURRENTS)
    field = next((each for each in ("Current.Import", *_CURRENTS) if each in known), "")
    found = max(phases) if phases else amount(known["Current.Import"])
    return quantity(found, unit_of(known.get(field), "A"))


def phases(known: Mapping[str, Any]) -> Decoded:
    """How many phases carry current; none says nothing of what the charger has."""
    loaded = loaded_phases(amounts(known, _CURRENTS))
    return value(loaded) if loaded else NOT_KNOWN


def voltage(known: Mapping[str, Any]) -> Decoded:
    """Line to neutral: measured so, or from line to line; without phases, as it is given."""
    measured = alive_mean(amounts(known, _TO_NEUTRAL))
    if measured is None and (between := alive_mean(amounts(known, _BETWEEN))) is not None:
        measured = round(between / _SQRT_3, 3)
    if measured is None and "Voltage" in known:
        return quantity(amount(known["Voltage"]), unit_of(known["Voltage"], "V"))
    return None if measured is None else quantity(measured, "V")


def power(known: Mapping[str, Any]) -> Decoded:
    """The power as it is given, else the sum of the phases."""
    if "Power.Active.Import" in known:
        return quantity(amount(known["Power.Active.Import"]), unit_of(known["Power.Active.Import"], "W"))
    watts = [amount(known[field]) for field in _POWERS if field in known]
    unit = next(unit_of(known[field], "W") for field in _POWERS if field in known)
    return quantity(sum(watts), unit)


def energy(known: Mapping[str, Any]) -> Decoded:
    """What the register has counted since the session began."""
    if _REGISTER not in known or METER_START not in known:
        return NOT_KNOWN
    now, begun = (_wh(known[field]) for field in (_REGISTER, METER_START))
    if now < begun:
        raise ValueError(f"the register stands at {now:g} Wh, below the {begun:g} Wh at which the session began")
    return quantity(round(now - begun, 3), "Wh")


def _wh(content: Any) -> float:
    kwh = convert(amount(content), Dimension.ENERGY, unit_of(content, "Wh"))
    if kwh is None:
        raise ValueError(f"{unit_of(content, 'Wh')[:20]!r} is no unit of energy")
    return round(kwh * 1000, 3)


def fast_by_power(content: Any) -> Decoded:
    """More than any AC station but one offers; less says nothing, for there are slow DC stations."""
    watts = convert(amount(content), Dimension.POWER, unit_of(content, "W")) or 0
    return value(True) if watts > DC_ABOVE_W else NOT_KNOWN


def fast_by_transfer(content: Any) -> Decoded:
    """The kind of transfer that the car asked for."""
    kind = str(content).upper()
    if not kind.startswith(("AC", "DC", "WPT")):
        raise ValueError(f"{str(content)[:40]!r} is no energy transfer known here")
    return value(kind.startswith("DC"))


def target(content: Any) -> Decoded:
    """A limit that the car has told the station, in percent."""
    return limit(amount(content))


_WHERE: Final = ("status", "chargingState")
_measured: Final[tuple[tuple[tuple[str, ...], str, Callable[[Mapping[str, Any]], Decoded]], ...]] = (
    (("Current.Import", *_CURRENTS), "charge-amperage", current),
    (("Voltage", *_TO_NEUTRAL, *_BETWEEN), "charge-voltage", voltage),
    (("Power.Active.Import", *_POWERS), "charge-wattage", power),
)

OCPP: Final = dialect(
    "ocpp",
    combined(_WHERE, "charge-ischarging", is_charging),
    combined(_WHERE, "charge-ischargingcableconnected", is_connected),
    combined((*_WHERE, "SoC", "fullSoC"), "charge-detailedchargingstatus", status, note="sources 8.2"),
    *(combined(fields, code, combine, gate=Gate.LIVE) for fields, code, combine in _measured),
    combined(_CURRENTS, "charge-chargerphases", phases),
    row("numberOfPhasesUsed", "charge-chargerphases"),
    combined((_REGISTER, METER_START), "charge-energyadded", energy, note="grid side"),
    row("Current.Offered", "charge-amperagemax", "A"),
    row("evMaxCurrent", "charge-amperagerequested", "A", note="of the charging needs: the most that the car takes"),
    row("Power.Offered", "charge-isfastchargerpresent", decode=fast_by_power),
    row("requestedEnergyTransfer", "charge-isfastchargerpresent", decode=fast_by_transfer),
    row("fullSoC", "charge-chargelimits", decode=target),
    row("Display.TargetSOC", "charge-chargelimits", decode=target, note="OCPP 2.1"),
    row("Display.RemainingTimeToTargetSOC", "charge-timetocomplete", "s", gate=Gate.CHARGING, note="OCPP 2.1"),
    row("SoC", "tractionbattery-stateofcharge", "%"),
    row("Display.PresentSOC", "tractionbattery-stateofcharge", "%", note="OCPP 2.1"),
    row(RECORD, "charge-chargerecords", decode=record),
    ignored=frozenset(
        {
            # What flows back, what is not active, and what the grid is like.
            "Current.Export*", "Power.Active.Export*", "Power.Active.Setpoint", "Power.Active.Residual", "Power.Reactive*",
            "Power.Factor*", "Power.Import.*", "Power.Export.*", "Energy.Active.Export*", "Energy.Reactive*",
            "Energy.Apparent*",
            "Energy.Active.Net*", "Energy.Active.Setpoint*", "Energy.Active.Import.Interval*",
            "Energy.Active.Import.CableLoss*",
            "Energy.Active.Import.LocalGeneration*", "Energy.Request*", "EnergyRequest*", "Frequency*", "Current.Import.N",
            "Current.Export.Offered", "Current.Import.Offered", "Current.Import.Minimum", "Voltage.Minimum", "Voltage.Maximum",
            "Voltage.N", "Power.Factor",
            # A phase of the register is not the session's energy.
            "Energy.Active.Import.Register.*",
            # The station itself.
            "Temperature*", "RPM*", "Display.*",
        }
    ),
    read=read,
)  # fmt: skip
