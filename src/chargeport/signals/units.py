"""Units by name: every accepted spelling, and its factor to the wire's unit.

The wire's own spellings follow no rule (`ampere` but `volts`, `watts` but `kWh`), so each is listed.
"""

from typing import Final

from chargeport.signals.definition import Dimension

KM_PER_MILE: Final = 1.609344  # international mile, exact
ROUNDED_TO: Final = 1e-6
"""The precision of a converted number, in the wire's unit: errors of binary arithmetic are smaller."""

WIRE_UNIT: Final = {
    Dimension.CURRENT: "ampere",
    Dimension.VOLTAGE: "volts",
    Dimension.POWER: "watts",
    Dimension.ENERGY: "kWh",
    Dimension.SPEED: "km/h",
    Dimension.TIME: "min",
    Dimension.RATIO: "percent",
    Dimension.DISTANCE: "km",
}

# Factor to the wire unit, then the spellings that mean it. Spellings that differ only in case mean the same unit unless a
# prefix would change (mA and MA): those must match exactly.
_SPELLINGS: Final[dict[Dimension, dict[float, tuple[str, ...]]]] = {
    Dimension.CURRENT: {
        1: ("ampere", "A", "amp", "amps", "amperes"),
        0.001: ("mA", "milliampere", "milliamperes"),
    },
    Dimension.VOLTAGE: {
        1: ("volts", "V", "volt"),
        0.001: ("mV", "millivolt", "millivolts"),
        1000: ("kV", "kilovolt", "kilovolts"),
    },
    Dimension.POWER: {
        1: ("watts", "W", "watt"),
        1000: ("kW", "kilowatt", "kilowatts"),
        1_000_000: ("MW", "megawatt", "megawatts"),
    },
    Dimension.ENERGY: {
        1: ("kWh", "kilowatt-hour", "kilowatt-hours", "kWhr"),
        0.001: ("Wh", "watt-hour", "watt-hours"),
        1000: ("MWh", "megawatt-hour", "megawatt-hours"),
        1 / 3.6: ("MJ", "megajoule", "megajoules"),
        1 / 3600: ("kJ", "kilojoule", "kilojoules"),
        1 / 3_600_000: ("J", "joule", "joules"),
    },
    Dimension.SPEED: {
        1: ("km/h", "kph", "kmh", "kilometers-per-hour"),
        KM_PER_MILE: ("mi/h", "mph", "miles-per-hour"),
        3.6: ("m/s",),
    },
    Dimension.TIME: {
        1: ("min", "minute", "minutes", "mins"),
        1 / 60: ("s", "sec", "secs", "second", "seconds"),
        60: ("h", "hr", "hrs", "hour", "hours"),
        1 / 60_000: ("ms", "millisecond", "milliseconds"),
        1 / 60_000_000_000: ("ns", "nanosecond", "nanoseconds"),
        1440: ("d", "day", "days"),
    },
    Dimension.RATIO: {1: ("percent", "%", "percentage", "pct"), 100: ("fraction", "ratio")},
    Dimension.DISTANCE: {
        1: ("km", "kilometer", "kilometers", "kilometre", "kilometres"),
        KM_PER_MILE: ("mi", "mile", "miles"),
        0.001: ("m", "meter", "meters", "metre", "metres"),
    },
}


def _factors(dimension: Dimension) -> dict[str, float]:
    """Return every spelling of the dimension, and in lower case those that stay unambiguous."""
    exact = {name: factor for factor, names in _SPELLINGS[dimension].items() for name in names}
    folded: dict[str, set[float]] = {}
    for name, factor in exact.items():
        folded.setdefault(name.lower(), set()).add(factor)
    # "mw" could be a milliwatt or a megawatt: a spelling whose case is significant is never folded.
    loose = {name: factors.pop() for name, factors in folded.items() if len(factors) == 1 and name not in _PREFIXED}
    return loose | exact


_PREFIXED: Final = frozenset({"ma", "mv", "mw", "mj", "mwh"})
_FACTORS: Final = {dimension: _factors(dimension) for dimension in Dimension}


def factor_to_wire(dimension: Dimension, unit: str) -> float | None:
    """Return the factor from `unit` to the dimension's wire unit; None when the spelling is unknown.

    >>> factor_to_wire(Dimension.POWER, "kW")
    1000
    >>> factor_to_wire(Dimension.POWER, "horses") is None
    True
    """
    factors = _FACTORS[dimension]
    return factors.get(unit, factors.get(unit.lower()))


def convert(value: float, dimension: Dimension, unit: str) -> float | None:
    """Return `value` of `unit` in the wire unit, rounded to a millionth; None when the unit is unknown.

    The rounding removes errors of binary arithmetic: 7.2 kW are 7200 watts, not 7200.000000000001. It makes no number below
    zero a zero, which bounds would accept.

    >>> convert(7.2, Dimension.POWER, "kW"), convert(-30_000, Dimension.TIME, "ns")
    (7200.0, -1e-06)
    """
    factor = factor_to_wire(dimension, unit)
    if factor is None or factor == 1:
        return None if factor is None else value
    rounded = round(value * factor, 6)
    return rounded if rounded or value >= 0 else -ROUNDED_TO


def factors(dimension: Dimension) -> dict[float, tuple[str, ...]]:
    """Return the accepted spellings by their factor to the wire unit, the wire's own first."""
    return _SPELLINGS[dimension]


def spellings(dimension: Dimension) -> tuple[str, ...]:
    """Return the accepted spellings, the wire's own first."""
    return tuple(name for names in _SPELLINGS[dimension].values() for name in names)
