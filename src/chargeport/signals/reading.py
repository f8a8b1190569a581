"""Readings, absences and issues: the normalised content of a message."""

from enum import StrEnum
from typing import Final

import msgspec

from chargeport.signals.definition import LIVE, QUANTITY, Dimension, Signal, Value
from chargeport.signals.violation import Rule


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A signal had `value` at `observed_at` (the car's clock); it was received at `received_at`.

    `vehicle` is the source's name for the car: an id, a VIN or an alias. Instants are milliseconds since the epoch. `rule` is
    set where the value was derived: the rule and the codes of its inputs (`wattage/voltage-amperage@1 of charge-voltage
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
    """Why a source reports no value. Each reason is distinct on the wire; none is ever a value."""

    NOT_CAPABLE = "NOT_CAPABLE"  # the car does not have it
    NOT_PERMITTED = "NOT_PERMITTED"  # the owner did not give the source the permission
    NOT_CHARGING = "NOT_CHARGING"  # known only while charging
    UNREACHABLE = "UNREACHABLE"  # the car does not answer
    UNREADABLE = "UNREADABLE"  # the source itself marks the value as invalid
    SOURCE_FAILED = "SOURCE_FAILED"  # the source had an error of its own


_FLOWS: Final = (Dimension.POWER, Dimension.CURRENT, Dimension.SPEED)  # a negative one flows out of the car


def reason_below_zero(signal: Signal, value: object) -> AbsenceReason | None:
    """Return the reason of the absence that a live number below 0 represents; None for any other value.

    Nothing is delivered to the car then, so the previous value no longer holds.
    """
    if signal.cadence is not LIVE or signal.kind is not QUANTITY:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or value >= 0:
        return None
    return AbsenceReason.NOT_CHARGING if signal.dimension in _FLOWS else AbsenceReason.UNREADABLE


class Absence(msgspec.Struct, frozen=True, gc=False):
    """A source reported that there is no value from `observed_at` on, and why."""

    vehicle: str
    signal: Signal
    reason: AbsenceReason
    observed_at: int
    received_at: int
    source: str
    rule: str | None = None


class Issue(msgspec.Struct, frozen=True):
    """A part of a message that could not be understood, with the message, so that it can be replayed later.

    `subject` names the field or item, `rule` the rule that it breaks, `detail` is a sentence about it; `raw` is the message as
    JSON text, shortened if it is very long.
    """

    source: str
    subject: str
    detail: str
    raw: str
    received_at: int
    vehicle: str | None = None
    rule: Rule = Rule.BAD_FORMAT


Entry = Reading | Absence
