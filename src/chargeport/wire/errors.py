"""The error body, with the v3 `errors` array and the v2 members that Smartcar's SDKs parse; and the outcomes of ingest."""

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, UnsetType, field

from chargeport.errors import INTERNAL, OVERLOADED, UNAVAILABLE, ErrorKind, Problem, StoreError
from chargeport.wire.documents import Document, Resolution

MAX_DETAIL = 500


class Debug(Document):
    """The id of the request in the log."""

    request_id: str


class ErrorMeta(Document):
    """The id with which the cause can be found."""

    debug: Debug


class ErrorElement(Document):
    """An error in the form of v3."""

    status: str
    type: str
    code: str | None
    title: str
    detail: str
    resolution: Resolution
    meta: ErrorMeta


class Error(Document):
    """An error: the form of v3, with the members of v2."""

    errors: Annotated[list[ErrorElement], Meta(min_length=1)]
    type: str
    code: str | None
    description: str
    doc_url: str = field(name="docURL")
    status_code: int
    request_id: str
    resolution: Resolution
    suggested_user_message: str


class OAuthError(Error):
    """An error, with the members of OAuth 2."""

    error: str
    error_description: str = field(name="error_description")


class Rejection(Document):
    """A refused item, and why."""

    index: int
    code: str
    detail: str
    path: str
    signal: str | UnsetType = UNSET


class IngestResult(Document):
    """The outcomes of the items."""

    accepted: Annotated[int, Meta(ge=0)]
    superseded: Annotated[int, Meta(ge=0)]
    unchanged: Annotated[int, Meta(ge=0)]
    rejected: list[Rejection]


class NothingAccepted(Error):  # noqa: N818  (the body of an error)
    """An error, with the outcomes of the items."""

    accepted: Literal[0]
    superseded: Literal[0]
    unchanged: Literal[0]
    rejected: list[Rejection]


class Challenge(Document):
    """The answer to a VERIFY by Smartcar."""

    challenge: str


ANSWERS: Final = (Error, OAuthError, Challenge, IngestResult, NothingAccepted)
"""The types of answers, to which routes refer by name."""


def body(kind: ErrorKind, detail: str, request_id: str, base_url: str, **more: Any) -> dict[str, Any]:
    """Return the body of an error of this kind; `more` are further members."""
    detail = detail[:MAX_DETAIL]
    resolution = {"type": kind.resolution}
    error = {
        "status": str(kind.status),
        "type": kind.type,
        "code": kind.code,
        "title": kind.title,
        "detail": detail,
        "resolution": resolution,
        "meta": {"debug": {"requestId": request_id}},
    }
    return more | {
        "errors": [error],
        "type": kind.type,
        "code": kind.code,
        "description": detail,
        "docURL": f"{base_url}/docs/errors#{kind.slug}",
        "statusCode": kind.status,
        "requestId": request_id,
        "resolution": resolution,
        "suggestedUserMessage": f"{kind.title}.",  # a text: the Java SDK fails on null
    }


def example(kind: ErrorKind) -> dict[str, Any]:
    """Return an example of an error of this kind; its detail is the kind's cause."""
    return body(kind, kind.cause, "7b1f0c0a-5a4e-4d59-9a53-0e6a3f0d7c21", "https://cars.example")


def as_problem(error: Exception) -> Problem:
    """Return any error as a problem. The detail of an internal error is logged, not sent."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, StoreError):
        return Problem(UNAVAILABLE, str(error), retry_after_s=5)
    if isinstance(error, MemoryError):
        return Problem(OVERLOADED, "There is no memory for this request.", retry_after_s=5)
    return Problem(INTERNAL, "An internal error occurred. The log has the cause under this request id.")
