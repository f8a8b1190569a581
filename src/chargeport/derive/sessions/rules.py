"""The parameters by which sessions are detected, in one place, with a version for the evidence of sessions."""

from collections.abc import Sequence
from typing import Final

import msgspec

from chargeport.derive.efficiency import AC_EFFICIENCY, DC_EFFICIENCY
from chargeport.derive.series import CHARGING_W, HOUR_MS, MINUTE_MS
from chargeport.derive.tracks import Track
from chargeport.signals.battery import NominalCapacity

VERSION: Final = "5"
"""Increase it with every change of a rule: a session records the version by which it was computed."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a derivation. A number without a comment has its source in docs/evidence/charging.md.

    `capacity_kwh` is the capacity of the battery where no source reports one (None: unknown). `grid_sources` are the stations:
    they measure in front of the car's charger.
    """

    capacity_kwh: float | None = None
    grid_sources: frozenset[str] = frozenset()
    ac_efficiency: float = AC_EFFICIENCY
    dc_efficiency: float = DC_EFFICIENCY
    power_from_w: float = CHARGING_W
    current_from_a: float = 0.5
    dc_from_w: float = 23_100.0  # three phases of 32 A at 240 V are 23.04 kW and still AC
    max_heating_w: float = 7_000.0  # a car heats itself, or supplies a household, with at most this
    max_kw: float = 500.0  # no charger of cars gives more
    pause_ms: int = 30 * MINUTE_MS
    waiting_ms: int = 15 * MINUTE_MS  # "charging" without power for longer is waiting
    min_duration_ms: int = 2 * MINUTE_MS  # of a session whose energy was not measured
    handshake_ms: int = MINUTE_MS  # what ends within this time is a handshake, even with measured energy
    min_energy_kwh: float = 0.05
    soc_max_age_ms: int = 15 * MINUTE_MS
    soc_proof_ms: int = 3 * HOUR_MS  # how far around power a rise of the state of charge is searched
    soc_proof_percent: float = 1.0  # a rise that proves charging although the reported state denies it
    soc_idle_percent: float = 2.0  # a rise that proves charging although the measured power denies it
    state_outranks_ms: int = 10 * MINUTE_MS  # how long "not charging" outranks the power of another source
    state_bridges_ms: int = 3 * HOUR_MS  # the longest silence between two reports of "charging" that counts as charging
    state_holds_ms: int = 12 * HOUR_MS  # how long a report holds: some sources send changes only
    cable_holds_ms: int = 36 * HOUR_MS  # how long a report of the cable holds
    min_rise_kwh: float = 0.3  # counters are corrected after the end by less (0.1 kWh)
    soc_rise_percent: float = 4.0  # less may be a descent or a recalibration
    soc_step_percent: float = 10.0  # less, between two reports of a disconnected cable, may be a recalibration
    soc_plateau_ms: int = 90 * MINUTE_MS  # 1.4 kW into 100 kWh takes 45 minutes for a percent
    soc_fall_percent: float = 5.0  # a car that lost this much was driven, even without a report of it

    def at(self, at: int, capacities: Sequence[tuple[int, float]]) -> "Rules":
        """Return the rules with the capacity that was reported last at an instant; before the first report, with that one.

        So a new battery changes no old session. `capacities` are those of `reported_capacities`.
        """
        before = [kwh for reported_at, kwh in capacities if reported_at <= at] or [kwh for _, kwh in capacities[:1]]
        return msgspec.structs.replace(self, capacity_kwh=before[-1]) if before else self

    @property
    def reach_ms(self) -> int:
        """The longest time across which one report has an effect, unless the cable is disconnected in between."""
        return max(self.cable_holds_ms, self.state_holds_ms, self.state_bridges_ms)


CABLE_MARGIN_MS: Final = HOUR_MS
"""The longest time across which a report has an effect beyond a disconnected cable: by states of charge, and by what
confirms the state of the cable."""


def reported_capacities(track: Track | None) -> list[tuple[int, float]]:
    """Return the nominal capacities in kWh that were reported, each with the instant of its report."""
    reports = [] if track is None else track.samples()
    found = [(sample.at, msgspec.json.decode(str(sample.value), type=NominalCapacity).capacity) for sample in reports]
    return [(at, kwh) for at, kwh in found if kwh]
