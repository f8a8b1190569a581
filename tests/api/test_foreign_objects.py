"""Whose things are whose (OWASP API1, API3, API5): every route, every place for an id in it, every kind of caller.

All of it is made from the table of routes: a new route is asked without a line here, and one that names a new kind of thing
fails until `ids_of` or NO_THINGS says what it is.
"""

import asyncio
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from chargeport.api.route import Route
from chargeport.api.routes import EVENT_STREAM, ROUTES
from chargeport.signals.definition import Permission
from chargeport.store.records import Connection, Page, Vehicle, user_uuid_of
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.writer import Writer
from chargeport.store.webhooks import Event, Webhook, WebhookFields
from chargeport.wire.envelope import iso
from listening import Listener
from world import T0, Client, World, ask, bearer, raw_headers

ORDINARY = frozenset(each for each in Permission if each.value.startswith(("read_", "write_readings", "control_")))
# Parts of paths that name nothing of anybody's: a schedule and a fault are a simulated car's, whose id stands beside them.
NO_THINGS = {"code", "dialect", "module", "action", "fault_id", "schedule_id"}
UNKNOWN = {"client_id": "client_11111111-2222-4333-8444-555555555555"}
NOBODYS = "11111111-2222-4333-8444-555555555555"
# The members of bodies that name things, by route.
BODIES: dict[str, dict[str, Any]] = {
    "createSubscription": {"vehicle_id": "vehicleId", "webhook_id": "webhookId", "user_id": "userId"},
    "ingestReadings": {"vehicle_id": "vehicle"},
}
# Bodies that name nothing of another application's, and why.
NAMELESS = {
    "issueToken": "whoever knows the secret", "issueTokenByCode": "whoever knows the secret and the code",
    "createWebhook": "new", "updateWebhook": "its id is in the path", "redeliverGivenUp": "times",
    "rotateManagementToken": "the caller's own", "changeRecords": "looked for among the records of the vehicle in the path",
    "createApplication": "new, of an operator", "ingestSmartcar": "signed by the webhook's owner",
    "ingestDialect": "vehicles by name, of whoever may write", "setChargeLimit": "a number",
    "createDailySchedule": "of the vehicle in the path", "createWeeklySchedule": "of the vehicle in the path",
    "createWorkweekSchedule": "of the vehicle in the path", "signIn": "whoever knows the link or password",
    "issuePageToken": "the session's own",
}  # fmt: skip
# Parameters that name nothing of anybody's, or a thing of whoever runs the server.
PLAIN = {
    "at", "client_id", "code_challenge", "code_challenge_method", "external_id", "filter[act]", "filter[actor]",
    "filter[autoSubscribe]", "filter[callbackUri]", "filter[code]", "filter[from]", "filter[group]", "filter[isEnabled]",
    "filter[make]", "filter[name]", "filter[place]", "filter[powertrainType]", "filter[region]", "filter[state]",
    "filter[subject]", "filter[text]", "filter[to]", "filter[type]", "filter[vehicle.mode]", "format", "from", "if-none-match",
    "last-event-id", "lastEventId", "make", "mode", "order", "page[cursor]", "page[number]", "page[size]", "redirect_uri",
    "resolution", "response_type", "scope", "sightings", "signal", "single_select", "sort", "source", "state", "to", "user",
    "x-chargeport-page", "zone",
}  # fmt: skip
MARKS = ("WVWZZZ00000007777", "a name of theirs", "theirs.example.org", "their-user", "777.75")


class Things(NamedTuple):
    """What an application has: by the name under which routes ask for it."""

    client: Client
    ids: dict[str, str]


class Caller(NamedTuple):
    """Somebody who asks, with his own things, and what else he may see by right."""

    headers: dict[str, str]
    own: dict[str, str]
    sees: frozenset[str] = frozenset()


