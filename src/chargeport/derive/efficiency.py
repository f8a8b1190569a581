"""What reaches the battery of what a car draws from its charger: measured ranges, and the car's own where it is learnt."""

from collections.abc import Iterable
from statistics import median
from typing import Final

AC_EFFICIENCY: Final = 0.925
"""The middle of 0.90 to 0.95, where sessions lie."""
CONVERTED: Final = 0.957
CONSTANT_A: Final = 0.53
"""A charger converts this share of the current, and its pumps and control units take so many amperes of each phase.

So 0.87 is left at 6 A, 0.92 at 16 A and 0.94 at 40 A, as measured: 0.85 to 0.87, 0.90 to 0.95, and 0.943 to 0.953.
"""
LITTLE_A: Final = 8.0
AT_LITTLE: Final = 0.94
"""Below this current per phase a car's learnt share is less by this factor."""
DC_EFFICIENCY: Final = 0.95
"""The middle of 0.92 to 0.98, as measured."""

LEAST_A: Final = 5.0  # no car charges with less

MIN_SESSIONS: Final = 2
MIN_KWH: Final = 3.0  # less, and the rounding of both ends is too much of it
PLAUSIBLE: Final = (0.75, 0.99)


def ac_at(current_a: float | None) -> float:
    """Return what reaches the battery at a current per phase.

    >>> round(ac_at(16.0), 3)
    0.924
    """
    if current_a is None or current_a <= LEAST_A:
        return AC_EFFICIENCY
    return CONVERTED - CONSTANT_A / current_a


def learnt(sessions: Iterable[tuple[float, float]]) -> float | None:
    """Return the median of battery kWh by grid kWh of finished sessions; None with fewer than two that are plausible."""
    low, high = PLAUSIBLE
    shares = [
        battery_kwh / grid_kwh
        for battery_kwh, grid_kwh in sessions
        if battery_kwh >= MIN_KWH and grid_kwh > 0 and low <= battery_kwh / grid_kwh <= high
    ]
    return median(shares) if len(shares) >= MIN_SESSIONS else None
