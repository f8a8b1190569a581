"""Files that are generated while they are sent, and a limit of their number: each holds a snapshot of the database.

A snapshot occupies a connection of the pool on PostgreSQL; on SQLite it prevents the reset of the log. So their number is
limited, one application may have at most half of them, and the answer to a client that is too slow in total is ended.
"""

import io
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

from chargeport.attempts import loop_time
from chargeport.errors import OVERLOADED, RATE_LIMITED, Problem

MAX_OPEN: Final = 8  # of a process: half of the connections to PostgreSQL that it has
MAX_OF_APPLICATION: Final = MAX_OPEN // 2
AWAITED_S: Final = 600.0  # for the client, in total: at a megabit a second this is 75 MB
AGAIN_S: Final = 30


class Downloads:
    """The files that are being generated. Belongs to one event loop."""

    def __init__(self, now_s: Callable[[], float] = loop_time) -> None:
        self._now_s = now_s
        self._by_application: Counter[str] = Counter()

    def begin(self, client_id: str) -> "Download":
        """Reserve a place for a file. Raises Problem (429, 503) if there is none."""
        own, all_ = self._by_application[client_id], self._by_application.total()
        if own >= MAX_OF_APPLICATION:
            raise Problem(RATE_LIMITED, f"The application has {own} exports open, as many as it may.", retry_after_s=AGAIN_S)
        if all_ >= MAX_OPEN:
            raise Problem(OVERLOADED, f"{all_} exports are open, as many as there may be.", retry_after_s=AGAIN_S)
        self._by_application[client_id] += 1
        return Download(self._now_s, lambda: self._end(client_id))

    def _end(self, client_id: str) -> None:
        self._by_application[client_id] -= 1
        self._by_application += Counter()  # removes zero counts


class Download:
    """A place for a file, until it is sent."""

    def __init__(self, now_s: Callable[[], float], end: Callable[[], None]) -> None:
        self._now_s = now_s
        self._end = end
        self._is_open = True

    def end(self) -> None:
        """Release the place."""
        if self._is_open:
            self._is_open = False
            self._end()

    __del__ = end  # of an answer that was never sent

    async def sent(self, parts: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """Yield the parts, then release the place. Raises TimeoutError, which ends the answer, for a slow client."""
        awaited_s = 0.0
        try:
            async with aclosing(parts):
                async for part in parts:
                    began_s = self._now_s()
                    yield part
                    awaited_s += self._now_s() - began_s
                    if awaited_s > AWAITED_S:
                        raise TimeoutError(f"the client let an export wait for {awaited_s:.0f} s")
        finally:
            self.end()


class GrowingFile(io.RawIOBase):
    """A file that is written once, from its beginning to its end."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()
        self._position = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: "bytes | bytearray | memoryview", /) -> int:  # type: ignore[override]
        """Write all of it."""
        self._written += data
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the present length of the file."""
        return self._position

    def taken(self) -> bytes:
        """Return and remove what was written since the last call."""
        data, self._written = bytes(self._written), bytearray()
        return data
