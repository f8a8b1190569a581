"""`/session`: how the page signs people in and out, and gets the tokens that it reads with. Programs use /oauth2/token.

A request here changes something because of a cookie, so it has to come from the page itself: with a header that no form and no
other site's script can send, from the same origin.
"""

from collections.abc import Coroutine
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Header, Response, answer, json_answer
from chargeport.api.sign_in import SESSION_MS, TOKEN_LIFE_S, Guest
from chargeport.errors import ACCESS_DENIED, MALFORMED, UNAUTHORIZED, Problem

COOKIE: Final = "chargeport_session"
MARK: Final = b"x-chargeport-page"
MAX_BYTES: Final = 8192
PASSWORD: Final = "password"  # noqa: S105  (what it is called)
LINK: Final = "link"
_NO_STORE: Final[Header] = (b"pragma", b"no-cache")

T = TypeVar("T")


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person signs in with: a one-time link, or name and password."""

    link: str | None = None
    name: str | None = None
    password: str | None = None


class TokenWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token is wanted for: the session of the cookie, unless a share link is shown."""

    share: str | None = None


async def sign_in(request: Request) -> Response:
    """Begin a session, and set its cookie."""
    _check_origin(request)
    given = await _body(request, Credentials)
    people, guest = request.context.sign_in, guest_of(request)
    if given.link is not None:
        secret, session = await counted(request, LINK, "", people.by_link(given.link, guest))
    elif given.name is not None and given.password is not None:
        secret, session = await counted(request, PASSWORD, given.name, people.by_password(given.name, given.password, guest))
    else:
        raise Problem(MALFORMED, "Send link, or name and password.")
    return json_answer(200, {"user": session.user}, request.request_id, [_NO_STORE, cookie(request, secret)])


async def page_token(request: Request) -> Response:
    """Issue a token of a few minutes for the session of the cookie, or for a share link; null where nobody is signed in."""
    _check_origin(request)
    wish = await _body(request, TokenWish)
    people = request.context.sign_in
    headers = [_NO_STORE]
    issued, user = None, None
    if wish.share is not None:
        issued = await counted(request, LINK, "", people.share_token(wish.share))
    elif (secret := secret_of(request)) is not None and (found := await people.session(secret)) is not None:
        session, is_refreshed = found
        issued, user = await people.page_token(session.user), session.user
        if is_refreshed:
            headers.append(cookie(request, secret))
    token, user_id = issued or (None, None)
    body = {"access_token": token, "expires_in": TOKEN_LIFE_S if token else 0, "user": user, "user_id": user_id}
    return json_answer(200, body, request.request_id, headers)


async def sign_out(request: Request) -> Response:
    """End the session of the cookie, and take the cookie back."""
    _check_origin(request)
    secret = secret_of(request)
    if secret is not None:
        await request.context.sign_in.end(secret)
    return answer(204, b"", request.request_id, cookie(request, "", max_age_s=0))


async def counted(request: Request, credential: str, identity: str, attempt: Coroutine[Any, Any, T]) -> T:
    """Return the result of an attempt, if its address and name have not failed too often. Raises Problem (401, 429)."""
    address, guesses = request.caller.address, request.caller.guesses
    try:
        guesses.check(credential, address, identity)
    except Problem:
        attempt.close()
        raise
    try:
        found = await attempt
    except Problem as problem:
        if problem.kind is UNAUTHORIZED:
            guesses.failed(credential, address, identity)
        raise
    guesses.succeeded(address, identity)
    return found


def _check_origin(request: Request) -> None:
    """Raise Problem (403) where the request may be another site's."""
    site = request.header(b"sec-fetch-site")
    origin = (request.header(b"origin") or b"").decode("latin-1")
    if site is not None:  # the browser's own word, which no page can change
        is_foreign = site != b"same-origin"
    else:
        own = {urlsplit(request.base).netloc, (request.header(b"host") or b"").decode("latin-1")}
        is_foreign = origin != "" and urlsplit(origin).netloc not in own
    if is_foreign or request.header(MARK) is None:
        raise Problem(ACCESS_DENIED, "Only the page itself may ask for this: programs use POST /oauth2/token.")


async def _body(request: Request, kind: type[T]) -> T:
    """Return the body, as JSON of this kind. Raises Problem (400, 413)."""
    try:
        return msgspec.json.decode(await read_body(request, MAX_BYTES) or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(MALFORMED, f"The body is not what is wanted here: {error}.") from None


def guest_of(request: Request) -> Guest:
    """Return the caller, as a session stores it."""
    return Guest((request.header(b"user-agent") or b"").decode("latin-1"), request.caller.address)


def secret_of(request: Request) -> str | None:
    """Return the secret in the session's cookie; None if there is none."""
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load((request.header(b"cookie") or b"").decode("latin-1"))
    except CookieError:
        return None
    return jar[COOKIE].value if COOKIE in jar else None


def cookie(request: Request, secret: str, max_age_s: int = SESSION_MS // 1000) -> Header:
    """Return the header that sets the cookie: not for scripts or other sites, over TLS only where there is TLS."""
    secure = "; Secure" if request.base.startswith("https:") else ""
    text = f"{COOKIE}={secret}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"
    return b"set-cookie", text.encode()
