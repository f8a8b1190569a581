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
RETRY_S: Final = 2.0  # before a broken line is connected again; until then each process polls the store every second
CHECK_S: Final = 1.0  # between checks whether a line is broken: a client does not report every loss

_log = logging.getLogger("chargeport.bus")


class LineError(Exception):
    """The line is broken; the text is the reason."""


class Line(Protocol):
    """A transport of rings between processes. It carries no data."""

    async def listen(self, on_ring: Callable[[], None]) -> None:
        """Connect, then call `on_ring` for each ring of another process, until the line breaks. Raises LineError."""
        ...

    async def ring(self) -> None:
        """Send a ring to the other processes; do nothing while the line is broken. Raises LineError."""
        ...


async def wait_until_lost(is_lost: asyncio.Event, is_closed: Callable[[], bool]) -> None:
    """Return once `is_lost` is set or `is_closed` returns true, which is polled: clients do not report every loss."""
    while not (is_lost.is_set() or is_closed()):
        with suppress(TimeoutError):
            await asyncio.wait_for(is_lost.wait(), CHECK_S)


class SharedDoorbell(Doorbell):
    """A doorbell that also rings in other processes. The line need not work to wake waiters of this process."""

    def __init__(self, line: Line, clock: Clock) -> None:
        super().__init__()
        self._line = line
        self._clock = clock
        self._has_rung = asyncio.Event()

    def ring(self) -> None:
        """Wake all current waiters of this process and of the others."""
        super().ring()
        self._has_rung.set()

    async def run(self) -> None:
        """Send and receive rings until cancelled."""
        both = [asyncio.create_task(self._receive()), asyncio.create_task(self._send())]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            await tasks.end(*both)

    async def _receive(self) -> None:
        while True:
            try:
                await self._line.listen(super().ring)
            except LineError as error:
                _log.warning("the doorbell between processes is broken, changes of others show later: %s", error)
            except Exception:  # noqa: BLE001  (without this task the process would receive no ring)
                _log.exception("the doorbell between processes is broken, changes of others show later")
            super().ring()  # for the rings that were missed
            await self._clock.sleep(RETRY_S)

    async def _send(self) -> None:
        while True:
            await self._has_rung.wait()
            self._has_rung.clear()
            try:
                await self._line.ring()
            except LineError:  # logged by `_receive`
                pass
            except Exception:  # noqa: BLE001  (without this task the process would wake no other)
                _log.exception("a ring for other processes is lost, they see what was stored within a second")
            await self._clock.sleep(PAUSE_S)
