"""Tasks are ended for certain, whatever they wait for."""

import asyncio
import logging

import pytest

from chargeport import tasks


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    swallowed = 0

    async def endless() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    task = asyncio.create_task(endless())
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await tasks.end(task)
    assert task.cancelled()
    assert swallowed == 3


async def test_what_a_task_fails_with_while_it_is_ended_keeps_no_other_from_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise OSError("the socket is closed")

    caplog.set_level(logging.DEBUG, "chargeport.tasks")
    first, second = asyncio.create_task(failing()), asyncio.create_task(asyncio.Event().wait())
    await asyncio.sleep(0)
    await tasks.end(first, second)
    assert second.cancelled()
    assert "the socket is closed" in caplog.text


async def test_a_task_that_has_ended_is_left_alone() -> None:
    async def short() -> int:
        return 1

    task = asyncio.create_task(short())
    assert await task == 1
    await tasks.end(task)
    await tasks.end()
    assert task.result() == 1
