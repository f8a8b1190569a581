"""The columns of the catalogue: what defines a signal."""

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
    """When a value of the signal ends without a new report."""

    LIVE = "live"  # describes the present moment: ends with the session, becomes stale without reports
    PLUGGED = "plugged"  # valid while the cable is connected
    LASTING = "lasting"  # valid until something changes it


# The members by themselves, for hot paths: Python 3.11 looks up a member of an enumeration ten times as slowly as a global.
QUANTITY: Final = Kind.QUANTITY
COUNT: Final = Kind.COUNT
TEXT: Final = Kind.TEXT
FLAG: Final = Kind.FLAG
DOCUMENT: Final = Kind.DOCUMENT
LIVE: Final = Cadence.LIVE
PLUGGED: Final = Cadence.PLUGGED
LASTING: Final = Cadence.LASTING


class Permission(StrEnum):
    """The permissions of an application. The names are Smartcar's, except for the last three."""

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


READS: Final = frozenset(permission for permission in Permission if permission.startswith("read_"))
"""All permissions to read."""

USUAL: Final = READS | {Permission.WRITE_READINGS}
"""The permissions of an application by default."""

OPERATOR: Final = READS | {Permission.MANAGE}
"""The permissions of a person who is signed in to the page: read everything, and manage the server."""


class Dimension(StrEnum):
    """The quantity that a unit measures."""

    CURRENT = "current"
    VOLTAGE = "voltage"
    POWER = "power"
    ENERGY = "energy"
    SPEED = "speed"
    TIME = "time"
    RATIO = "ratio"
    DISTANCE = "distance"


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal: a row of the catalogue.

    `key` is its number in a store and is never given to another signal. `unit` is the wire's exact spelling. `minimum` and
    `maximum` are inclusive and in that unit. `known` are the values of an open list that have been seen so far. `example` is a
    body in the form of the wire. `document` is the type by which a document is decoded. `has_places`: its bodies may contain
    places, which need a permission of their own. `is_ours`: Smartcar does not have the signal.
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
        """Hash by the key, which is unique."""
        return self.key
