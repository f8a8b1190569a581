"""Wrong tokens and secrets: counted, logged once, slowed; and whoever knows the right one is not shut out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from answers import typed_error
from chargeport.api.guesses import LINK, MANY, PASSWORD, SECRET, Guesses
from chargeport.errors import UNAUTHORIZED, Problem
from chargeport.settings import LimitSettings, ServerSettings
from world import Client, World

LIMIT = 10
ELSEWHERE = "198.51.100.7"


class Timer:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer(world: World) -> Timer:
    timer = Timer()
    world.served.errors.guesses = Guesses(LIMIT, timer)
    return timer


async def sign_in(world: World, client_id: str, secret: str, address: str = "203.0.113.9") -> httpx.Response:
    async with world.client_of(world.app, address) as client:
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        return await client.post("/oauth2/token", data=form)


async def statuses(world: World, client_id: str, count: int, address: str = "203.0.113.9") -> list[int]:
    return [(await sign_in(world, client_id, f"cps_{number}", address)).status_code for number in range(count)]


def slowed(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log that say who is slowed down."""
    return [record.message for record in caplog.records if "slowed down" in record.message]


async def test_wrong_secrets_of_an_application_are_slowed_and_logged_once(
    world: World, app: Client, timer: Timer, caplog: pytest.LogCaptureFixture
) -> None:
    assert await statuses(world, app.id, LIMIT + 5) == [401] * LIMIT + [429] * 5
    refused = await sign_in(world, app.id, app.secret)
    assert refused.status_code == 429, "nothing is checked now, or guessing would go on"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"] == "temporarily_unavailable"
    (line,) = slowed(caplog)
    assert app.id in line
    assert "203.0.113.9" in line
    timer.now += 60
    assert (await sign_in(world, app.id, app.secret)).status_code == 200
    assert await statuses(world, app.id, LIMIT + 1) == [401] * LIMIT + [429]
    assert len(slowed(caplog)) == 1, "once an hour"


async def test_an_address_that_tries_many_names_is_slowed(world: World, timer: Timer) -> None:
    names = [(await sign_in(world, f"client_{number}", "x")).status_code for number in range(MANY * LIMIT + 3)]
    assert names == [401] * MANY * LIMIT + [429] * 3
    assert (await sign_in(world, "client_0", "x", ELSEWHERE)).status_code == 401, "others are not"


async def test_an_application_that_is_tried_from_many_addresses_is_slowed_but_not_where_it_is_at_home(
    world: World, app: Client, timer: Timer
) -> None:
    assert (await sign_in(world, app.id, app.secret, ELSEWHERE)).status_code == 200
    tries = [(await sign_in(world, app.id, "x", f"192.0.2.{number}")).status_code for number in range(MANY * LIMIT + 3)]
    assert tries == [401] * MANY * LIMIT + [429] * 3
    assert (await sign_in(world, app.id, app.secret, ELSEWHERE)).status_code == 200


async def test_wrong_tokens_are_slowed_and_a_good_one_is_taken_all_the_same(world: World, app: Client, timer: Timer) -> None:
    tried = [
        (await world.client.get("/v3/vehicles", headers={"Authorization": f"Bearer cpt_{number}"})).status_code
        for number in range(MANY * LIMIT + 2)
    ]
    assert tried == [401] * MANY * LIMIT + [429] * 2
    read = await world.client.get("/v3/vehicles/x/signals/charge-voltage", headers={"Authorization": "Bearer cpt_no"})
    assert typed_error(read, 429)["code"] == "SMARTCAR_API", "the fast path counts with the router"
    assert (await world.client.get("/v3/vehicles", headers=app.headers)).status_code == 200
    metrics = (await world.client.get("/metrics")).text
    assert f'chargeport_wrong_credentials_total{{credential="token"}} {MANY * LIMIT + 3}.0' in metrics


async def test_one_wrong_token_is_one_guess_however_often_it_is_sent(world: World, timer: Timer) -> None:
    headers = {"Authorization": "Bearer cpt_dead"}
    sent = [(await world.client.get("/v3/vehicles", headers=headers)).status_code for _ in range(3 * MANY * LIMIT)]
    assert set(sent) == {401}, "a client that polls with a token that was revoked has to learn that"


async def test_no_token_and_an_expired_one_are_no_guesses(world: World, app: Client, timer: Timer) -> None:
    world.clock.move(3601)
    for headers in ({}, app.headers):
        for _ in range(MANY * LIMIT + 2):
            assert (await world.client.get("/v3/vehicles", headers=headers)).status_code == 401


async def test_behind_a_trusted_proxy_the_clients_address_counts(tmp_path: Path) -> None:
    world = World.open(tmp_path, server=ServerSettings(trusted_proxies=["203.0.113.0/24"]))
    world.served.errors.guesses = Guesses(1, Timer())
    for number, forwarded in enumerate(("192.0.2.1", "192.0.2.2", "192.0.2.1, 203.0.113.4")):
        given = {"Authorization": f"Bearer cpt_{number}", "X-Forwarded-For": forwarded}
        assert (await world.client.get("/v3/vehicles", headers=given)).status_code == 401
    counted = [key for key in world.served.errors.guesses._attempts.windows._windows if "192.0.2" in key]
    assert len(counted) == 2
    await world.close()


