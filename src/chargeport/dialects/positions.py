"""Where a car is, from the forms in which sources tell it. Without a fix many say 0, 0, which is in the sea off Africa."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.forms import number
from chargeport.dialects.table import Combiner, Decoded, Row, combined, row

CODE: Final = "location-preciselocation"


def position(latitude: Any, longitude: Any) -> Decoded:
    """The body of location-preciselocation; nothing where there is no fix."""
    north, east = number(latitude), number(longitude)
    return {"latitude": north, "longitude": east} if north or east else None


def whole(field: str, note: str = "") -> Row:
    """A row for a field that has both, as `{"latitude": ..., "longitude": ...}`."""
    return row(field, CODE, decode=lambda said: position(said["latitude"], said["longitude"]), note=note)


def halves(latitude: str, longitude: str, note: str = "") -> Row:
    """A row for two fields; it says nothing until both are known."""
    return combined((latitude, longitude), CODE, _both(latitude, longitude), note=note)


def _both(latitude: str, longitude: str) -> Combiner:
    def combine(known: Mapping[str, Any]) -> Decoded:
        if latitude not in known or longitude not in known:
            return None
        return position(known[latitude], known[longitude])

    return combine
