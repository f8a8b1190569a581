"""The days of a simulated driver: commutes, evenings at the wallbox, and occasional trips with a DC stop.

A day depends on the seed and its date alone, so a car has the same Tuesday whatever came before. Events are plans: their
effect (the energy of a drive, whether the charge is low enough to plug in) is computed by the car.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from heapq import heappop, heappush
from random import Random

import msgspec

from chargeport.sources.simulator.place import Place, Tariff
from chargeport.sources.simulator.profile import CarProfile, Habits
from chargeport.sources.simulator.station import Station, home_station
from chargeport.sources.simulator.timers import FOREVER, local_day, local_instant

SPEED_KM_H = 65.0
"""Mean over town and motorway."""

SATURDAY = 5
SECONDS_PER_HOUR = 3_600

ROADSIDE_PRICE_FACTOR = 1.9
"""Fast charging costs about twice what a kilowatt-hour costs at home."""
ROADSIDE_FEE_KWH = 1.5
"""The fee for a session, as the price of this many kilowatt-hours."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event planned for an instant."""

    at: int


class Drive(Event, frozen=True, kw_only=True):
    """Start a drive, unplugging first if necessary, and be at `to` (None: somewhere on the road) after `km`."""

    km: float
    to: Place | None = None


class PlugIn(Event, frozen=True, kw_only=True):
    """Plug in, unless the state of charge is above the driver's threshold."""

    station: Station
    below_percent: float = 100.0


class Unplug(Event, frozen=True, kw_only=True):
    """Pull the cable."""


def drive_ms(km: float) -> int:
    """Return how long a drive takes, in ms."""
    return round(km / SPEED_KM_H * SECONDS_PER_HOUR * 1000)


def roadside_station(profile: CarProfile, power_w: float = 150_000.0) -> Station:
    """Return a made-up public DC station north-east of a car's home, billing in its home's currency."""
    home, at_home = profile.home, profile.tariff
    place = Place(
        name="Example Fast Charging",
        address="Exit 12, Example Motorway",
        latitude=round(home.latitude + 0.6, 4),
        longitude=round(home.longitude + 0.4, 4),
    )
    return Station(kind="DC", power_w=power_w, place=place, public=True, tariff=at_home and _roadside(at_home))


def _roadside(at_home: Tariff) -> Tariff:
    price = round(ROADSIDE_PRICE_FACTOR * at_home.price_per_kwh, 2)
    return Tariff(currency=at_home.currency, price_per_kwh=price, session_fee=round(ROADSIDE_FEE_KWH * price, 2))


class Itinerary:
    """The plan of a car, in order of time, a day at a time; for a car without habits, only the events that are added."""

    def __init__(self, profile: CarProfile, seed: int, started_at: int) -> None:
        self._profile = profile
        self._seed = seed
        self.restart(started_at)

    def restart(self, at: int, events: Iterable[Event] = ()) -> None:
        """Remove all plans but these events; habits resume at the local midnight after the last of them (or after `at`)."""
        self._planned: list[tuple[int, int, Event]] = []
        self._count = 0
        last_at = at
        for event in events:
            self._plan(event)
            last_at = max(last_at, event.at)
        self._turn_to(local_day(last_at, self._profile.local_zone) + timedelta(days=1))

    @property
    def next_at(self) -> int:
        """When the next event is due; never if none is planned."""
        if self._profile.habits is not None:
            while not self._planned or self._planned[0][0] >= self._next_day_at:
                self._plan_day(self._next_day, self._profile.habits)
                self._turn_to(self._next_day + timedelta(days=1))
        return self._planned[0][0] if self._planned else FOREVER

    def take(self) -> Event:
        """Remove and return the next planned event."""
        return heappop(self._planned)[2]

    def _turn_to(self, day: date) -> None:
        self._next_day, self._next_day_at = day, self._instant(day, 0)

    def _plan(self, event: Event) -> None:
        self._count += 1
        heappush(self._planned, (event.at, self._count, event))

    def _plan_day(self, day: date, habits: Habits) -> None:
        rng = Random(f"{self._seed}:{day.isoformat()}")
        if day.weekday() < SATURDAY:
            events = self._workday(day, habits, rng)
        elif self._profile.dc_curve and rng.random() < habits.road_trip_probability:
            events = self._road_trip(day, rng)
        else:
            events = self._errand(day, rng)
        for event in events:
            self._plan(event)

    def _instant(self, day: date, hour: float) -> int:
        return local_instant(day, "00:00:00", self._profile.local_zone) + round(hour * SECONDS_PER_HOUR) * 1000

    def _workday(self, day: date, habits: Habits, rng: Random) -> Iterator[Event]:
        km = min(habits.commute_km, 0.15 * self._profile.full_range_km) * rng.uniform(0.95, 1.15)
        yield Drive(at=self._instant(day, habits.leaves_hour + rng.uniform(-0.5, 0.5)), km=km)
        yield from self._return_home(self._instant(day, habits.returns_hour + rng.uniform(-0.5, 0.5)), km, rng)

    def _errand(self, day: date, rng: Random) -> Iterator[Event]:
        km = rng.uniform(0.03, 0.08) * self._profile.full_range_km
        leaves_at = self._instant(day, rng.uniform(9, 13))
        yield Drive(at=leaves_at, km=km)
        yield from self._return_home(leaves_at + drive_ms(km) + self._stay_ms(rng), km, rng)

    def _road_trip(self, day: date, rng: Random) -> Iterator[Event]:
        """Yield a road trip: out, a DC stop, back; legs of at most 0.36 of the range, enough even from 55 percent."""
        km = rng.uniform(0.28, 0.36) * self._profile.full_range_km
        leaves_at = self._instant(day, rng.uniform(7.5, 10))
        plugs_at = leaves_at + drive_ms(km) + round(rng.uniform(2, 8) * 60_000)
        yield Drive(at=leaves_at, km=km)
        yield PlugIn(at=plugs_at, station=roadside_station(self._profile))
        unplugs_at = plugs_at + round(rng.uniform(18, 35) * 60_000)
        yield Unplug(at=unplugs_at)
        yield from self._return_home(unplugs_at + self._stay_ms(rng), km, rng)

    def _return_home(self, leaves_at: int, km: float, rng: Random) -> Iterator[Event]:
        yield Drive(at=leaves_at, km=km, to=self._profile.home)
        yield PlugIn(
            at=leaves_at + drive_ms(km) + round(rng.uniform(1, 6) * 60_000),
            station=home_station(self._profile),
            below_percent=rng.uniform(55, 95),
        )

    @staticmethod
    def _stay_ms(rng: Random) -> int:
        return round(rng.uniform(0.5, 2.5) * SECONDS_PER_HOUR * 1000)
