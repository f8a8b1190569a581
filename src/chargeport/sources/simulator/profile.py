"""The profile of a simulated car: everything about it that does not change while it is driven or charged."""

from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from chargeport.sources.simulator.conditions import Limit
from chargeport.sources.simulator.place import Place, Tariff
from chargeport.sources.simulator.timers import Timer


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How its driver uses a car: the parameters of the itinerary."""

    commute_km: float = 22.0
    """One way, Monday to Friday."""
    leaves_hour: float = 7.6
    returns_hour: float = 17.2
    """Local hours, around which the days scatter by half an hour."""
    road_trip_probability: float = 0.4
    """The probability that a day of the weekend is a trip with a DC stop."""


class CarProfile(msgspec.Struct, frozen=True, kw_only=True):
    """A car as delivered, with its owner's settings.

    `dc_curve` lists (state of charge in percent, watts at the inlet) in rising order, empty for a car without DC;
    `pack_v` is the battery's voltage when empty, then when full. `zone` is an IANA name; where it is None, or the system has
    no time zone data, the car uses `utc_offset_min` all year.
    """

    id: str
    vin: str
    make: str
    model: str
    year: int
    home: Place
    capacity_kwh: float
    consumption_kwh_per_km: float
    inlet: str
    onboard_a: float
    onboard_phases: int
    powertrain: str = "BEV"
    pack_v: tuple[float, float] = (350.0, 400.0)
    dc_curve: tuple[tuple[float, float], ...] = ()
    fast_charger: str | None = None
    tariff: Tariff | None = None
    home_voltage_v: float = 230.0
    utc_offset_min: int = 0
    zone: str | None = None
    limits: tuple[Limit, ...] = ()
    timers: tuple[Timer, ...] = ()
    not_capable: tuple[str, ...] = ()
    start_soc_percent: float = 60.0
    sleep_after_min: float | None = 150.0
    """How long after its last change an idle car falls asleep; None keeps it awake."""
    habits: Habits | None = None

    @property
    def full_range_km(self) -> float:
        """The range of a full battery."""
        return self.capacity_kwh / self.consumption_kwh_per_km

    @property
    def local_zone(self) -> tzinfo:
        """The car's local time zone."""
        return _zone(self.zone, self.utc_offset_min)


@lru_cache(maxsize=256)
def _zone(name: str | None, utc_offset_min: int) -> tzinfo:
    fixed = timezone(timedelta(minutes=utc_offset_min))
    if name is None:
        return fixed
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        # Windows and slim containers have no tz database; an hour off in summer is better than a simulator that does not start.
        return fixed
