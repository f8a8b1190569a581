"""End a task: cancel it repeatedly until it has ended.

A single `Task.cancel` may be lost: `asyncio.wait_for` of Python 3.11 suppresses it when its result arrives in the same turn of
the loop, and so do clients that use it (nats-py). An endless task then continues, and code that awaits it waits forever.
"""

import asyncio
import logging
from typing import Any, Final

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
