"""The webhooks of a running service: the watch, the deliveries, and what routes and commands ask of them."""

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
from chargeport.webhooks.answer import Answer
from chargeport.webhooks.delivery import Deliveries
from chargeport.webhooks.targets import check_uri
from chargeport.webhooks.watch import Watch, is_active, until

PRUNE_EVERY_S: Final = 3_600
NOTICE_EVERY_S: Final = 2

_log = logging.getLogger("chargeport.webhooks")


class WebhookService:
    """Watches for events and delivers them."""

    def __init__(
        self, store: Store, clock: Clock, settings: WebhookSettings, docs: str, wait: Callable[[float], Awaitable[bool]]
    ) -> None:
        """Prepare the service. `wait` returns when something was stored; `docs` is the URL of the page of errors."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self.deliveries = Deliveries(store, clock, settings)
        self.watch = Watch(store, clock, docs, wait, coalesce_s=settings.coalesce_s, queued=self.deliveries.wake)
        self.elsewhere = False  # whether another process watches and delivers
        self._tasks: set[asyncio.Task[None]] = set()
        store.readings.on_written(self.watch.note)

    @property
    def counts(self) -> Counter[str]:
        """Attempts since the start, by what came of them."""
        return self.deliveries.counts

    def start(self) -> None:
        """Begin to watch and to deliver."""
        for name, work in (("webhooks", self.watch.run), ("deliveries", self.deliveries.run), ("webhook log", self._prune)):
            self._run(work(), name)
        self._run(self._notice(), "webhook notices")

    async def close(self) -> None:
        """Stop; requests under way are cut and made again later."""
        await tasks.end(*self._tasks)
        await self.deliveries.close()

    async def settle(self) -> None:
        """Return when what routes have asked for is done."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def catch_up(self) -> None:
        """Look and send all that is due at this instant."""
        await self.watch.step()
        await self.deliveries.catch_up()

    async def next_at(self) -> int | None:
        """Return when something is due by time alone: a value that goes stale, a further attempt."""
        active = {each.id for each in await self._store.webhooks.webhooks() if is_active(each)}
        attempts = [at for name, at in (await self._store.webhooks.due_webhooks()).items() if name in active]
        look_at = await self._store.webhooks.next_look_at()
        return min([*attempts, *([] if look_at is None else [look_at])], default=None)

    async def is_active(self) -> bool:
        """Return whether there is a webhook to which events are sent."""
        return any(is_active(each) for each in await self._store.webhooks.webhooks())

    async def woken(self) -> None:
        """Return when there is something new in the outbox."""
        await until(self.deliveries.woken, PRUNE_EVERY_S)

    def verify_soon(self, webhook_id: str) -> None:
        """Ask the receiver of a webhook for the answer to a challenge, and again after each delay until it is right."""
        self._run(self._verify(webhook_id), "webhook verification")

    async def verify(self, webhook: Webhook) -> Answer:
        """Ask once, now; then look at the webhook's vehicles where the answer is right."""
        answer = await self.deliveries.verify(webhook)
        if answer.error is None:
            self.look_at(webhook.id)
        return answer

    def look_at(self, webhook_id: str) -> None:
        """Look at all vehicles of a webhook. Where another process delivers, that one notices."""
        if self.elsewhere:
            return
        self.watch.touch(webhook_id)
        self._run(self._step(), "webhook look")

    def wake(self) -> None:
        """Look into the outbox."""
        self.deliveries.wake()

    def check_uri(self, uri: str, *, allow_private: bool) -> str | None:
        """Return what is wrong with the URI of a receiver; None where it may be used."""
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

    async def _notice(self) -> None:
        """Notice what commands change beside the server: webhooks that were made or verified, events to be sent again."""
        asked: set[str] = set()
        active = {each.id for each in await self._store.webhooks.webhooks() if is_active(each)}
        while True:
            try:
                webhooks = await self._store.webhooks.webhooks()
            except StoreError as error:
                _log.warning("webhooks: %s", error)
                webhooks = []
            for webhook in webhooks:
                if is_active(webhook) and webhook.id not in active:
                    active.add(webhook.id)
                    self.look_at(webhook.id)
                elif webhook.fields.is_enabled and webhook.verified_at is None and webhook.id not in asked:
                    asked.add(webhook.id)
                    self.verify_soon(webhook.id)
            self.deliveries.wake()
            await asyncio.sleep(NOTICE_EVERY_S)

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
