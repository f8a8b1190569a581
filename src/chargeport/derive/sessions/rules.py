"""The numbers by which sessions are told apart (sources 15.2 and 15.3), in one place, with a version for the evidence."""

from typing import Final

import msgspec

from chargeport.derive.efficiency import AC_EFFICIENCY, DC_EFFICIENCY
from chargeport.derive.series import CHARGING_W, HOUR_MS, MINUTE_MS

VERSION: Final = "1"
"""Changes with every change of a rule, so that a record tells by which rules it was made."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a derivation may be told; the defaults are sources 15.2 and 15.3 where a comment says nothing else.

    `capacity_kwh` is the battery's (None: not known); `grid_sources` are those whose energy counter stands before the charger.
    """

    capacity_kwh: float | None = None
    grid_sources: frozenset[str] = frozenset()
    ac_efficiency: float = AC_EFFICIENCY
    dc_efficiency: float = DC_EFFICIENCY
    power_from_w: float = CHARGING_W
    dc_from_w: float = 23_100.0  # 15.3 says 22 kW; three phases of 32 A at 240 V are 23.04 kW and still AC
    pause_ms: int = 30 * MINUTE_MS
    shortest_ms: int = 2 * MINUTE_MS
    smallest_kwh: float = 0.05
    soc_age_ms: int = 15 * MINUTE_MS
    state_counts_ms: int = 10 * MINUTE_MS  # how long "not charging" outweighs power: an idle car heats itself, too
    state_bridges_ms: int = 3 * HOUR_MS  # from "charging" to "charging" with silence between
    state_holds_ms: int = 12 * HOUR_MS  # from a single "charging" to "not charging", of sources that send changes only
    cable_holds_ms: int = 36 * HOUR_MS  # a cable of which nobody has heard for longer is unknown again
    jump_kwh: float = 0.3  # a counter that is corrected after the end (by 0.1 kWh, sources 15.8) is no session
    soc_rise_percent: float = 4.0  # less may be a descent or a recalibration
    soc_plateau_ms: int = 90 * MINUTE_MS  # 1.4 kW into 100 kWh takes 45 minutes a percent
    soc_fall_percent: float = 5.0  # a car that lost so much was driven, whatever became of the report

    @property
    def reach_ms(self) -> int:
        """How far one sighting can matter, where no unplugged cable stops it."""
        return max(self.cable_holds_ms, self.state_holds_ms, self.state_bridges_ms)


PAST_A_CABLE_MS: Final = HOUR_MS
"""How far a sighting can matter beyond an unplugged cable: states of charge, and what proves the cable's state."""
