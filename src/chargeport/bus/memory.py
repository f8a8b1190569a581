"""The doorbell inside one process."""

import asyncio


class Doorbell:
    """Wakes those who wait for something new in the store. A lost ring costs latency, never data."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody who waits now."""
        self._rung.set()
        self._rung = asyncio.Event()

    async def wait(self, timeout_s: float) -> bool:
        """Return when it rings, or after `timeout_s`; whether it rang."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            return False
        return True