@pytest.mark.parametrize("credential", [SECRET, PASSWORD])
async def test_of_many_simultaneous_tries_no_more_are_answered_than_in_turn(credential: str) -> None:
    guesses, looking_up = Guesses(LIMIT, Timer()), asyncio.Event()

    async def proof(is_right: bool) -> str:
        await looking_up.wait()
        if not is_right:
            raise Problem(UNAUTHORIZED, "wrong")
        return "right"

    tries = [
        asyncio.ensure_future(guesses.attempt(credential, ELSEWHERE, "ada", lambda right=right: proof(right)))  # type: ignore[misc]
        for right in [False] * 3 * LIMIT + [True]
    ]
    await asyncio.sleep(0)
    looking_up.set()
    ends = await asyncio.gather(*tries, return_exceptions=True)
    statuses = [end.kind.status if isinstance(end, Problem) else 200 for end in ends]
    assert statuses == [401] * LIMIT + [429] * (2 * LIMIT + 1), "nor is it told that the last one was right"


async def test_links_are_counted_by_address_alone_for_they_name_nobody() -> None:
    guesses = Guesses(LIMIT, Timer())

    async def wrong() -> None:
        raise Problem(UNAUTHORIZED, "wrong")

    async def right() -> str:
        return "right"

    for number in range(10 * MANY * LIMIT):
        with pytest.raises(Problem, match="wrong"):
            await guesses.attempt(LINK, f"192.0.2.{number // 10}" if number < 2550 else "198.51.100.1", "", wrong)
    assert await guesses.attempt(LINK, ELSEWHERE, "", right) == "right"


async def test_counts_are_bounded_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("api.guesses", "attempts"):
        monkeypatch.setattr(f"chargeport.{module}.MAX_KEYS", 100)
    guesses = Guesses(LIMIT, Timer())
    for number in range(1000):
        await guesses.failed("secret", f"192.0.{number // 250}.{number % 250}", f"client_{number}" * 100)
    assert len(guesses._attempts.windows._windows) <= 100
    assert max(map(len, guesses._attempts.windows._windows)) < 300


async def test_an_ipv6_network_counts_as_one_address() -> None:
    guesses = Guesses(1, Timer())
    for number in range(MANY):
        await guesses.failed("token", f"2001:db8:1:2::{number}", f"token {number}")
    with pytest.raises(Problem, match="Too many wrong tokens"):
        await guesses.check("token", "2001:db8:1:2:ffff::1", "a token")
    await guesses.check("token", "2001:db8:1:3::1", "a token")


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose applications have three tokens at most."""
    opened = World.open(tmp_path, limits=LimitSettings(tokens_by_application=3))
    yield opened
    await opened.close()


async def test_the_oldest_token_of_an_application_ends_for_one_too_many(small: World) -> None:
    client, other = await small.application(), await small.application()
    tokens = [client.headers["Authorization"]]
    for _ in range(4):
        small.clock.move(1)
        tokens.append("Bearer " + (await sign_in(small, client.id, client.secret)).json()["access_token"])
    got = [(await small.client.get("/v3/vehicles", headers={"Authorization": token})).status_code for token in tokens]
    assert got == [401, 401, 200, 200, 200]
    assert (await small.client.get("/v3/vehicles", headers=other.headers)).status_code == 200


async def test_tokens_that_are_over_go_whoever_signs_in(small: World) -> None:
    client, other = await small.application(), await small.application()
    assert await held(small) == 2
    small.clock.move(2 * 3600 + 1)
    await sign_in(small, other.id, other.secret)
    assert await held(small) == 1
    expired = await small.client.get("/v3/vehicles", headers=client.headers)
    assert expired.status_code == 401


async def held(world: World) -> int:
    """How many tokens the store has."""
    await asyncio.sleep(0)
    return int(world.store._reader.count("SELECT count(*) FROM tokens", ()))  # type: ignore[attr-defined]


async def test_one_token_written_in_many_forms_takes_little_memory(world: World, app: Client, timer: Timer) -> None:
    token = app.headers["Authorization"].removeprefix("Bearer ")
    for spaces in (1, 9, 400):
        got = await world.client.get("/v3/vehicles", headers={"Authorization": f"Bearer{' ' * spaces}{token}"})
        assert got.status_code == 200
    for number in range(20):
        long = {"Authorization": f"Bearer{' ' * (30_000 + number)}{token}", "Host": f"{'x' * 30_000}{number}"}
        assert (await world.client.get("/v3/vehicles", headers=long)).status_code == 401
    assert max(len(each) for each in world.service.access._remembered if each is not None) < 600
    assert world.served.errors.links._from_host.cache_info().currsize < 5
