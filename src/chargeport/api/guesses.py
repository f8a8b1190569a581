"""Wrong tokens and secrets: counted, logged once, and slowed by who is named and where it comes from.

A wrong secret is counted for the application at the address, for the address and for the application. Once one of these is used
up, nothing is checked for the rest of the minute: the answer is 429. An application is not counted as a whole where it signed
in before, so that nobody can shut it out from elsewhere. Tokens, links and signatures name nobody: they are counted for the
address alone. A token or signature that is good is always taken, whatever else its address sends.
"""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from cachetools import LRUCache, TTLCache

from chargeport.attempts import (
    MAX_KEYS,
    WINDOW_S,
    FailedAttempts,
    Limit,
    LocalAttempts,
    Standing,
    loop_time,
    network,
    used_up_s,
)
from chargeport.errors import RATE_LIMITED, UNAUTHORIZED, Problem

TOKEN: Final = "token"  # noqa: S105  (what it is called)
SECRET: Final = "secret"  # noqa: S105
SIGNATURE: Final = "signature"
LINK: Final = "link"
PASSWORD: Final = "password"  # noqa: S105
MANY: Final = 5  # times as many are taken of one address, or of one application
MAX_NAME: Final = 80
TOLD_S: Final = 3600

_NAMELESS: Final = (TOKEN, SIGNATURE, LINK)  # too long to be guessed: a count for all addresses would shut out everybody

_log = logging.getLogger("chargeport.api")

T = TypeVar("T")


class WrongCredentialError(Problem):
    """A token or secret that is nobody's: an answer that has to be counted. `identity` is logged; it is no secret."""

    def __init__(self, detail: str, credential: str, identity: str) -> None:
        super().__init__(UNAUTHORIZED, detail)
        self.credential = credential
        self.identity = identity


class Guesses:
    """Counts wrong credentials. The time is the event loop's: a wall clock that leaps would shut somebody out for years."""

    def __init__(
        self,
        per_minute: int,
        now: Callable[[], float] = loop_time,
        refused: Callable[[str, str, str], None] = lambda *_: None,
        attempts: FailedAttempts | None = None,
    ) -> None:
        """Set the limits. `refused` is called with the sort of credential, the address and the identity of each wrong one.

        `attempts` counts them; without it this process does, for itself.
        """
        self._refused = refused
        self.failures: Counter[str] = Counter()
        """How many there were, by the sort of credential."""
        self._attempts = attempts or LocalAttempts(now)
        self._tokens: TTLCache[str, None] = TTLCache(MAX_KEYS, WINDOW_S, timer=now)
        self._logged: TTLCache[str, None] = TTLCache(MAX_KEYS, TOLD_S, timer=now)
        self._few, self._many = per_minute, MANY * per_minute
        self._known: LRUCache[tuple[str, str], None] = LRUCache(MAX_KEYS)

    async def attempt(self, credential: str, address: str, identity: str, proof: Callable[[], Awaitable[T]]) -> T:
        """Return what a proof leads to; it raises Problem (401) where it is wrong. Raises Problem (401, 429).

        It is counted whether there were too many once the proof is done, too: of a thousand that are sent at the same time no
        more are answered than of a thousand in turn.
        """
        await self.check(credential, address, identity)
        try:
            found = await proof()
        except Problem as problem:
            if problem.kind is UNAUTHORIZED:
                await self.failed(credential, address, identity)
            raise
        if credential not in _NAMELESS:
            await self.check(credential, address, identity)
        self.succeeded(address, identity)
        return found

    async def check(self, credential: str, address: str, identity: str) -> None:
        """Let a try through. Raises Problem (429) where there were too many."""
        limits = self._limits(credential, address, identity)
        _refuse(credential, limits, await self._attempts.count(limits))

    async def failed(self, credential: str, address: str, identity: str) -> None:
        """Count a wrong one; log it, once an hour, when there are too many. Raises Problem (429) where there were before."""
        self.failures[credential] += 1
        self._refused(credential, address, identity)
        limits = self._limits(credential, address, identity)
        standings = await self._attempts.count(limits, 1)
        if credential == TOKEN:
            self._tokens[identity] = None
        for limit, standing in zip(limits, standings, strict=True):
            if standing.failed + 1 >= limit.most and limit.key not in self._logged:
                self._logged[limit.key] = None
                many = "%d wrong %ss within a minute from %s, the last for %.80r: slowed down; logged once an hour"
                _log.warning(many, limit.most, credential, network(address), identity)
        _refuse(credential, limits, standings)

    def succeeded(self, address: str, identity: str) -> None:
        """Record that this address knows the secret."""
        self._known[identity[:MAX_NAME], network(address)] = None

    def _limits(self, credential: str, address: str, identity: str) -> list[Limit]:
        """Return what a try counts against. One wrong token, however often it is sent, is one guess."""
        if identity in self._tokens:
            return []
        name, place = identity[:MAX_NAME], network(address)
        limits = [Limit(f"{credential}/{place}", self._many)]
        if credential not in _NAMELESS:
            limits.append(Limit(f"{credential}/{place}/{name}", self._few))
            if (name, place) not in self._known:
                limits.append(Limit(f"{credential}/*/{name}", self._many))
        return limits


def _refuse(credential: str, limits: Sequence[Limit], standings: Sequence[Standing]) -> None:
    """Raise Problem (429) where a limit is used up."""
    left_s = used_up_s(limits, standings)
    if left_s is not None:
        detail = f"Too many wrong {credential}s came from this address or for this name: try again later."
        raise Problem(RATE_LIMITED, detail, retry_after_s=max(1, round(left_s)))
