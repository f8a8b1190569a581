"""Instants of fields: grouping by instant of observation, and instants in the future as remaining minutes."""

from collections.abc import Iterable
from typing import Any

from chargeport.dialects.forms import at_ms, bounded, message
from chargeport.sources.base import Delivery, RawMessage


def by_instant(delivery: Delivery, vehicle: str, fields: Iterable[tuple[int | None, str, Any]]) -> list[RawMessage]:
    """Return one message for each instant of observation, the oldest first; fields without an instant are last."""
    by_at: dict[int | None, dict[str, Any]] = {}
    for at, field, value in bounded(fields):
        by_at.setdefault(at, {})[field] = value
    ordered = sorted(by_at.items(), key=lambda group: (group[0] is None, group[0] or 0))
    return [message(delivery, vehicle, own, at) for at, own in ordered]


def minutes_until(instant: Any, at: int) -> Any:
    """Return the minutes from `at` (ms since the epoch) until an instant, as a value with unit; None when it has passed.

    Anything that is not an instant is returned unchanged, so that the row rejects it and the other fields are read.
    """
    try:
        until = at_ms(instant)
    except (ValueError, TypeError):
        return instant
    if until is None or until < at:
        return None
    return {"value": round((until - at) / 60_000, 1), "unit": "min"}
