"""The common parts of structured bodies: rules of texts, places, times of day and conditions.

Members and their names are the seed's. `check` raises a Violation that names the member.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final, Literal, Self

import msgspec

from chargeport.signals.definition import Dimension
from chargeport.signals.units import convert, spellings
from chargeport.signals.violation import Rule, Violation

Number = float  # `wire.canonical` writes whole numbers as integers
ConditionType = Literal["GLOBAL", "LOCATION", "CHARGING_TYPE"]
ChargingType = Literal["AC", "DC"]
Weekday = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]

MAX_ENTRIES: Final = 1000  # of one list; a car that charges daily fills it in three years
MAX_TEXT: Final = 256

_CLOCK_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d")


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A structured body or a part of one. A member that is None is absent.

    `kept` names members, at any depth, that are stored with the value and not sent, as the wire format does not define them.
    """

    kept: ClassVar[frozenset[str]] = frozenset()

    def check(self, path: str) -> None:
        """Raise a Violation for the first rule that this part breaks; `path` is its path in the body."""

    def in_wire_form(self, path: str) -> Self:  # noqa: ARG002  (overriding methods name members)
        """Return the document in the wire's units and spellings."""
        return self


def within(value: float | None, low: float, high: float, path: str) -> None:
    """Check that a value, unless None, is within the inclusive bounds."""
    if value is not None and not low <= value <= high:
        raise Violation(Rule.OUT_OF_BOUNDS, f"is not within {low} to {high}", path, given=f"{value:.15g}")


def in_wire_unit(value: float, dimension: Dimension, unit: str | None, path: str) -> float:
    """Return `value` in the dimension's wire unit, which is the default of `unit`; `path` is the body's."""
    converted = value if unit is None else convert(value, dimension, unit)
    if converted is None:
        detail = f"{str(unit)[:40]!r} is no unit of {dimension}: use {', '.join(spellings(dimension))}"
        raise Violation(Rule.UNKNOWN_UNIT, detail, f"{path}.unit")
    return converted


def short(value: str | None, path: str) -> None:
    """Check that a text, unless None, has 1 to MAX_TEXT characters."""
    if value is not None and not 0 < len(value) <= MAX_TEXT:
        raise Violation(Rule.OUT_OF_BOUNDS, f"a text of 1 to {MAX_TEXT} characters is wanted, got {len(value)}", path)


def few(values: Sequence[object] | None, path: str) -> None:
    """Check that a list, unless None, has at most MAX_ENTRIES entries."""
    if values is not None and len(values) > MAX_ENTRIES:
        raise Violation(Rule.OUT_OF_BOUNDS, f"at most {MAX_ENTRIES} entries, got {len(values)}", path)


def check_each(parts: Sequence[Document] | None, path: str) -> None:
    """Check the number of parts, and every part."""
    few(parts, path)
    for index, part in enumerate(parts or ()):
        part.check(f"{path}[{index}]")


def position(latitude: float | None, longitude: float | None, path: str) -> None:
    """Check that coordinates are on Earth and come in pairs."""
    within(latitude, -90, 90, f"{path}.latitude")
    within(longitude, -180, 180, f"{path}.longitude")
    if (latitude is None) != (longitude is None):
        missing = "latitude" if latitude is None else "longitude"
        raise Violation(Rule.MISSING, "a place has both latitude and longitude, or neither", f"{path}.{missing}")


def clock_time(value: str | None, path: str) -> None:
    """Check that a text, unless None, is a time of day HH:MM:SS."""
    if value is not None and not _CLOCK_TIME.fullmatch(value):
        detail = "is no time of day: write HH:MM:SS, 00:00:00 to 23:59:59"
        raise Violation(Rule.BAD_FORMAT, detail, path, given=f"{value[:40]!r}")


def distinct(days: list[Weekday] | None, path: str) -> None:
    """Check that no weekday is repeated."""
    if days is not None and len(set(days)) != len(days):
        raise Violation(Rule.NOT_ALLOWED, "a weekday is repeated", path)


def instant(value: str, path: str) -> datetime:
    """Return the instant of an ISO 8601 text with an offset, in UTC. Raises Violation."""
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise Violation(Rule.BAD_FORMAT, "is no instant: write 2026-05-01T09:59:58.000Z", path, given=f"{value[:40]!r}")
    try:
        return parsed.astimezone(UTC)
    except OverflowError:
        raise Violation(Rule.OUT_OF_BOUNDS, f"{value[:40]!r} is outside the calendar", path) from None


class Condition(Document, frozen=True):
    """Where or how a limit or timer applies: a place, or a charging type."""

    name: str | None = None
    address: str | None = None
    latitude: Number | None = None
    longitude: Number | None = None
    chargingType: ChargingType | None = None  # noqa: N815  (wire name)

    def check(self, path: str) -> None:
        """Check that texts are short and coordinates are on Earth."""
        short(self.name, f"{path}.name")
        short(self.address, f"{path}.address")
        position(self.latitude, self.longitude, path)

    def names_place(self) -> bool:
        """Return whether the condition names a place."""
        return self.latitude is not None or self.name is not None or self.address is not None


def check_condition(kind: ConditionType, condition: Condition | None, path: str) -> None:
    """Check that a condition fits its type: a place for LOCATION, AC or DC for CHARGING_TYPE, nothing for GLOBAL."""
    if condition is not None:
        condition.check(f"{path}.condition")
    if kind == "LOCATION" and (condition is None or not condition.names_place()):
        raise Violation(Rule.MISSING, "a LOCATION has a name, an address or coordinates", f"{path}.condition")
    if kind == "CHARGING_TYPE" and (condition is None or condition.chargingType is None):
        raise Violation(Rule.MISSING, "a CHARGING_TYPE is AC or DC", f"{path}.condition.chargingType")
    if kind == "GLOBAL" and condition is not None and condition != Condition():
        raise Violation(Rule.NOT_ALLOWED, "GLOBAL has no condition: use LOCATION or CHARGING_TYPE", f"{path}.condition")
