"""`POST /oauth2/token` and `/oauth/token`: exchange a client's credentials (JSON, form or HTTP Basic) for a token.

A code or a refresh token, after a person's consent, may be sent as well.
"""

import base64
import binascii
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from chargeport.api.access import TOKEN_LIFE_S
from chargeport.api.consents import ConsentError
from chargeport.api.guesses import SECRET
from chargeport.api.request import AppContext, Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Header, Response, json_answer
from chargeport.errors import MALFORMED, RATE_LIMITED, UNAUTHORIZED, ErrorKind, Problem
from chargeport.store.records import Application
from chargeport.wire.errors import body as problem_body

MAX_BYTES: Final = 16_384
GRANT_TYPE: Final = "client_credentials"
CODE: Final = "authorization_code"
REFRESH: Final = "refresh_token"
GRANT_TYPES: Final = (GRANT_TYPE, CODE, REFRESH)

_NO_STORE: Final[Header] = (b"pragma", b"no-cache")
_OF_PROBLEM: Final = {UNAUTHORIZED: "invalid_client", RATE_LIMITED: "temporarily_unavailable"}


class _RefusedError(Exception):
    """An OAuth error: its code and description (RFC 6749, 5.2)."""

    def __init__(self, kind: ErrorKind, error: str, description: str, retry_after_s: int | None = None) -> None:
        super().__init__(description)
        self.retry_after_s = retry_after_s
        self.kind = kind
        self.error = error
        self.description = description


async def issue_token(request: Request) -> Response:
    """Exchange a client id and its secret, and possibly a code, for a token that is valid for an hour."""
    try:
        parameters = _parameters(await read_body(request, MAX_BYTES), request.header(b"content-type") or b"")
        client_id, client_secret = _credentials(request, parameters)
    except _RefusedError as refused:
        return _refusal(request, refused)
    except Problem as problem:  # of the body itself
        return _refusal(request, _RefusedError(problem.kind, "invalid_request", problem.detail, problem.retry_after_s))
    proof = partial(_application, request.context, client_id, client_secret)
    try:
        application = await request.caller.guesses.attempt(SECRET, request.caller.address, client_id, proof)
        body = await _issued(request.context, application, parameters)
    except Problem as problem:
        error = _OF_PROBLEM.get(problem.kind)
        if error is None:
            raise
        return _refusal(request, _RefusedError(problem.kind, error, problem.detail, problem.retry_after_s))
    except ConsentError as error:
        return _refusal(request, _RefusedError(MALFORMED, "invalid_grant", str(error)))
    return json_answer(200, body, request.request_id, [_NO_STORE])


async def _application(context: AppContext, client_id: str, client_secret: str) -> Application:
    """Return the application with these credentials. Raises Problem (401)."""
    application = await context.access.sign_in(client_id, client_secret)
    if application is None:
        raise Problem(UNAUTHORIZED, "The client id or its secret is wrong, or the application was revoked.")
    return application


async def _issued(context: AppContext, application: Application, parameters: dict[str, str]) -> dict[str, str | int]:
    """Issue the tokens. Raises ConsentError."""
    about: dict[str, str | int] = {"token_type": "Bearer", "expires_in": TOKEN_LIFE_S}
    match parameters["grant_type"]:
        case "authorization_code":
            verifier, redirect_uri = parameters.get("code_verifier"), parameters.get("redirect_uri")
            token, refresh = await context.consents.by_code(application, parameters["code"], redirect_uri, verifier)
        case "refresh_token":
            token, refresh = await context.consents.by_refresh_token(application, parameters["refresh_token"])
        case _:
            return {"access_token": await context.access.issue_token(application)} | about
    return {"access_token": token, "refresh_token": refresh} | about


def _refusal(request: Request, refused: _RefusedError) -> Response:
    oauth = {"error": refused.error, "error_description": refused.description}
    body = problem_body(refused.kind, refused.description, request.request_id, request.base, **oauth)
    headers: list[Header] = [_NO_STORE]
    if refused.kind is UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Basic realm="chargeport"'))
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % refused.retry_after_s))
    return json_answer(refused.kind.status, body, request.request_id, headers)


def _credentials(request: Request, parameters: dict[str, str]) -> tuple[str, str]:
    """Return client id and secret, from Basic or from the body; check that the parameters of the grant are present."""
    grant_type = parameters.get("grant_type")
    if grant_type is None:
        raise _RefusedError(MALFORMED, "invalid_request", f"grant_type is missing: send {GRANT_TYPE}.")
    if grant_type not in GRANT_TYPES:
        raise _RefusedError(MALFORMED, "unsupported_grant_type", f"grant_type is one of {', '.join(GRANT_TYPES)}.")
    needed = {CODE: "code", REFRESH: "refresh_token"}.get(grant_type)
    if needed is not None and not parameters.get(needed):
        raise _RefusedError(MALFORMED, "invalid_request", f"{needed} is missing.")
    basic = _basic(request.header(b"authorization"))
    if basic is not None:
        return basic
    for name in ("client_id", "client_secret"):
        if not parameters.get(name):
            raise _RefusedError(MALFORMED, "invalid_request", f"{name} is missing: send it in the body, or use Basic.")
    return parameters["client_id"], parameters["client_secret"]


def _parameters(body: bytes, content_type: bytes) -> dict[str, str]:
    """Return the parameters of a form or of a JSON object, also of one that is sent without its content type."""
    if content_type.split(b";")[0].strip().lower() == b"application/json" or body.lstrip()[:1] == b"{":
        try:
            return msgspec.json.decode(body or b"{}", type=dict[str, str])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _RefusedError(MALFORMED, "invalid_request", f"The body is no JSON object of texts: {error}.") from None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=32))
    except (UnicodeDecodeError, ValueError):
        raise _RefusedError(MALFORMED, "invalid_request", "The body is no form: send UTF-8, percent-encoded.") from None


def _basic(authorization: bytes | None) -> tuple[str, str] | None:
    """Return id and secret of a Basic header (RFC 6749, 2.3.1: percent-encoded); None for any other header."""
    if authorization is None or authorization[:6].lower() != b"basic ":
        return None
    try:
        pair = base64.b64decode(authorization[6:].strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise _RefusedError(MALFORMED, "invalid_request", "The Basic header is not base64.") from None
    client_id, colon, client_secret = pair.partition(":")
    if not colon:
        raise _RefusedError(MALFORMED, "invalid_request", "The Basic header is not of the form id:secret.")
    return unquote_plus(client_id), unquote_plus(client_secret)
