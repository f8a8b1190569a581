"""Leases in the database: of several processes on one, one does what must be done once, and another takes over when it dies.

A lease that is not renewed ends by itself. The clocks of the machines may differ by a second or two.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from chargeport import tasks
from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.store.notes import KeyValue

LASTS_MS: Final = 6_000
RENEWED_EVERY_S: Final = 2.0  # also how often others try: taken over within 8 s
GIVEN_UP_MS: Final = 1_500  # before the end, by whoever can't reach the database

_log = logging.getLogger("chargeport.leases")

Work = Callable[[], Awaitable[None]]


class Leases:
    """Runs work while this process holds the lease of its name."""

    def __init__(self, notes: KeyValue, clock: Clock) -> None:
        self._notes = notes
        self._clock = clock
        self._holder = uuid.uuid4().hex
        self._held: set[str] = set()

    @property
    def held(self) -> frozenset[str]:
        """What this process does now."""
        return frozenset(self._held)

    async def hold(self, name: str, work: Work) -> None:
        """Do `work` whenever the lease is held, until cancelled. Work that ends by itself is begun again later."""
        while True:
            if await self._taken(name):
                await self._work(name, work)
            await self._clock.sleep(RENEWED_EVERY_S)

    async def _work(self, name: str, work: Work) -> None:
        _log.info("this process does the %s now", name)
        self._held.add(name)
        doing = asyncio.ensure_future(work())
        try:
            await self._keep(name, doing)
        finally:
            self._held.discard(name)
            await tasks.end(doing)
            with suppress(StoreError):
                await self._notes.end_lease(name, self._holder)

    async def _keep(self, name: str, doing: "asyncio.Future[None]") -> None:
        """Renew the lease until it is lost or the work is over."""
        until = self._clock.now() + LASTS_MS
        while not doing.done():
            await self._clock.sleep(RENEWED_EVERY_S)
            now = self._clock.now()
            try:
                if not await self._notes.take_lease(name, self._holder, now, now + LASTS_MS):
                    _log.warning("another process does the %s now", name)
                    return
                until = now + LASTS_MS
            except StoreError as error:
                if now > until - GIVEN_UP_MS:
                    _log.warning("the %s is left to another process, for the database can't be reached: %s", name, error)
                    return

    async def _taken(self, name: str) -> bool:
        now = self._clock.now()
        try:
            return await self._notes.take_lease(name, self._holder, now, now + LASTS_MS)
        except StoreError:
            return False
