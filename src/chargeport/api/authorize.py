"""`/oauth/authorize`: a person signs in, chooses vehicles and permissions for an application, and is sent back to it.

The pages are plain forms, without scripts.
"""

import uuid
from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import parse_qs

import msgspec

from chargeport.api.authorize_request import ConnectRequest, Destination, RefusedError, connect_request, destination
from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Header, Response, answer
from chargeport.api.session import by_password, cookie, is_foreign, secret_of, signed_in
from chargeport.errors import ACCESS_DENIED, MALFORMED, RATE_LIMITED, UNAUTHORIZED, Problem
from chargeport.signals.definition import Permission
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

HTML: Final[Header] = (b"content-type", b"text/html; charset=utf-8")
_MEANING: Final = {
    Permission.READ_CHARGE: "Charging: power, cable, limits, timers",
    Permission.READ_CHARGE_RECORDS: "Past charging sessions",
    Permission.READ_CHARGE_LOCATIONS: "The places named in limits, timers and sessions",
    Permission.READ_BATTERY: "State of charge and range",
    Permission.READ_LOCATION: "The vehicle's location",
    Permission.READ_VIN: "The vehicle identification number",
    Permission.CONTROL_CHARGE: "Starting, stopping and limiting its charging",
}
_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem}"
    "fieldset{border:1px solid #8886;border-radius:.5rem;margin:1rem 0}label{display:block;padding:.35rem 0}"
    "input[type=text],input[type=password]{width:100%;padding:.5rem;font:inherit;box-sizing:border-box}"
    "button{padding:.6rem 1.2rem;font:inherit;margin-right:.5rem}[role=alert]{border-left:.3rem solid #c33;padding:.3rem .7rem}"
)


async def show(request: Request) -> Response:
    """Show the page: to sign in, or to choose."""
    return await _answered(request, None)


async def decide(request: Request) -> Response:
    """Process the form that the person sent."""
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
        return _page(request, failure_page(problem.detail), problem.kind.status)
    try:
        requested = connect_request(query, to.application)
        if form is not None and form.get("action") == ["sign-in"]:
            return await _signed_in(request, to, form)
        user = await _user(request)
        if user is None:
            is_from_elsewhere = request.header(b"sec-fetch-site") == b"cross-site"
            return _page(request, retry_page() if is_from_elsewhere else sign_in_page(to.application.name))
        cars = await _cars(request, requested)
        if form is None:
            return _page(request, choice_page(to.application.name, user, requested, cars))
        return await _decided(request, to, requested, user=user, cars=cars, form=form)
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
        return _page(request, sign_in_page(to.application.name, problem.detail), problem.kind.status)
    return _redirect(request, f"{request.base}/oauth/authorize?{request.raw.url.query}", cookie(request, secret))


async def _user(request: Request) -> str | None:
    """Return the name of the user who is signed in; None if nobody is."""
    secret = secret_of(request)
    found = None if secret is None else await signed_in(request, secret)
    return None if found is None else found[0].user


async def _cars(request: Request, requested: ConnectRequest) -> list[Vehicle]:
    found, _ = await request.context.store.vehicles.vehicles(Page(size=MAX_CARS))
    make = None if requested.make is None else requested.make.casefold()
    return [
        car for car in found if requested.mode in (None, car.mode) and (make is None or (car.make or "").casefold() == make)
    ]


async def _decided(
    request: Request, to: Destination, requested: ConnectRequest, *, user: str, cars: Sequence[Vehicle], form: Form
) -> Response:
    """Connect the chosen vehicles, and redirect the person. Raises RefusedError if none was chosen."""
    if form.get("action") != ["allow"]:
        raise RefusedError("access_denied", "The person did not allow it.")
    chosen = [car for car in cars if car.id in form.get("vehicle", [])]
    allowed = frozenset(
        permission
        for permission in requested.permissions
        if permission in requested.required or permission in form.get("permission", [])
    )
    if not chosen or not allowed or (requested.is_single and len(chosen) > 1):
        expected = "one vehicle" if requested.is_single else "a vehicle"
        return _page(
            request, choice_page(to.application.name, user, requested, cars, f"Choose {expected} and a permission."), 400
        )
    owner = requested.external_id or requested.user or user
    for car in chosen:
        connection = Connection(
            id=str(uuid.uuid4()), client_id=to.application.client_id, user_id=owner, vehicle=car, permissions=allowed,
            created_at=request.context.clock.now(),
        )  # fmt: skip
        await request.context.store.access.add_connection(connection)
    request.context.access.forget(to.application.client_id)
    parameters = {"user_id": user_uuid_of(owner)}
    if requested.external_id is not None:
        parameters["external_id"] = requested.external_id
    if requested.response_type == "code":
        consents = request.context.consents
        code = await consents.code(to.application.client_id, to.redirect_uri, requested.challenge, parameters["user_id"])
        parameters = {"code": code} | parameters
    elif requested.response_type == "vehicle_id":
        parameters["vehicle_id"] = chosen[0].id
    return _redirect(request, to.back(**parameters))


