"""The places of sessions: by the position of the car, and by named circles (geofences)."""

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
"""A position from up to this before the cable was connected, or charging began, is still that of the session."""


class Geofence(msgspec.Struct, frozen=True, kw_only=True):
    """A named circle (degrees, WGS 84; metres), whether charging there is public (None: unknown), and its tariff."""

    name: str
    latitude: float
    longitude: float
    radius_m: float = 150.0
    is_public: bool | None = None
    tariff: str | None = None


class Fix(msgspec.Struct, frozen=True):
    """The position of the car from an instant `until` another, by every report between them; degrees, WGS 84.

    `withdrawn_at` is when its source reported that the position is unknown; None where it did not.
    """

    at: int
    latitude: float
    longitude: float
    until: int | None = None
    source: str = ""
    withdrawn_at: int | None = None


def distance_m(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Return the great-circle distance in metres between two points (latitude, longitude).

    >>> round(distance_m((50.0, 8.0), (50.001, 8.0)))
    111
    """
    start_latitude, end_latitude = math.radians(start[0]), math.radians(end[0])
    longitudes = math.radians(end[1] - start[1])
    haversine = (
        math.sin((end_latitude - start_latitude) / 2) ** 2
        + math.cos(start_latitude) * math.cos(end_latitude) * math.sin(longitudes / 2) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, haversine)))


def fence_of(place: Place | None, fences: Sequence[Geofence]) -> Geofence | None:
    """Return the nearest geofence that contains a place; None where none does, or the place has no coordinates."""
    if place is None or place.latitude is None or place.longitude is None:
        return None
    position = (place.latitude, place.longitude)
    distances = [(distance_m(position, (fence.latitude, fence.longitude)), fence.name, fence) for fence in fences]
    inside = [each for each in distances if each[0] <= each[2].radius_m]
    return min(inside, key=lambda each: each[:2])[2] if inside else None


def place_of(session: Session, fixes: Sequence[Fix]) -> Place | None:
    """Return the position of the car while it was plugged in, or just before; None where no fix shows it.

    A source of the session that has reported no other position since reports changes only: its last position holds.
    `fixes` are ordered by time.
    """
    parked_at = session.started_at if session.plugged_at is None else min(session.plugged_at, session.started_at)
    first = bisect_left(fixes, session.started_at, key=lambda fix: fix.at)
    before = max(fixes[:first], key=lambda fix: (_seen_at(fix), fix.at), default=None)
    if before is not None and _seen_at(before) >= session.started_at:
        fix = before
    elif first < len(fixes) and fixes[first].at <= max(session.ended_at, session.unplugged_at or 0):
        fix = fixes[first]
    elif before is not None and (_seen_at(before) >= parked_at - NEAR_MS or _still_holds(before, session)):
        fix = before
    else:
        return None
    return Place(latitude=fix.latitude, longitude=fix.longitude)


def _seen_at(fix: Fix) -> int:
    return fix.until or fix.at


def _still_holds(fix: Fix, session: Session) -> bool:
    """Return whether a source of the session reported the position and has not withdrawn it."""
    return fix.source in session.sources and (fix.withdrawn_at is None or fix.withdrawn_at > session.started_at)


def located(session: Session, fences: Sequence[Geofence], fixes: Sequence[Fix] = ()) -> Session:
    """Return the session with its place, the name of the place, and whether it is public, unless these are known."""
    place = session.place or place_of(session, fixes)
    fence = fence_of(place, fences)
    if place is None or fence is None:
        return msgspec.structs.replace(session, place=place)
    named = place if place.name else msgspec.structs.replace(place, name=fence.name)
    is_public = fence.is_public if session.is_public is None else session.is_public
    return msgspec.structs.replace(session, place=named, is_public=is_public)
