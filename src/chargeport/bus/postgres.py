"""The line over a PostgreSQL database: LISTEN and NOTIFY without a payload, on a connection of its own.

NOTIFY inside the storing transaction would make all commits of the server wait for each other; it is sent after the commit.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]

from chargeport.bus.shared import LineError, wait_until_lost

CHANNEL: Final = "chargeport_doorbell"
TIMEOUT_S: Final = 10.0

_FAILURES: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class PostgresLine:
    """`Line` over a database."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._raw: Any = None

    async def listen(self, on_ring: Callable[[], None]) -> None:
        """Listen until the connection is lost; then raise LineError."""
        try:
            raw = await asyncpg.connect(self._url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
        except _FAILURES as error:
            raise LineError(str(error)) from error
        is_lost = asyncio.Event()
        own_pid = raw.get_server_pid()
        raw.add_termination_listener(lambda _: is_lost.set())

        def ring(_raw: Any, pid: int, _channel: str, _payload: str) -> None:
            if pid != own_pid:
                on_ring()

        try:
            await raw.add_listener(CHANNEL, ring)
            self._raw = raw
            on_ring()
            await wait_until_lost(is_lost, raw.is_closed)  # asyncpg calls no listener if a NOTIFY was in progress
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
