"""The demo fleet: cars on the road, parked, waiting, silent, lost, and the one that charges at home in `night.py`.

The same seed gives the same cars. Cars that return to their itinerary continue by themselves; the parked one and the lost one
do not move until they are controlled.
"""

from collections.abc import Callable
from random import Random
from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace

from chargeport.sources.simulator import demo_car, models
from chargeport.sources.simulator.car import Car
from chargeport.sources.simulator.conditions import Condition, Limit
from chargeport.sources.simulator.demo_car import MINUTE_MS, DemoCar, days_before, drive_down_to, owned
from chargeport.sources.simulator.itinerary import Drive, PlugIn, Unplug, drive_ms, roadside_station
from chargeport.sources.simulator.night import charging_at_home_by_night
from chargeport.sources.simulator.reporter import Reporter
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR
from chargeport.sources.simulator.station import home_station
from chargeport.sources.simulator.timers import Schedule, Timer

PAST_DAYS = 8
"""Long enough for a week's records in the first car of each kind."""
CROWD_PAST_DAYS = 2
"""The cars of a load test have a shorter past: a day costs a car about a millisecond."""
VIN_ALPHABET = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
"""ISO 3779 leaves out I, O and Q."""


def fast_charging_on_the_road(now_at: int, days: int, rng: Random) -> DemoCar:
    """Return a car on 800 V at a 300 kW station, some minutes in; it drives home and plugs in there afterwards."""
    city = rng.choice(demo_car.THREE_PHASE_CITIES)
    profile = replace(
        owned(models.TOURER_800, city, rng),
        limits=(
            Limit(type="GLOBAL", limit=90.0),
            Limit(type="CHARGING_TYPE", limit=80.0, condition=Condition(charging_type="DC")),
        ),
    )
    arrives_percent = rng.uniform(10, 15)
    unplugs_at = now_at + 28 * MINUTE_MS
    leaves_at = unplugs_at + 5 * MINUTE_MS
    home_at = leaves_at + drive_ms(85) + 4 * MINUTE_MS
    onwards = (
        Unplug(at=unplugs_at),
        Drive(at=leaves_at, km=85, to=profile.home),
        PlugIn(at=home_at, station=home_station(profile)),
    )

    def prelude(car: Car) -> None:
        car.advance(now_at - 7 * MILLISECONDS_PER_HOUR)
        drive_down_to(car, arrives_percent)
        car.advance(now_at - 6 * MINUTE_MS)
        car.plug(roadside_station(profile, power_w=300_000.0))
        car.follow(onwards)
        car.advance(now_at)

    return DemoCar(profile=profile, started_at=days_before(now_at, days), prelude=prelude)


def idle_at_home(now_at: int, days: int, rng: Random) -> DemoCar:
    """Return a car that stays parked at home, unplugged and awake."""
    bought = owned(models.RUNABOUT, rng.choice(demo_car.THREE_PHASE_CITIES), rng)
    profile = replace(bought, limits=(Limit(type="GLOBAL", limit=80.0),), sleep_after_min=None)

    def prelude(car: Car) -> None:
        car.advance(now_at - 3 * MILLISECONDS_PER_HOUR)
        car.drive(12.0, profile.home)
        car.advance(now_at)

    return DemoCar(profile=profile, started_at=days_before(now_at, days), prelude=prelude)


def waiting_for_its_timer(now_at: int, days: int, rng: Random) -> DemoCar:
    """Return a car on split phase, plugged in at home hours before its schedule lets it charge."""
    city = rng.choice(demo_car.SPLIT_PHASE_CITIES)
    by_day = 7 * 60 <= city.local_minute(now_at) < 20 * 60
    schedule = Schedule(start="23:00:00", end="05:00:00") if by_day else Schedule(start="11:00:00", end="15:00:00")
    profile = replace(
        owned(models.FRONTIER, city, rng),
        limits=(Limit(type="GLOBAL", limit=90.0),),
        timers=(Timer(type="GLOBAL", schedules=(schedule,), schedule_type="DAILY"),),
        sleep_after_min=None,
    )

    def prelude(car: Car) -> None:
        car.advance(now_at - 4 * MILLISECONDS_PER_HOUR)
        drive_down_to(car, 55.0, profile.home)
        car.advance(now_at - 20 * MINUTE_MS)
        car.plug(home_station(profile))
        car.follow()
        car.advance(now_at)

    return DemoCar(profile=profile, started_at=days_before(now_at, days), prelude=prelude)


