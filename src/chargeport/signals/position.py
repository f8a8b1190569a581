"""The body of the location companion."""

from typing import Final

from chargeport.signals.documents import Document, Number, position, short, within

FULL_TURN: Final = 360


class PreciseLocation(Document, frozen=True):
    """Body of location-preciselocation: WGS 84, in degrees; the heading clockwise from north."""

    latitude: Number
    longitude: Number
    heading: Number | None = None
    direction: str | None = None  # such as NE
    locationType: str | None = None  # noqa: N815  (wire name; recorded: LAST_PARKED)

    def check(self, path: str) -> None:
        """Check that the coordinates are on Earth and the heading is within a full turn."""
        position(self.latitude, self.longitude, path)
        within(self.heading, 0, FULL_TURN, f"{path}.heading")
        short(self.direction, f"{path}.direction")
        short(self.locationType, f"{path}.locationType")