async def things(world: World, client: Client, car: Vehicle, user: str, name: str) -> Things:
    """One of everything that an application can have."""
    connection = await world.connect(client, car, user, ORDINARY)
    fields = WebhookFields(
        name=name, callback_uri=f"https://{user.removesuffix('-user')}s.example.org", triggers=("charge-voltage",),
        data=("charge-voltage",),
    )  # fmt: skip
    webhook = Webhook(id=str(uuid.uuid4()), client_id=client.id, fields=fields, created_at=T0, updated_at=T0)
    await world.store.webhooks.put_webhook(webhook)
    subscription = await world.store.webhooks.subscribe(webhook.id, car.id, user_uuid_of(user), T0)
    assert subscription is not None
    event = Event(id=str(uuid.uuid4()), webhook_id=webhook.id, kind="VEHICLE_STATE", body="{}", created_at=T0)
    await world.store.webhooks.enqueue(subscription, [event], "{}", None)
    return Things(client, ids_of(connection, webhook.id, subscription.id, event.id))


def ids_of(connection: Connection, webhook: str, subscription: str, event: str) -> dict[str, str]:
    return {
        "vehicle_id": connection.vehicle.id, "connection_id": connection.id, "user_id": connection.user_uuid,
        "webhook_id": webhook, "subscription_id": subscription, "delivery_id": event, "client_id": connection.client_id,
    }  # fmt: skip


@pytest.fixture
async def theirs(world: World) -> Things:
    car = await world.car(vin="WVWZZZ00000007777", model="a name of theirs")
    client = await world.application(ORDINARY, connected_only=True, name="a name of theirs")
    await world.report(car, "charge-voltage", {"value": 777.75})
    return await things(world, client, car, "their-user", "a name of theirs")


