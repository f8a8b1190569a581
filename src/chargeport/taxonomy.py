"""Smartcar's taxonomy of errors: every type and code of their API.

This server itself uses some of them; a simulator answers with any of them on demand. Statuses, codes and resolutions are from
their documentation and from captures of live answers: see docs/evidence/smartcar-errors.md.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from chargeport.errors import (
    ACCESS_DENIED,
    ERROR_KINDS,
    INTERNAL,
    INVALID_PATH,
    MALFORMED,
    MISSING_PARAMETER,
    PERMISSION,
    RATE_LIMITED,
    SIGNAL_NOT_FOUND,
    UNAUTHORIZED,
    VEHICLE_NOT_FOUND,
    ErrorKind,
)

_RETRY, _SUPPORT, _AGAIN = "RETRY_LATER", "CONTACT_SUPPORT", "REAUTHENTICATE"


class _Group(NamedTuple):
    """Kinds of one type with the same remedy: `known` are those that the server itself uses, `causes` the others, by code."""

    status: int
    type: str
    resolution: str | None
    way_out: str
    causes: dict[str | None, str]
    known: tuple[ErrorKind, ...] = ()

    def kinds(self) -> Iterator[ErrorKind]:
        """All of them."""
        yield from self.known
        for code, cause in self.causes.items():
            title = (code or self.type).replace("_", " ").capitalize()
            yield ErrorKind(self.status, self.type, code, title, self.resolution, cause=cause, way_out=self.way_out)


_GROUPS: Final = (
    _Group(
        400, "VALIDATION", None, "Correct what the detail names.",
        {
            "PARAMETER": "A parameter has a value that is not allowed.",
            None: "The request breaks a rule.",
        },
        (MALFORMED, MISSING_PARAMETER),
    ),
    _Group(
        401, "AUTHENTICATION", _AGAIN, "Get a new token and send it as Authorization: Bearer TOKEN.",
        {
            None: "The token is missing, wrong or too old.",
        },
        (UNAUTHORIZED, ACCESS_DENIED),
    ),
    _Group(
        403, "PERMISSION", _AGAIN, "The owner of the vehicle has to grant the permission.",
        {
            "UNKNOWN": "The application, or the source, may not read this signal.",
        },
        (PERMISSION,),
    ),
    _Group(
        404, "RESOURCE_NOT_FOUND", None, "Compare path, ids and version with the lists and /docs.",
        {
            "PATH": "There is no route at this path, or nothing has this id.",
            "VERSION": "There is no such version of the API.",
        },
        (VEHICLE_NOT_FOUND, INVALID_PATH, SIGNAL_NOT_FOUND),
    ),
    _Group(
        400, "CONNECTED_SERVICES_ACCOUNT", _SUPPORT, "The owner has to correct the account with the maker of the vehicle.",
        {
            "ACCOUNT_ISSUE": "The owner's account with the maker needs attention.",
            "NO_VEHICLES": "The owner's account with the maker has no vehicle.",
            "SUBSCRIPTION": "The owner's subscription with the maker has ended, or never existed.",
            "VEHICLE_MISSING": "The vehicle is no longer in the owner's account with the maker.",
        },
    ),
    _Group(
        400, "CONNECTED_SERVICES_ACCOUNT", _AGAIN, "The owner has to connect the vehicle again.",
        {
            "AUTHENTICATION_FAILED": "The maker no longer accepts the owner's sign-in.",
            "PERMISSION": "The owner's account with the maker does not allow this.",
            "VIRTUAL_KEY_REQUIRED": "The vehicle needs a virtual key that was not added.",
        },
    ),
    _Group(
        409, "VEHICLE_STATE", _RETRY, "Send the request again once the vehicle is in another state.",
        {
            "ASLEEP": "The vehicle is asleep.",
            "CHARGING_IN_PROGRESS": "The vehicle is charging.",
            "CHARGING_PLUG_CONNECTED": "The charging plug is connected.",
            "CHARGING_PLUG_NOT_CONNECTED": "The charging plug is not connected.",
            "CHARGE_FAULT": "Charging has failed, at the vehicle or the station.",
            "DOOR_OPEN": "A door is open.",
            "FULLY_CHARGED": "The battery is full.",
            "HOOD_OPEN": "The hood is open.",
            "IGNITION_ON": "The ignition is on.",
            "IN_MOTION": "The vehicle is moving.",
            "NOT_CHARGING": "The vehicle is not charging.",
            "REMOTE_ACCESS_DISABLED": "Remote access is turned off in the vehicle.",
            "TRUNK_OPEN": "The trunk is open.",
            "UNKNOWN": "The state of the vehicle forbids this; which state is not known.",
            "UNREACHABLE": "The vehicle can't be reached.",
            "VEHICLE_OFFLINE_FOR_SERVICE": "The vehicle is offline for service.",
        },
    ),
    _Group(
        429, "RATE_LIMIT", _RETRY, "Wait for the seconds in Retry-After, then send the request again.",
        {
            "VEHICLE": "There were too many requests for this vehicle.",
        },
        (RATE_LIMITED,),
    ),
    _Group(
        430, "BILLING", _SUPPORT, "Change the plan, or request less.",
        {
            "INVALID_PLAN": "The plan does not include this.",
            "VEHICLE_LIMIT": "The plan's limit of vehicles is reached.",
            "VEHICLE_REQUEST_LIMIT": "The plan's limit of requests for this vehicle is reached.",
            "ACCOUNT_SUSPENDED": "The account is suspended.",
        },
    ),
    _Group(
        500, "SERVER", _SUPPORT, "Send the request id to the operator.",
        {
            "MULTIPLE_RECORDS_FOUND": "More than one record matches where one was expected.",
            "RECORD_NOT_FOUND": "A record that was expected does not exist.",
        },
        (INTERNAL,),
    ),
    _Group(
        501, "COMPATIBILITY", None, "Do not repeat the request for this vehicle: the answer will be the same.",
        {
            "VEHICLE_NOT_CAPABLE": "The vehicle does not have this.",
            "MAKE_NOT_COMPATIBLE": "Vehicles of this brand do not support this.",
            "SMARTCAR_NOT_CAPABLE": "The API does not support this for the vehicle.",
        },
    ),
    _Group(
        501, "COMPATIBILITY", _AGAIN, "The owner has to connect the vehicle again, by an account that supports this.",
        {
            "PLATFORM_NOT_CAPABLE": "The platform by which the vehicle is connected does not support this.",
        },
    ),
    _Group(
        502, "UPSTREAM", _RETRY, "Send the request again later; if the error persists, check the source.",
        {
            "NO_RESPONSE": "The source did not answer.",
            "INVALID_DATA": "The source answered with an invalid value.",
            "KNOWN_ISSUE": "The source has a known fault.",
            "RATE_LIMIT": "The source limits the rate of requests.",
            "UNKNOWN_ISSUE": "The source failed without a reason.",
        },
    ),
)  # fmt: skip
"""The groups of kinds; a type with several codes has the usual one first."""

SMARTCAR_KINDS: Final = {(kind.type, kind.code): kind for group in _GROUPS for kind in group.kinds()}
"""All kinds by type and code; of a type the usual one first."""

DOCUMENTED: Final = (*ERROR_KINDS, *(kind for kind in SMARTCAR_KINDS.values() if kind not in ERROR_KINDS))
"""All kinds of errors in answers of this server, with their anchors on the page of errors."""
