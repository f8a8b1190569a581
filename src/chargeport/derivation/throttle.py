"""Work that shares the event loop with those who wait for an answer: after each piece of it the others have their turn."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Final

SHARE: Final = 4  # of so many parts of the time, work takes one
PIECE_S: Final = 0.002  # less than this is not worth a pause of its own

Rest = Callable[[float], Awaitable[object]]
"""Returns after so many seconds of real time."""


class Throttle:
    """Keeps one worker to its share of the time."""

    def __init__(self, rest: Rest = asyncio.sleep) -> None:
        self._rest = rest
        self._owed_s = 0.0
        self._began_s = 0.0

    def begin(self) -> None:
        """A piece of work begins."""
        self._began_s = perf_counter()

    def pause(self) -> None:
        """What follows is waiting for others, and no work."""
        self._owed_s += perf_counter() - self._began_s
        self._began_s = perf_counter()

    async def end(self) -> None:
        """The piece is done: rest for as long as it took, times what the others are due."""
        self.pause()
        if self._owed_s >= PIECE_S:
            owed_s, self._owed_s = self._owed_s, 0.0
            await self._rest(owed_s * (SHARE - 1))
