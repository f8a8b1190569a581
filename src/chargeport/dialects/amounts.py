"""Amounts of several phases and fields, for rows that are read by a function of their own."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chargeport.dialects.forms import number

LOADED_ABOVE_A: Final = 0.5
"""Below, a phase carries nothing but noise: sources 15.1."""

ALIVE_ABOVE_V: Final = 50
"""Below, a phase is not connected: what is left is induced."""


def bare(value: Any) -> Any:
    """The value itself where a source wrote it with its unit."""
    return value["value"] if isinstance(value, Mapping) and "value" in value else value


def unit_of(value: Any, otherwise: str) -> str:
    """The unit that came with a value; `otherwise` where none did."""
    unit = value.get("unit") if isinstance(value, Mapping) else None
    return str(unit) if unit else otherwise


def amount(value: Any) -> float:
    """A number, also one that was written as text or with its unit. Raises ValueError or TypeError."""
    return number(bare(value))


def amounts(known: Mapping[str, Any], fields: Iterable[str]) -> list[float]:
    """The numbers that are known of these fields."""
    return [amount(known[field]) for field in fields if field in known]


def word(value: Any) -> str:
    """A word in small letters; empty where there is none."""
    return "" if value is None else str(bare(value)).strip().casefold()


def loaded_phases(currents: Iterable[float]) -> int:
    """On how many phases current flows."""
    return sum(current > LOADED_ABOVE_A for current in currents)


def alive_mean(volts: Iterable[float]) -> float | None:
    """The mean voltage of the phases that are connected; None where none is."""
    alive = [each for each in volts if each > ALIVE_ABOVE_V]
    return round(sum(alive) / len(alive), 3) if alive else None
