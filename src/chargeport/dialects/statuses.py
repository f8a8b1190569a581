"""Smartcar's words for why a signal has no value, as reasons of ours."""

from typing import Final

from chargeport.signals.reading import AbsenceReason

# A code that is not here is told by its type alone.
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
    ("RATE_LIMIT", None): AbsenceReason.SOURCE_FAILED,
}


def reason_of(kind: str, code: str | None) -> AbsenceReason:
    """The reason that an error's type and code stand for. Raises ValueError for a type that nobody knows."""
    reason = REASONS.get((kind, code)) or REASONS.get((kind, None))
    if reason is None:
        known = ", ".join(sorted({each for each, _ in REASONS}))
        raise ValueError(f"{kind[:40]!r} is no type of error: known are {known}")
    return reason
