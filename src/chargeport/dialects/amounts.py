"""Amounts of several phases and fields, for rows with a decoder or combiner of their own."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chargeport.dialects.field_values import flag, folded, number

LOADED_ABOVE_A: Final = 0.5
"""A smaller current of a phase is noise."""

CONNECTED_ABOVE_V: Final = 50
"""A phase with a smaller voltage is not connected: the voltage is induced."""

NOISE_BELOW_V: Final = 20
"""A smaller voltage of a charger is noise, or 0 because it does not measure."""

_MEASURABLE_W: Final = 1_000
_LOWEST_SUPPLY_V: Final = 100  # of any country
_ONE_KILOWATT_W: Final = 1_050  # with the difference between two meters


def bare(value: Any) -> Any:
    """Return a value without the unit with which a source wrote it."""
    return value["value"] if isinstance(value, Mapping) and "value" in value else value


def unit_of(value: Any, otherwise: str) -> str:
    """Return the unit with which a source wrote a value; `otherwise` without one."""
    unit = value.get("unit") if isinstance(value, Mapping) else None
    return str(unit) if unit else otherwise


def amount(value: Any) -> float:
    """Return a number that may be a text, or have a unit. Raises ValueError or TypeError."""
    return number(bare(value))


def amount_beside(known: Mapping[str, Any], field: str) -> float | None:
    """Return the number of a field beside the row's own; None where it has none: the issue comes from its own row."""
    try:
        return amount(known[field]) if field in known else None
    except (TypeError, ValueError):
        return None


def flag_beside(known: Mapping[str, Any], field: str) -> bool | None:
    """Return the flag of a field beside the row's own; None where it has none: the issue comes from its own row."""
    try:
        return flag(bare(known[field])) if field in known else None
    except ValueError:
        return None


def amounts(known: Mapping[str, Any], fields: Iterable[str]) -> list[float]:
    """Return the numbers of those of these fields that are known."""
    return [amount(known[field]) for field in fields if field in known]


def folded_value(value: Any) -> str:
    """Return a value of an enumeration in its folded form; an empty text for None."""
    return "" if value is None else folded(bare(value))


def is_cut_to_zero(kilowatts: float, amps: float | None, volts: float | None) -> bool:
    """Return whether a power of 0 kW is less than 1 kW, truncated by the source, while a current flows.

    A current that needs more than a kilowatt is an old one: then nothing flows.
    """
    if kilowatts != 0 or amps is None or amps <= LOADED_ABOVE_A:
        return False
    return amps * (volts if volts and volts > CONNECTED_ABOVE_V else _LOWEST_SUPPLY_V) < _ONE_KILOWATT_W


def is_contradicted(amps: float, watts: float | None) -> bool:
    """Return whether a current of 0 is no measurement: a power flows that needs more."""
    return amps <= LOADED_ABOVE_A and watts is not None and watts >= _MEASURABLE_W


def is_no_supply(volts: float, watts: float | None) -> bool:
    """Return whether a voltage of 0 is no measurement: a power flows."""
    return volts < NOISE_BELOW_V and watts is not None and watts >= _MEASURABLE_W


def loaded_phases(currents: Iterable[float]) -> int:
    """Count the phases on which current flows."""
    return sum(current > LOADED_ABOVE_A for current in currents)


def connected_mean(volts: Iterable[float]) -> float | None:
    """Return the mean voltage of the phases that are connected; None where none is."""
    connected = [phase for phase in volts if phase > CONNECTED_ABOVE_V]
    return round(sum(connected) / len(connected), 3) if connected else None
