"""The demo fleet: cars in the middle of their lives, as many as wanted, the same for the same seed."""

from random import Random
from uuid import NAMESPACE_URL, uuid5

from msgspec.structs import replace

from chargeport.sources.simulator.car import Car
from chargeport.sources.simulator.demo_cars import DEMO_CARS
from chargeport.sources.simulator.reporter import Reporter

PAST_DAYS = 8
"""Long enough for a week's records in the first car of each kind."""

CROWD_PAST_DAYS = 2
"""The many cars of a load test make do with less: a day costs a car about a millisecond."""

VIN_ALPHABET = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
"""ISO 3779 leaves out I, O and Q."""


def demo_fleet(
    now_at: int,
    seed: int = 1,
    count: int = len(DEMO_CARS),
    *,
    drop_probability: float = 0.0,
    late_probability: float = 0.0,
) -> list[Reporter]:
    """Return reporters of `count` cars as they are at `now_at`, in the order of `DEMO_CARS`, over and over.

    Ids and VINs depend on seed and position alone. Pasts are lived through when a reporter is first asked what is due.
    """
    return [
        _reporter(now_at, seed, index, drop_probability=drop_probability, late_probability=late_probability)
        for index in range(count)
    ]


def vehicle_id(seed: int, index: int) -> str:
    """Return the id of the car at a position of a seed's fleet."""
    return str(uuid5(NAMESPACE_URL, f"urn:chargeport:simulator:{seed}:{index}"))


def vin(seed: int, index: int) -> str:
    """Return a number in the shape of a VIN that no maker could have given: its first three characters belong to nobody."""
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
