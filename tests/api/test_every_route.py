"""One suite over the table of routes: what holds for each of them, whatever it does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from starlette.routing import Route as RouterEntry

from answers import detail, request_id, typed_error
from chargeport.api import docs
from chargeport.api.app import WebApp
from chargeport.api.openapi import document
from chargeport.api.route import Route
from chargeport.api.routes import EVENT_STREAM, ROUTES
from chargeport.errors import StoreError
from chargeport.store.records import Connection, Vehicle, user_uuid_of
from chargeport.store.webhooks import Event, Webhook, WebhookFields
from chargeport.taxonomy import DOCUMENTED
from world import T0, Client, World, ask, bearer, raw_headers

CLOSED = [route for route in ROUTES if not route.open]
UNSIZED = [route for route in ROUTES if route.name in ("getMetrics", "downloadBackup") or route.kind == EVENT_STREAM]
READS = [route for route in ROUTES if route.method == "GET"]
BODIES = {
    "issueToken": {"grant_type": "client_credentials", "client_id": "nobody", "client_secret": "nothing"},
    "issueTokenByCode": {"grant_type": "authorization_code", "client_id": "nobody", "client_secret": "nothing", "code": "none"},
    "showConnect": {},
    "answerConnect": {},
    "createWebhook": {"data": {"attributes": {}}},
    "updateWebhook": {"data": {"attributes": {"name": ""}}},
    "changeRecords": {"type": "remove", "record": "none"},
    "createApplication": {"name": ""},
    "createSubscription": {"data": {"attributes": {}}},
    "redeliverGivenUp": {"data": {"attributes": {"from": "soon"}}},
    "rotateManagementToken": {"data": {"attributes": {"overlapInSeconds": -1}}},
    "ingestSmartcar": {"eventType": "VEHICLE_STATE"},
    "ingestDialect": {"ChargeAmps": 16, "vin": "nobody"},
    "signIn": {"link": "nobody's"},
    "signOut": {},
    "issuePageToken": {},
    "ingestReadings": [{"vehicle": "nobody", "signal": "charge-voltage", "body": {"value": 1}}],
}
# What open routes answer to somebody who brings nothing: the page's own want its header.
WITHOUT_A_TOKEN = {
    "issueToken": 401, "issueTokenByCode": 401, "showConnect": 400, "answerConnect": 400, "ingestSmartcar": 404, "signIn": 403,
    "signOut": 403, "issuePageToken": 403, "getPageModule": 404,
}  # fmt: skip


def named(route: Route) -> str:
    return route.name


each_route = pytest.mark.parametrize("route", ROUTES, ids=named)
each_closed_route = pytest.mark.parametrize("route", CLOSED, ids=named)


@pytest.fixture
async def connection(world: World, app: Client, car: Vehicle) -> Connection:
    await world.report(car, "charge-voltage", {"value": 231})
    await world.store.webhooks.put_webhook(hook(app.id))
    made = await world.store.webhooks.subscribe("hook", car.id, user_uuid_of(app.id), T0)
    assert made is not None
    BELOW_WEBHOOKS["subscription_id"] = made.id
    BELOW_WEBHOOKS["client_id"] = (await world.application(name="Another")).id
    event = Event(id="event", webhook_id="hook", kind="VEHICLE_STATE", body="{", created_at=T0)
    await world.store.webhooks.enqueue(made, [event], "{}", None)
    return await world.connect(app, car)


BELOW_WEBHOOKS = {
    "webhook_id": "hook",
    "delivery_id": "event",
    "subscription_id": "",
    "client_id": "",
}  # the last ones are new in each test


def hook(client_id: str) -> Webhook:
    fields = WebhookFields(name="x", callback_uri="https://example.org", triggers=("charge-voltage",), data=("charge-voltage",))
    return Webhook(id="hook", client_id=client_id, fields=fields, created_at=T0, updated_at=T0)


def target(route: Route, connection: Connection) -> str:
    """The route's path, with names that exist."""
    names = {
        "vehicle_id": connection.vehicle.id,
        "connection_id": connection.id,
        "user_id": connection.user_uuid,
        "code": "charge-voltage",
        "dialect": "tesla",
        "module": "app.js",
        "action": "plug",
        "fault_id": "1",
        "schedule_id": "none",
        **BELOW_WEBHOOKS,
    }
    return route.path.format(**names)


