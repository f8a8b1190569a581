"""`/session`: sign-in, sign-out and tokens of the page. Programs use /oauth2/token.

These requests are authorized by a cookie, so they must come from the page itself: from the same origin, with a header that no
form and no script of another site can send.
"""

from functools import partial
from typing import Final
from urllib.parse import urlsplit

import msgspec

from chargeport.api.guesses import LINK, PASSWORD
from chargeport.api.request import Request
from chargeport.api.request_body import json_body
from chargeport.api.response import Header, Response, answer, json_answer
from chargeport.api.sign_in import SESSION_MS, TOKEN_LIFE_S, Guest, PageToken
from chargeport.errors import ACCESS_DENIED, MALFORMED, Problem
from chargeport.store.audit import Actor, act_as
from chargeport.store.sign_in import PageSession

COOKIE: Final = "chargeport_session"
TLS_COOKIE: Final = f"__Host-{COOKIE}"  # browsers accept it only from this host over TLS: no other host can set a session
MARK: Final = b"x-chargeport-page"
MAX_BYTES: Final = 8192
_NO_STORE: Final[Header] = (b"pragma", b"no-cache")


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The credentials of a person: a one-time link, or name and password."""

    link: str | None = None
    name: str | None = None
    password: str | None = None


class TokenWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The request for a token: of the session of the cookie, or of a share link."""

    share: str | None = None


async def sign_in(request: Request) -> Response:
    """Begin a session, and set its cookie."""
    _check_origin(request)
    credentials: Credentials = await json_body(request, Credentials, MAX_BYTES, may_be_empty=True)
    if credentials.link is not None:
        secret, session = await _by_link(request, credentials.link)
    elif credentials.name is not None and credentials.password is not None:
        secret, session = await by_password(request, credentials.name, credentials.password)
    else:
        raise Problem(MALFORMED, "Send link, or name and password.")
    return json_answer(200, {"user": session.user}, request.request_id, [_NO_STORE, cookie(request, secret)])


async def page_token(request: Request) -> Response:
    """Issue a token for a few minutes, for the session of the cookie or for a share link; null if nobody is signed in."""
    _check_origin(request)
    wish: TokenWish = await json_body(request, TokenWish, MAX_BYTES, may_be_empty=True)
    people = request.context.sign_in
    headers = [_NO_STORE]
    user = None
    issued: PageToken | None = None
    if wish.share is not None:
        proof = partial(people.share_token, wish.share)
        issued = await request.caller.guesses.attempt(LINK, request.caller.address, "", proof)
    elif (secret := secret_of(request)) is not None and (found := await signed_in(request, secret)) is not None:
        session, is_refreshed = found
        issued, user = await people.page_token(session.user), session.user
        if is_refreshed:
            headers.append(cookie(request, secret))
    token, user_id, permissions = issued or (None, None, ())
    body = {
        "access_token": token, "expires_in": TOKEN_LIFE_S if token else 0, "user": user, "user_id": user_id,
        "permissions": sorted(permissions),
    }  # fmt: skip
    return json_answer(200, body, request.request_id, headers)


async def sign_out(request: Request) -> Response:
    """End the session of the cookie, and delete the cookie."""
    _check_origin(request)
    secret = secret_of(request)
    if secret is not None and await signed_in(request, secret) is not None:
        await request.context.sign_in.end(secret)
    return answer(204, b"", request.request_id, cookie(request, "", max_age_s=0))


async def signed_in(request: Request, secret: str) -> tuple[PageSession, bool] | None:
    """Return the result of `SignIn.session`; further acts of this request are audited as the person's."""
    found = await request.context.sign_in.session(secret)
    if found is not None:
        act_as(Actor(f"user:{found[0].user}", request.caller.address, request.context.clock.now))
    return found


async def by_password(request: Request, name: str, password: str) -> tuple[str, PageSession]:
    """Begin a session of a user by name and password; return its secret and the session. Raises Problem (401, 429)."""
    people, address, guesses = request.context.sign_in, request.caller.address, request.caller.guesses
    proof = partial(people.proven, name, password, turn=partial(guesses.check, PASSWORD, address, name))
    user = await guesses.attempt(PASSWORD, address, name, proof)
    return await people.begin(user, _guest(request))


async def _by_link(request: Request, link: str) -> tuple[str, PageSession]:
    proof = partial(request.context.sign_in.by_link, link, _guest(request))
    return await request.caller.guesses.attempt(LINK, request.caller.address, "", proof)


def _check_origin(request: Request) -> None:
    """Raise Problem (403) if the request may come from another site."""
    if is_foreign(request) or request.header(MARK) is None:
        raise Problem(ACCESS_DENIED, "Only the page itself may ask for this: programs use POST /oauth2/token.")


def is_foreign(request: Request) -> bool:
    """Return whether the headers show that a page of another site sent the request."""
    site, origin = request.header(b"sec-fetch-site"), request.header(b"origin")
    if site is not None:  # browsers send it only to https and to this machine
        return site != b"same-origin"
    own = {urlsplit(request.base).netloc.encode(), request.header(b"host")}
    return origin is not None and origin.partition(b"://")[2] not in own


def _guest(request: Request) -> Guest:
    """Return the caller in the form in which a session stores it."""
    return Guest((request.header(b"user-agent") or b"").decode("latin-1"), request.caller.address)


def secret_of(request: Request) -> str | None:
    """Return the secret in the session's cookie; None if there is none.

    `http.cookies` takes quadratic time in the length of the header, and returns nothing for a header with any invalid part.
    """
    cookie_name = _cookie_name(request).encode()
    for part in (request.header(b"cookie") or b"").split(b";"):
        name, _, value = part.strip().partition(b"=")
        if name == cookie_name:
            return value.decode("latin-1")
    return None


def cookie(request: Request, secret: str, max_age_s: int = SESSION_MS // 1000) -> Header:
    """Return the header that sets the cookie: not readable by scripts or sent from other sites, and Secure over TLS."""
    name = _cookie_name(request)
    secure = "; Secure" if name == TLS_COOKIE else ""
    text = f"{name}={secret}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", text.encode()


def _cookie_name(request: Request) -> str:
    return TLS_COOKIE if request.base.startswith("https:") else COOKIE
