"""`/session`: people sign in to the page once, stay signed in, and are never mistaken for a program or for another site."""

from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from chargeport.api.session import COOKIE
from chargeport.api.sign_in import LINK_MS, SESSION_MS, TOKEN_LIFE_S, SignIn
from chargeport.errors import NotFoundError
from chargeport.signals.definition import OPERATOR, READS
from chargeport.store.records import Page
from world import HOST, World, bearer

PAGE = {"X-Chargeport-Page": "1", "User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
DAY_S = 86_400


@pytest.fixture
async def people(world: World) -> SignIn:
    found = world.service.sign_in
    await found.add_user("Ada")
    return found


async def sign_in(world: World, body: dict[str, Any], **headers: str) -> httpx.Response:
    return await world.client.post("/session", json=body, headers=PAGE | headers)


async def page_token(world: World, secret: str | None, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    cookie = {} if secret is None else {"Cookie": f"other=1; {COOKIE}={secret}"}
    return await world.client.post("/session/token", json=body or {}, headers=PAGE | cookie | headers)


def cookie_of(response: httpx.Response) -> Any:
    return SimpleCookie(response.headers["set-cookie"])[COOKIE]


async def signed_in(world: World, people: SignIn) -> str:
    return str(cookie_of(await sign_in(world, {"link": await people.link("Ada")})).value)


async def test_a_link_signs_in_once_and_the_cookie_is_kept_from_scripts_and_other_sites(world: World, people: SignIn) -> None:
    link = await people.link("Ada")
    first = await sign_in(world, {"link": link})
    assert (first.status_code, first.json()) == (200, {"user": "Ada"})
    cookie = cookie_of(first)
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], int(cookie["max-age"])) == ("Strict", "/", SESSION_MS // 1000)
    assert not cookie["secure"], "the test's server has no TLS"
    again = await sign_in(world, {"link": link})
    assert again.status_code == 401
    assert "set-cookie" not in again.headers


async def test_a_session_gives_tokens_of_minutes_that_read_every_car_and_write_nothing(world: World, people: SignIn) -> None:
    car = await world.car()
    given = (await page_token(world, await signed_in(world, people))).json()
    assert (given["user"], given["expires_in"]) == ("Ada", TOKEN_LIFE_S)
    assert set(given["permissions"]) == OPERATOR
    headers = bearer(given["access_token"])
    assert (await world.client.get(f"/v3/vehicles/{car.id}", headers=headers)).status_code == 200
    item = {"vehicle": car.id, "signal": "charge-voltage", "body": {"value": 1}}
    assert (await world.client.post("/ingest/readings", json=[item], headers=headers)).status_code == 403
    world.clock.move(TOKEN_LIFE_S + 2)
    assert (await world.client.get(f"/v3/vehicles/{car.id}", headers=headers)).status_code == 401


async def test_a_cookie_alone_reads_nothing(world: World, people: SignIn) -> None:
    car = await world.car()
    cookie = {"Cookie": f"{COOKIE}={await signed_in(world, people)}"}
    assert (await world.client.get(f"/v3/vehicles/{car.id}", headers=cookie)).status_code == 401


async def test_a_session_lasts_as_long_as_it_is_used_within_thirty_days(world: World, people: SignIn) -> None:
    secret = await signed_in(world, people)
    for _ in range(3):
        world.clock.move(29 * DAY_S)
        used = await page_token(world, secret)
        assert used.json()["user"] == "Ada"
        assert int(cookie_of(used)["max-age"]) == SESSION_MS // 1000
    world.clock.move(31 * DAY_S)
    assert (await page_token(world, secret)).json()["access_token"] is None


async def test_without_a_session_there_is_no_token_and_no_error(world: World, people: SignIn) -> None:
    for secret in (None, "cpw_made_up", ""):
        response = await page_token(world, secret)
        assert (response.status_code, response.json()["access_token"]) == (200, None)


async def test_signing_out_and_ending_end_a_session(world: World, people: SignIn) -> None:
    mine, other = await signed_in(world, people), await signed_in(world, people)
    out = await world.client.request("DELETE", "/session", headers=PAGE | {"Cookie": f"{COOKIE}={mine}"})
    assert (out.status_code, cookie_of(out)["max-age"]) == (204, "0")
    assert (await page_token(world, mine)).json()["access_token"] is None
    (left,) = await world.store.sign_in.sessions("Ada")
    assert left.browser == PAGE["User-Agent"]
    assert await world.store.sign_in.end_sessions(session_id=left.id) == 1
    assert (await page_token(world, other)).json()["access_token"] is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": HOST},
        {"X-Chargeport-Page": None},
    ],
)
async def test_another_site_gets_nothing_with_somebodys_cookie(
    headers: dict[str, str | None], world: World, people: SignIn
) -> None:
    secret, link = await signed_in(world, people), await people.link("Ada")
    sent = {name: text for name, text in (PAGE | {"Cookie": f"{COOKIE}={secret}"} | headers).items() if text is not None}
    for method, path, body in (
        ("POST", "/session/token", {}), ("POST", "/session", {"link": link}), ("DELETE", "/session", {}),
    ):  # fmt: skip
        response = await world.client.request(method, path, json=body, headers=sent)
        assert response.status_code == 403, path
    assert (await page_token(world, secret)).json()["user"] == "Ada", "nobody was signed out"
    assert (await sign_in(world, {"link": link})).status_code == 200, "nobody used the link up"


