"""READ THIS FIRST. Where everything meets: sources → normalise → store → api. It wires; it decides nothing.

    source ── RawMessage ──▶ normalise ── Reading, Absence, Issue ──▶ store ──▶ api ──▶ clients
                (theirs)       (dialect)            (ours)          (disk)   (Smartcar's)

The only module that sees all of them.
"""

import asyncio
import gc
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp

from chargeport.api.access import Access
from chargeport.api.app import build_app
from chargeport.api.call import Deps
from chargeport.api.reads import Reads
from chargeport.api.routes import Handler
from chargeport.api.tail import Tail
from chargeport.bus.memory import Doorbell
from chargeport.clock import Clock, SystemClock
from chargeport.config import Settings, database_file
from chargeport.dialects.simulator import SIMULATOR
from chargeport.normalise.engine import normalise
from chargeport.signals.reading import Entry, Issue
from chargeport.sources.base import RawMessage, Source
from chargeport.store.base import Store
from chargeport.store.sqlite import SqliteStore

DIALECTS: Final = {dialect.name: dialect for dialect in (SIMULATOR,)}
RETRY_S: Final = 5.0  # after which a source that ended in an error is started again

_log = logging.getLogger("chargeport.service")


class Service:
    """A running Chargeport, apart from the web server around it."""

    def __init__(self, store: Store, settings: Settings, clock: Clock | None = None, doorbell: Doorbell | None = None) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock or SystemClock()
        self.doorbell = doorbell or Doorbell()
        self.access = Access(store, self.clock)
        self.tail = Tail(store, self.access, self.clock, self.doorbell)
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    def open(cls, settings: Settings, clock: Clock | None = None) -> "Service":
        """A service on the database that the settings name. Raises StartError, SchemaError, SettingError."""
        doorbell = Doorbell()
        store = SqliteStore.open(database_file(settings.database.url), doorbell.ring)
        return cls(store, settings, clock, doorbell)

    def app(self, pages: Mapping[str, Handler], *, lane: bool = True) -> ASGIApp:
        """The ASGI application on this service."""
        reads = Reads(self.store, self.access, self.clock)
        return build_app(Deps(self.store, self.access, reads, self.clock, self.settings, self.tail), pages, lane=lane)

    def start(self, sources: Sequence[Source]) -> None:
        """Begin to listen to sources."""
        # What is loaded by now stays for good: the collector need not look at it again, nor run at every 700th object.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self._tasks += [asyncio.create_task(self._listen(source), name=f"source {source.name}") for source in sources]

    async def take(self, messages: list[RawMessage]) -> None:
        """Store what messages mean; returns when it is on disk. What can't be understood is kept as an issue."""
        entries: list[Entry] = []
        issues: list[Issue] = []
        for message in messages:
            found = normalise(message, DIALECTS[message.dialect], self.settings.ingest.max_future_s)
            entries += found.entries
            issues += found.issues
        if entries:
            await self.store.write(entries)
        if issues:
            await self.store.add_issues(issues)

    async def close(self) -> None:
        """Stop the sources, end the streams and let go of the store."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self.tail.close()
        await self.store.close()

    async def _listen(self, source: Source) -> None:
        """Run a source for good: one that fails is started again and stops neither the others nor the API."""
        while True:
            try:
                await source.run(self.take)
            except Exception:  # noqa: BLE001  (whatever it was)
                _log.exception("source %s failed; it is started again in %g s", source.name, RETRY_S)
            await asyncio.sleep(RETRY_S)
