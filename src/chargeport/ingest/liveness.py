"""Liveness of sources, by status topics and heartbeats. It confirms the last values of a source; it is no value of a car."""

from enum import StrEnum
from typing import Final

from chargeport.dialects.table import Dialect
from chargeport.sources.base import Delivery, RawMessage

EVERY_CAR: Final = "*"
"""The vehicle of a message about all cars of its source."""
LIVENESS: Final = "*alive"
"""The only field of a message about the liveness of its source."""


class Liveness(StrEnum):
    """Whether a source is connected: until it reports otherwise, at the instant of a heartbeat, or no longer."""

    ONLINE = "there"
    HEARTBEAT = "now"
    OFFLINE = "gone"


_OFFLINE: Final = frozenset({"", "offline", "no", "false", "disconnected", "0"})


def liveness_messages(delivery: Delivery, dialect: Dialect) -> list[RawMessage] | None:
    """Return the message about the liveness of a source; None for a delivery on another topic.

    A status holds until it is replaced, by the broker if the source is lost, so a retained status is current. A heartbeat is
    for its instant only.
    """
    patterns = (*dialect.status, *dialect.heartbeats) if delivery.topic else ()
    pattern = next((pattern for pattern in patterns if pattern.match(delivery.topic)), None)
    if pattern is None:
        return None
    status = delivery.payload.decode(errors="replace").strip().casefold()
    liveness = Liveness.ONLINE if pattern in dialect.status else Liveness.HEARTBEAT
    if status in _OFFLINE:
        liveness = Liveness.OFFLINE
    if liveness is Liveness.HEARTBEAT and delivery.retained:
        return []
    address = pattern.match(delivery.topic)
    vehicle = delivery.vehicle or (address.vehicle if address else None) or EVERY_CAR
    return [
        RawMessage(
            source=delivery.source, dialect=delivery.dialect, vehicle=vehicle, fields={LIVENESS: liveness},
            received_at=delivery.received_at,
        )
    ]  # fmt: skip
