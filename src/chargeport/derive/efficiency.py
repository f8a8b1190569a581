"""What reaches the battery of what a car draws from its charger: measured ranges, and the car's own where it is learnt."""

from collections.abc import Iterable
from statistics import median
from typing import Final

AC_EFFICIENCY: Final = 0.925
"""The middle of 0.90 to 0.95, where sessions lie (sources 15.2); a measured one had 0.943 to 0.953 (15.8)."""
LITTLE_A: Final = 8.0
AT_LITTLE: Final = 0.94
"""Below this current per phase a charger's own needs take a visible share: 0.85 to 0.87 is left (15.1)."""
DC_EFFICIENCY: Final = 0.95
"""The middle of 0.92 to 0.98 (15.1)."""

MIN_SESSIONS: Final = 2
MIN_KWH: Final = 3.0  # less, and the rounding of both ends is too much of it
PLAUSIBLE: Final = (0.75, 0.99)


def learnt(sessions: Iterable[tuple[float, float]]) -> float | None:
    """The median of (battery kWh, grid kWh) of finished sessions of one kind; None with fewer than two that can be believed."""
    low, high = PLAUSIBLE
    shares = [
        battery_kwh / grid_kwh
        for battery_kwh, grid_kwh in sessions
        if battery_kwh >= MIN_KWH and grid_kwh > 0 and low <= battery_kwh / grid_kwh <= high
    ]
    return median(shares) if len(shares) >= MIN_SESSIONS else None