async def test_the_page_itself_is_not_taken_for_another_site(world: World, people: SignIn) -> None:
    for headers in ({"Origin": HOST}, {"Sec-Fetch-Site": "same-origin", "Origin": HOST}):
        assert (await sign_in(world, {"link": await people.link("Ada")}, **headers)).status_code == 200


async def test_a_link_that_is_too_old_signs_nobody_in(world: World, people: SignIn) -> None:
    link = await people.link("Ada")
    world.clock.move(LINK_MS // 1000 + 1)
    assert (await sign_in(world, {"link": link})).status_code == 401


async def test_a_password_is_stored_as_argon2_and_ends_older_sessions(world: World, people: SignIn) -> None:
    secret = await signed_in(world, people)
    await people.set_password("Ada", "correct horse")
    assert (await page_token(world, secret)).json()["access_token"] is None
    user = await world.store.sign_in.user("Ada")
    assert user is not None
    assert str(user.password_hash).startswith("$argon2id$")
    assert (await sign_in(world, {"name": "Ada", "password": "correct horse"})).status_code == 200
    wrong = [
        await sign_in(world, {"name": name, "password": password})
        for name, password in (("Ada", "wrong horse"), ("Nobody", "correct horse"))
    ]
    assert [each.status_code for each in wrong] == [401, 401]
    assert wrong[0].json()["description"] == wrong[1].json()["description"], "nobody learns which names there are"


async def test_who_guesses_is_slowed_down(world: World, people: SignIn) -> None:
    for number in range(100):
        response = await sign_in(world, {"link": f"cpl_{number}"})
        if response.status_code == 429:
            break
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1


async def test_a_share_link_reads_its_car_alone_until_it_ends(world: World, people: SignIn) -> None:
    shared, private = await world.car(), await world.car()
    secret, link = await people.share(shared, "For the neighbour", None)
    given = (await page_token(world, None, {"share": secret})).json()
    assert set(given["permissions"]) == READS
    headers = bearer(given["access_token"])
    listed = (await world.client.get("/v3/vehicles", headers=headers)).json()
    assert [each["id"] for each in listed["data"]] == [shared.id]
    assert (await world.client.get(f"/v3/vehicles/{private.id}/signals", headers=headers)).status_code == 404
    item = {"vehicle": shared.id, "signal": "charge-voltage", "body": {"value": 1}}
    assert (await world.client.post("/ingest/readings", json=[item], headers=headers)).status_code == 403
    assert (await world.client.get("/records", headers=headers)).status_code == 200
    for path in ("/v3/webhooks", "/v3/management-token"):
        assert (await world.client.post(path, json={"data": {"attributes": {}}}, headers=headers)).status_code == 403
    assert await people.end_share(link.client_id)
    world.clock.move(2)
    assert (await world.client.get("/v3/vehicles", headers=headers)).status_code == 401
    assert (await page_token(world, None, {"share": secret})).status_code == 401


async def test_a_share_link_does_not_end_its_own_connection(world: World, people: SignIn) -> None:
    secret, link = await people.share(await world.car(), "a friend", None)
    headers = bearer((await people.share_token(secret)).token)
    (own,), _ = await world.store.access.connections(Page(), link.client_id)
    for connection_id in (own.id, own.vehicle.id):
        answer = await world.client.delete(f"/v3/connections/{connection_id}", headers=headers)
        assert answer.status_code == 403
    assert await world.store.access.connection_by_id(own.id) is not None


async def test_a_share_link_ends_when_it_was_said_to(world: World, people: SignIn) -> None:
    secret, _ = await people.share(await world.car(), "For a week", 7 * DAY_S * 1000)
    assert (await page_token(world, None, {"share": secret})).status_code == 200
    world.clock.move(8 * DAY_S)
    assert (await page_token(world, None, {"share": secret})).status_code == 401


async def test_erasing_a_car_takes_its_share_links_along(world: World, people: SignIn) -> None:
    car = await world.car()
    await people.share(car, "Gone with the car", None)
    await world.store.vehicles.remove_vehicle(car.id)
    assert await world.store.sign_in.shares() == []


async def test_the_first_start_gives_one_link_until_somebody_has_signed_in(world: World) -> None:
    people = world.service.sign_in
    first, second = await people.first_link(), await people.first_link()
    assert first is not None
    assert second is not None
    assert (await sign_in(world, {"link": first})).status_code == 401, "the newest one holds"
    assert (await sign_in(world, {"link": second})).status_code == 200
    assert await people.first_link() is None


async def test_only_who_is_known_gets_a_link_or_a_password(world: World, people: SignIn) -> None:
    for attempt in (people.link("Nobody"), people.set_password("Nobody", "a password")):
        with pytest.raises(NotFoundError):
            await attempt
