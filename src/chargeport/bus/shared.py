"""The doorbell: it wakes the tasks of a process that wait for a write, and over a line those of other processes.

A ring carries no data, and a line may break: each process also polls the store, so a lost ring costs latency, never data. The
line between the workers of one server is here; those over a database and over NATS are in modules of their own.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from chargeport import tasks
from chargeport.clock import Clock

PAUSE_S: Final = 0.01  # between two rings: many commits are one ring
RETRY_S: Final = 2.0  # before a broken line is connected again; until then each process polls the store every second
CHECK_S: Final = 1.0  # between checks whether a line is broken: a client does not report every loss
_log = logging.getLogger("chargeport.bus")

DRAINED_BYTES: Final = 64  # a ring has none


class Doorbell:
    """Wake the tasks that wait for a write to the store. A lost ring costs latency, never data."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake all current waiters."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for a ring, for at most `timeout_s`; return whether it rang."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            return False
        return True


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


class SiblingLine:
    """`Line` between workers that share a folder."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._own = folder / f"{number}.bell"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    async def listen(self, on_ring: Callable[[], None]) -> None:
        """Listen until cancelled."""
        loop = asyncio.get_running_loop()

        def drain() -> None:
            with suppress(BlockingIOError):
                while True:
                    self._socket.recv(DRAINED_BYTES)
            on_ring()

        try:
            self._own.unlink(missing_ok=True)  # of the worker that had the number before
            self._socket.bind(str(self._own))
        except OSError as error:
            raise LineError(error.strerror or str(error)) from error
        loop.add_reader(self._socket, drain)
        try:
            await asyncio.Event().wait()
        finally:
            loop.remove_reader(self._socket)
            self._socket.close()

    async def ring(self) -> None:
        """Send a ring to the others. A full queue already has one; a worker that is gone reads the store when it starts."""
        for bell in self._folder.glob("*.bell"):
            if bell != self._own:
                with suppress(OSError):
                    self._socket.sendto(b"", str(bell))
