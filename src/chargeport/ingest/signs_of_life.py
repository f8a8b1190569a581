"""What a source shows of itself: that it is there, or gone. It confirms what the source has told; it is no value of a car."""

from enum import StrEnum
from typing import Final

from chargeport.dialects.table import Dialect
from chargeport.sources.base import Delivery, RawMessage

EVERY_CAR: Final = "*"
"""The vehicle of a message that is about all cars of which its source has told."""
ALIVE: Final = "*alive"
"""The field of a message which says that its source is there, and nothing else."""


class Sign(StrEnum):
    """What a source shows of itself: that it is there until it says otherwise, that it is there now, or that it is gone."""

    THERE = "there"
    NOW = "now"
    GONE = "gone"


_GONE: Final = frozenset({"", "offline", "no", "false", "disconnected", "0"})


def signs_of_life(delivery: Delivery, dialect: Dialect) -> list[RawMessage] | None:
    """Return the message that a source is there, or is not any more; None for a delivery that says something else.

    A status stands until it is replaced, by the broker if the source is lost: a retained one is no old one. A heartbeat stands
    for its instant.
    """
    patterns = (*dialect.status, *dialect.heartbeats) if delivery.topic else ()
    pattern = next((each for each in patterns if each.match(delivery.topic)), None)
    if pattern is None:
        return None
    word = delivery.payload.decode(errors="replace").strip().casefold()
    sign = Sign.GONE if word in _GONE else Sign.THERE if pattern in dialect.status else Sign.NOW
    if sign is Sign.NOW and delivery.retained:
        return []
    address = pattern.match(delivery.topic)
    vehicle = delivery.vehicle or (address.vehicle if address else None) or EVERY_CAR
    return [
        RawMessage(
            source=delivery.source, dialect=delivery.dialect, vehicle=vehicle, fields={ALIVE: sign},
            received_at=delivery.received_at,
        )
    ]  # fmt: skip