@pytest.fixture
async def callers(world: World, car: Vehicle, theirs: Things) -> dict[str, Caller]:
    await world.report(car, "charge-voltage", {"value": 231})
    own = await things(world, await world.application(ORDINARY, connected_only=True), car, "own-user", "mine")
    poor = await things(world, await world.application(frozenset(), connected_only=True), car, "own-user", "mine")
    wide = await things(world, await world.application(ORDINARY), car, "own-user", "mine")
    secret, _ = await world.service.sign_in.share(car, "a friend", None)
    shared = bearer((await world.service.sign_in.share_token(secret)).token)
    page = bearer((await world.service.sign_in.page_token("anna")).token)
    return {
        "an application of another car": Caller(own.client.headers, own.ids),
        "an application without permissions": Caller(poor.client.headers, poor.ids),
        "an application of every car": Caller(wide.client.headers, wide.ids, frozenset({"vehicle_id"})),
        "the page": Caller(page, wide.ids, frozenset({"vehicle_id"})),
        "a share link": Caller(shared, own.ids),
        "nobody": Caller({}, own.ids),
    }


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the database, as it is asked: questions, scans in a thread and what the writer is to do.

    Of a question, how many rows came back, too: whoever reads another's row to refuse it takes longer than where there is none.
    """
    done: list[str] = []

    def noted(kind: type, name: str) -> None:
        does = getattr(kind, name)

        def noting(self: Any, what: Any, *more: Any) -> Any:
            result = does(self, what, *more)
            done.append(f"{len(result)} of {what}" if isinstance(what, str) else name)
            return result

        monkeypatch.setattr(kind, name, noting)

    for kind, name in ((Reader, "rows"), (Scans, "run"), (Writer, "call"), (Writer, "write")):
        noted(kind, name)
    return done


class Place(NamedTuple):
    """A place for an id in a request: of which kind of thing, and where."""

    kind: str
    where: str
    name: str


def places(route: Route) -> Iterator[Place]:
    for name in re.findall(r"\{(\w+)", route.path):
        if name not in NO_THINGS:
            yield Place(name, "path", name)
    for each in route.parameters:
        kind = re.sub(r"(?<!^)(?=[A-Z])|[.\-]", "_", each.name.removeprefix("filter[").removesuffix("]")).lower()
        kind = {
            "id": "vehicle_id",
            "vehicles": "vehicle_id",
            "vehicle": "vehicle_id",
            "sc_user_id": "user_id",
            "user_external_id": "user_id",
        }.get(kind, kind)
        if kind in {"vehicle_id", "user_id", "webhook_id", "connection_id"}:
            yield Place(kind, each.where, each.name)
    for kind, name in BODIES.get(route.name, {}).items():
        yield Place(kind, "body", name)


def test_every_parameter_and_every_body_is_known_to_name_a_thing_or_none() -> None:
    named = {(route.name, place.name) for route in ROUTES for place in places(route)}
    new = {(route.name, each.name) for route in ROUTES for each in route.parameters if each.name not in PLAIN} - named
    assert new == set(), "say in `places` of what kind it is, or in PLAIN that it names nothing"
    bodies = {route.name for route in ROUTES if route.body is not None and route.tag != "Simulator"}
    assert bodies == BODIES.keys() | NAMELESS.keys(), "say in BODIES which members name things, or in NAMELESS why none does"


ASKED = [(route, place) for route in ROUTES for place in places(route)]
each_place = pytest.mark.parametrize("place", ASKED, ids=[f"{route.name}-{place.where}-{place.name}" for route, place in ASKED])


def body_of(route: Route, caller: Caller, given: dict[str, str]) -> bytes:
    names = BODIES.get(route.name, {})
    members = {name: given.get(name) or caller.own[kind] for kind, name in names.items() if name in given or kind != "user_id"}
    if route.name == "ingestReadings":
        return httpx.Request("POST", "http://x", json=[{"signal": "charge-voltage", "body": {"value": 1}, **members}]).content
    return httpx.Request("POST", "http://x", json={"data": {"attributes": members}}).content


async def answered(world: World, route: Route, place: Place, caller: Caller, value: str) -> tuple[int, str]:
    """The answer to the request with this id in this place, all else the caller's own; ids and moments of answers masked."""
    parts = dict.fromkeys(NO_THINGS, "charge-voltage") | caller.own | {"dialect": "tesla", "module": "app.js"}
    headers, query, in_body = dict(caller.headers), {}, {}
    if place.where == "path":
        parts[place.name] = value
    elif place.where == "header":
        headers[place.name] = value
    elif place.where == "query":
        query[place.name] = value
    else:
        in_body[place.name] = value
    body = body_of(route, caller, in_body) if route.body is not None else b""
    response = await ask(
        world.app, route.path.format(**parts), raw_headers(headers | {"content-type": "application/json"}), method=route.method,
        query=str(httpx.QueryParams(query)).encode(), body=() if route.kind == EVENT_STREAM else (body,),
    )  # fmt: skip
    text = response.text.replace(value, "THE-ID")
    return response.status_code, re.sub(r'(requestId":"|request_id":")[^"]+|: \d{3,}\b|id: \S+', "", text)


def foreign(place: Place, theirs: Things) -> str:
    assert place.kind in theirs.ids, f"{place.kind} is new: say in ids_of what an application has of it, or in NO_THINGS"
    return theirs.ids[place.kind]


async def state(world: World, theirs: Things) -> list[Any]:
    """All that the other application has."""
    store, ids = world.store, theirs.ids
    return [
        await store.webhooks.webhook(ids["webhook_id"]),
        await store.webhooks.subscription(ids["subscription_id"]),
        await store.access.connection(theirs.client.id, ids["vehicle_id"]),
        (await store.access.application(theirs.client.id)),
    ]


