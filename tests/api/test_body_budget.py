"""Bodies of callers without a token share a budget; those of others do not."""

import asyncio
from typing import Any

import pytest

from answers import typed_error
from chargeport.api.body_budget import SHARE, BodyBudget
from chargeport.errors import Problem
from world import Client, World

MOST = 100_000


class Slow:
    """A caller of `POST /oauth2/token` that sends a part and waits."""

    def __init__(self, world: World, address: str, size: int) -> None:
        self._parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._parts.put_nowait({"type": "http.request", "body": b"x" * size, "more_body": True})
        self.statuses: list[int] = []
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/oauth2/token", "raw_path": b"/oauth2/token", "query_string": b"", "root_path": "", "headers": [],
            "client": (address, 1), "server": ("127.0.0.1", 8080),
        }  # fmt: skip
        self.task = asyncio.create_task(world.served(scope, self._parts.get, self._send))  # type: ignore[arg-type]

    async def _send(self, message: Any) -> None:
        if "status" in message:
            self.statuses.append(message["status"])

    async def end(self) -> None:
        self._parts.put_nowait({"type": "http.disconnect"})
        await self.task


@pytest.fixture
def budget(world: World) -> BodyBudget:
    """The budget of the application, made small."""
    budget = world.served.bodies
    budget._most = MOST
    return budget


async def until(waiting: BodyBudget, used: int) -> None:
    for _ in range(1000):
        if waiting.used == used:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{waiting.used} are used, not {used}")


async def test_many_halves_of_bodies_use_up_a_budget_and_give_it_back(world: World, budget: BodyBudget) -> None:
    callers = [Slow(world, f"192.0.2.{number}", 10_000) for number in range(10)]
    await until(budget, MOST)
    late = Slow(world, "192.0.2.77", 10_000)
    await late.task
    assert late.statuses == [503]
    for caller in callers:
        await caller.end()
    assert budget.used == 0
    assert [caller.statuses for caller in callers] == [[400]] * 10


async def test_one_address_has_a_share_of_it(world: World, budget: BodyBudget) -> None:
    callers = [Slow(world, "192.0.2.1", 12_500) for _ in range(2)]
    await until(budget, MOST // SHARE)
    greedy = Slow(world, "192.0.2.1", 1)
    await greedy.task
    assert greedy.statuses == [503]
    other = Slow(world, "192.0.2.2", 12_500)
    await until(budget, MOST // SHARE + 12_500)
    for caller in (*callers, other):
        await caller.end()


async def test_who_has_shown_a_token_does_not_count(world: World, budget: BodyBudget, app: Client) -> None:
    body = b"[" + b" " * 3 * MOST + b"]"
    taken = await world.client.post("/ingest/readings", content=body, headers=app.headers)
    assert taken.status_code == 422
    unknown = await world.client.post("/ingest/readings", content=body, headers={"Authorization": "Bearer cpt_no"})
    assert unknown.status_code == 401, "it is not read at all"


async def test_the_answer_says_when_to_come_back(world: World, budget: BodyBudget) -> None:
    budget._most = 100
    refused = await world.client.post("/oauth2/token", content=b"grant_type=" + b"x" * 100)
    assert typed_error(refused, 503)["code"] == "OVERLOADED"
    assert refused.headers["retry-after"] == "5"
    assert budget.used == 0


def test_what_is_held_is_given_back_when_reading_fails() -> None:
    budget = BodyBudget(1000)
    with pytest.raises(Problem), budget.held("192.0.2.1") as held:
        held.add(1001)
    assert budget.used == 0
    assert not budget._by_address
