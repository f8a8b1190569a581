"""Statuses that several dialects share: a full battery, and Smartcar's error types as reasons of absences."""

from typing import Final

from chargeport.dialects.table import Decoded, Known, value
from chargeport.signals.reading import AbsenceReason

_NOT_FULL_YET: Final = ("CONNECTED", "STOPPED", "SUSPENDED_BY_CAR")
FULL_PERCENT: Final = 100


def full_or(status: str, soc: float | None, target: float | None) -> str:
    """Return FULLY_CHARGED for a car that is plugged in, draws nothing and has reached its target, else the status."""
    is_full = soc is not None and soc >= (target or FULL_PERCENT)
    return "FULLY_CHARGED" if is_full and status in _NOT_FULL_YET else status


def is_out(known: Known, state: str | None, plug: str | None, *, plugged: bool | None) -> bool:
    """Return whether the field of a plug reports, later than the one of the charging state, that no cable is in."""
    return plugged is False and known.reported_at(plug or "") > known.reported_at(state or "")


def unless_unplugged(found: Decoded, known: Known, state: str | None, plug: str | None, *, plugged: bool | None) -> Decoded:
    """Return the flag of charging that was read from `state`: false while the newer `plug` reports that no cable is in.

    A source of changes does not repeat that the car charges once the plug, which it had reported as out for a moment, is in
    again.
    """
    return value(False) if isinstance(found, dict) and is_out(known, state, plug, plugged=plugged) else found


# A code that is not listed has the reason of its type.
REASONS: Final[dict[tuple[str, str | None], AbsenceReason]] = {
    ("COMPATIBILITY", None): AbsenceReason.NOT_CAPABLE,
    ("PERMISSION", None): AbsenceReason.NOT_PERMITTED,
    ("VEHICLE_STATE", None): AbsenceReason.UNREACHABLE,
    ("VEHICLE_STATE", "NOT_CHARGING"): AbsenceReason.NOT_CHARGING,
    ("VEHICLE_STATE", "FULLY_CHARGED"): AbsenceReason.NOT_CHARGING,
    ("UPSTREAM", "INVALID_DATA"): AbsenceReason.UNREADABLE,
    ("UPSTREAM", None): AbsenceReason.SOURCE_FAILED,
    ("SERVER", None): AbsenceReason.SOURCE_FAILED,
    ("CONNECTED_SERVICES_ACCOUNT", None): AbsenceReason.SOURCE_FAILED,
    ("AUTHENTICATION", None): AbsenceReason.SOURCE_FAILED,
    ("RATE_LIMIT", None): AbsenceReason.SOURCE_FAILED,
}


def reason_of(kind: str, code: str | None) -> AbsenceReason:
    """Return the reason that an error's type and code represent. Raises ValueError for an unknown type."""
    reason = REASONS.get((kind, code)) or REASONS.get((kind, None))
    if reason is None:
        known = ", ".join(sorted({kind for kind, _ in REASONS}))
        raise ValueError(f"{kind[:40]!r} is no type of error: known are {known}")
    return reason
