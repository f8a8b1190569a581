"""Where sessions took place: places that somebody named, and what is known of them. Without a place nothing is concluded."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

from chargeport.derive.series import MINUTE_MS
from chargeport.derive.sessions.session import Session
from chargeport.signals.records import Place

EARTH_RADIUS_M: Final = 6_371_000
NEAR_MS: Final = 15 * MINUTE_MS
"""A fix from so shortly before the car was plugged in, or else began to charge, still tells where it stands."""


class Geofence(msgspec.Struct, frozen=True, kw_only=True):
    """A named circle (degrees, WGS 84; metres), whether charging there is public (None: not known), and its tariff by name."""

    name: str
    latitude: float
    longitude: float
    radius_m: float = 150.0
    is_public: bool | None = None
    tariff: str | None = None


class Fix(msgspec.Struct, frozen=True):
    """Where the car was at an instant, and until when it was seen there and nowhere else between; degrees, WGS 84.

    `withdrawn_at` is when its source said that the position is not known any more; None where it did not.
    """

    at: int
    latitude: float
    longitude: float
    until: int | None = None
    source: str = ""
    withdrawn_at: int | None = None


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return metres along the ground between two points (latitude, longitude).

    >>> round(distance_m((50.0, 8.0), (50.001, 8.0)))
    111
    """
    north, north_of = math.radians(one[0]), math.radians(other[0])
    east = math.radians(other[1] - one[1])
    half = math.sin((north_of - north) / 2) ** 2 + math.cos(north) * math.cos(north_of) * math.sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, half)))


def fence_of(place: Place | None, fences: Sequence[Geofence]) -> Geofence | None:
    """Return the fence that a place lies in, of several the nearest; None without one or without coordinates."""
    if place is None or place.latitude is None or place.longitude is None:
        return None
    here = (place.latitude, place.longitude)
    away = [(distance_m(here, (fence.latitude, fence.longitude)), fence.name, fence) for fence in fences]
    inside = [each for each in away if each[0] <= each[2].radius_m]
    return min(inside, key=lambda each: each[:2])[2] if inside else None


def place_of(session: Session, fixes: Sequence[Fix]) -> Place | None:
    """Return where the car was from when it was plugged in, or just before, until it was unplugged; None where no fix tells.

    A source that tells of the charging and of no other position since tells positions on change: its last one holds.
    `fixes` are by time.
    """
    standing_at = session.started_at if session.plugged_at is None else min(session.plugged_at, session.started_at)
    first = bisect_left(fixes, session.started_at, key=lambda fix: fix.at)
    before = max(fixes[:first], key=lambda fix: (_seen_at(fix), fix.at), default=None)
    if before is not None and _seen_at(before) >= session.started_at:
        found = before
    elif first < len(fixes) and fixes[first].at <= max(session.ended_at, session.unplugged_at or 0):
        found = fixes[first]
    elif before is not None and (_seen_at(before) >= standing_at - NEAR_MS or _still_holds(before, session)):
        found = before
    else:
        return None
    return Place(latitude=found.latitude, longitude=found.longitude)


def _seen_at(fix: Fix) -> int:
    return fix.until or fix.at


def _still_holds(fix: Fix, session: Session) -> bool:
    return fix.source in session.sources and (fix.withdrawn_at is None or fix.withdrawn_at > session.started_at)


def located(session: Session, fences: Sequence[Geofence], fixes: Sequence[Fix] = ()) -> Session:
    """Return the session with its place, that place's name, and whether it was public, where these were not known yet."""
    place = session.place or place_of(session, fixes)
    fence = fence_of(place, fences)
    if place is None or fence is None:
        return msgspec.structs.replace(session, place=place)
    named = place if place.name else msgspec.structs.replace(place, name=fence.name)
    is_public = fence.is_public if session.is_public is None else session.is_public
    return msgspec.structs.replace(session, place=named, is_public=is_public)
