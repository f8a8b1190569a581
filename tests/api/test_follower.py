"""The wait of one live stream for new events."""

import asyncio

import pytest

from chargeport.api.follower import Follower


@pytest.fixture
def follower() -> Follower:
    return Follower(None, None, None, 5)  # type: ignore[arg-type]  # no grant is asked


async def test_a_stream_that_waits_is_woken_and_skips_what_is_not_for_it(follower: Follower) -> None:
    waiting = asyncio.create_task(follower.wait())
    await asyncio.sleep(0)
    assert follower.idle
    follower.wake(9, 2)
    follower.wake(12, 3)  # it runs already, and will see this itself
    await waiting
    assert (follower.position, follower.noticed, follower.idle) == (9, 2, False)


async def test_a_stream_whose_client_has_gone_is_not_woken(follower: Follower) -> None:
    waiting = asyncio.create_task(follower.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    follower.wake(9, 2)
    assert (follower.position, follower.idle) == (5, False)


async def test_a_stream_that_has_not_waited_yet_is_not_moved(follower: Follower) -> None:
    follower.wake(9, 2)
    assert follower.position == 5
