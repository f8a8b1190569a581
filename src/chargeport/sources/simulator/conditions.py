"""Settings that apply everywhere, at a place or on a charging type: the rule for limits and timers, and the limits.

The setting for the place has precedence over the one for the charging type, which has precedence over the global one: a place
is the narrowest condition a driver can name ("at home stop at 70 %"). Of two places in reach, the first listed applies.
"""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from chargeport.sources.simulator.place import Place, is_same_place

ChargingType = Literal["AC", "DC"]
Scope = Literal["LOCATION", "CHARGING_TYPE", "GLOBAL"]

NARROWEST_FIRST: tuple[Scope, ...] = ("LOCATION", "CHARGING_TYPE", "GLOBAL")

NO_LIMIT_PERCENT = 100.0


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where or on what a setting applies; the wire's `condition` object."""

    name: str | None = None
    address: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    charging_type: ChargingType | None = None

    @classmethod
    def at(cls, place: Place) -> "Condition":
        """Return the condition "at this place"."""
        return cls(name=place.name, address=place.address, latitude=place.latitude, longitude=place.longitude)


class Conditional(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A setting that applies everywhere, at a place, or on a charging type."""

    type: Scope
    condition: Condition | None = None

    def applies(self, place: Place | None, charging_type: ChargingType | None) -> bool:
        """Return whether this setting covers a car at `place` that is plugged into `charging_type` (None: into nothing)."""
        if self.type == "GLOBAL":
            return True
        if self.condition is None:
            return False
        if self.type == "CHARGING_TYPE":
            return charging_type is not None and self.condition.charging_type == charging_type
        return self._covers(place)

    def _covers(self, place: Place | None) -> bool:
        condition = self.condition
        if place is None or condition is None or condition.latitude is None or condition.longitude is None:
            return False
        return is_same_place(condition.latitude, condition.longitude, place)


SettingT = TypeVar("SettingT", bound=Conditional)


def applicable(settings: Sequence[SettingT], place: Place | None, charging_type: ChargingType | None) -> SettingT | None:
    """Return the narrowest setting that applies, or None where none does."""
    for scope in NARROWEST_FIRST:
        for setting in settings:
            if setting.type == scope and setting.applies(place, charging_type):
                return setting
    return None


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
