"""How an absence is shown to Smartcar's clients: the status object of a signal that has no value to show as true.

Types, codes and resolutions are those of answers captured from Smartcar's API.
"""

from typing import Any, Final, NamedTuple

from chargeport.signals.reading import AbsenceReason
from chargeport.wire.encoding import encode


class Wording(NamedTuple):
    """An absence on the wire. `keeps_body`: whether the last value is shown beside it, with its old times."""

    type: str
    code: str | None
    title: str
    detail: str
    resolution: str
    keeps_body: bool

    def error(self) -> dict[str, Any]:
        """Return the `error` member of the status object."""
        return {
            "type": self.type,
            "code": self.code,
            "title": self.title,
            "detail": self.detail,
            "description": self.detail,
            "resolution": {"type": self.resolution},
        }


_NO_WAY: Final = "UNKNOWN_RESOLUTION_TYPE"

WORDINGS: Final = {
    AbsenceReason.NOT_CAPABLE: Wording(
        "COMPATIBILITY", "VEHICLE_NOT_CAPABLE", "Vehicle Not Capable", "The vehicle does not have this.", _NO_WAY, False
    ),
    AbsenceReason.NOT_PERMITTED: Wording(
        "PERMISSION", "UNKNOWN", "Not Permitted", "The source has no permission to read this.", "REAUTHENTICATE", False
    ),
    AbsenceReason.NOT_CHARGING: Wording(
        "VEHICLE_STATE", "NOT_CHARGING", "Not Charging",
        "The charging session has ended, and nothing newer was reported.", _NO_WAY, True,
    ),
    AbsenceReason.UNREACHABLE: Wording(
        "VEHICLE_STATE", "UNREACHABLE", "Unreachable",
        "The vehicle does not report: its last value is too old.", "RETRY_LATER", True,
    ),
    AbsenceReason.UNREADABLE: Wording(
        "UPSTREAM", "INVALID_DATA", "Invalid Data", "The source reported an invalid value.", "RETRY_LATER", True
    ),
    AbsenceReason.SOURCE_FAILED: Wording(
        "SERVER", "INTERNAL", "Source Failed", "The source failed to read this.", "RETRY_LATER", True
    ),
}  # fmt: skip

MISSING_PERMISSION: Final = Wording(
    "PERMISSION", "UNKNOWN", "Permission Missing",
    "The application does not have the permission that this signal needs.", "REAUTHENTICATE", False,
)  # fmt: skip


def status(wording: Wording) -> str:
    """Return the `status` member as JSON text."""
    return encode({"value": "ERROR", "error": wording.error()}).decode()


STATUSES: Final = {reason: status(wording) for reason, wording in WORDINGS.items()}
STATUS_MISSING_PERMISSION: Final = status(MISSING_PERMISSION)
