"""READ THIS FIRST. Where everything meets: sources → ingest → store → api. It wires; it decides nothing.

    source ── Delivery ──▶   ingest   ── Reading, Absence, Issue ──▶ store ──▶ api ──▶ clients
              (theirs)     (dialect)             (ours)             (disk)   (Smartcar's)
                                                                     ▲ │
                                                 derivation: what follows from what was reported

The only module that sees all of them.
"""

import asyncio
import gc
from collections.abc import Mapping, Sequence
from contextlib import suppress

from chargeport.api.access import Access
from chargeport.api.app import WebApp, build_app
from chargeport.api.consents import Consents
from chargeport.api.positions import Positions
from chargeport.api.reads import Reads
from chargeport.api.request import AppContext
from chargeport.api.route import Handler
from chargeport.api.sign_in import SignIn
from chargeport.api.tail import Tail
from chargeport.bus.memory import Doorbell
from chargeport.clock import Clock, SteadyClock
from chargeport.derivation.worker import Derivation
from chargeport.runtime.feeds import Feeds
from chargeport.settings import Settings
from chargeport.signals.catalogue import CATALOGUE
from chargeport.sources.base import Source
from chargeport.staleness.cadence import Cadences
from chargeport.store.backends import open_store
from chargeport.store.protocols import Store
from chargeport.store.retention import keep
from chargeport.store.retention_policy import Keep, Policy
from chargeport.webhooks.service import WebhookService

LAST_CHANGES = 100  # that tell until when the clock has come: a bundle of an import may carry older times


class Service:
    """A running Chargeport, apart from the web server around it."""

    def __init__(self, store: Store, settings: Settings, clock: Clock | None = None, doorbell: Doorbell | None = None) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock or SteadyClock()
        self.doorbell = doorbell or Doorbell()
        self.access = Access(store, self.clock, settings.limits.tokens_by_application)
        self.sign_in = SignIn(store, self.access, self.clock)
        self.consents = Consents(store, self.access, self.clock)
        self.positions = Positions(store.notes)
        self.tail = Tail(store, self.access, self.clock, self.doorbell)
        self.feeds = Feeds(store, settings, self.clock)
        self.derivation = Derivation(store, settings, self.clock, self.doorbell.wait)
        self.policy = Policy({each.group: Keep(*settings.retention.of(each.group)) for each in CATALOGUE})
        self.cadences = Cadences(store, settings.staleness, self.clock)
        docs = f"{settings.server.base_url or f'http://{settings.server.host}:{settings.server.port}'}/docs/errors"
        self.webhooks = WebhookService(store, self.clock, settings.webhooks, docs, self.doorbell.wait)
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    def open(cls, settings: Settings, clock: Clock | None = None, *, anew: bool = False) -> "Service":
        """Open a service on the database that the settings name; `anew` as in `open_store`.

        Raises StartError, SchemaError, SettingError.
        """
        doorbell = Doorbell()
        store = open_store(settings.database.url, doorbell.ring, anew=anew)
        return cls(store, settings, clock, doorbell)

    def app(self, pages: Mapping[str, Handler], *, lane: bool = True) -> WebApp:
        """The application on this service."""
        reads = Reads(self.store, self.access, self.clock, strict=self.settings.server.strict)
        deps = AppContext(
            self.store,
            self.access,
            reads,
            self.clock,
            self.settings,
            self.tail,
            self.positions,
            self.feeds.pipeline,
            self.webhooks,
            self.sign_in,
            self.consents,
        )
        return build_app(deps, pages, lane=lane, sockets=self.feeds.sockets())

    async def start(self, sources: Sequence[Source] = ()) -> None:
        """Make the settings' cars known and begin to listen: to the settings' sources, and to these."""
        # What is loaded by now stays for good: the collector need not look at it again, nor run at every 700th object.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        if isinstance(self.clock, SteadyClock):
            self.clock.not_before(await self._last_received_at())
        await self.cadences.begin()
        self._tasks.append(asyncio.create_task(self.cadences.run(), name="cadence"))
        if self.policy.is_limited:
            self._tasks.append(asyncio.create_task(keep(self.store.retention, self.policy, self.clock), name="retention"))
        await self.feeds.start(sources)
        self.webhooks.start()
        if self.settings.derive.enabled:
            self.store.readings.on_written(self.derivation.heard)
            self._tasks.append(asyncio.create_task(self.derivation.run(), name="derivation"))

    async def _last_received_at(self) -> int:
        """When the newest of the last stored changes was received; 0 where there is none."""
        last = await self.store.readings.changes(max(0, await self.store.readings.position() - LAST_CHANGES), LAST_CHANGES)
        return max((change.received_at for change in last), default=0)

    async def close(self) -> None:
        """Stop the sources, end the streams and let go of the store."""
        await self.feeds.close()
        await self.webhooks.close()
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.tail.close()
        await self.store.close()
