"""Amounts of several phases and fields, for rows that are read by a function of their own."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chargeport.dialects.field_values import folded, number

LOADED_ABOVE_A: Final = 0.5
"""Below, a phase carries nothing but noise."""

ALIVE_ABOVE_V: Final = 50
"""Below, a phase is not connected: what is left is induced."""

_LOWEST_SUPPLY_V: Final = 100  # of any country
_ONE_KILOWATT_W: Final = 1_050  # with what two meters differ by


def bare(value: Any) -> Any:
    """Return the value itself where a source wrote it with its unit."""
    return value["value"] if isinstance(value, Mapping) and "value" in value else value


def unit_of(value: Any, otherwise: str) -> str:
    """Return the unit that came with a value; `otherwise` where none did."""
    unit = value.get("unit") if isinstance(value, Mapping) else None
    return str(unit) if unit else otherwise


def amount(value: Any) -> float:
    """Return a number, also one that was written as text or with its unit. Raises ValueError or TypeError."""
    return number(bare(value))


def amounts(known: Mapping[str, Any], fields: Iterable[str]) -> list[float]:
    """Return the numbers that are known of these fields."""
    return [amount(known[field]) for field in fields if field in known]


def word(value: Any) -> str:
    """Return a word in its folded form; empty where there is none."""
    return "" if value is None else folded(bare(value))


def is_cut_to_zero(kilowatts: float, amps: float | None, volts: float | None) -> bool:
    """Return whether a power of 0 kW is what was left of less than one, while a current flows.

    A current that takes more than a kilowatt is an old one: then nothing flows.
    """
    if kilowatts != 0 or amps is None or amps <= LOADED_ABOVE_A:
        return False
    return amps * (volts if volts and volts > ALIVE_ABOVE_V else _LOWEST_SUPPLY_V) < _ONE_KILOWATT_W


def loaded_phases(currents: Iterable[float]) -> int:
    """Count the phases on which current flows."""
    return sum(current > LOADED_ABOVE_A for current in currents)


def alive_mean(volts: Iterable[float]) -> float | None:
    """Return the mean voltage of the phases that are connected; None where none is."""
    alive = [each for each in volts if each > ALIVE_ABOVE_V]
    return round(sum(alive) / len(alive), 3) if alive else None
