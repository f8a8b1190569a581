"""What every answer and every error has in common, checked in one place."""

import re
from typing import Any

import httpx

from chargeport.taxonomy import DOCUMENTED

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_KINDS = {(kind.status, kind.type, kind.code) for kind in DOCUMENTED}
_V3 = {"status", "type", "code", "title", "detail", "resolution", "meta"}
_V2 = {"type", "code", "description", "docURL", "statusCode", "requestId", "resolution", "suggestedUserMessage"}


def request_id(response: httpx.Response) -> str:
    """The id that the response carries, once, in the form of a UUID."""
    found = response.headers.get_list("sc-request-id")
    assert len(found) == 1, found
    assert _ID.fullmatch(found[0]), found[0]
    return str(found[0])


def typed_error(response: httpx.Response, status: int | None = None, kind: str | None = None) -> dict[str, Any]:
    """The body of an error, after a look at both of its forms; `kind` is its type and code, as in `VALIDATION/PARAMETER`."""
    assert status in (None, response.status_code), (response.status_code, response.text[:300])
    assert 400 <= response.status_code < 600, response.status_code
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    body: dict[str, Any] = response.json()
    assert body.keys() >= _V2 | {"errors"}, body.keys()
    (error,) = body["errors"]
    assert error.keys() == _V3, error.keys()
    reported = request_id(response)
    assert (body["requestId"], error["meta"]) == (reported, {"debug": {"requestId": reported}})
    assert (body["statusCode"], error["status"]) == (response.status_code, str(response.status_code))
    assert (body["type"], body["code"], body["description"]) == (error["type"], error["code"], error["detail"])
    assert (response.status_code, body["type"], body["code"]) in _KINDS, "no kind of error that the docs explain"
    assert body["resolution"] == error["resolution"]
    assert body["resolution"].keys() == {"type"}
    assert "/docs/errors#" in body["docURL"]
    assert 10 < len(error["detail"]) <= 500, error["detail"]
    assert kind in (None, f"{body['type']}/{body['code']}"), f"{body['type']}/{body['code']}: {error['detail']}"
    return body


def detail(response: httpx.Response, status: int | None = None, kind: str | None = None) -> str:
    """The one sentence of an error."""
    return str(typed_error(response, status, kind)["description"])
