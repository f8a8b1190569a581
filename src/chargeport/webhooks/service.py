"""The webhooks of a running service: the watch, the deliveries, and the requests of routes and commands."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Final

from chargeport import tasks
from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.settings import WebhookSettings
from chargeport.store.protocols import Store
from chargeport.store.webhooks import Webhook
from chargeport.webhooks.delivery import Deliveries
from chargeport.webhooks.receivers import Answer, check_uri
from chargeport.webhooks.watch import Watch, active_webhooks, is_active, until

PRUNE_EVERY_S: Final = 3_600
POLL_S: Final = 2

_log = logging.getLogger("chargeport.webhooks")


class WebhookService:
    """Watch for events and deliver them."""

    def __init__(
        self, store: Store, clock: Clock, settings: WebhookSettings, docs: str, wait: Callable[[float], Awaitable[bool]]
    ) -> None:
        """Prepare the service. `wait` returns after a write to the store; `docs` is the URL of the page of errors."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self.deliveries = Deliveries(store, clock, settings)
        self.watch = Watch(store, clock, docs, wait, coalesce_s=settings.coalesce_s, queued=self.deliveries.wake)
        self.is_elsewhere = False  # whether another process watches and delivers
        self._tasks: set[asyncio.Task[None]] = set()
        store.readings.on_written(self.watch.note_written)

    @property
    def counts(self) -> Counter[str]:
        """Attempts since the start, by outcome."""
        return self.deliveries.counts

    def start(self) -> None:
        """Start to watch and to deliver."""
        for name, work in (("webhooks", self.watch.run), ("deliveries", self.deliveries.run), ("webhook log", self._prune)):
            self._run(work(), name)
        self._run(self._poll(), "webhook poll")

    async def pause(self) -> None:
        """Stop as `close`, but wait for the requests in progress: an event whose request is cut is sent twice."""
        await self.deliveries.finish()
        await self.close()

    async def close(self) -> None:
        """Stop; requests in progress are cancelled, and their events sent again later."""
        await tasks.end(*self._tasks)
        await self.deliveries.close()

    async def settle(self) -> None:
        """Wait until all tasks have ended."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def catch_up(self) -> None:
        """Create and send all events that are due now."""
        await self.watch.step()
        await self.deliveries.catch_up()

    async def next_at(self) -> int | None:
        """Return when the next value goes stale or the next attempt is due."""
        active = {webhook.id for webhook in await active_webhooks(self._store)}
        attempts = [at for name, at in (await self._store.webhooks.due_webhooks()).items() if name in active]
        look_at = await self._store.webhooks.next_look_at()
        return min([*attempts, *([] if look_at is None else [look_at])], default=None)

    async def is_active(self) -> bool:
        """Return whether there is a webhook to which events are sent."""
        return bool(await active_webhooks(self._store))

    async def woken(self) -> None:
        """Wait until there is a new event in the outbox."""
        await until(self.deliveries.woken, PRUNE_EVERY_S)

    def verify_soon(self, webhook_id: str) -> None:
        """Verify a webhook in the background; retry after each retry delay until it succeeds."""
        self._run(self._verify(webhook_id), "webhook verification")

    async def verify(self, webhook: Webhook) -> Answer:
        """Verify a webhook once; after a success, compare its vehicles."""
        answer = await self.deliveries.verify(webhook)
        if answer.error is None:
            self.compare(webhook.id)
        return answer

    def compare(self, webhook_id: str) -> None:
        """Compare all vehicles of a webhook with the states that it was sent, unless another process does."""
        if self.is_elsewhere:
            return
        self.watch.add(webhook_id)
        self._run(self._step(), "webhook comparison")

    def wake(self) -> None:
        """Read the outbox now."""
        self.deliveries.wake()

    def check_uri(self, uri: str, *, allow_private: bool) -> str | None:
        """Return the error of the URI of a receiver; None if it may be used."""
        return check_uri(uri, allow_private=allow_private)

    async def _step(self) -> None:
        try:
            await self.watch.step()
        except StoreError as error:
            _log.warning("webhooks: %s", error)

    async def _verify(self, webhook_id: str) -> None:
        for delay_s in (*self._settings.retry_delays_s, None):
            webhook = await self._store.webhooks.webhook(webhook_id)
            if webhook is None or webhook.verified_at is not None or not webhook.fields.is_enabled:
                return
            if (await self.verify(webhook)).error is None or delay_s is None:
                return
            await self._clock.sleep(delay_s)

    async def _poll(self) -> None:
        """Find the changes of other processes: webhooks that were created or verified, events to send again."""
        verifying: set[str] = set()
        active = {webhook.id for webhook in await active_webhooks(self._store)}
        while True:
            try:
                webhooks = await self._store.webhooks.webhooks()
            except StoreError as error:
                _log.warning("webhooks: %s", error)
                webhooks = []
            for webhook in webhooks:
                if is_active(webhook) and webhook.id not in active:
                    active.add(webhook.id)
                    self.compare(webhook.id)
                elif webhook.fields.is_enabled and webhook.verified_at is None and webhook.id not in verifying:
                    verifying.add(webhook.id)
                    self.verify_soon(webhook.id)
            self.deliveries.wake()
            await asyncio.sleep(POLL_S)

    async def _prune(self) -> None:
        while True:
            try:
                await self.deliveries.prune()
            except StoreError as error:
                _log.warning("webhooks: %s", error)
            await asyncio.sleep(PRUNE_EVERY_S)

    def _run(self, work: Awaitable[None], name: str) -> None:
        task = asyncio.ensure_future(work)
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("%s ended with an error", task.get_name(), exc_info=task.exception())
