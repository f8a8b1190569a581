"""The first demo car: a car that charges at home by night, with a value for every field.

Night schedules are in local time, so the car is in the city where night began some time ago, but not too long.
"""

from datetime import timedelta
from random import Random

from msgspec.structs import replace

from chargeport.sources.simulator import demo_car, models
from chargeport.sources.simulator.car import Car
from chargeport.sources.simulator.conditions import Condition, Limit
from chargeport.sources.simulator.demo_car import MINUTE_MS, DemoCar, drive_down_to, owned
from chargeport.sources.simulator.itinerary import Drive, Event, PlugIn, Unplug, drive_ms, roadside_station
from chargeport.sources.simulator.profile import CarProfile
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR
from chargeport.sources.simulator.station import home_station
from chargeport.sources.simulator.timers import (
    WORKWEEK,
    DepartureTimer,
    Schedule,
    Timer,
    local_day,
    local_instant,
)

NOON_MINUTE = 720
NIGHT_HOLDS_MINUTE = 22 * 60 + 15
"""A quarter of an hour into the night window, so that charging has started in the city that is chosen by it."""

HOME_LIMIT_PERCENT = 90.0
GRAND_PERCENT_PER_HOUR = 9.9
"""11 kW less charger losses into 100 kWh."""
LOWEST_PERCENT = 8.0


def _road_trip(profile: CarProfile, leaves_at: int) -> list[Event]:
    """Return the events of a trip: 150 km out, half an hour at a DC station, and back to the wallbox."""
    km = 150.0
    plugs_at = leaves_at + drive_ms(km) + 5 * MINUTE_MS
    unplugs_at = plugs_at + 30 * MINUTE_MS
    returns_at = unplugs_at + 20 * MINUTE_MS
    return [
        Drive(at=leaves_at, km=km),
        PlugIn(at=plugs_at, station=roadside_station(profile)),
        Unplug(at=unplugs_at),
        Drive(at=returns_at, km=km, to=profile.home),
        PlugIn(at=returns_at + drive_ms(km) + 3 * MINUTE_MS, station=home_station(profile)),
    ]


def _home_settings(profile: CarProfile, rng: Random) -> CarProfile:
    """Return the profile with limits of all three kinds, and a night schedule at home longer than the global one."""
    at_home = Condition.at(profile.home)
    night = Schedule(start="22:00:00", end="06:00:00")
    elsewhere = Schedule(start="23:00:00", end="05:30:00", days=WORKWEEK)
    departure = DepartureTimer(time="07:30:00", days=WORKWEEK)
    return replace(
        profile,
        limits=(
            Limit(type="GLOBAL", limit=80.0),
            Limit(type="LOCATION", limit=HOME_LIMIT_PERCENT, condition=at_home),
            Limit(type="CHARGING_TYPE", limit=80.0, condition=Condition(charging_type="DC")),
        ),
        timers=(
            Timer(type="GLOBAL", schedules=(elsewhere,), schedule_type="WORKWEEK"),
            Timer(
                type="LOCATION",
                condition=at_home,
                schedules=(night,),
                departure_timers=(departure,),
                schedule_id=f"night-{rng.getrandbits(32):08x}",
                schedule_type="DAILY",
            ),
        ),
    )


def charging_at_home_by_night(now_at: int, days: int, rng: Random) -> DemoCar:
    """Return a car on three phases, 11 kW, inside its home's night schedule and for at least two more hours."""
    city = demo_car.city_shortly_after(now_at, NIGHT_HOLDS_MINUTE)
    profile = _home_settings(owned(models.GRAND, city, rng), rng)
    zone = profile.local_zone
    evening = local_day(now_at, zone) - timedelta(days=int(city.local_minute(now_at) < NOON_MINUTE))
    sets_out_at = local_instant(evening, "13:00:00", zone)
    opens_at = local_instant(evening, "22:00:00", zone)
    started_at = local_instant(evening - timedelta(days=days), "09:00:00", zone)
    hours = (now_at - opens_at) / MILLISECONDS_PER_HOUR + rng.uniform(3.0, 4.0)
    arrives_percent = max(LOWEST_PERCENT, HOME_LIMIT_PERCENT - hours * GRAND_PERCENT_PER_HOUR)

    def prelude(car: Car) -> None:
        car.follow(_road_trip(profile, started_at + MILLISECONDS_PER_HOUR))
        car.advance(sets_out_at)
        drive_down_to(car, arrives_percent, profile.home)
        car.advance(opens_at - 90 * MINUTE_MS)
        car.plug(home_station(profile))
        car.follow()
        car.advance(now_at)

    return DemoCar(profile=profile, started_at=started_at, prelude=prelude)
