"""Tasks and threads: end a task, take a result that is there already, and do long work in a thread.

To end a task, cancel it repeatedly until it has ended. A single `Task.cancel` may be lost: `asyncio.wait_for` of Python 3.11
suppresses it when its result arrives in the same turn of the loop, and so do clients that use it (nats-py). An endless task
then continues, and code that awaits it waits forever.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AGAIN_S: Final = 0.5  # after which a task that still runs is cancelled again

_log = logging.getLogger("chargeport.tasks")


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks and return when all have ended. Their errors are logged, not raised."""
    ending = {each for each in tasks if not each.done()}
    running = ending
    while running:
        for each in running:
            each.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN_S)
    for each in ending:
        if not each.cancelled() and (error := each.exception()) is not None:
            _log.debug("a task failed while it was ended: %s: %s", type(error).__name__, error)


def without_waiting(work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of a coroutine that does not have to wait; None if it does, and it is closed then."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    work.close()
    return None


async def in_thread_if(is_long: bool, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the result of a function. It runs in a thread if it takes long, and at once if not.

    The way to a thread and back costs some 0.2 ms of CPU.
    """
    return await asyncio.to_thread(function, *args, **kwargs) if is_long else function(*args, **kwargs)
