"""The status object of a signal that has no current value.

Types, codes and resolutions are those of answers captured from Smartcar's API.
"""

from typing import Any, Final, NamedTuple

from chargeport.signals.reading import AbsenceReason
from chargeport.wire.encoding import encode


class ErrorStatus(NamedTuple):
    """The members of an error status. `keeps_body`: whether the last value is sent with it, with its old times."""

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


_UNKNOWN: Final = "UNKNOWN_RESOLUTION_TYPE"

ERROR_STATUSES: Final = {
    AbsenceReason.NOT_CAPABLE: ErrorStatus(
        "COMPATIBILITY", "VEHICLE_NOT_CAPABLE", "Vehicle Not Capable", "The vehicle does not have this.", _UNKNOWN, False
    ),
    AbsenceReason.NOT_PERMITTED: ErrorStatus(
        "PERMISSION", "UNKNOWN", "Not Permitted", "The source has no permission to read this.", "REAUTHENTICATE", False
    ),
    AbsenceReason.NOT_CHARGING: ErrorStatus(
        "VEHICLE_STATE", "NOT_CHARGING", "Not Charging",
        "The charging session has ended, and nothing newer was reported.", _UNKNOWN, True,
    ),
    AbsenceReason.UNREACHABLE: ErrorStatus(
        "VEHICLE_STATE", "UNREACHABLE", "Unreachable",
        "The vehicle does not report: its last value is too old.", "RETRY_LATER", True,
    ),
    AbsenceReason.UNREADABLE: ErrorStatus(
        "UPSTREAM", "INVALID_DATA", "Invalid Data", "The source reported an invalid value.", "RETRY_LATER", True
    ),
    AbsenceReason.SOURCE_FAILED: ErrorStatus(
        "SERVER", "INTERNAL", "Source Failed", "The source failed to read this.", "RETRY_LATER", True
    ),
}  # fmt: skip

MISSING_PERMISSION: Final = ErrorStatus(
    "PERMISSION", "UNKNOWN", "Permission Missing",
    "The application does not have the permission that this signal needs.", "REAUTHENTICATE", False,
)  # fmt: skip


def status_json(status: ErrorStatus) -> str:
    """Return the `status` member as JSON text."""
    return encode({"value": "ERROR", "error": status.error()}).decode()


ERROR_STATUSES_JSON: Final = {reason: status_json(status) for reason, status in ERROR_STATUSES.items()}
MISSING_PERMISSION_JSON: Final = status_json(MISSING_PERMISSION)