async def send(world: World, route: Route, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    if route.kind == EVENT_STREAM:  # has no end of its own: `ask` hangs up as soon as it can
        return await ask(world.app, path, raw_headers(headers or {}), method=route.method)
    if route.name in BODIES:
        more["json"] = BODIES[route.name]
    return await world.client.request(route.method, path, headers=headers or {}, **more)


# Who may ask


async def refused_headers(world: World, client: Client) -> dict[str, dict[str, str]]:
    """Every way in which an Authorization header can be wrong."""
    ended = await world.application()
    assert await world.store.access.revoke_application(ended.id, T0)
    rotated = await world.application()
    assert await world.store.access.rotate_secret(rotated.id, b"other", "cpm_other")
    good = client.headers["Authorization"]
    token = good.removeprefix("Bearer ")
    return {
        "missing": {},
        "empty": {"Authorization": ""},
        "no token": {"Authorization": "Bearer"},
        "an empty token": {"Authorization": "Bearer "},
        "blanks for a token": {"Authorization": "Bearer    "},
        "another scheme": {"Authorization": f"Basic {token}"},
        "no scheme": {"Authorization": token},
        "unknown": bearer("cpt_" + "x" * 43),
        "cut short": {"Authorization": good[:-1]},
        "one too many": {"Authorization": good + "x"},
        "two tokens": {"Authorization": f"{good}, {good}"},
        "overlong": bearer("x" * 513),
        "much too long": bearer("x" * 60_000),
        "binary": {"Authorization": "Bearer \xff\xfe"},
        "NUL": {"Authorization": good + "\x00"},
        "revoked": ended.headers,
        "rotated": rotated.headers,
    }


@each_closed_route
async def test_who_shows_no_good_token_learns_nothing_but_that(world: World, connection: Connection, route: Route) -> None:
    client = await world.application()
    path = target(route, connection)
    for why, headers in (await refused_headers(world, client)).items():
        pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        response = await ask(world.app, path, pairs, method=route.method)
        body = typed_error(response, 401, "AUTHENTICATION/UNAUTHORIZED")
        assert response.headers["www-authenticate"].startswith("Bearer"), why
        assert body["resolution"] == {"type": "REAUTHENTICATE"}
        assert "x" * 20 not in response.text, "a token is never told back"


@each_closed_route
async def test_a_token_is_good_for_an_hour_and_not_a_moment_longer(world: World, connection: Connection, route: Route) -> None:
    client = await world.application()
    path = target(route, connection).replace(connection.id, "gone")
    world.clock.move(3599.999)
    assert (await send(world, route, path, client.headers)).status_code != 401
    world.clock.move(0.001)
    assert "expired" in detail(await send(world, route, path, client.headers), 401)


async def test_a_revoked_application_is_shut_out_within_a_second(world: World, app: Client) -> None:
    assert (await world.client.get("/vehicles", headers=app.headers)).status_code == 200
    await world.store.access.revoke_application(app.id, world.clock.now())
    world.clock.move(1)
    typed_error(await world.client.get("/vehicles", headers=app.headers), 401)


async def test_the_scheme_is_read_in_any_case_and_blanks_around_the_token_do_no_harm(world: World, app: Client) -> None:
    token = app.headers["Authorization"].removeprefix("Bearer ")
    for value in (f"bearer {token}", f"BEARER {token}", f"Bearer   {token} "):
        assert (await world.client.get("/vehicles", headers={"Authorization": value})).status_code == 200


@pytest.mark.parametrize("route", [route for route in ROUTES if route.open], ids=named)
async def test_an_open_route_needs_no_token(world: World, route: Route) -> None:
    response = await send(world, route, route.path)
    assert response.status_code == WITHOUT_A_TOKEN.get(route.name, 200)


# What every answer has


@each_route
async def test_every_answer_has_an_id_of_its_own_and_the_headers_that_keep_it_private(
    world: World, app: Client, connection: Connection, route: Route
) -> None:
    answers = [await send(world, route, target(route, connection), app.headers) for _ in range(2)]
    for response in answers:
        if route.tag == "Commands" and route.method != "GET":
            assert response.status_code in (400, 501), "nobody can command this car"
        elif route.name in BODIES or route.tag == "Simulator":  # there is none here
            assert 400 <= response.status_code < 500
        else:
            assert response.status_code == route.status
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == ("no-store" if route.kind == EVENT_STREAM else "private, no-cache")
        assert {"authorization", "sc-user-id"} <= set(response.headers["vary"].split(", "))
        assert "server" not in response.headers
        if route.method == "DELETE":
            break  # the second is a 404
    assert len({request_id(response) for response in answers}) == 2


@each_route
async def test_an_answer_is_of_the_kind_that_the_description_says(
    world: World, app: Client, connection: Connection, route: Route
) -> None:
    response = await send(world, route, target(route, connection), app.headers)
    if response.status_code == 204:
        assert "content-type" not in response.headers
        return
    assert response.headers["content-type"].startswith(
        route.kind if response.is_success or route.kind == "text/html" else "application/json"
    )
    if route.kind == "application/json":
        assert response.headers["content-type"] == "application/json"
        assert response.text == json.dumps(response.json(), separators=(",", ":"), ensure_ascii=False), "compact"


@each_route
async def test_a_page_to_read_lets_nothing_in_from_elsewhere(world: World, route: Route) -> None:
    if route.kind != "text/html":
        assert "content-security-policy" not in (await send(world, route, route.path)).headers
        return
    policy = (await send(world, route, route.path)).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert "*" not in policy


async def test_an_answer_without_a_body_says_nothing_of_one(world: World, app: Client, connection: Connection) -> None:
    path = f"/v3/vehicles/{connection.vehicle.id}/signals/charge-voltage"
    tag = (await world.client.get(path, headers=app.headers)).headers["etag"]
    unchanged = await world.client.get(path, headers=app.headers | {"If-None-Match": tag})
    deleted = await world.client.delete(f"/v3/connections/{connection.id}", headers=app.headers)
    assert (unchanged.status_code, deleted.status_code) == (304, 204)
    for response in (unchanged, deleted):
        assert not response.content
        assert {"content-length", "content-type"}.isdisjoint(response.headers), "RFC 9110, 8.6"


# Where it answers, and how


@pytest.mark.parametrize("route", [route for route in ROUTES if route.v3], ids=named)
async def test_it_answers_with_the_prefix_and_without_and_with_a_slash_behind(
    world: World, app: Client, connection: Connection, route: Route
) -> None:
    path = target(route, connection)  # of what is not there: else the first DELETE would be the last
    for name in (connection.id, connection.user_uuid, *BELOW_WEBHOOKS.values()):
        path = path.replace(f"/{name}", "/gone")
    answers = [await send(world, route, form, app.headers) for form in (f"/v3{path}", path, f"/v3{path}/", f"{path}/")]
    assert len({(response.status_code, masked(response)) for response in answers}) == 1
    assert answers[0].status_code in (200, 400, 404, 501)


@pytest.mark.parametrize("route", [route for route in ROUTES if not route.v3 and route.path != "/"], ids=named)
async def test_what_is_not_smartcars_has_no_prefix(world: World, app: Client, route: Route) -> None:
    typed_error(await send(world, route, f"/v3{route.path}", app.headers), 404, "RESOURCE_NOT_FOUND/INVALID_PATH")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/v3", "/v3/", "/v3/v3/vehicles", "/v2.0/vehicles", "/v3/vehicles/x/signals/y/z", "///", "/vehicle",
        "/vehicles//signals", "/v3/vehicles/x/signals//", "/docs/nothing", "/healthz/x", "/.env", "/V3/vehicles", "/\x00", "/ü",
        "/v3/vehicles/x/commands/start-charge", "/%2e%2e/etc/passwd", "/docs/..%2f..%2fetc", "/<script>alert(1)</script>",
        "/" + "a" * 5000,
    ],
)  # fmt: skip
async def test_an_unknown_path_is_an_error_that_names_it(world: World, app: Client, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        response = await ask(world.app, path, raw_headers(app.headers), method=method)
        assert len(detail(response, 404, "RESOURCE_NOT_FOUND/INVALID_PATH")) < 200


@each_route
async def test_the_error_of_a_wrong_method_names_every_right_one(
    world: World, app: Client, connection: Connection, route: Route
) -> None:
    path = target(route, connection)
    right = {each.method for each in ROUTES if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each.path), path)}
    right |= {"HEAD"} if "GET" in right else set()
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} - right:
        response = await ask(world.app, path, raw_headers(app.headers), method=method)
        typed_error(response, 405, "VALIDATION/METHOD_NOT_ALLOWED")
        own = {each.method for each in ROUTES if each.path == route.path}
        assert set(response.headers["allow"].split(", ")) - {"HEAD"} == own


