"""Places of a car, with the price of energy there."""

import math

import msgspec

EARTH_RADIUS_M = 6_371_000

SAME_PLACE_M = 150
"""The largest distance between two fixes of one place: a car park's size plus the error of a satellite fix between houses."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A named point, in the format of the `location` of charge records; degrees, WGS 84."""

    name: str
    address: str
    latitude: float
    longitude: float


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """What charging costs: per kilowatt-hour at the meter, plus a fee for each session."""

    currency: str
    price_per_kwh: float
    session_fee: float = 0.0


def distance_m(latitude: float, longitude: float, place: Place) -> float:
    """Return the metres between a point and a place, on a flat map: good to a few parts in ten thousand within a city.

    >>> here = Place(name="Here", address="", latitude=50.0, longitude=8.0)
    >>> round(distance_m(50.001, 8.0, here))
    111
    """
    north = math.radians(latitude - place.latitude)
    east = math.radians(longitude - place.longitude) * math.cos(math.radians(place.latitude))
    return EARTH_RADIUS_M * math.hypot(north, east)


def is_same_place(latitude: float, longitude: float, place: Place) -> bool:
    """Return whether a point is close enough to a place to be that place."""
    return distance_m(latitude, longitude, place) <= SAME_PLACE_M
