"""Wrong tokens and secrets: counted, logged once, and slowed by who is named and where it comes from.

A wrong secret is counted for the application at the address, for the address and for the application. Once one of these is used
up, nothing is checked for the rest of the minute: the answer is 429. An application is not counted as a whole where it signed
in before, so that nobody can shut it out from elsewhere. A token that is good is always taken, whatever else its address sends.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, MutableMapping
from typing import Final

from cachetools import LRUCache, TTLCache
from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from chargeport.api.clients import network
from chargeport.errors import RATE_LIMITED, UNAUTHORIZED, Problem

TOKEN: Final = "token"  # noqa: S105  (what it is called)
SECRET: Final = "secret"  # noqa: S105
MANY: Final = 5  # times as many are taken of one address, or of one application
MAX_KEYS: Final = 20_000  # then the one that was counted longest ago is forgotten
MAX_NAME: Final = 80
WINDOW_S: Final = 60
TOLD_S: Final = 3600

_log = logging.getLogger("chargeport.api")


class WrongCredentialError(Problem):
    """A token or secret that is nobody's: an answer that has to be counted. `identity` is logged; it is no secret."""

    def __init__(self, detail: str, credential: str, identity: str) -> None:
        super().__init__(UNAUTHORIZED, detail)
        self.credential = credential
        self.identity = identity


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Guesses:
    """Counts wrong credentials. The time is the event loop's: a wall clock that leaps would shut somebody out for years."""

    def __init__(self, per_minute: int, now: Callable[[], float] = _loop_time) -> None:
        self.failures: Counter[str] = Counter()
        """How many there were, by the sort of credential."""
        self._storage = _BoundedStorage(now)
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._tokens: TTLCache[str, None] = TTLCache(MAX_KEYS, WINDOW_S, timer=now)
        self._told: TTLCache[str, None] = TTLCache(MAX_KEYS, TOLD_S, timer=now)
        self._few, self._many = RateLimitItemPerMinute(per_minute), RateLimitItemPerMinute(MANY * per_minute)
        self._known: LRUCache[tuple[str, str], None] = LRUCache(MAX_KEYS)

    def check(self, credential: str, address: str, identity: str) -> None:
        """Let a try through. Raises Problem (429) where there were too many."""
        for item, key in self._keys(credential, address, identity):
            if not self._limiter.test(item, *key):
                left_s = self._limiter.get_window_stats(item, *key).reset_time - self._storage.now()
                detail = f"Too many wrong {credential}s came from this address or for this name: try again later."
                raise Problem(RATE_LIMITED, detail, retry_after_s=max(1, round(left_s)))

    def failed(self, credential: str, address: str, identity: str) -> None:
        """Count a wrong one; the log says so, once an hour, when there are too many."""
        self.failures[credential] += 1
        for item, key in self._keys(credential, address, identity):
            self._limiter.hit(item, *key)
            whose = item.key_for(*key)
            if not self._limiter.test(item, *key) and whose not in self._told:
                self._told[whose] = None
                many = "%d wrong %ss within a minute from %s, the last for %.80r: slowed down; logged once an hour"
                _log.warning(many, item.amount, credential, network(address), identity)
        if credential == TOKEN:
            self._tokens[identity] = None

    def succeeded(self, address: str, identity: str) -> None:
        """Remember that this address knows the secret."""
        self._known[identity[:MAX_NAME], network(address)] = None

    def _keys(self, credential: str, address: str, identity: str) -> list[tuple[RateLimitItemPerMinute, tuple[str, ...]]]:
        """What a try counts for, with how many are taken. One wrong token, however often it is sent, is one guess."""
        if identity in self._tokens:
            return []
        name, place = identity[:MAX_NAME], network(address)
        keys: list[tuple[RateLimitItemPerMinute, tuple[str, ...]]] = [(self._many, (credential, place))]
        if credential != TOKEN:  # a token names nobody
            keys.append((self._few, (credential, place, name)))
            if (name, place) not in self._known:
                keys.append((self._many, (credential, "", name)))
        return keys


class _Window:
    """How many there were in a window."""

    __slots__ = ("count", "ends_at")

    def __init__(self, ends_at: float) -> None:
        self.count = 0
        self.ends_at = ends_at


class _BoundedStorage(Storage):
    """Counts in memory, bounded, by a clock that only goes forward; that of `limits` is neither."""

    STORAGE_SCHEME = None

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self.now = now
        self._windows: MutableMapping[str, _Window] = TTLCache(MAX_KEYS, WINDOW_S, timer=now)

    @property
    def base_exceptions(self) -> type[Exception]:
        return KeyError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(self.now() + expiry)
        window.count += amount
        return window.count

    def get(self, key: str) -> int:
        window = self._windows.get(key)
        return 0 if window is None else window.count

    def get_expiry(self, key: str) -> float:
        window = self._windows.get(key)
        return self.now() if window is None else window.ends_at

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)
