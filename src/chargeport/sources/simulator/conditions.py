"""Which of several conditional settings applies: the one rule that limits, like timers, go by.

The setting for the place beats the one for the charging type, which beats the global one: a place is the narrowest thing
a driver can name ("at home stop at 70 %"), so whoever named it meant it. Of two places in reach, the first listed wins.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar

import msgspec

from chargeport.sources.simulator.place import Place, is_same_place

ChargingType = Literal["AC", "DC"]
Scope = Literal["LOCATION", "CHARGING_TYPE", "GLOBAL"]

NARROWEST_FIRST: tuple[Scope, ...] = ("LOCATION", "CHARGING_TYPE", "GLOBAL")


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
        """Tell whether this setting covers a car at `place` that is plugged into `charging_type` (None: into nothing)."""
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
