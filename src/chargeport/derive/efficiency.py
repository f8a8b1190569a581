"""Charging efficiency, the share of the drawn energy that reaches the battery: as measured, or learned for a car."""

from collections.abc import Iterable
from statistics import median
from typing import Final

AC_EFFICIENCY: Final = 0.925
"""The middle of 0.90 to 0.95, which measured sessions have."""
CONVERTER_EFFICIENCY: Final = 0.957
AUXILIARY_A: Final = 0.53
"""A charger converts this share of the current; pumps and control units take this current of each phase.

The result is 0.87 at 6 A, 0.92 at 16 A and 0.94 at 40 A. Measured were 0.85 to 0.87, 0.90 to 0.95, and 0.943 to 0.953.
"""
LOW_CURRENT_A: Final = 8.0
LOW_CURRENT_FACTOR: Final = 0.94
"""Below this current per phase, the learned efficiency of a car is smaller by this factor."""
DC_EFFICIENCY: Final = 0.95
"""The middle of 0.92 to 0.98, as measured."""

MIN_CURRENT_A: Final = 5.0  # no car charges with less

MIN_SESSIONS: Final = 2
MIN_KWH: Final = 3.0  # with less, the rounding at both ends has too large a share
PLAUSIBLE: Final = (0.75, 0.99)


def ac_efficiency_at(current_a: float | None) -> float:
    """Return the efficiency of AC charging at a current per phase.

    >>> round(ac_efficiency_at(16.0), 3)
    0.924
    """
    if current_a is None or current_a <= MIN_CURRENT_A:
        return AC_EFFICIENCY
    return CONVERTER_EFFICIENCY - AUXILIARY_A / current_a


def learned(sessions: Iterable[tuple[float, float]]) -> float | None:
    """Return the median efficiency of sessions, given as (battery kWh, grid kWh); None with fewer than two plausible ones."""
    low, high = PLAUSIBLE
    efficiencies = [
        battery_kwh / grid_kwh
        for battery_kwh, grid_kwh in sessions
        if battery_kwh >= MIN_KWH and grid_kwh > 0 and low <= battery_kwh / grid_kwh <= high
    ]
    return median(efficiencies) if len(efficiencies) >= MIN_SESSIONS else None
