"""The line of a PostgreSQL database: LISTEN and NOTIFY, with nothing in it, on a connection of its own.

NOTIFY inside the transaction that stores would make all commits of the server wait for each other; so it is sent afterwards.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from chargeport.bus.shared import LineError, lost

CHANNEL: Final = "chargeport_doorbell"
TIMEOUT_S: Final = 10.0

_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class PostgresLine:
    """`Line` over a database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._raw: Any = None

    async def listen(self, heard: Callable[[], None]) -> None:
        """Listen until the connection is lost."""
        try:
            raw = await asyncpg.connect(self._url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
        except _FAILURES as error:
            raise LineError(str(error)) from error
        is_lost = asyncio.Event()
        own = raw.get_server_pid()
        raw.add_termination_listener(lambda _: is_lost.set())

        def ring(_raw: Any, pid: int, _channel: str, _payload: str) -> None:
            if pid != own:
                heard()

        try:
            await raw.add_listener(CHANNEL, ring)
            self._raw = raw
            heard()
            await lost(is_lost, raw.is_closed)  # asyncpg tells nobody where a ring was under way
        except _FAILURES as error:
            raise LineError(str(error)) from error
        finally:
            self._raw = None
            raw.terminate()
        raise LineError("the connection was lost")

    async def ring(self) -> None:
        """Send a notification."""
        if self._raw is not None:
            try:
                await self._raw.execute(f"NOTIFY {CHANNEL}")
            except _FAILURES as error:
                raise LineError(str(error)) from error
