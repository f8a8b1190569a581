"""Attempts that failed, counted once for all processes of a PostgreSQL database."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from chargeport.api.guesses import LINK, MANY, PASSWORD, SECRET, TOKEN, Guesses
from chargeport.attempts import Limit, Standing
from chargeport.errors import UNAUTHORIZED, Problem
from chargeport.sources.ocpp.admission import ANYWHERE, Admission
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings
from chargeport.store.postgres import PostgresStore
from postgres_server import PostgresServer, asked, postgres_server

LIMIT = 4
HERE, ELSEWHERE = "203.0.113.9", "198.51.100.7"


@pytest.fixture
async def stores(postgres: PostgresServer) -> AsyncIterator[list[PostgresStore]]:
    """Stores of two processes on one new database."""
    url = postgres.database()
    opened = [PostgresStore.open(url) for _ in range(2)]
    yield opened
    for each in opened:
        await each.close()


async def wrong() -> None:
    raise Problem(UNAUTHORIZED, "wrong")


async def right() -> str:
    return "right"


async def status(guesses: Guesses, credential: str, identity: str, *, is_right: bool = False, address: str = HERE) -> int:
    """The HTTP status of a try."""
    try:
        await guesses.attempt(credential, address, identity, right if is_right else wrong)
    except Problem as problem:
        return problem.kind.status
    return 200


@pytest.mark.parametrize("credential", [SECRET, PASSWORD])
async def test_what_one_process_counts_is_used_up_at_the_other(stores: list[PostgresStore], credential: str) -> None:
    one, other = (Guesses(LIMIT, attempts=each.attempts) for each in stores)
    tried = [await status((one, other)[number % 2], credential, "ada") for number in range(LIMIT + 2)]
    assert tried == [401] * LIMIT + [429] * 2
    assert [await status(each, credential, "ada", is_right=True) for each in (one, other)] == [429, 429]
    with pytest.raises(Problem) as refused:
        await other.check(credential, HERE, "ada")
    assert 1 <= (refused.value.retry_after_s or 0) <= 60
    assert await status(other, credential, "bob", is_right=True) == 200


@pytest.mark.parametrize("credential", [LINK, TOKEN])
async def test_what_names_nobody_is_counted_by_address_at_all_processes(stores: list[PostgresStore], credential: str) -> None:
    guesses = [Guesses(LIMIT, attempts=each.attempts) for each in stores]
    tried = [await status(guesses[number % 2], credential, f"guess {number}") for number in range(MANY * LIMIT + 2)]
    assert tried == [401] * MANY * LIMIT + [429] * 2
    assert await status(guesses[0], credential, "guess", address=ELSEWHERE) == 401


async def test_of_many_tries_at_once_at_two_processes_no_more_are_answered_than_in_turn(stores: list[PostgresStore]) -> None:
    guesses = [Guesses(LIMIT, attempts=each.attempts) for each in stores]
    tried = await asyncio.gather(*(status(guesses[number % 2], PASSWORD, "ada") for number in range(5 * LIMIT)))
    assert sorted(tried) == [401] * LIMIT + [429] * 4 * LIMIT


async def test_a_window_that_is_over_counts_anew_and_so_does_one_after_a_leap_of_the_servers_clock(
    stores: list[PostgresStore],
) -> None:
    one, other = (each.attempts for each in stores)
    limits = [Limit("ada", LIMIT)]
    for leap in ("- interval '60 s'", "+ interval '1 year'"):
        await one.count(limits, 1)
        assert [each.failed for each in await other.count(limits)] == [1]
        asked(stores[0].url, f"UPDATE failed_attempts SET ends_at = ends_at {leap}")
        assert await other.count(limits) == [Standing(0, 0.0)]


async def test_nothing_is_written_for_who_was_never_wrong_and_no_name_nor_address_for_who_was(
    stores: list[PostgresStore],
) -> None:
    guesses = Guesses(LIMIT, attempts=stores[0].attempts)
    assert await status(guesses, PASSWORD, "ada", is_right=True) == 200
    raw = await asyncpg.connect(stores[0].url)
    writes = "SELECT count(*) FROM failed_attempts"
    assert await raw.fetchval(writes) == 0
    assert await status(guesses, PASSWORD, "ada\0\ud800") == 401
    assert await raw.fetchval(writes) == 3
    stored = await raw.fetchval("SELECT string_agg(f::text, ',') FROM failed_attempts f")
    assert "ada" not in stored
    assert HERE not in stored
    await raw.close()


async def test_what_is_over_goes_with_the_next_wrong_one(stores: list[PostgresStore]) -> None:
    await stores[0].attempts.count([Limit("ada", LIMIT)], 1)
    asked(stores[0].url, "UPDATE failed_attempts SET ends_at = ends_at - interval '1 hour'")
    await stores[1].attempts.count([Limit("bob", LIMIT)], 1)
    assert asked(stores[0].url, "SELECT count(*) FROM failed_attempts") == "1"


async def test_a_stations_password_can_be_guessed_no_more_often_at_two_processes(stores: list[PostgresStore]) -> None:
    settings = OcppSettings(stations={"box": StationSettings(password="a password that is long")})
    doors = [Admission(settings, each.attempts, "ocpp") for each in stores]
    statuses = []
    for number in range(ANYWHERE + 3):
        refused = await doors[number % 2].refusal("box", "Basic Ym94OmE=", f"192.0.2.{number}", over_tls=False)
        statuses.append(refused and refused.status)
    assert statuses == [401] * ANYWHERE + [429] * 3


async def test_without_the_database_each_process_counts_for_itself() -> None:
    with postgres_server() as server:
        store = PostgresStore.open(server.database())
        guesses = Guesses(LIMIT, attempts=store.attempts)
        assert await status(guesses, PASSWORD, "ada") == 401
        server.kill()
        assert [await status(guesses, PASSWORD, "ada") for _ in range(LIMIT + 1)] == [401] * LIMIT + [429]
        await store.close()
