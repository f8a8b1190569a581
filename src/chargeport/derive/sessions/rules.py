"""The numbers that tell sessions apart, in one place, with a version for the evidence."""

from typing import Final

import msgspec

from chargeport.derive.efficiency import AC_EFFICIENCY, DC_EFFICIENCY
from chargeport.derive.series import CHARGING_W, HOUR_MS, MINUTE_MS

VERSION: Final = "2"
"""Changes with every change of a rule, so that a record tells by which rules it was made."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a derivation; a number without a reason beside it has its source in docs/evidence/charging.md.

    `capacity_kwh` is the battery's where no source reports one (None: not known); `grid_sources` are stations, which measure in
    front of the car's charger.
    """

    capacity_kwh: float | None = None
    grid_sources: frozenset[str] = frozenset()
    ac_efficiency: float = AC_EFFICIENCY
    dc_efficiency: float = DC_EFFICIENCY
    power_from_w: float = CHARGING_W
    current_from_a: float = 0.5
    dc_from_w: float = 23_100.0  # three phases of 32 A at 240 V are 23.04 kW and still AC
    heating_w: float = 7_000.0  # a car heats itself, or gives to a household, with less
    most_kw: float = 500.0  # no plug of a car gives more
    pause_ms: int = 30 * MINUTE_MS
    waiting_ms: int = 15 * MINUTE_MS  # "charging" without power for longer is waiting
    shortest_ms: int = 2 * MINUTE_MS  # of a session whose energy nobody measured
    briefest_ms: int = MINUTE_MS  # what is over so soon is a handshake, whatever was measured
    smallest_kwh: float = 0.05
    soc_age_ms: int = 15 * MINUTE_MS
    soc_proof_ms: int = 3 * HOUR_MS  # how far around power a state of charge that rises is looked for
    soc_proof_percent: float = 1.0  # so much proves charging that the state denies
    soc_idle_percent: float = 2.0  # so much proves charging that the power denies
    state_counts_ms: int = 10 * MINUTE_MS  # how long "not charging" outweighs power of another source
    state_bridges_ms: int = 3 * HOUR_MS  # from "charging" to "charging" with silence between
    state_holds_ms: int = 12 * HOUR_MS  # a word of sources that send changes only
    cable_holds_ms: int = 36 * HOUR_MS  # a cable of which nobody has heard for longer is unknown again
    jump_kwh: float = 0.3  # a counter that is corrected after the end (by 0.1 kWh) is no session
    soc_rise_percent: float = 4.0  # less may be a descent or a recalibration
    soc_step_percent: float = 10.0  # less, between two reports of a cable that is out, may be a recalibration
    soc_plateau_ms: int = 90 * MINUTE_MS  # 1.4 kW into 100 kWh takes 45 minutes a percent
    soc_fall_percent: float = 5.0  # a car that lost so much was driven, whatever became of the report

    @property
    def reach_ms(self) -> int:
        """How far one sighting can matter, where no unplugged cable stops it."""
        return max(self.cable_holds_ms, self.state_holds_ms, self.state_bridges_ms)


PAST_A_CABLE_MS: Final = HOUR_MS
"""How far a sighting can matter beyond an unplugged cable: states of charge, and what proves the cable's state."""
