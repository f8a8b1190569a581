"""Smartcar's taxonomy of errors: every type and code that their API has.

This server itself has use for some; a simulator answers with any of them on demand. Statuses, codes and resolutions are those
of their documentation and of captures of live answers: see docs/evidence/smartcar-errors.md.
"""

from typing import Final

from chargeport.errors import ERROR_KINDS, ErrorKind

_RETRY, _SUPPORT, _AGAIN = "RETRY_LATER", "CONTACT_SUPPORT", "REAUTHENTICATE"

_STATES: Final = (
    "ASLEEP CHARGING_IN_PROGRESS CHARGING_PLUG_CONNECTED CHARGING_PLUG_NOT_CONNECTED CHARGE_FAULT DOOR_OPEN FULLY_CHARGED"
    " HOOD_OPEN IGNITION_ON IN_MOTION NOT_CHARGING REMOTE_ACCESS_DISABLED TRUNK_OPEN UNKNOWN UNREACHABLE"
    " VEHICLE_OFFLINE_FOR_SERVICE"
)
_ROWS: Final = (
    (400, "VALIDATION", "INVALID_INPUT_FORMAT MISSING_PARAMETER PARAMETER -", None),
    (401, "AUTHENTICATION", "UNAUTHORIZED -", _AGAIN),
    (403, "AUTHENTICATION", "ACCESS_DENIED", None),
    (403, "PERMISSION", "- UNKNOWN", _AGAIN),
    (404, "RESOURCE_NOT_FOUND", "VEHICLE_NOT_FOUND INVALID_PATH SIGNAL_NOT_FOUND PATH VERSION", None),
    (400, "CONNECTED_SERVICES_ACCOUNT", "ACCOUNT_ISSUE NO_VEHICLES SUBSCRIPTION VEHICLE_MISSING", _SUPPORT),
    (400, "CONNECTED_SERVICES_ACCOUNT", "AUTHENTICATION_FAILED PERMISSION VIRTUAL_KEY_REQUIRED", _AGAIN),
    (409, "VEHICLE_STATE", _STATES, _RETRY),
    (429, "RATE_LIMIT", "SMARTCAR_API VEHICLE", _RETRY),
    (430, "BILLING", "INVALID_PLAN VEHICLE_LIMIT VEHICLE_REQUEST_LIMIT ACCOUNT_SUSPENDED", _SUPPORT),
    (500, "SERVER", "INTERNAL MULTIPLE_RECORDS_FOUND RECORD_NOT_FOUND", _SUPPORT),
    (501, "COMPATIBILITY", "VEHICLE_NOT_CAPABLE MAKE_NOT_COMPATIBLE SMARTCAR_NOT_CAPABLE", None),
    (501, "COMPATIBILITY", "PLATFORM_NOT_CAPABLE", _AGAIN),
    (502, "UPSTREAM", "NO_RESPONSE INVALID_DATA KNOWN_ISSUE RATE_LIMIT UNKNOWN_ISSUE", _RETRY),
)
"""Status, type, codes (the usual one first, "-" for none) and how a client gets out of it."""


def _kinds() -> dict[tuple[str, str | None], ErrorKind]:
    known = {(kind.type, kind.code): kind for kind in ERROR_KINDS}
    found = {}
    for status, type_, codes, resolution in _ROWS:
        for code in (None if each == "-" else each for each in codes.split()):
            title = (code or type_).replace("_", " ").capitalize()
            found[type_, code] = known.get((type_, code)) or ErrorKind(status, type_, code, title, resolution)
    return found


SMARTCAR_KINDS: Final = _kinds()
"""Every kind by type and code; of a type the usual one first."""

DOCUMENTED: Final = (*ERROR_KINDS, *(kind for kind in SMARTCAR_KINDS.values() if kind not in ERROR_KINDS))
"""Every kind that an answer of this server may have, with its place on the page of errors."""
