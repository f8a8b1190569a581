"""Work that runs in a thread and reads on the event loop, and what is left of it when it is cut off."""

import asyncio
import gc

import pytest

from chargeport.derivation.apart import apart, ask
from chargeport.derive.tracks import Tracks


async def sum_of_two_reads() -> int:
    return len(await ask(0, 1)) + len(await ask(1, 2))


async def test_each_read_is_made_where_it_is_asked_for() -> None:
    spans: list[tuple[int, int]] = []

    async def read(from_at: int, to_at: int) -> Tracks:
        spans.append((from_at, to_at))
        return {}

    assert await apart(sum_of_two_reads(), read) == 0
    assert spans == [(0, 1), (1, 2)]


@pytest.mark.parametrize("turns", [1, 2, 3])
async def test_work_that_is_cut_off_leaves_nothing_behind(turns: int) -> None:
    async def read(_from_at: int, _to_at: int) -> Tracks:
        await asyncio.Event().wait()
        return {}

    task = asyncio.create_task(apart(sum_of_two_reads(), read))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gc.collect()  # a coroutine that was never begun would warn here, and a warning is an error
