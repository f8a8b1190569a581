"""Rows of the position of a car. Without a fix many sources report 0, 0, which is in the sea off Africa."""

from typing import Any, Final

from chargeport.dialects.field_values import number
from chargeport.dialects.table import NOT_KNOWN, Combiner, Decoded, Known, Row, combined, row

CODE: Final = "location-preciselocation"


def position(latitude: Any, longitude: Any) -> Decoded:
    """Return the body of location-preciselocation; NOT_KNOWN where there is no fix."""
    north, east = number(latitude), number(longitude)
    return {"latitude": north, "longitude": east} if north or east else NOT_KNOWN


def whole(field: str, note: str = "") -> Row:
    """Make a row for a field with both coordinates, as `{"latitude": ..., "longitude": ...}`."""
    return row(field, CODE, decode=lambda content: position(content["latitude"], content["longitude"]), note=note)


def halves(latitude: str, longitude: str, note: str = "") -> Row:
    """Make a row for two fields, without a value until both are known."""
    return combined((latitude, longitude), CODE, _both(latitude, longitude), note=note)


def _both(latitude: str, longitude: str) -> Combiner:
    def combine(known: Known) -> Decoded:
        if latitude not in known or longitude not in known:
            return NOT_KNOWN
        return position(known[latitude], known[longitude])

    return combine