@each_place
async def test_what_is_anothers_answers_as_what_is_not_there(
    world: World, callers: dict[str, Caller], theirs: Things, place: tuple[Route, Place], work: list[str]
) -> None:
    route, asked = place
    before = await state(world, theirs)
    for who, caller in callers.items():
        if asked.kind in caller.sees or (who == "the page" and route.path.startswith("/admin/")):  # whoever runs the server
            continue
        answers, worked = [], []
        unknown = UNKNOWN.get(asked.kind, NOBODYS)
        await answered(world, route, asked, caller, unknown)  # what is remembered of the caller is remembered for both
        for value in (unknown, foreign(asked, theirs)):
            work.clear()
            answers.append(await answered(world, route, asked, caller, value))
            worked.append(list(work))
        assert answers[0] == answers[1], who
        if route.kind != EVENT_STREAM:  # what follows the feed reads in its own time
            assert worked[0] == worked[1], f"{who}: the same questions to the database, so that the time says nothing"
        assert not [mark for mark in MARKS if mark in answers[1][1]], who
    assert await state(world, theirs) == before


LISTS = [route for route in ROUTES if not route.open and route.method == "GET" and "{" not in route.path]
CHANGES = [route for route in ROUTES if not route.open and route.method != "GET"]


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.name)
async def test_a_list_has_nothing_of_others(world: World, callers: dict[str, Caller], theirs: Things, route: Route) -> None:
    for who, caller in callers.items():
        if "vehicle_id" in caller.sees:
            continue
        body = () if route.kind == EVENT_STREAM else (b"",)
        response = await ask(world.app, route.path, raw_headers(caller.headers), body=body)
        found = [mark for mark in (*MARKS, *theirs.ids.values()) if mark in response.text]
        assert found == [], who


async def test_a_stream_reveals_nothing_of_others(world: World, callers: dict[str, Caller], theirs: Things) -> None:
    for who, caller in callers.items():
        if "vehicle_id" in caller.sees or not caller.headers:
            continue
        reported = await followed(world, caller.headers, theirs)
        assert not [mark for mark in (*MARKS, theirs.ids["vehicle_id"]) if mark in reported], who


async def followed(world: World, headers: dict[str, str], theirs: Things) -> str:
    """What a stream from the beginning tells, once somebody who sees everything was told of what came last."""
    (connection, *_), _ = await world.store.access.connections(Page(), theirs.client.id)
    everything = (await world.application()).headers
    async with Listener(world.app, headers, last_id=0) as stream, Listener(world.app, everything, last_id=0) as witness:
        assert (stream.status, witness.status) == (200, 200)
        world.clock.move(1)
        await world.report(connection.vehicle, "charge-amperage", {"value": 7}, world.clock.now())
        await witness.until(lambda: any("amperage" in json.dumps(event.data) for event in witness.events))
        for _ in range(100):
            await asyncio.sleep(0)
        return stream.body.decode()


@pytest.mark.parametrize("route", CHANGES, ids=lambda route: route.name)
async def test_who_only_reads_changes_nothing(
    world: World, callers: dict[str, Caller], theirs: Things, car: Vehicle, route: Route
) -> None:
    """A share link, and an application that has no permission at all: neither writes, commands nor ends what is not its own."""
    shared = callers["a share link"]
    before = [await state(world, theirs), await world.store.readings.position(), await webhooks_of(world, shared.own)]
    parts = dict.fromkeys(NO_THINGS, "charge-voltage") | shared.own | {"dialect": "tesla"}
    for who in ("a share link", "an application without permissions"):
        caller = callers[who]
        of_others = parts if who == "a share link" else parts | theirs.ids
        response = await ask(
            world.app, route.path.format(**of_others), raw_headers(caller.headers | {"content-type": "application/json"}),
            method=route.method, body=(body_of(route, shared, {}),),
        )  # fmt: skip
        if who == "a share link" and route.tag == "Webhooks":  # whatever the body: it is not even looked at
            assert response.status_code == 403
        if (who, route.name) != ("an application without permissions", "rotateManagementToken"):  # which is its own
            assert response.status_code in (400, 403, 404), who
    assert [await state(world, theirs), await world.store.readings.position(), await webhooks_of(world, shared.own)] == before


