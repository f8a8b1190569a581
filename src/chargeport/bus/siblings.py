"""The line between the workers of one server: a datagram socket for each in a shared folder. A ring is an empty datagram."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from chargeport.bus.shared import LineError

DRAINED_BYTES: Final = 64  # a ring has none


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
        """Send a ring to the others. A full queue already holds one; a worker that is gone reads the store when it starts."""
        for bell in self._folder.glob("*.bell"):
            if bell != self._own:
                with suppress(OSError):
                    self._socket.sendto(b"", str(bell))
