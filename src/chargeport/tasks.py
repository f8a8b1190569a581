"""How a task is ended: cancelled until it has ended.

`Task.cancel` asks once, and what a task awaits may swallow it: `asyncio.wait_for` of Python 3.11 does when its result comes in
the same turn, so clients that use it do (nats-py). An endless task then continues, and who waits for it waits for ever.
"""

import asyncio
import logging
from typing import Any, Final

AGAIN_S: Final = 0.5  # after which a task that still runs is cancelled again

_log = logging.getLogger("chargeport.tasks")


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel tasks and return when all have ended. What they failed with on the way is logged, not raised."""
    ending = {each for each in tasks if not each.done()}
    running = ending
    while running:
        for each in running:
            each.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN_S)
    for each in ending:
        if not each.cancelled() and (error := each.exception()) is not None:
            _log.debug("a task failed while it was ended: %s: %s", type(error).__name__, error)
