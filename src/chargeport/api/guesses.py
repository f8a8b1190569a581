"""Wrong tokens and secrets: counted, logged once, and slowed by who is named and where it comes from.

A wrong secret is counted for the application at the address, for the address and for the application. Once one of these is used
up, nothing is checked for the rest of the minute: the answer is 429. An application is not counted as a whole where it signed
in before, so that nobody can shut it out from elsewhere. A token that is good is always taken, whatever else its address sends.
"""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from cachetools import LRUCache, TTLCache
from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter

from chargeport.attempts import MAX_KEYS, WINDOW_S, BoundedStorage, loop_time, network
from chargeport.errors import RATE_LIMITED, UNAUTHORIZED, Problem

TOKEN: Final = "token"  # noqa: S105  (what it is called)
SECRET: Final = "secret"  # noqa: S105
SIGNATURE: Final = "signature"
MANY: Final = 5  # times as many are taken of one address, or of one application
MAX_NAME: Final = 80
TOLD_S: Final = 3600

_log = logging.getLogger("chargeport.api")


class WrongCredentialError(Problem):
    """A token or secret that is nobody's: an answer that has to be counted. `identity` is logged; it is no secret."""

    def __init__(self, detail: str, credential: str, identity: str) -> None:
        super().__init__(UNAUTHORIZED, detail)
        self.credential = credential
        self.identity = identity


class Guesses:
    """Counts wrong credentials. The time is the event loop's: a wall clock that leaps would shut somebody out for years."""

    def __init__(
        self, per_minute: int, now: Callable[[], float] = loop_time, refused: Callable[[str, str, str], None] = lambda *_: None
    ) -> None:
        """Set the limits. `refused` is called with the sort of credential, the address and the identity of each wrong one."""
        self._refused = refused
        self.failures: Counter[str] = Counter()
        """How many there were, by the sort of credential."""
        self._storage = BoundedStorage(now)
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
        """Count a wrong one; log it, once an hour, when there are too many."""
        self.failures[credential] += 1
        self._refused(credential, address, identity)
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
        """Record that this address knows the secret."""
        self._known[identity[:MAX_NAME], network(address)] = None

    def _keys(self, credential: str, address: str, identity: str) -> list[tuple[RateLimitItemPerMinute, tuple[str, ...]]]:
        """Return what a try counts against, with the limits. One wrong token, however often it is sent, is one guess."""
        if identity in self._tokens:
            return []
        name, place = identity[:MAX_NAME], network(address)
        keys: list[tuple[RateLimitItemPerMinute, tuple[str, ...]]] = [(self._many, (credential, place))]
        if credential != TOKEN:  # a token names nobody
            keys.append((self._few, (credential, place, name)))
            if (name, place) not in self._known:
                keys.append((self._many, (credential, "", name)))
        return keys
