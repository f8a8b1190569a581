"""What sources say about time: fields that were observed at different instants, and instants that lie ahead."""

from collections.abc import Iterable
from typing import Any

from chargeport.dialects.forms import at_ms, bounded, message
from chargeport.sources.base import Delivery, RawMessage


def by_instant(delivery: Delivery, vehicle: str, told: Iterable[tuple[int | None, str, Any]]) -> list[RawMessage]:
    """Return one message for each instant of observation, the oldest first; what has no instant of its own is last."""
    found: dict[int | None, dict[str, Any]] = {}
    for at, field, value in bounded(told):
        found.setdefault(at, {})[field] = value
    ordered = sorted(found.items(), key=lambda each: (each[0] is None, each[0] or 0))
    return [message(delivery, vehicle, fields, at) for at, fields in ordered]


def minutes_until(instant: Any, at: int) -> Any:
    """Return how far an instant lies ahead of `at` (ms since the epoch), as a value in minutes; None when it has passed.

    What is no instant comes back as it is, for the row to refuse: it must not cost what stands beside it.
    """
    try:
        until = at_ms(instant)
    except (ValueError, TypeError):
        return instant
    if until is None or until < at:
        return None
    return {"value": round((until - at) / 60_000, 1), "unit": "min"}