def small_and_silent(now_at: int, days: int, rng: Random) -> DemoCar:
    """Return an older small car that follows its usual days and can't report half of the fields."""
    bought = owned(models.PICCOLA, rng.choice(demo_car.THREE_PHASE_CITIES), rng)
    profile = replace(bought, sleep_after_min=None)
    return DemoCar(profile=profile, started_at=days_before(now_at, days), prelude=lambda car: car.advance(now_at))


def lost_while_charging(now_at: int, days: int, rng: Random) -> DemoCar:
    """Return a car that has been unreachable for three hours, and charged at home in its last report."""
    bought = owned(models.FJORD, rng.choice(demo_car.THREE_PHASE_CITIES), rng)
    profile = replace(bought, limits=(Limit(type="GLOBAL", limit=80.0),))

    def prelude(car: Car) -> None:
        car.advance(now_at - 10 * MILLISECONDS_PER_HOUR)
        drive_down_to(car, 30.0, profile.home)
        car.advance(now_at - 4 * MILLISECONDS_PER_HOUR)
        car.plug(home_station(profile))
        car.advance(now_at - 3 * MILLISECONDS_PER_HOUR)
        car.sleep()

    return DemoCar(profile=profile, started_at=days_before(now_at, days), prelude=prelude)


DEMO_CARS: tuple[Callable[[int, int, Random], DemoCar], ...] = (
    charging_at_home_by_night,
    fast_charging_on_the_road,
    idle_at_home,
    waiting_for_its_timer,
    small_and_silent,
    lost_while_charging,
)


def demo_fleet(
    now_at: int,
    seed: int = 1,
    count: int = len(DEMO_CARS),
    *,
    drop_probability: float = 0.0,
    late_probability: float = 0.0,
) -> list[Reporter]:
    """Return reporters of `count` cars as they are at `now_at`, in the order of `DEMO_CARS`, over and over.

    Ids and VINs depend on seed and position alone. Pasts are simulated when a reporter is first called.
    """
    return [
        _reporter(now_at, seed, index, drop_probability=drop_probability, late_probability=late_probability)
        for index in range(count)
    ]


def vehicle_id(seed: int, index: int) -> str:
    """Return the id of the car at a position of a seed's fleet."""
    return str(uuid5(NAMESPACE_URL, f"urn:chargeport:simulator:{seed}:{index}"))


def vin(seed: int, index: int) -> str:
    """Return a number in the format of a VIN that no maker has assigned: its first three characters are unassigned."""
    rng = Random(f"{seed}:{index}:vin")
    return "ZZZSYNTH" + "".join(rng.choices(VIN_ALPHABET, k=9))


def _reporter(now_at: int, seed: int, index: int, *, drop_probability: float, late_probability: float) -> Reporter:
    days = PAST_DAYS if index < len(DEMO_CARS) else CROWD_PAST_DAYS
    demo_car = DEMO_CARS[index % len(DEMO_CARS)](now_at, days, Random(f"{seed}:{index}:scene"))
    profile = replace(demo_car.profile, id=vehicle_id(seed, index), vin=vin(seed, index))
    car_seed = Random(f"{seed}:{index}:car").getrandbits(32)
    return Reporter(
        Car(profile, car_seed, demo_car.started_at),
        car_seed,
        drop_probability=drop_probability,
        late_probability=late_probability,
        prelude=demo_car.prelude,
    )
