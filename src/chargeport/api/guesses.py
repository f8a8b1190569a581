"""Wrong tokens and secrets: counted, logged once, and limited by identity and address.

A wrong secret is counted for the application at the address, for the address and for the application. Once one of these limits
is reached, no secret is checked for the rest of the minute: the answer is 429. The limit of an application as a whole does not
apply at addresses from which it signed in before, so that other addresses can't lock it out. Tokens, links and signatures
contain no identity: they are counted for the address only. A valid token or signature is always accepted.
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
MANY: Final = 5  # the factor by which the limits of an address, and of an application, are higher
MAX_NAME: Final = 80
TOLD_S: Final = 3600

_NAMELESS: Final = (TOKEN, SIGNATURE, LINK)  # too long to be guessed; a count over all addresses would lock out every client

_log = logging.getLogger("chargeport.api")

T = TypeVar("T")


class WrongCredentialError(Problem):
    """A wrong token or secret, which has to be counted. `identity` is logged; it is not a secret."""

    def __init__(self, detail: str, credential: str, identity: str) -> None:
        super().__init__(UNAUTHORIZED, detail)
        self.credential = credential
        self.identity = identity


class Guesses:
    """Count wrong credentials. The time is the event loop's: a leap of the wall clock could lock out a client for years."""

    def __init__(
        self,
        per_minute: int,
        now: Callable[[], float] = loop_time,
        refused: Callable[[str, str, str], None] = lambda *_: None,
        attempts: FailedAttempts | None = None,
    ) -> None:
        """Set the limits. `refused` is called with the type, the address and the identity of each wrong credential.

        `attempts` counts them; by default they are counted in this process.
        """
        self._refused = refused
        self.failures: Counter[str] = Counter()
        """The number of wrong credentials, by type."""
        self._attempts = attempts or LocalAttempts(now)
        self._tokens: TTLCache[str, None] = TTLCache(MAX_KEYS, WINDOW_S, timer=now)
        self._logged: TTLCache[str, None] = TTLCache(MAX_KEYS, TOLD_S, timer=now)
        self._few, self._many = per_minute, MANY * per_minute
        self._known: LRUCache[tuple[str, str], None] = LRUCache(MAX_KEYS)

    async def attempt(self, credential: str, address: str, identity: str, proof: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `proof`, which raises Problem (401) for a wrong credential. Raises Problem (401, 429).

        The limit is checked again after the proof: otherwise more of a thousand concurrent attempts would be answered than
        of a thousand consecutive ones.
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
        """Check the limits before an attempt. Raises Problem (429) if there were too many."""
        limits = self._limits(credential, address, identity)
        _refuse(credential, limits, await self._attempts.count(limits))

    async def failed(self, credential: str, address: str, identity: str) -> None:
        """Count a wrong credential; log it at the limit, once an hour. Raises Problem (429) if the limit was reached before."""
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
        """Return the limits of an attempt. A wrong token that is sent repeatedly counts once."""
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
    """Raise Problem (429) if a limit is reached."""
    left_s = used_up_s(limits, standings)
    if left_s is not None:
        detail = f"Too many wrong {credential}s came from this address or for this name: try again later."
        raise Problem(RATE_LIMITED, detail, retry_after_s=max(1, round(left_s)))
