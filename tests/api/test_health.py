"""Whether the server can do its work: asked as often as anybody likes, read each time, written once a second."""

import asyncio
from typing import Any

import pytest

from chargeport.errors import StoreError
from world import World


class GoneError(StoreError):
    """The store can't even be read."""


@pytest.fixture
def tries(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One entry for each write that a question about readiness made; those that are errors are raised."""
    tried: list[Any] = []
    outcomes: list[Any] = [None]

    async def ping(*, writes: bool = True) -> None:
        if writes:
            tried.append(outcomes[0])
        await asyncio.sleep(0)
        if outcomes[0] is not None and (writes or isinstance(outcomes[0], GoneError)):
            raise outcomes[0]

    monkeypatch.setattr(world.store, "ping", ping)
    tried_and_outcomes: list[Any] = [tried, outcomes]
    return tried_and_outcomes


async def test_simultaneous_requests_share_one_write(world: World, tries: list[Any]) -> None:
    answers = await asyncio.gather(*(world.client.get("/readyz") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(tries[0]) == 1


async def test_a_write_is_tried_again_after_a_second_or_when_the_clock_was_set_back(world: World, tries: list[Any]) -> None:
    for moved_s, count in ((0, 1), (0.9, 1), (0.2, 2), (0, 2), (-3600, 3)):
        world.clock.move(moved_s)
        await world.client.get("/readyz")
        assert len(tries[0]) == count


async def test_a_store_that_fails_is_reported_within_a_second_and_one_that_works_again_too(
    world: World, tries: list[Any]
) -> None:
    tries[1][0] = StoreError("The disk is full.")
    for status, outcome in ((503, None), (200, StoreError("gone")), (503, None)):
        answers = await asyncio.gather(world.client.get("/readyz"), world.client.get("/readyz"))
        assert [answer.status_code for answer in answers] == [status, status]
        tries[1][0] = outcome
        world.clock.move(1)


async def test_a_store_that_is_gone_is_reported_immediately_and_one_that_is_back_too(world: World, tries: list[Any]) -> None:
    assert (await world.client.get("/readyz")).status_code == 200
    for outcome, status in ((GoneError("The database can't be reached."), 503), (None, 200)):
        tries[1][0] = outcome
        answers = await asyncio.gather(*(world.client.get("/readyz") for _ in range(10)))
        assert {answer.status_code for answer in answers} == {status}
    assert len(tries[0]) == 1
