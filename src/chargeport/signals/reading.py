"""What normalising makes of a message: a reading, an absence or an issue."""

from enum import StrEnum
from typing import Final

import msgspec

from chargeport.signals.definition import Cadence, Dimension, Kind, Signal, Value
from chargeport.signals.violation import Rule


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A signal had `value` at `observed_at` (the car's clock); it was received at `received_at`.

    `vehicle` is whatever the source calls the car: an id, a VIN or an alias. Instants are milliseconds since the epoch. `rule`
    is set where the value was derived: the rule and the codes that it went by (`wattage/voltage-amperage@1 of charge-voltage
    charge-amperage`).
    """

    vehicle: str
    signal: Signal
    value: Value
    observed_at: int
    received_at: int
    source: str
    rule: str | None = None


class AbsenceReason(StrEnum):
    """Why a source gives no value. Each is distinct on the wire; none is ever a value."""

    NOT_CAPABLE = "NOT_CAPABLE"  # the car has no such thing
    NOT_PERMITTED = "NOT_PERMITTED"  # the owner did not allow the source to see it
    NOT_CHARGING = "NOT_CHARGING"  # only known while charging
    UNREACHABLE = "UNREACHABLE"  # the car does not answer
    UNREADABLE = "UNREADABLE"  # the source itself calls the value invalid
    SOURCE_FAILED = "SOURCE_FAILED"  # the source had an error of its own


_FLOWS: Final = (Dimension.POWER, Dimension.CURRENT, Dimension.SPEED)  # of these, less than none flows out of the car


def reason_below_zero(signal: Signal, value: object) -> AbsenceReason | None:
    """Return why a live number below 0 is no value; None for any other value.

    Nothing is delivered to the car then, so the number that was reported before does not hold any more.
    """
    if signal.cadence is not Cadence.LIVE or signal.kind is not Kind.QUANTITY:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or value >= 0:
        return None
    return AbsenceReason.NOT_CHARGING if signal.dimension in _FLOWS else AbsenceReason.UNREADABLE


class Absence(msgspec.Struct, frozen=True, gc=False):
    """A source said that there is no value from `observed_at` on, and why."""

    vehicle: str
    signal: Signal
    reason: AbsenceReason
    observed_at: int
    received_at: int
    source: str
    rule: str | None = None


class Issue(msgspec.Struct, frozen=True):
    """What could not be understood: kept as it came, counted and shown, so that it can be replayed once it is.

    `subject` names the field or item, `detail` says what is wrong and `rule` what kind of wrong, `raw` is the message as JSON
    text (shortened if huge).
    """

    source: str
    subject: str
    detail: str
    raw: str
    received_at: int
    vehicle: str | None = None
    rule: Rule = Rule.BAD_FORMAT


Entry = Reading | Absence
