"""`/oauth/authorize`: a person signs in, chooses vehicles and permissions for an application, and is sent back to it."""

import uuid
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs

import msgspec

from chargeport.api import connect_page
from chargeport.api.authorize_request import Destination, RefusedError, Wish, destination, wish_of
from chargeport.api.connect_page import HTML
from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Header, Response, answer
from chargeport.api.session import by_password, cookie, is_foreign, secret_of, signed_in
from chargeport.errors import ACCESS_DENIED, MALFORMED, RATE_LIMITED, UNAUTHORIZED, Problem
from chargeport.store.records import Connection, Page, Vehicle, user_uuid_of

MAX_BYTES: Final = 65_536
MAX_CARS: Final = 1000
_POLICY: Final[Header] = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
)
_REFERRER: Final[Header] = (b"referrer-policy", b"same-origin")
_NO_STORE: Final[Header] = (b"pragma", b"no-cache")

Form = dict[str, list[str]]


async def show(request: Request) -> Response:
    """Show the page: to sign in, or to choose."""
    return await _answered(request, None)


async def decide(request: Request) -> Response:
    """Handle the form that the person sent."""
    if is_foreign(request):
        raise Problem(ACCESS_DENIED, "Only the page itself may send this form.")
    try:
        text = (await read_body(request, MAX_BYTES)).decode()
        form = parse_qs(text, keep_blank_values=True, max_num_fields=2 * MAX_CARS)
    except ValueError as error:
        raise Problem(MALFORMED, f"The body is no form: {error}.") from None
    return await _answered(request, form)


async def _answered(request: Request, form: Form | None) -> Response:
    query = dict(request.query)
    try:
        to = await destination(query, request.context.store)
    except Problem as problem:  # a person reads it: there is no valid redirect
        return _page(request, connect_page.failure(problem.detail), problem.kind.status)
    try:
        wish = wish_of(query, to.application)
        if form is not None and form.get("action") == ["sign-in"]:
            return await _signed_in(request, to, form)
        user = await _user(request)
        if user is None:
            is_from_elsewhere = request.header(b"sec-fetch-site") == b"cross-site"
            return _page(request, connect_page.again() if is_from_elsewhere else connect_page.sign_in(to.application.name))
        cars = await _cars(request, wish)
        if form is None:
            return _page(request, connect_page.choice(to.application.name, user, wish, cars))
        return await _decided(request, to, wish, user=user, cars=cars, form=form)
    except RefusedError as refused:
        return _redirect(request, to.back(error=refused.error, error_description=refused.description))


async def _signed_in(request: Request, to: Destination, form: Form) -> Response:
    """Sign the person in and redirect to the same page with a session; on failure return the form with the error."""
    name, password = form.get("name", [""])[0], form.get("password", [""])[0]
    try:
        secret, _ = await by_password(request, name, password)
    except Problem as problem:
        if problem.kind not in (UNAUTHORIZED, RATE_LIMITED):
            raise
        return _page(request, connect_page.sign_in(to.application.name, problem.detail), problem.kind.status)
    return _redirect(request, f"{request.base}/oauth/authorize?{request.raw.url.query}", cookie(request, secret))


async def _user(request: Request) -> str | None:
    """Return the name of the user who is signed in; None if nobody is."""
    secret = secret_of(request)
    found = None if secret is None else await signed_in(request, secret)
    return None if found is None else found[0].user


async def _cars(request: Request, wish: Wish) -> list[Vehicle]:
    found, _ = await request.context.store.vehicles.vehicles(Page(size=MAX_CARS))
    make = None if wish.make is None else wish.make.casefold()
    return [car for car in found if wish.mode in (None, car.mode) and (make is None or (car.make or "").casefold() == make)]


async def _decided(
    request: Request, to: Destination, wish: Wish, *, user: str, cars: Sequence[Vehicle], form: Form
) -> Response:
    """Connect what was chosen, and send the person back. Raises RefusedError where nothing was."""
    if form.get("action") != ["allow"]:
        raise RefusedError("access_denied", "The person did not allow it.")
    chosen = [car for car in cars if car.id in form.get("vehicle", [])]
    allowed = frozenset(
        permission for permission in wish.permissions if permission in wish.required or permission in form.get("permission", [])
    )
    if not chosen or not allowed or (wish.is_single and len(chosen) > 1):
        expected = "one vehicle" if wish.is_single else "a vehicle"
        return _page(
            request, connect_page.choice(to.application.name, user, wish, cars, f"Choose {expected} and a permission."), 400
        )
    owner = wish.external_id or wish.user or user
    for car in chosen:
        connection = Connection(
            id=str(uuid.uuid4()), client_id=to.application.client_id, user_id=owner, vehicle=car, permissions=allowed,
            created_at=request.context.clock.now(),
        )  # fmt: skip
        await request.context.store.access.add_connection(connection)
    request.context.access.forget(to.application.client_id)
    parameters = {"user_id": user_uuid_of(owner)}
    if wish.external_id is not None:
        parameters["external_id"] = wish.external_id
    if wish.response_type == "code":
        consents = request.context.consents
        code = await consents.code(to.application.client_id, to.redirect_uri, wish.challenge, parameters["user_id"])
        parameters = {"code": code} | parameters
    elif wish.response_type == "vehicle_id":
        parameters["vehicle_id"] = chosen[0].id
    return _redirect(request, to.back(**parameters))


def _page(request: Request, text: str, status: int = 200) -> Response:
    """Return a page. Its form is sent with its origin, which a browser withholds from a page without a referrer."""
    response = answer(status, text.encode(), request.request_id, _POLICY, _NO_STORE, kind=HTML)
    headers = [_REFERRER if header[0] == _REFERRER[0] else header for header in response.headers]
    return msgspec.structs.replace(response, headers=headers)


def _redirect(request: Request, address: str, *headers: Header) -> Response:
    return answer(303, b"", request.request_id, (b"location", address.encode()), _NO_STORE, *headers)
