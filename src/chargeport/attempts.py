"""Counts of failed attempts: by address or network, bounded in number, and by a monotonic clock."""

import asyncio
import ipaddress
from collections.abc import Callable, MutableMapping, Sequence
from typing import Final, NamedTuple, Protocol

from cachetools import TTLCache
from limits.storage import Storage

MAX_KEYS: Final = 20_000  # above that, the oldest is removed
WINDOW_S: Final = 60
_IPV6_NETWORK: Final = 64  # bits: the usual allocation of one customer


def loop_time() -> float:
    """Return the event loop's time: a wall clock that leaps could block an address for years."""
    return asyncio.get_running_loop().time()


def network(address: str) -> str:
    """Return the key of an address: an IPv4 address, or the /64 network of an IPv6 address.

    >>> network("203.0.113.9"), network("::ffff:203.0.113.9"), network("2001:db8::1:2:3:4")
    ('203.0.113.9', '203.0.113.9', '2001:db8::')
    """
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_NETWORK), strict=False).network_address)


class _Window:
    """The count of a window."""

    __slots__ = ("count", "ends_at")

    def __init__(self, ends_at: float) -> None:
        self.count = 0
        self.ends_at = ends_at


class BoundedStorage(Storage):
    """A storage for `limits` in memory: bounded, and by a monotonic clock, unlike that of the library."""

    STORAGE_SCHEME = None

    def __init__(self, now: Callable[[], float], longest_s: float = WINDOW_S) -> None:
        """Prepare counts in windows of at most `longest_s` seconds."""
        super().__init__()
        self.now = now
        self._windows: MutableMapping[str, _Window] = TTLCache(MAX_KEYS, longest_s, timer=now)

    @property
    def base_exceptions(self) -> type[Exception]:
        """The exceptions of this storage."""
        return KeyError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to the count of a key, whose window ends after `expiry` seconds; return the count."""
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(self.now() + expiry)
        window.count += amount
        return window.count

    def get(self, key: str) -> int:
        """Return the count of a key."""
        window = self._windows.get(key)
        return 0 if window is None else window.count

    def get_expiry(self, key: str) -> float:
        """Return when the window of a key ends."""
        window = self._windows.get(key)
        return self.now() if window is None else window.ends_at

    def check(self) -> bool:
        """Return whether the storage is available."""
        return True

    def reset(self) -> int:
        """Remove all counts; return their number."""
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        """Remove the count of a key."""
        self._windows.pop(key, None)


class Limit(NamedTuple):
    """The number of attempts under one key that may fail within a window."""

    key: str
    most: int


class Standing(NamedTuple):
    """The number of failed attempts under a key in its window, and the remaining seconds of the window."""

    failed: int
    left_s: float


class FailedAttempts(Protocol):
    """Count failed attempts, for all processes that share a database."""

    async def count(self, limits: Sequence[Limit], more: int = 0) -> list[Standing]:
        """Add `more` to the count of each key, unless a limit is reached; return the counts before, in the order of the limits.

        Concurrent calls are serialized: each reads what the earlier ones have counted.
        """
        ...


class LocalAttempts:
    """`FailedAttempts` of this process alone."""

    def __init__(self, now: Callable[[], float] = loop_time) -> None:
        """Count by this clock."""
        self.windows = BoundedStorage(now)

    async def count(self, limits: Sequence[Limit], more: int = 0) -> list[Standing]:
        """Add `more` to the count of each key. See `FailedAttempts`."""
        now = self.windows.now()
        found = [Standing(self.windows.get(key), max(0.0, self.windows.get_expiry(key) - now)) for key, _ in limits]
        if more and used_up_s(limits, found) is None:
            for key, _ in limits:
                self.windows.incr(key, WINDOW_S, more)
        return found


def used_up_s(limits: Sequence[Limit], standings: Sequence[Standing]) -> float | None:
    """Return after how many seconds another attempt is allowed; None if no limit is reached.

    >>> used_up_s([Limit("a", 5), Limit("b", 9)], [Standing(4, 30.0), Standing(9, 12.5)])
    12.5
    """
    return next((each.left_s for limit, each in zip(limits, standings, strict=True) if each.failed >= limit.most), None)
