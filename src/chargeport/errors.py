"""All errors that are reported to people and clients.

    ChargeportError
    ├── SettingError        a setting is invalid: the text names it, and the allowed values
    ├── StartError          the server can't start: a port in use, a database that can't be opened
    ├── StoreError          the database can't be read or written now
    │   └── SchemaError     the database was written by a newer Chargeport
    ├── ConflictError       a name that must be unique is taken
    ├── NotFoundError       a name in a command is unknown
    └── Problem             a request that is answered with an HTTP error status and the API's error body

An invalid reading is a `signals.violation.Violation`, which concerns one item and not the request.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final


class ChargeportError(Exception):
    """An error whose text is one sentence for a person."""


class SettingError(ChargeportError):
    """A setting is invalid: `what` begins with its name, as in `server.port: ...`; `where` is its file, if known."""

    def __init__(self, what: str, where: str | None = None) -> None:
        super().__init__(f"A setting is wrong{f' ({where})' if where else ''}: {what}")


class StartError(ChargeportError):
    """The server can't start."""


class StoreError(ChargeportError):
    """The database can't be read or written at the moment."""


class SchemaError(StoreError):
    """The database was written by a newer Chargeport."""


class ConflictError(ChargeportError):
    """A name that must be unique is taken."""


class NotFoundError(ChargeportError):
    """A name in a command is unknown."""


