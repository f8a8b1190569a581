"""The clock: the only place that reads the system's time, so that tests can set it.

Instants inside Chargeport are whole milliseconds since 1970 (UTC), named `..._at`; durations end in their unit.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

RELEASED_AT: Final = 1_795_824_000_000  # 2026-11-28: a clock before this was never set
LEAP_MS: Final = 120_000  # NTP slews smaller differences, and clocks of sources differ by more
CHECK_EVERY_MS: Final = 1_000
SETTLING_MS: Final = 15 * 60_000  # after boot: boards without a battery get their time from the network
MAX_SETTLING_MS: Final = 400 * 86_400_000  # the longest time for which such a board may have been off
MAX_AHEAD_MS: Final = 400 * 86_400_000  # at a start, a clock may be ahead of stored values
MAX_BEHIND_MS: Final = 30 * 86_400_000  # a clock may be behind stored values
CONFIRMED: Final = ("clock", "confirmed_at")  # the note of the time at which a person confirmed the machine's clock

_log = logging.getLogger("chargeport.clock")


class Clock(Protocol):
    """The present time, and a way to wait."""

    def now(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        ...

    def compared(self, at: int) -> int:
        """Compare with the present time of another clock; return the present time of this one."""
        ...

    def machine_s(self, duration_s: float) -> float:
        """Return how long `duration_s` seconds of this clock take by the machine's, for timeouts."""
        ...

    async def sleep(self, duration_s: float) -> None:
        """Wait until this clock has advanced by `duration_s` seconds."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    def compared(self, at: int) -> int:
        """Return the present time; the comparison has no effect."""
        del at
        return self.now()

    def machine_s(self, duration_s: float) -> float:
        """Return `duration_s`: this clock runs as fast as the machine's."""
        return duration_s

    async def sleep(self, duration_s: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(duration_s)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _since_boot_ms() -> int:
    """Return milliseconds since boot, including the time of sleep if the system counts it."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


class SteadyClock:
    """The clock of a server: the machine's clock, without leaps that are not confirmed.

    A value that was stored with a time far ahead is the latest of its signal until that time. So a leap (NTP, a virtual machine
    that was resumed, a board with an empty battery) is followed only if there is evidence for the new time. Until then, the
    time is counted by the monotonic clock since boot.

    Safe to use from several threads: at worst a leap is noticed twice.
    """

    def __init__(self, wall: Callable[[], int] = _wall_ms, since_boot: Callable[[], int] = _since_boot_ms) -> None:
        self._wall = wall
        self._since_boot = since_boot
        self._set(wall(), since_boot())
        self._is_unconfirmed = False

    def now(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        wall = self._wall()
        if self._checked_at <= wall < self._check_again_at:
            return wall
        since_boot = self._since_boot()
        expected = self._at + since_boot - self._boot_at
        leap = wall - expected
        if abs(leap) <= LEAP_MS:
            self._follow(wall, since_boot)
            return wall
        if self._is_credible(wall, expected, since_boot):
            _log.warning("The machine's clock was set by %s; it is followed: %s.", _span(leap), _reason(expected))
            self._follow(wall, since_boot)
            return wall
        if not self._is_unconfirmed:
            self._count_from(expected, since_boot)
            _log.error(
                "The machine's clock leapt by %s. Chargeport counts on from %s until the clock is back, or the times that "
                "sources send agree with it. If the clock is right, restart Chargeport.", _span(leap), _text(expected),
            )  # fmt: skip
        return expected

    def machine_s(self, duration_s: float) -> float:
        """Return `duration_s`: this clock runs as fast as the machine's."""
        return duration_s

    async def sleep(self, duration_s: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(duration_s)

    def begin(self, stored_at: int, confirmed_at: int = 0) -> None:
        """Compare the machine's clock with the receipt of the newest stored values: the present is later, but not by years.

        `stored_at` is 0 if nothing was stored. A person confirmed the machine's clock at `confirmed_at`.
        """
        wall = self._wall()
        behind = stored_at - wall
        if stored_at >= RELEASED_AT and wall - max(stored_at, confirmed_at) > MAX_AHEAD_MS:
            self._count_from(stored_at, self._since_boot())
            _log.error(
                "The machine's clock (%s) is years ahead of the newest stored values. Chargeport counts on from %s until the "
                "times that sources send agree with the clock. If it is right, confirm it with chargeport repair clock, and "
                "restart Chargeport.", _text(wall), _text(stored_at),
            )  # fmt: skip
            return
        if behind <= LEAP_MS:
            return
        if wall >= RELEASED_AT and behind > MAX_BEHIND_MS:
            _log.error(
                "Values are stored with times up to %s, which is ahead of the machine's clock (%s). If the clock is right, "
                "remove them with: chargeport repair clock", _text(stored_at), _text(wall),
            )  # fmt: skip
            return
        self._count_from(stored_at, self._since_boot())
        _log.error(
            "The machine's clock (%s) is behind the newest stored values. Chargeport counts on from %s until the clock has "
            "passed it, or the times that sources send agree with the clock. If the clock is right, remove what was stored "
            "ahead with: chargeport repair clock", _text(wall), _text(stored_at),
        )  # fmt: skip

    def compared(self, at: int) -> int:
        """Compare with the present time of another clock: if it agrees with the machine's clock, follow that again."""
        if self._is_unconfirmed:
            wall = self._wall()
            if wall >= RELEASED_AT and abs(at - wall) <= LEAP_MS:
                _log.warning("The times that sources send agree with the machine's clock.")
                self._follow(wall, self._since_boot())
        return self.now()

    def _is_credible(self, wall: int, expected: int, since_boot: int) -> bool:
        """Return whether a leap is a correction: of a clock that had never been set, or soon after boot."""
        if wall < RELEASED_AT:
            return False
        if expected < RELEASED_AT:
            return True
        return since_boot < SETTLING_MS and 0 < wall - expected < MAX_SETTLING_MS

    def _follow(self, wall: int, since_boot: int) -> None:
        if self._is_unconfirmed:
            _log.warning("The machine's clock is followed again.")
        self._is_unconfirmed = False
        self._set(wall, since_boot)

    def _count_from(self, at: int, since_boot: int) -> None:
        self._is_unconfirmed = True
        self._set(at, since_boot)
        self._check_again_at = self._checked_at  # check at each call while the clock is not confirmed

    def _set(self, at: int, since_boot: int) -> None:
        self._at = at
        self._boot_at = since_boot
        self._checked_at = at
        self._check_again_at = at + CHECK_EVERY_MS


class ManualClock:
    """A clock that is moved by its user: for tests and time travel.

    `sleep` moves it, so that a loop with waits runs through its schedule without waiting.
    """

    def __init__(self, at: int) -> None:
        self._at = at

    def now(self) -> int:
        """Return milliseconds since the epoch, UTC."""
        return self._at

    def move(self, duration_s: float) -> None:
        """Set the clock forward (or back) by `duration_s` seconds."""
        self._at += round(duration_s * 1000)

    def compared(self, at: int) -> int:
        """Return the present time; the comparison has no effect."""
        del at
        return self.now()

    def machine_s(self, duration_s: float) -> float:
        """Return `duration_s`."""
        return duration_s

    async def sleep(self, duration_s: float) -> None:
        """Move the clock forward and let other tasks run."""
        self.move(duration_s)
        await asyncio.sleep(0)


class SimulatedClock:
    """A clock that runs `speed` times as fast as the machine's, is stopped at speed 0, and can be set forward.

    It starts at `at` (now, unless given). Belongs to one event loop; any thread may read it.
    """

    def __init__(self, speed: float = 1.0, at: int | None = None) -> None:
        self._speed = speed
        self._base_ns = time.monotonic_ns()
        self._at = SystemClock().now() if at is None else at
        self._moved = asyncio.Event()

    @property
    def speed(self) -> float:
        """The speed relative to the machine's clock; 0 while it is stopped."""
        return self._speed

    def now(self) -> int:
        """Return milliseconds since the epoch, UTC, in this clock's own time."""
        return self._at + int((time.monotonic_ns() - self._base_ns) * self._speed) // 1_000_000

    def run(self, speed: float) -> None:
        """Run at this speed from the present instant on; 0 stops the clock."""
        self._rebase(self.now(), speed)

    def set(self, at: int) -> None:
        """Set the clock forward to this instant; one in the past changes nothing."""
        self._rebase(max(at, self.now()), self._speed)

    def compared(self, at: int) -> int:
        """Return the present time; the comparison has no effect."""
        del at
        return self.now()

    def machine_s(self, duration_s: float) -> float:
        """Return how long that takes by the machine's clock at the present speed; infinite while the clock is stopped."""
        return duration_s / self._speed if self._speed else math.inf

    async def sleep(self, duration_s: float) -> None:
        """Wait until this clock has advanced by `duration_s` seconds, also by being set."""
        until_at = self.now() + round(duration_s * 1000)
        await asyncio.sleep(0)
        while (left_ms := until_at - self.now()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.machine_s(left_ms / 1000) if self._speed else None):
                    await self._moved.wait()

    def _rebase(self, at: int, speed: float) -> None:
        self._at, self._base_ns, self._speed = at, time.monotonic_ns(), speed
        self._moved.set()
        self._moved = asyncio.Event()


def _reason(expected: int) -> str:
    return "it had never been set" if expected < RELEASED_AT else "the machine has just started"


def _span(leap_ms: int) -> str:
    return f"{'+' if leap_ms > 0 else '-'}{timedelta(seconds=abs(leap_ms) // 1000)}"


def _text(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
