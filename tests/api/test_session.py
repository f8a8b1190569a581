"""`/session`: people sign in to the page once, stay signed in, and are never mistaken for a program or for another site."""

import asyncio
from http.cookies import SimpleCookie
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from chargeport.api.session import COOKIE, TLS_COOKIE
from chargeport.api.sign_in import LINK_MS, SESSION_MS, TOKEN_LIFE_S, SignIn
from chargeport.errors import NotFoundError
from chargeport.settings import ServerSettings
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


async def test_a_link_signs_in_once_and_the_cookie_is_hidden_from_scripts_and_other_sites(world: World, people: SignIn) -> None:
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


async def test_over_tls_the_cookie_is_of_this_host_alone(tmp_path: Path) -> None:
    world = World.open(tmp_path, server=ServerSettings(base_url="https://cars.example.org"))
    people = world.service.sign_in
    await people.add_user("Ada")
    own = {"Origin": "https://cars.example.org"}
    (line,) = (await sign_in(world, {"link": await people.link("Ada")}, **own)).headers.get_list("set-cookie")
    assert line.startswith(f"__Host-{COOKIE}=cpw_")
    assert line.endswith("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure")
    secret = SimpleCookie(line)[TLS_COOKIE].value
    for name, user in ((TLS_COOKIE, "Ada"), (COOKIE, None)):
        used = await page_token(world, None, **own, Cookie=f"{name}={secret}")
        assert used.json()["user"] == user, "what another host of the domain can plant is no session"
    await world.close()


async def test_odd_cookies_of_others_hide_no_session_and_take_no_time(world: World, people: SignIn) -> None:
    secret = await signed_in(world, people)
    quotes = 'odd="' + '\\"' * 28_000
    began = perf_counter()
    for others in ("a=b c", "=;;,", quotes, f"{quotes}; a", '{"a": 1}', "x" + COOKIE + "=1"):
        used = await page_token(world, None, Cookie=f"{others}; {COOKIE}={secret}")
        assert used.json()["user"] == "Ada", others[:9]
    assert perf_counter() - began < 2, "a parser whose time grows with the square takes ten seconds"


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


@pytest.mark.parametrize("how", ["signs out", "another password", "ended by its id"])
async def test_what_ends_a_session_ends_the_tokens_of_its_page(world: World, people: SignIn, how: str) -> None:
    secret = await signed_in(world, people)
    headers = bearer((await page_token(world, secret)).json()["access_token"])
    await people.add_user("Bob")
    link = await people.link("Bob")
    bobs = bearer((await page_token(world, str(cookie_of(await sign_in(world, {"link": link})).value))).json()["access_token"])
    if how == "signs out":
        await world.client.request("DELETE", "/session", headers=PAGE | {"Cookie": f"{COOKIE}={secret}"})
    elif how == "another password":
        await people.set_password("Ada", "correct horse")
    else:
        (session,) = await world.store.sign_in.sessions("Ada")
        await world.store.sign_in.end_sessions(session_id=session.id)
    world.clock.move(2)
    assert (await world.client.get("/v3/vehicles", headers=headers)).status_code == 401
    assert (await world.client.get("/v3/vehicles", headers=bobs)).status_code == 200


async def test_of_passwords_that_are_tried_at_the_same_time_few_are_checked(world: World, people: SignIn) -> None:
    await people.set_password("Ada", "correct horse")
    tries = [sign_in(world, {"name": "Ada", "password": f"horse {number}"}) for number in range(40)]
    tries.append(sign_in(world, {"name": "Ada", "password": "correct horse"}))
    statuses = [each.status_code for each in await asyncio.gather(*tries)]
    assert statuses.count(401) == 10
    assert set(statuses) == {401, 429}


async def test_a_name_that_nobody_has_costs_as_many_hashes_as_one_that_somebody_has(
    world: World, people: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people.set_password("Ada", "correct horse")
    await people.add_user("Bob")
    compared: list[list[str]] = []
    passwords = people._passwords

    def noted(stored: str, password: str) -> bool:
        compared.append(stored.split("$")[1:4])
        return passwords.verify(stored, password)

    monkeypatch.setattr(people, "_passwords", SimpleNamespace(verify=noted))
    for name in ("Ada", "Bob without a password", "Bob", "Nobody"):
        assert (await sign_in(world, {"name": name, "password": "x"})).status_code == 401
    assert compared == [["argon2id", "v=19", compared[0][2]]] * 4, "each with the same costs"


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


async def test_a_share_link_ends_at_its_expiry(world: World, people: SignIn) -> None:
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
