"""The daily counts of the audit log: requests by application, and wrong credentials.

They are counted in memory, so that a read needs no write, and written every minute and at the end. A server that is killed
loses the counts of its last minute.
"""

import asyncio
import logging
from collections import Counter
from typing import Final

from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.store.audit import UNKNOWN, Act, Actor
from chargeport.store.protocols import Store

WRITE_EVERY_S: Final = 60.0
MAX_REFUSED: Final = 1000  # different wrong credentials in a minute; further ones are counted together

_log = logging.getLogger("chargeport.api")


class AccessCounts:
    """The counts of a process that are not in the audit log yet."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.requests: Counter[str] = Counter()
        """Requests that were answered, by application."""
        self._refused: Counter[tuple[str, str, str]] = Counter()

    def refused(self, credential: str, address: str, identity: str) -> None:
        """Count a wrong credential."""
        key = (credential, address, identity)
        self._refused[key if key in self._refused or len(self._refused) < MAX_REFUSED else (credential, "", "")] += 1

    def of_source(self, credential: str, address: str) -> None:
        """Count a wrong credential of a client of a source, which is neither an application nor a user."""
        self.refused(credential, address, "")

    async def run(self) -> None:
        """Write the counts every minute of real time until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.write()
            except StoreError as error:
                _log.warning("the audit log can't be written: %s", error)

    async def write(self) -> None:
        """Add the counts to the log. Raises StoreError; the counts are then retained."""
        requests, refused = self.requests.copy(), self._refused.copy()
        counts: Counter[tuple[Act, Actor, str]] = Counter()
        for client_id, count in requests.items():
            counts[Act.REQUESTS, Actor(client_id, "", self._clock.now), ""] += count
        for (credential, address, identity), count in refused.items():
            who = Actor(await self._known(identity), address, self._clock.now)
            counts[Act.CREDENTIAL_REFUSED, who, credential] += count
        if counts:
            await self._store.audit.count(counts)
        self.requests.subtract(requests)
        self.requests += Counter()  # remove those that are zero
        self._refused.subtract(refused)
        self._refused += Counter()

    async def _known(self, identity: str) -> str:
        """Return the name of an application or user. Any other text may be a secret in the wrong field, and is not logged."""
        if await self._store.access.application(identity) is not None:
            return identity
        return UNKNOWN if await self._store.sign_in.user(identity) is None else f"user:{identity}"
