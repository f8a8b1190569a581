"""Charging stations: a wallbox, a socket or a DC station."""

import msgspec

from chargeport.sources.simulator.conditions import ChargingType
from chargeport.sources.simulator.place import Place, Tariff
from chargeport.sources.simulator.profile import CarProfile

DC_LIMIT_A = 500.0
"""The limit of a cooled CCS cable (IEC 62196-3-1)."""

AC_LIMIT_A = 16.0
"""Three phases of it make the 11 kW of a common wallbox."""

MINIMUM_A = 6.0
"""The least a control pilot can offer (IEC 61851-1): a station or driver that allows less allows nothing."""


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """A place to plug in.

    `limit_a` is per phase on AC (None: 16 A) and the direct current of a DC station (None: 500 A); `power_w` limits a DC
    station only. A limit below 6 A is a station without power.
    """

    kind: ChargingType
    phases: int = 3
    limit_a: float | None = None
    power_w: float = 150_000.0
    cable_a: float = 32.0
    voltage_v: float = 230.0
    """Per phase, without load; 240 for North America's split phase, which counts as one phase."""
    place: Place | None = None
    public: bool = False
    tariff: Tariff | None = None

    @property
    def max_a(self) -> float:
        """The highest current of this station, for any car."""
        if self.limit_a is not None:
            return self.limit_a
        return AC_LIMIT_A if self.kind == "AC" else DC_LIMIT_A

    @property
    def has_power(self) -> bool:
        """Whether anything can be drawn here at all."""
        return self.max_a >= MINIMUM_A and (self.kind == "AC" or self.power_w > 0)


def home_station(profile: CarProfile) -> Station:
    """Return the wallbox at a car's home, which matches the car's own charger."""
    return Station(
        kind="AC",
        phases=profile.onboard_phases,
        limit_a=profile.onboard_a,
        voltage_v=profile.home_voltage_v,
        cable_a=max(profile.onboard_a, 32.0),
        place=profile.home,
        tariff=profile.tariff,
    )