def instead_of(name: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown name: the most similar name, or all of them if none is similar.

    >>> instead_of("prot", ["host", "port"]), instead_of("x", ["host", "port"])
    ('the nearest name is port', 'use one of host, port')
    """
    names = list(known)
    lower = {name.lower(): name for name in names}
    near = get_close_matches(name.lower(), lower, n=1, cutoff=0.66)
    return f"the nearest name is {lower[near[0]]}" if near else f"use one of {', '.join(names)}"


class ErrorKind:
    """A kind of error in answers: HTTP status, Smartcar's type and code, and a title.

    Types and codes are Smartcar's taxonomy (their documentation, and captures of live answers). `cause` is a sentence that
    describes the error, `way_out` one that describes the remedy; `resolution` is Smartcar's value for programs.
    """

    __slots__ = ("cause", "code", "resolution", "slug", "status", "title", "type", "way_out")

    def __init__(
        self,
        status: int,
        type_: str,
        code: str | None,
        title: str,
        resolution: str | None = None,
        *,
        cause: str,
        way_out: str,
    ) -> None:
        self.status = status
        self.type = type_
        self.code = code
        self.title = title
        self.resolution = resolution
        self.cause = cause
        self.way_out = way_out
        self.slug = "-".join(part.lower().replace("_", "-") for part in (type_, code) if part)

    @property
    def name(self) -> str:
        """The type and, if there is one, the code."""
        return f"{self.type} / {self.code}" if self.code else self.type


MALFORMED: Final = ErrorKind(
    400,
    "VALIDATION",
    "INVALID_INPUT_FORMAT",
    "Invalid input",
    cause="A parameter, a header or the body breaks a rule.",
    way_out="Correct what the detail names; it describes what is allowed. The reference at /docs has every rule.",
)
MISSING_PARAMETER: Final = ErrorKind(
    400,
    "VALIDATION",
    "MISSING_PARAMETER",
    "Missing parameter",
    cause="A parameter or header that this request needs was not sent.",
    way_out="Send what the detail names.",
)
UNAUTHORIZED: Final = ErrorKind(
    401,
    "AUTHENTICATION",
    "UNAUTHORIZED",
    "Unauthorized",
    "REAUTHENTICATE",
    cause="The token or the secret is missing, wrong or too old.",
    way_out="Get a new token with POST /oauth2/token and send it as Authorization: Bearer TOKEN.",
)
ACCESS_DENIED: Final = ErrorKind(
    403,
    "AUTHENTICATION",
    "ACCESS_DENIED",
    "Access denied",
    cause="The caller is authenticated, but this kind of caller may not do this.",
    way_out="Use an application or a session with the permission: the detail names it.",
)
PERMISSION: Final = ErrorKind(
    403,
    "PERMISSION",
    None,
    "Permission missing",
    "REAUTHENTICATE",
    cause="The application, or the user's consent, lacks the permission that the detail names.",
    way_out="Get the permission granted, then get a new token.",
)
VEHICLE_NOT_FOUND: Final = ErrorKind(
    404,
    "RESOURCE_NOT_FOUND",
    "VEHICLE_NOT_FOUND",
    "Vehicle not found",
    cause="No vehicle has this id, or the application may not see it.",
    way_out="Take an id from GET /v3/vehicles or GET /v3/connections, or connect the vehicle to the application.",
)
SIGNAL_NOT_FOUND: Final = ErrorKind(
    404,
    "RESOURCE_NOT_FOUND",
    "SIGNAL_NOT_FOUND",
    "Signal not found",
    cause="The code is not a signal of this server, or the vehicle has never reported it.",
    way_out="Take a code from GET /v3/vehicles/{id}/signals; chargeport coverage VEHICLE shows why a signal is missing.",
)
CONNECTION_NOT_FOUND: Final = ErrorKind(
    404,
    "RESOURCE_NOT_FOUND",
    "CONNECTION_NOT_FOUND",
    "Connection not found",
    cause="The application has no connection of this id: it may have ended.",
    way_out="Take an id from GET /v3/connections.",
)
USER_NOT_FOUND: Final = ErrorKind(
    404,
    "RESOURCE_NOT_FOUND",
    "USER_NOT_FOUND",
    "User not found",
    cause="No user of the application, or of this server, has this id.",
    way_out="Take the id of a user from GET /v3/connections.",
)
WEBHOOK_NOT_FOUND: Final = ErrorKind(
    404,
    "RESOURCE_NOT_FOUND",
    "WEBHOOK_NOT_FOUND",
    "Webhook not found",
    cause="The application has no webhook of this id.",
    way_out="Take an id from GET /v3/webhooks.",
)
SUBSCRIPTION_NOT_FOUND: Final = ErrorKind(
    404,
    "RESOURCE_NOT_FOUND",
    "SUBSCRIPTION_NOT_FOUND",
    "Subscription not found",
    cause="The application has no subscription of this id.",
    way_out="Take an id from GET /v3/subscriptions.",
)
INVALID_PATH: Final = ErrorKind(
    404,
    "RESOURCE_NOT_FOUND",
    "INVALID_PATH",
    "Path not found",
    cause="There is no route at this path.",
    way_out="Compare the path with those at /docs, letter by letter.",
)
METHOD_NOT_ALLOWED: Final = ErrorKind(
    405,
    "VALIDATION",
    "METHOD_NOT_ALLOWED",
    "Method not allowed",
    cause="The path exists, but not for this method.",
    way_out="Use a method in the header Allow of the answer.",
)
TOO_SLOW: Final = ErrorKind(
    408,
    "VALIDATION",
    "REQUEST_TIMEOUT",
    "Request timeout",
    "RETRY_LATER",
    cause="The request was not complete in time.",
    way_out="Send it again; send a large body in smaller parts.",
)
CONFLICT: Final = ErrorKind(
    409,
    "VALIDATION",
    "CONFLICT",
    "Conflict",
    cause="The request is well formed, but conflicts with stored data.",
    way_out="Change what the detail names, or omit the request: it may have been executed before.",
)
TOO_LARGE: Final = ErrorKind(
    413,
    "VALIDATION",
    "PAYLOAD_TOO_LARGE",
    "Payload too large",
    cause="The body is larger than this server accepts.",
    way_out="Send fewer items at once.",
)
UNSUPPORTED_MEDIA: Final = ErrorKind(
    415,
    "VALIDATION",
    "UNSUPPORTED_MEDIA_TYPE",
    "Unsupported media type",
    cause="The body is in a format or an encoding that is not supported.",
    way_out="Send what the detail names, such as application/json, plain or in gzip.",
)
NOTHING_ACCEPTED: Final = ErrorKind(
    422,
    "VALIDATION",
    "NOTHING_ACCEPTED",
    "Nothing was accepted",
    cause="Every item of the request breaks a rule.",
    way_out="Correct the items: the answer contains the rule and the member of each.",
)
RATE_LIMITED: Final = ErrorKind(
    429,
    "RATE_LIMIT",
    "SMARTCAR_API",
    "Too many requests",
    "RETRY_LATER",
    cause="There were more requests than the limit allows.",
    way_out="Wait for the seconds in Retry-After; use GET /stream or a webhook instead of frequent requests.",
)
HEAD_TOO_LARGE: Final = ErrorKind(
    431,
    "VALIDATION",
    "HEADERS_TOO_LARGE",
    "Headers too large",
    cause="The path and the headers are longer than this server accepts.",
    way_out="Send fewer or shorter headers; leave out cookies that this server did not set.",
)
INTERNAL: Final = ErrorKind(
    500,
    "SERVER",
    "INTERNAL",
    "Internal error",
    "CONTACT_SUPPORT",
    cause="An internal error occurred.",
    way_out="Send the request id to the operator: the log has the cause with this id.",
)
OVERLOADED: Final = ErrorKind(
    503,
    "SERVER",
    "OVERLOADED",
    "Server overloaded",
    "RETRY_LATER",
    cause="The server has no capacity for this request.",
    way_out="Wait for the seconds in Retry-After, then send the request again.",
)
UNAVAILABLE: Final = ErrorKind(
    503,
    "SERVER",
    "STORE_UNAVAILABLE",
    "Store unavailable",
    "RETRY_LATER",
    cause="The database can't be read or written now.",
    way_out="Wait for the seconds in Retry-After, then send the request again; as the operator, check /readyz and the log.",
)

ERROR_KINDS: Final = tuple(kind for kind in dict(vars()).values() if isinstance(kind, ErrorKind))


class Problem(ChargeportError):  # noqa: N818  (the term of RFC 9457)
    """A request that is answered with an error: its kind, and a sentence about the error."""

    def __init__(self, kind: ErrorKind, detail: str, *, retry_after_s: int | None = None, allow: str | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.allow = allow
