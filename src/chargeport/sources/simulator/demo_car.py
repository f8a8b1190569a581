"""What demo cars are made of: a car somebody owns, with a past that ends in a certain situation.

A past is the usual days of the owner, then a last stretch told by controls.
"""

from collections.abc import Callable
from random import Random

import msgspec
from msgspec.structs import replace

from chargeport.sources.simulator import cities
from chargeport.sources.simulator.car import Car
from chargeport.sources.simulator.place import Place
from chargeport.sources.simulator.profile import CarProfile, Habits
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR

MINUTE_MS = 60_000


class DemoCar(msgspec.Struct, frozen=True, kw_only=True):
    """A car to be, with the instant its simulated past begins at and what it lives through until now."""

    profile: CarProfile
    started_at: int
    prelude: Callable[[Car], None]


def owned(model: CarProfile, city: cities.City, rng: Random) -> CarProfile:
    """Return a model with a home, a tariff and habits of its own."""
    return replace(
        model,
        home=city.home(rng),
        tariff=city.tariff,
        utc_offset_min=city.utc_offset_min,
        start_soc_percent=round(rng.uniform(65, 80), 1),
        habits=Habits(commute_km=round(rng.uniform(10, 40), 1)),
    )


def drive_down_to(car: Car, soc_percent: float, to: Place | None = None) -> None:
    """Send the car on a drive that ends at a state of charge, or next door if it is lower already."""
    km = (car.soc_percent - soc_percent) / 100 * car.profile.full_range_km
    car.drive(max(2.0, km), to)


def days_before(now_at: int, days: int) -> int:
    """Return the instant so many days ago."""
    return now_at - days * 24 * MILLISECONDS_PER_HOUR
