"""Leases in the database: one of several processes does work that must be done once, and another takes over if it fails.

A lease expires unless it is renewed. The clocks of the machines may differ by a second or two.
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
RENEWED_EVERY_S: Final = 2.0  # also between attempts of the others: they take over within 8 s
GIVE_UP_MS: Final = 1_500  # before the expiry, by a process that can't reach the database

_log = logging.getLogger("chargeport.leases")

Work = Callable[[], Awaitable[None]]


class Leases:
    """Run work while this process has its lease."""

    def __init__(self, notes: KeyValue, clock: Clock) -> None:
        self._notes = notes
        self._clock = clock
        self._holder = uuid.uuid4().hex
        self._held: set[str] = set()

    @property
    def held(self) -> frozenset[str]:
        """The names of the leases that this process has."""
        return frozenset(self._held)

    async def hold(self, name: str, work: Work) -> None:
        """Run `work` whenever the lease is held, until cancelled. Work that returns is started again later."""
        while True:
            if await self._take(name):
                await self._run(name, work)
            await self._clock.sleep(RENEWED_EVERY_S)

    async def _run(self, name: str, work: Work) -> None:
        _log.info("this process does the %s now", name)
        self._held.add(name)
        task = asyncio.ensure_future(work())
        try:
            await self._renew(name, task)
        finally:
            self._held.discard(name)
            await tasks.end(task)
            with suppress(StoreError):
                await self._notes.end_lease(name, self._holder)

    async def _renew(self, name: str, task: "asyncio.Future[None]") -> None:
        """Renew the lease until it is lost or the work has returned."""
        expires_at = self._clock.now() + LASTS_MS
        while not task.done():
            await self._clock.sleep(RENEWED_EVERY_S)
            now = self._clock.now()
            try:
                if not await self._notes.take_lease(name, self._holder, now, now + LASTS_MS):
                    _log.warning("another process does the %s now", name)
                    return
                expires_at = now + LASTS_MS
            except StoreError as error:
                if now > expires_at - GIVE_UP_MS:
                    _log.warning("this process gives up the %s, as it can't reach the database: %s", name, error)
                    return

    async def _take(self, name: str) -> bool:
        now = self._clock.now()
        try:
            return await self._notes.take_lease(name, self._holder, now, now + LASTS_MS)
        except StoreError:
            return False
