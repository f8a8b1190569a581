"""The one error body: Smartcar's v3 `errors` array, and beside it the v2 members that their SDKs parse."""

from typing import Any

from chargeport.api.response import Header, Response, json_answer
from chargeport.errors import INTERNAL, UNAUTHORIZED, UNAVAILABLE, ErrorKind, Problem, StoreError

MAX_DETAIL = 500


def body(kind: ErrorKind, detail: str, request_id: str, base_url: str, **more: Any) -> dict[str, Any]:
    """The body of an error of this kind; `more` are members to stand beside it."""
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
        "suggestedUserMessage": f"{kind.title}.",  # a text: null ends the Java SDK with an error of its own
    }


def answer_to(problem: Problem, request_id: str, base_url: str, **more: Any) -> Response:
    """The response to a request that can't be answered as asked."""
    headers: list[Header] = []
    if problem.kind is UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="chargeport"'))
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after_s))
    if problem.allow is not None:
        headers.append((b"allow", problem.allow.encode()))
    content = body(problem.kind, problem.detail, request_id, base_url, **more)
    return json_answer(problem.kind.status, content, request_id, headers)


def as_problem(error: Exception) -> Problem:
    """Any error as a problem: what went wrong inside is logged, not told."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, StoreError):
        return Problem(UNAVAILABLE, str(error), retry_after_s=5)
    return Problem(INTERNAL, "Something went wrong on our side. The log has the cause under this request id.")
