"""Every error that a person or client may meet.

    ChargeportError
    ├── SettingError        a setting is wrong: names it, says what it may be
    ├── StartError          the server can't start: a port in use, a database that can't be opened
    ├── StoreError          the database does not do what it should, now
    │   └── SchemaError     it was written by a newer Chargeport
    ├── ConflictError       a name is taken
    ├── NotFoundError       a name that a command was given is nobody's
    └── Problem             an answer to a request, with its HTTP status (the API's own error body is made of it)

A rule that a reading breaks is a `signals.violation.Violation`: it concerns one item, not the request.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final


class ChargeportError(Exception):
    """An error whose text is one sentence for a person."""


class SettingError(ChargeportError):
    """A setting is wrong: `what` begins with its name, as in `server.port: ...`; `where` is its file, if that is known."""

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
    """A name that a command was given is nobody's."""


def instead_of(given: str, known: Iterable[str]) -> str:
    """Return what to write in place of a name that is not known: the nearest name, or all of them where none is near.

    >>> instead_of("prot", ["host", "port"]), instead_of("x", ["host", "port"])
    ('the nearest name is port', 'use one of host, port')
    """
    names = list(known)
    lower = {name.lower(): name for name in names}
    near = get_close_matches(given.lower(), lower, n=1, cutoff=0.66)
    return f"the nearest name is {lower[near[0]]}" if near else f"use one of {', '.join(names)}"


class ErrorKind:
    """A kind of error on the wire: HTTP status, Smartcar's type and code, a title, and how a client gets out of it.

    Types and codes are Smartcar's taxonomy (their documentation, and captures of live answers).
    """

    __slots__ = ("code", "resolution", "slug", "status", "title", "type")

    def __init__(self, status: int, type_: str, code: str | None, title: str, resolution: str | None = None) -> None:
        self.status = status
        self.type = type_
        self.code = code
        self.title = title
        self.resolution = resolution
        self.slug = "-".join(part.lower().replace("_", "-") for part in (type_, code) if part)


MALFORMED: Final = ErrorKind(400, "VALIDATION", "INVALID_INPUT_FORMAT", "Invalid input")
MISSING_PARAMETER: Final = ErrorKind(400, "VALIDATION", "MISSING_PARAMETER", "Missing parameter")
UNAUTHORIZED: Final = ErrorKind(401, "AUTHENTICATION", "UNAUTHORIZED", "Unauthorized", "REAUTHENTICATE")
ACCESS_DENIED: Final = ErrorKind(403, "AUTHENTICATION", "ACCESS_DENIED", "Access denied")
PERMISSION: Final = ErrorKind(403, "PERMISSION", None, "Permission missing", "REAUTHENTICATE")
VEHICLE_NOT_FOUND: Final = ErrorKind(404, "RESOURCE_NOT_FOUND", "VEHICLE_NOT_FOUND", "Vehicle not found")
SIGNAL_NOT_FOUND: Final = ErrorKind(404, "RESOURCE_NOT_FOUND", "SIGNAL_NOT_FOUND", "Signal not found")
CONNECTION_NOT_FOUND: Final = ErrorKind(404, "RESOURCE_NOT_FOUND", "CONNECTION_NOT_FOUND", "Connection not found")
USER_NOT_FOUND: Final = ErrorKind(404, "RESOURCE_NOT_FOUND", "USER_NOT_FOUND", "User not found")
WEBHOOK_NOT_FOUND: Final = ErrorKind(404, "RESOURCE_NOT_FOUND", "WEBHOOK_NOT_FOUND", "Webhook not found")
SUBSCRIPTION_NOT_FOUND: Final = ErrorKind(404, "RESOURCE_NOT_FOUND", "SUBSCRIPTION_NOT_FOUND", "Subscription not found")
INVALID_PATH: Final = ErrorKind(404, "RESOURCE_NOT_FOUND", "INVALID_PATH", "Path not found")
METHOD_NOT_ALLOWED: Final = ErrorKind(405, "VALIDATION", "METHOD_NOT_ALLOWED", "Method not allowed")
TOO_SLOW: Final = ErrorKind(408, "VALIDATION", "REQUEST_TIMEOUT", "Request timeout", "RETRY_LATER")
CONFLICT: Final = ErrorKind(409, "VALIDATION", "CONFLICT", "Conflict")
TOO_LARGE: Final = ErrorKind(413, "VALIDATION", "PAYLOAD_TOO_LARGE", "Payload too large")
UNSUPPORTED_MEDIA: Final = ErrorKind(415, "VALIDATION", "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type")
NOTHING_ACCEPTED: Final = ErrorKind(422, "VALIDATION", "NOTHING_ACCEPTED", "Nothing was accepted")
RATE_LIMITED: Final = ErrorKind(429, "RATE_LIMIT", "SMARTCAR_API", "Too many requests", "RETRY_LATER")
HEAD_TOO_LARGE: Final = ErrorKind(431, "VALIDATION", "HEADERS_TOO_LARGE", "Headers too large")
INTERNAL: Final = ErrorKind(500, "SERVER", "INTERNAL", "Internal error", "CONTACT_SUPPORT")
OVERLOADED: Final = ErrorKind(503, "SERVER", "OVERLOADED", "Server overloaded", "RETRY_LATER")
UNAVAILABLE: Final = ErrorKind(503, "SERVER", "STORE_UNAVAILABLE", "Store unavailable", "RETRY_LATER")

ERROR_KINDS: Final = tuple(kind for kind in dict(vars()).values() if isinstance(kind, ErrorKind))


class Problem(ChargeportError):  # noqa: N818  (RFC 9457's word for it)
    """A request can't be answered as asked: its kind, and what exactly is wrong, in one sentence."""

    def __init__(self, kind: ErrorKind, detail: str, *, retry_after_s: int | None = None, allow: str | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.allow = allow
