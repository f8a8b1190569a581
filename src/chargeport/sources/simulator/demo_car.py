"""The parts of demo cars: the city of their owner, and a past that ends in a certain situation.

A past is the usual days of the owner, then a last period of explicit controls. The cities are spread over longitudes, so that
it is always night in one of them. Each uses its standard time all year: the demo then needs no time zone data. Points are
city centres to two decimals; the prices are realistic, but not those of a real tariff.
"""

from collections.abc import Callable
from random import Random

import msgspec
from msgspec.structs import replace

from chargeport.sources.simulator.car import Car
from chargeport.sources.simulator.place import Place, Tariff
from chargeport.sources.simulator.profile import CarProfile, Habits
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR

MINUTES_PER_DAY = 1_440

MINUTE_MS = 60_000


class City(msgspec.Struct, frozen=True, kw_only=True):
    """A city with its clock, and what a kilowatt-hour costs at home there."""

    name: str
    latitude: float
    longitude: float
    utc_offset_min: int
    currency: str
    price_per_kwh: float

    @property
    def tariff(self) -> Tariff:
        """What charging at home costs."""
        return Tariff(currency=self.currency, price_per_kwh=self.price_per_kwh)

    def home(self, rng: Random) -> Place:
        """Return a made-up home within a few kilometres of the centre."""
        return Place(
            name="Home",
            address=f"{rng.randint(1, 99)} Example Street, {self.name}",
            latitude=round(self.latitude + rng.uniform(-0.05, 0.05), 4),
            longitude=round(self.longitude + rng.uniform(-0.05, 0.05), 4),
        )

    def local_minute(self, at: int) -> int:
        """Return minutes since local midnight at an instant."""
        return (at // 60_000 + self.utc_offset_min) % MINUTES_PER_DAY


def _city(name: str, point: tuple[float, float], utc_offset_min: int, price: tuple[float, str]) -> City:
    latitude, longitude = point
    price_per_kwh, currency = price
    return City(
        name=name,
        latitude=latitude,
        longitude=longitude,
        utc_offset_min=utc_offset_min,
        currency=currency,
        price_per_kwh=price_per_kwh,
    )


# 220 to 240 V between line and neutral, so that three-phase wallboxes are common there; never more than five hours apart.
THREE_PHASE_CITIES = (
    _city("Papeete", (-17.54, -149.57), -600, (42.0, "XPF")),
    _city("Lima", (-12.05, -77.04), -300, (0.72, "PEN")),
    _city("Buenos Aires", (-34.60, -58.38), -180, (95.0, "ARS")),
    _city("Lisbon", (38.72, -9.14), 0, (0.18, "EUR")),
    _city("Berlin", (52.52, 13.41), 60, (0.31, "EUR")),
    _city("Dubai", (25.20, 55.27), 240, (0.30, "AED")),
    _city("Perth", (-31.95, 115.86), 480, (0.32, "AUD")),
    _city("Auckland", (-36.85, 174.76), 720, (0.29, "NZD")),
)

SPLIT_PHASE_CITIES = (
    _city("New York", (40.71, -74.01), -300, (0.24, "USD")),
    _city("Chicago", (41.88, -87.63), -360, (0.17, "USD")),
    _city("Denver", (39.74, -104.99), -420, (0.15, "USD")),
    _city("Los Angeles", (34.05, -118.24), -480, (0.31, "USD")),
)


def city_shortly_after(at: int, local_minute: int) -> City:
    """Return the three-phase city whose clock passed `local_minute` most recently: at most five hours ago."""
    return min(THREE_PHASE_CITIES, key=lambda city: (city.local_minute(at) - local_minute) % MINUTES_PER_DAY)


class DemoCar(msgspec.Struct, frozen=True, kw_only=True):
    """A car to be built, with the instant its simulated past begins at and the events of that past."""

    profile: CarProfile
    started_at: int
    prelude: Callable[[Car], None]


def owned(model: CarProfile, city: City, rng: Random) -> CarProfile:
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
    """Send the car on a drive that ends at a state of charge, or a short one if it is lower already."""
    km = (car.soc_percent - soc_percent) / 100 * car.profile.full_range_km
    car.drive(max(2.0, km), to)


def days_before(now_at: int, days: int) -> int:
    """Return the instant this many days ago."""
    return now_at - days * 24 * MILLISECONDS_PER_HOUR
