"""The clock: the only place that reads the system's time, so that tests can set it.

Instants inside Chargeport are whole milliseconds since 1970 (UTC), named `..._at`; durations end in their unit.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, and how to wait for a later one."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Return once this clock has moved on by `duration_s` seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    async def sleep(self, duration_s: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(duration_s)


class ManualClock:
    """A clock that stands still until it is moved: for tests and time travel.

    `sleep` moves it, so a loop that waits runs through its whole schedule at once.
    """

    def __init__(self, at: int) -> None:
        self._at = at

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return self._at

    def move(self, duration_s: float) -> None:
        """Set the clock forward (or back) by `duration_s` seconds."""
        self._at += round(duration_s * 1000)

    async def sleep(self, duration_s: float) -> None:
        """Move the clock forward and let other tasks run."""
        self.move(duration_s)
        await asyncio.sleep(0)


class ScaledClock:
    """A clock that starts at `at` (now, unless given) and runs `speed` times as fast as the machine's."""

    def __init__(self, speed: float, at: int | None = None) -> None:
        self._speed = speed
        self._started_ns = time.monotonic_ns()
        self._at = SystemClock().now() if at is None else at

    def now(self) -> int:
        """Milliseconds since the epoch, UTC, in this clock's own time."""
        return self._at + int((time.monotonic_ns() - self._started_ns) * self._speed) // 1_000_000

    async def sleep(self, duration_s: float) -> None:
        """Wait until this clock has moved on by `duration_s`."""
        await asyncio.sleep(duration_s / self._speed)
