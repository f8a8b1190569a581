"""Problems as responses: the error body with the status and the headers that belong to it."""

from typing import Any

from chargeport.api.response import Header, Response, json_answer
from chargeport.errors import UNAUTHORIZED, Problem
from chargeport.wire.errors import body


def answer_to(problem: Problem, request_id: str, base_url: str, **more: Any) -> Response:
    """Return the response to a request that can't be answered as asked."""
    headers: list[Header] = []
    if problem.kind is UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="chargeport"'))
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after_s))
    if problem.allow is not None:
        headers.append((b"allow", problem.allow.encode()))
    content = body(problem.kind, problem.detail, request_id, base_url, **more)
    return json_answer(problem.kind.status, content, request_id, headers)
