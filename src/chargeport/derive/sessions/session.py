"""A charging session, and the evidence for it. Their members are stored in databases."""

import msgspec

from chargeport.derive.sessions.counters import EnergyMethod
from chargeport.derive.sessions.power import Slot
from chargeport.derive.sessions.rules import VERSION
from chargeport.derive.sessions.stretches import Stretch
from chargeport.signals.documents import ChargingType
from chargeport.signals.records import Cost, Place


class Fact(msgspec.Struct, frozen=True):
    """The evidence for a fact of a session: the signals, and the number, the first and the last instant of their reports.

    The fact `set_aside` names a measurement of energy that is impossible, or contradicts the others, and does not count.
    """

    fact: str
    signals: tuple[str, ...]
    first_at: int
    last_at: int
    sightings: int


class Evidence(msgspec.Struct, frozen=True):
    """The facts from which a session was computed, and the version of the rules."""

    facts: tuple[Fact, ...] = ()
    rule_version: str = VERSION


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One charging session. Instants in ms, energy in kWh, states of charge in percent; None is unknown.

    `started_at` and `ended_at` are the first and the last instant of charging, `stretches` the charging between. Energy is
    added to the battery and drawn from the grid; `slots` are the drawn energy by quarters of an hour. `estimated` is true if
    an end or the energy was not reported but inferred; the added energy is within `energy_bounds_kwh`. An open session may
    continue. `meter_start_kwh` and `meter_end_kwh` are the readings of a register before and after.
    """

    started_at: int
    ended_at: int
    is_open: bool
    plugged_at: int | None = None
    unplugged_at: int | None = None
    start_soc: float | None = None
    end_soc: float | None = None
    energy_added_kwh: float | None = None
    energy_drawn_kwh: float | None = None
    energy_method: EnergyMethod | None = None
    energy_bounds_kwh: tuple[float, float] | None = None
    estimated: bool = False
    charging_type: ChargingType | None = None
    max_power_w: float | None = None
    odometer_km: float | None = None
    meter_start_kwh: float | None = None
    meter_end_kwh: float | None = None
    place: Place | None = None
    is_public: bool | None = None
    cost: Cost | None = None
    sources: tuple[str, ...] = ()
    reported_id: str | None = None
    evidence: Evidence = Evidence()
    stretches: tuple[Stretch, ...] = ()
    slots: tuple[Slot, ...] = ()

    def charged_ms(self, from_at: int, to_at: int) -> int:
        """Return the time of charging between two instants."""
        return sum(max(0, min(stretch.end, to_at) - max(stretch.start, from_at)) for stretch in self.stretches)
