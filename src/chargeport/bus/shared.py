"""The doorbell between processes: what one stores wakes the others, over a line that may break."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from chargeport import tasks
from chargeport.bus.memory import Doorbell
from chargeport.clock import Clock

PAUSE_S: Final = 0.01  # between two rings: many commits are one ring
AGAIN_S: Final = 2.0  # before a broken line is tried again; until then everybody looks by themselves every second
LOOK_S: Final = 1.0  # how often a line is looked at that may be broken without a word

_log = logging.getLogger("chargeport.bus")


class LineError(Exception):
    """The line is broken; the text says why."""


class Line(Protocol):
    """What carries rings between processes. It carries no data."""

    async def listen(self, heard: Callable[[], None]) -> None:
        """Connect, then call `heard` for each ring of another process, until the line breaks. Raises LineError."""
        ...

    async def ring(self) -> None:
        """Ring at the other processes; nothing is done while the line is broken. Raises LineError."""
        ...


async def lost(told: asyncio.Event, is_closed: Callable[[], bool]) -> None:
    """Return once a client has told that its connection is lost, or is found to know it: not every loss is told."""
    while not (told.is_set() or is_closed()):
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), LOOK_S)


class SharedDoorbell(Doorbell):
    """A doorbell that rings in other processes, too. Those who wait here are woken at once, whatever the line does."""

    def __init__(self, line: Line, clock: Clock) -> None:
        super().__init__()
        self._line = line
        self._clock = clock
        self._has_rung = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits now, here and elsewhere."""
        super().ring()
        self._has_rung.set()

    async def run(self) -> None:
        """Carry rings to and fro until cancelled."""
        both = [asyncio.create_task(self._hear()), asyncio.create_task(self._tell())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await tasks.end(*both)

    async def _hear(self) -> None:
        while True:
            try:
                await self._line.listen(super().ring)
            except LineError as error:
                _log.warning("the doorbell between processes is broken, changes of others show later: %s", error)
            except Exception:  # noqa: BLE001  (whatever it was: without this task the process would hear nobody)
                _log.exception("the doorbell between processes is broken, changes of others show later")
            super().ring()  # what was missed
            await self._clock.sleep(AGAIN_S)

    async def _tell(self) -> None:
        while True:
            await self._has_rung.wait()
            self._has_rung.clear()
            try:
                await self._line.ring()
            except LineError:  # told where it is listened to
                pass
            except Exception:  # noqa: BLE001  (whatever it was: without this task the process would wake nobody)
                _log.exception("a ring for other processes is lost, they see what was stored within a second")
            await self._clock.sleep(PAUSE_S)