async def webhooks_of(world: World, own: dict[str, str]) -> list[Any]:
    return [await world.store.webhooks.webhooks(), await world.store.access.connection(own["client_id"], own["vehicle_id"])]


READ = [
    route
    for route in ROUTES
    if route.method == "GET" and not route.open and route.kind != EVENT_STREAM and not route.path.startswith("/admin/")
]


@pytest.mark.parametrize("route", READ, ids=lambda route: route.name)
async def test_what_a_connection_allows_no_more_is_not_shown(world: World, theirs: Things, route: Route) -> None:
    """However often it was read before, and though nobody follows a stream."""
    connection = (await world.store.access.connections(Page(), theirs.client.id))[0][0]
    car, manager = connection.vehicle, await world.application()
    await world.report(car, "tractionbattery-stateofcharge", {"value": 77.75})
    times = {"startedAt": iso(T0 - 7_200_000), "endedAt": iso(T0 - 3_600_000)}
    added = {"type": "add", **times, "energyAddedKwh": 777.75, "note": "a note of theirs"}
    edit = await world.client.post(f"/vehicles/{car.id}/records/edits", json=added, headers=manager.headers)
    assert edit.status_code == 201
    headers = theirs.client.headers | {"sc-user-id": "their-user"}
    path = route.path.format(**dict.fromkeys(NO_THINGS, "charge-voltage") | theirs.ids)

    async def shown() -> list[str]:
        text = (await world.client.get(path, headers=headers)).text
        return [mark for mark in ("77.75", "a note of theirs") if mark in text]

    shows_some = route.name in ("getSignal", "listSignals", "listFleetSignals", "listFleet", "listRecords", "exportReadings")
    assert await shown() or not shows_some
    await world.connect(theirs.client, car, "their-user", frozenset({Permission.READ_VIN}))
    world.clock.move(2)
    assert await shown() == []


COTTAGE = {"name": "their cottage", "address": "Cottage Lane 7777", "latitude": 48.7777, "longitude": 11.7777}


@pytest.mark.parametrize("user", [None, "their-user"])
@pytest.mark.parametrize("route", READ, ids=lambda route: route.name)
async def test_what_the_application_may_and_a_connection_does_not_is_not_shown(
    world: World, theirs: Things, route: Route, user: str | None
) -> None:
    connection = (await world.store.access.connections(Page(), theirs.client.id))[0][0]
    car, manager = connection.vehicle, await world.application()
    limits = {"activeLimit": 80, "values": [{"type": "LOCATION", "limit": 72, "condition": COTTAGE}], "unit": "percent"}
    await world.report(car, "charge-chargelimits", limits)
    times = {"startedAt": iso(T0 - 7_200_000), "endedAt": iso(T0 - 3_600_000)}
    added = {"type": "add", **times, "energyAddedKwh": 5, "place": "their cottage"}
    edit = await world.client.post(f"/vehicles/{car.id}/records/edits", json=added, headers=manager.headers)
    assert edit.status_code == 201
    headers = theirs.client.headers | ({} if user is None else {"sc-user-id": user})
    path = route.path.format(**dict.fromkeys(NO_THINGS, "charge-chargelimits") | theirs.ids)
    marks = ("WVWZZZ00000007777", "ottage", "48.7777")

    async def shown(query: str = "") -> list[str]:
        text = (await world.client.get(path + query, headers=headers)).text
        return [mark for mark in marks if mark in text]

    shows_some = route.name in ("getSignal", "listSignals", "listFleetSignals", "listFleet", "listRecords", "exportReadings")
    assert await shown() or not shows_some
    await world.connect(theirs.client, car, "their-user", ORDINARY - {Permission.READ_VIN, Permission.READ_CHARGE_LOCATIONS})
    world.clock.move(2)
    assert await shown() == []
    if route.name == "listFleet":
        found = (await world.client.get("/fleet", params={"filter[text]": "wvwzzz00000007777"}, headers=headers)).json()
        assert found["data"] == [], "nor is it found by what is not shown"