@pytest.mark.parametrize("route", READS, ids=named)
async def test_head_answers_as_get_does_but_for_the_body(
    world: World, app: Client, connection: Connection, route: Route
) -> None:
    path = target(route, connection)
    got, head = [await send(world, replace(route, method=method), path, app.headers) for method in ("GET", "HEAD")]
    assert not head.content
    assert head.status_code == got.status_code
    differ = {"sc-request-id", "content-length"} if route in UNSIZED else {"sc-request-id"}
    assert without(head, differ) == without(got, differ)


async def test_a_failure_of_the_store_is_503_and_an_internal_one_is_500_that_reveals_nothing(
    world: World, app: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/vehicles/{connection.vehicle.id}/signals/charge-voltage"

    def unavailable(*_: object) -> None:
        raise StoreError("The disk is full: nothing can be stored until there is room.")

    def broken(*_: object) -> None:
        raise KeyError("a secret of ours")

    monkeypatch.setattr(world.store.readings._reader, "rows", unavailable)
    response = await world.client.get(path, headers=app.headers)
    assert detail(response, 503, "SERVER/STORE_UNAVAILABLE").startswith("The disk is full")
    assert int(response.headers["retry-after"]) > 0
    monkeypatch.setattr(world.store.readings._reader, "rows", broken)
    response = await world.client.get(path, headers=app.headers)
    typed_error(response, 500, "SERVER/INTERNAL")
    assert "secret" not in response.text


# The description and the router are the same


def entries(app: WebApp) -> Iterator[tuple[str, str]]:
    """Every method and path that the router takes."""
    router: Any = app._router
    for entry in router.routes:
        if entry.path == docs.GUIDE_PATH:  # files of the documentation: none of the API
            continue
        assert isinstance(entry, RouterEntry), f"{entry} is no plain route"
        yield from ((method, entry.path) for method in entry.methods or () if method != "HEAD")


def test_every_route_is_described_and_everything_described_is_a_route(world: World) -> None:
    found = list(entries(world.served))
    described = {(method.upper(), path) for path, methods in document(ROUTES)["paths"].items() for method in methods}
    assert set(found) == described
    assert len(found) == len(set(found)), "a route stands in the router twice"


@each_route
async def test_no_answer_has_a_status_that_the_description_does_not_know(
    world: World, app: Client, connection: Connection, route: Route
) -> None:
    described = document(ROUTES)["paths"][f"/v3{route.path}" if route.v3 else route.path][route.method.lower()]["responses"]
    narrow = await world.application(frozenset(), connected_only=True)
    for client in (app, narrow, None):
        for path in (
            target(route, connection),
            re.sub(r"\{\w+\}", "x", route.path),
        ):
            response = await send(world, route, path, client.headers if client else {})
            assert str(response.status_code) in described


@pytest.mark.parametrize("kind", DOCUMENTED, ids=lambda kind: kind.slug)
async def test_every_error_is_explained_where_its_link_leads(world: World, kind: Any) -> None:
    assert f'id="{kind.slug}"' in (await world.client.get("/docs/errors")).text


async def test_answers_are_counted_by_route_and_status(world: World, app: Client) -> None:
    await world.client.get("/vehicles", headers=app.headers)
    await world.client.get("/vehicles")
    await world.client.get("/v3/vehicles/x/signals", headers=app.headers)
    counted = (await world.client.get("/metrics")).text
    for line in (
        'chargeport_requests_total{route="/vehicles",status="200"} 1.0',
        'chargeport_requests_total{route="/vehicles",status="401"} 1.0',
        'chargeport_requests_total{route="/vehicles/{vehicle_id}/signals",status="404"} 1.0',
    ):
        assert line in counted


def masked(response: httpx.Response) -> str:
    return response.text.replace(request_id(response), "ID")


def without(response: httpx.Response, names: set[str]) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in names}
