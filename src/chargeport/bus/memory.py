"""The doorbell inside one process."""

import asyncio


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
