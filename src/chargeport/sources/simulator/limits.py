"""Charge limits: up to which state of charge a car charges, here and now."""

from collections.abc import Sequence
from typing import Any

import msgspec

from chargeport.sources.simulator.conditions import ChargingType, Conditional, applicable
from chargeport.sources.simulator.place import Place

NO_LIMIT_PERCENT = 100.0


class Limit(Conditional, frozen=True, kw_only=True):
    """One entry of the wire's charge limits; `limit` is a state of charge in percent."""

    limit: float

    def __post_init__(self) -> None:
        if not 0 < self.limit <= NO_LIMIT_PERCENT:
            raise ValueError(f"A charge limit lies above 0 and up to 100 percent, not at {self.limit}.")


def active_limit_percent(limits: Sequence[Limit], place: Place | None, charging_type: ChargingType | None) -> float:
    """Return the limit that applies here and now, in percent; 100 where none was set."""
    limit = applicable(limits, place, charging_type)
    return NO_LIMIT_PERCENT if limit is None else limit.limit


def with_active_limit(
    limits: Sequence[Limit], percent: float, place: Place | None, charging_type: ChargingType | None
) -> tuple[Limit, ...]:
    """Return the limits, with the one that applies here and now set to `percent`; a global one where none applied."""
    active = applicable(limits, place, charging_type)
    if active is None:
        return (*limits, Limit(type="GLOBAL", limit=percent))
    changed = Limit(type=active.type, condition=active.condition, limit=percent)
    return tuple(changed if limit is active else limit for limit in limits)


def limits_on_the_wire(limits: Sequence[Limit], place: Place | None, charging_type: ChargingType | None) -> dict[str, Any]:
    """Return the limits as a car reports them: `activeLimit`, `values`, `unit`."""
    return {
        "activeLimit": active_limit_percent(limits, place, charging_type),
        "values": [msgspec.to_builtins(limit) for limit in limits],
        "unit": "percent",
    }