def _page(request: Request, text: str, status: int = 200) -> Response:
    """Return a page. Its form is sent with its origin, which a browser withholds from a page without a referrer."""
    response = answer(status, text.encode(), request.request_id, _POLICY, _NO_STORE, kind=HTML)
    headers = [_REFERRER if header[0] == _REFERRER[0] else header for header in response.headers]
    return msgspec.structs.replace(response, headers=headers)


def _redirect(request: Request, address: str, *headers: Header) -> Response:
    return answer(303, b"", request.request_id, (b"location", address.encode()), _NO_STORE, *headers)


def retry_page() -> str:
    """Return a page that reloads itself: after a link from another site, a browser first omits the session's cookie."""
    return _document("Connect", '<p><a href="">Continue</a></p>', '<meta http-equiv="refresh" content="0">')


def failure_page(detail: str) -> str:
    """Return a page with the error in the application's request, for a person who can only report it to the developers."""
    return _document("Connect", f"<h1>This application can't be connected</h1>{_alert(detail)}")


def sign_in_page(application: str, wrong: str | None = None) -> str:
    """Return the sign-in form."""
    return _document(
        "Sign in",
        f"<h1>Sign in</h1><p><b>{escape(application)}</b> asks to read your vehicles.</p>{_alert(wrong)}"
        '<form method="post"><input type="hidden" name="action" value="sign-in">'
        '<label>Name <input type="text" name="name" autocomplete="username" required></label>'
        '<label>Password <input type="password" name="password" autocomplete="current-password" required></label>'
        "<p><button>Sign in</button></p></form>"
        '<p>Without a password: sign in on <a href="../" target="_blank" rel="noopener">the page</a> with a link of'
        ' <code>chargeport user link</code>, then <a href="">continue here</a>.</p>',
    )


def choice_page(
    application: str, user: str, requested: ConnectRequest, cars: Sequence[Vehicle], wrong: str | None = None
) -> str:
    """Return the form for the choice of vehicles and permissions."""
    kind = "radio" if requested.is_single else "checkbox"
    listed = "".join(
        f'<label><input type="{kind}" name="vehicle" value="{escape(car.id)}"> {escape(_called(car))}</label>' for car in cars
    )
    permissions = "".join(
        _permission(permission, is_required=permission in requested.required) for permission in requested.permissions
    )
    return _document(
        "Connect",
        f"<h1>{escape(application)}</h1><p>It asks to read your vehicles. You are signed in as {escape(user)}.</p>"
        f"{_alert(wrong)}"
        f'<form method="post"><fieldset><legend>Vehicles</legend>{listed or "<p>There is none of this kind.</p>"}</fieldset>'
        f"<fieldset><legend>Permissions</legend>{permissions}</fieldset>"
        '<p><button name="action" value="allow">Allow</button><button name="action" value="deny">Deny</button></p></form>',
    )


def _permission(permission: Permission, *, is_required: bool) -> str:
    locked = " disabled" if is_required else f' name="permission" value="{permission}"'
    needed = " (required)" if is_required else ""
    return f'<label><input type="checkbox" checked{locked}> {_MEANING[permission]}{needed}</label>'


def _called(car: Vehicle) -> str:
    about = " ".join(str(part) for part in (car.make, car.model, car.year) if part is not None)
    return about or car.vin or (car.aliases[0] if car.aliases else car.id)


def _alert(wrong: str | None) -> str:
    return "" if wrong is None else f'<p role="alert">{escape(wrong)}</p>'


def _document(title: str, content: str, head: str = "") -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Chargeport: {title}</title>{head}'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{content}</main></body></html>"
    )
