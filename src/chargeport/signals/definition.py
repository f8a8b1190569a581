"""What a row of the catalogue says about its signal."""

from enum import StrEnum
from typing import Any, Final

import msgspec

Value = bool | int | float | str
"""A signal's value in canonical form: in its wire unit; a document is its canonical JSON text."""


class Kind(StrEnum):
    """The shape of a signal's body."""

    QUANTITY = "quantity"  # {"value": number, "unit": text}
    COUNT = "count"  # {"value": integer}
    TEXT = "text"  # {"value": text}
    FLAG = "flag"  # {"value": true or false}
    DOCUMENT = "document"  # an object of its own


class Cadence(StrEnum):
    """What a car's silence says about the signal."""

    LIVE = "live"  # describes this very moment: over when the session is over, stale when the car falls silent
    PLUGGED = "plugged"  # holds while the cable is in: over when it is pulled
    LASTING = "lasting"  # stays true until something changes it


class Permission(StrEnum):
    """What an application may be allowed to do. The names are Smartcar's, but for the last three."""

    READ_CHARGE = "read_charge"
    READ_CHARGE_RECORDS = "read_charge_records"
    READ_CHARGE_LOCATIONS = "read_charge_locations"
    READ_BATTERY = "read_battery"
    READ_LOCATION = "read_location"
    READ_VIN = "read_vin"
    CONTROL_CHARGE = "control_charge"
    WRITE_READINGS = "write_readings"
    CONTROL_SIMULATOR = "control_simulator"
    MANAGE = "manage"


READS: Final = frozenset(each for each in Permission if each.startswith("read_"))
"""All permissions to read."""

USUAL: Final = READS | {Permission.WRITE_READINGS}
"""What an application may do unless its permissions are named."""

OPERATOR: Final = READS | {Permission.MANAGE}
"""What a person may do who is signed in to the page: read everything, and manage the server."""


class Dimension(StrEnum):
    """What a unit measures."""

    CURRENT = "current"
    VOLTAGE = "voltage"
    POWER = "power"
    ENERGY = "energy"
    SPEED = "speed"
    TIME = "time"
    RATIO = "ratio"
    DISTANCE = "distance"


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """One signal of the vocabulary.

    `key` is its number in a store and is never given to another signal. `unit` is the wire's spelling, letter for letter.
    `minimum` and `maximum` are inclusive and in that unit. `known` are the texts seen so far of an open list. `example` is a
    body as the wire shows it. `document` is the type that a document is decoded with;
    `has_places` says that its bodies can name places, which need a permission of their own. `is_ours` marks a signal that
    Smartcar does not have.
    """

    key: int
    code: str
    name: str
    group: str
    kind: Kind
    cadence: Cadence
    permission: Permission
    summary: str
    example: dict[str, Any]
    caution: str = ""
    unit: str | None = None
    dimension: Dimension | None = None
    minimum: float | None = None
    maximum: float | None = None
    known: tuple[str, ...] = ()
    has_places: bool = False
    document: type[msgspec.Struct] | None = None
    is_ours: bool = False

    def __hash__(self) -> int:
        """Compare rows by their key."""
        return self.key