@pytest.mark.parametrize("user", [None, "their-user"])
async def test_a_stream_shows_what_the_connection_allows_alone(world: World, theirs: Things, user: str | None) -> None:
    connection = (await world.store.access.connections(Page(), theirs.client.id))[0][0]
    limits = {"activeLimit": 80, "values": [{"type": "LOCATION", "limit": 72, "condition": COTTAGE}], "unit": "percent"}
    await world.report(connection.vehicle, "charge-chargelimits", limits)
    await world.report(connection.vehicle, "tractionbattery-stateofcharge", {"value": 77.25})
    headers = theirs.client.headers | ({} if user is None else {"sc-user-id": user})

    async def shown() -> list[str]:
        reported = await followed(world, headers, theirs)
        return [mark for mark in ("777.75", "ottage", "48.7777", "77.25") if mark in reported]

    assert await shown() == ["777.75", "ottage", "48.7777", "77.25"]
    less = ORDINARY - {Permission.READ_BATTERY, Permission.READ_CHARGE_LOCATIONS}
    await world.connect(theirs.client, connection.vehicle, "their-user", less)
    world.clock.move(2)
    assert await shown() == ["777.75"]


HIDDEN: dict[str, Any] = {
    "id": NOBODYS, "client_id": "client_x", "clientId": "client_x", "created_at": 1, "createdAt": 1, "verified_at": 1,
    "verifiedAt": "2026-01-01T00:00:00Z", "isVerified": True, "permissions": ["read_location"], "connected_only": False,
    "sees_all": True, "secret": "x", "failing_at": 1, "reason": "x", "owner": "x", "is_admin": True,
}  # fmt: skip


@pytest.mark.parametrize("name", ["createWebhook", "updateWebhook"])
async def test_members_that_are_not_the_callers_to_set_are_passed_over(
    world: World, callers: dict[str, Caller], name: str
) -> None:
    caller = callers["an application of another car"]
    attributes = {
        "name": "new", "callbackUri": "https://new.example.org", "triggers": ["charge-voltage"], "data": ["charge-voltage"],
    }  # fmt: skip
    route = next(each for each in ROUTES if each.name == name)
    document = {**HIDDEN, "data": {**HIDDEN, "attributes": {**HIDDEN, **attributes}}}
    response = await world.client.request(route.method, route.path.format(**caller.own), json=document, headers=caller.headers)
    assert response.is_success
    stored = await world.store.webhooks.webhook(response.json()["data"]["id"])
    assert stored is not None
    assert stored.id != NOBODYS
    assert stored.client_id == caller.own["client_id"]
    assert (stored.verified_at, stored.failing_at, stored.reason) == (None, None, None)
    assert stored.created_at == T0


@pytest.mark.parametrize("member", ["source", "receivedAt", "position", *HIDDEN])
async def test_a_reading_says_nothing_of_where_it_came_from(
    world: World, callers: dict[str, Caller], car: Vehicle, member: str
) -> None:
    before = await world.store.readings.position()
    item = {"vehicle": car.id, "signal": "charge-voltage", "body": {"value": 230}, member: HIDDEN.get(member, "box")}
    response = await world.client.post(
        "/ingest/readings", json=[item], headers=callers["an application of another car"].headers
    )
    assert response.status_code == 422
    assert await world.store.readings.position() == before


async def test_whoever_shows_another_applications_token_as_its_secret_gets_none(
    world: World, callers: dict[str, Caller], theirs: Things
) -> None:
    token = callers["an application of another car"].headers["Authorization"].removeprefix("Bearer ")
    for secret in (token, theirs.client.application.management_token, "", "null"):
        form = {"grant_type": "client_credentials", "client_id": theirs.client.id, "client_secret": secret, "scope": "read_vin"}
        response = await world.client.post("/oauth2/token", json=form)
        assert response.status_code in (400, 401)
