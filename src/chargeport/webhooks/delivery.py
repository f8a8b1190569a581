"""Delivery of events to receivers: attempts, retries, and the log of them.

At least once: an event leaves the outbox only after an attempt was answered with 2xx, or after the last one has failed.
Events are not ordered. Each receiver has a limit of requests at the same time, which is 1 while it fails, so that a receiver
that is down does not delay the others.
"""

import asyncio
import logging
import random
import secrets
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from chargeport import __version__, tasks
from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.settings import WebhookSettings
from chargeport.simulation.faults import Fault, Faults
from chargeport.store.protocols import Store
from chargeport.store.webhooks import Event, EventState, Webhook
from chargeport.webhooks import payload
from chargeport.webhooks.receivers import REFUSED, SIGNATURE, Answer, is_answered, signature, standard_headers
from chargeport.webhooks.watch import active_webhooks, is_active, until

if TYPE_CHECKING:
    from chargeport.webhooks.sender import Sender

MAX_REQUESTS_EACH: Final = 8  # at the same time to one receiver
MAX_REQUESTS: Final = 256  # at the same time
READ_SIZE: Final = 256  # events of one receiver, read from the outbox at a time
MAX_QUEUED: Final = 8_192  # events of all receivers in memory
POLL_S: Final = 30.0  # between reads of the outbox without a wake-up
FINISH_S: Final = 2.0  # the time that a pause waits for answers; a receiver that answers later gets the event again
USER_AGENT: Final = f"Chargeport/{__version__}"

_log = logging.getLogger("chargeport.webhooks")


class Deliveries:
    """Deliver the events of the outbox, and verify that receivers have the key. One instance for the service."""

    def __init__(self, store: Store, clock: Clock, settings: WebhookSettings) -> None:
        self.counts: Counter[str] = Counter()
        """Attempts by outcome: `delivered`, `failed`, `dead`."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self._sender: Sender | None = None
        self.woken = asyncio.Event()
        self.faults: Faults | None = None  # of a simulator
        self._held: dict[str, list[Event]] = {}  # by webhook: events that are sent after a newer one (REORDER)
        self._faulted: set[str] = set()  # ids of events that a simulated fault has already affected
        self._max_requests = MAX_REQUESTS
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._queues: dict[str, deque[Event]] = {}  # read from the outbox, by webhook
        self._failing: set[str] = set()
        self._keys: dict[str, str] = {}  # by webhook: the key that its receiver accepted last

    def wake(self) -> None:
        """Read the outbox now."""
        self.woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; log store errors and try again."""
        self._max_requests = MAX_REQUESTS
        try:
            while True:
                try:
                    due_at = await self.step()
                    left_s = POLL_S if due_at is None else self._clock.machine_s((due_at - self._clock.now()) / 1000)
                    await until(self.woken, min(POLL_S, max(0.05, left_s)))
                except StoreError as error:
                    _log.warning("webhooks: %s", error)
                    await asyncio.sleep(1)
        finally:
            await self.close()

    async def finish(self) -> None:
        """Start no more attempts, until `run` or `catch_up`; wait up to FINISH_S for those in progress."""
        self._max_requests = 0
        if self._flying:
            await asyncio.wait(self._flying.values(), timeout=FINISH_S)

    async def close(self) -> None:
        """Cancel the requests in progress, and close all connections. Their events are sent again later."""
        await tasks.end(*self._flying.values())
        if self._sender is not None:
            await self._sender.close()

    async def step(self) -> int | None:
        """Start an attempt for each due event within the limits of its receiver; return when the next event is due."""
        webhooks = {webhook.id: webhook for webhook in await active_webhooks(self._store)}
        self._queues = {name: queue for name, queue in self._queues.items() if name in webhooks and queue}
        self._failing = {webhook.id for webhook in webhooks.values() if webhook.failing_at is not None}
        now = self._clock.now()
        due = {name: at for name, at in (await self._store.webhooks.due_webhooks()).items() if name in webhooks}
        for name in (name for name, at in due.items() if at <= now):
            is_full = sum(map(len, self._queues.values())) >= MAX_QUEUED
            if not self._queues.get(name) and self._has_room(name) and not is_full:
                in_progress = set(self._flying)  # an attempt that ends during the read is read in its former state
                found = await self._store.webhooks.due_events(name, now, READ_SIZE)
                self._queues[name] = deque(event for event in found if event.id not in in_progress)
            self._fill(name)
        return min((at for at in due.values() if at > now), default=None)

    async def catch_up(self) -> None:
        """Make all attempts that are due now, one after the other, so that each run has the same order."""
        self._max_requests = 1
        try:
            await self.step()
            while self._flying:
                await self.drain()
                await self.step()
        finally:
            self._max_requests = MAX_REQUESTS

    async def drain(self) -> None:
        """Wait until no request is in progress."""
        while self._flying:
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    def _has_room(self, webhook_id: str) -> bool:
        maximum = 1 if webhook_id in self._failing else MAX_REQUESTS_EACH
        return self._busy[webhook_id] < maximum and len(self._flying) < self._max_requests

    def _fill(self, webhook_id: str) -> None:
        """Start attempts for the queued events of a webhook within its limit."""
        queue = self._queues.get(webhook_id)
        while queue and self._has_room(webhook_id):
            event = queue.popleft()
            self._busy[webhook_id] += 1
            task = asyncio.create_task(self._deliver(event), name="webhook")
            self._flying[event.id] = task
            task.add_done_callback(lambda ended, event=event: self._landed(event, ended))  # type: ignore[misc]

    def _landed(self, event: Event, ended: "asyncio.Task[None]") -> None:
        del self._flying[event.id]
        self._busy[event.webhook_id] -= 1
        if not self._busy[event.webhook_id]:
            del self._busy[event.webhook_id]
        if ended.cancelled():
            return
        error = ended.exception()
        if error is not None:
            _log.error("webhook %s: an attempt could not be stored: %s", event.webhook_id, error, exc_info=error)
        self._fill(event.webhook_id)
        had_all_requests = len(self._flying) == self._max_requests - 1  # other webhooks may wait for a request
        if had_all_requests or not self._queues.get(event.webhook_id):
            self.wake()

    async def _deliver(self, event: Event) -> None:
        """Attempt to deliver an event once, or apply a simulated fault to it, and store the outcome."""
        fault = self._fault(event)
        if fault is not None and fault.webhook != "REPEAT":
            await self._apply_fault(event, fault)
            return
        for _ in range(1 if fault is None else 2):
            await self._attempt(event)
        for held in self._held.pop(event.webhook_id, []):
            if held.id != event.id:  # else no newer event came in time
                await self._attempt(held)

    def _fault(self, event: Event) -> Fault | None:
        """Return the simulated fault of an event, at most one for each event."""
        if self.faults is None or event.id in self._faulted:
            return None
        return self.faults.of_event(msgspec.json.decode(event.body + "}}")["data"]["vehicle"]["id"])

    async def _apply_fault(self, event: Event, fault: Fault) -> None:
        """Drop an event, or delay it: for a time, or until a newer one was sent."""
        now = self._clock.now()
        answer, is_dropped = Answer(0, error=f"simulated fault: {fault.webhook}"), fault.webhook == "DROP"
        due_at = None if is_dropped else now + round(fault.delay_seconds * 1000)
        self._faulted.add(event.id)
        if fault.webhook == "REORDER":
            self._held.setdefault(event.webhook_id, []).append(event)
        attempt = answer.attempt(payload.new_id(), event.id, event.webhook_id, now)
        await self._store.webhooks.attempted(attempt, due_at, "dead" if is_dropped else "pending")

    async def _attempt(self, event: Event) -> None:
        webhook = await self._store.webhooks.webhook(event.webhook_id)
        found = None if webhook is None else await self._store.access.application(webhook.client_id)
        if webhook is None or found is None or not is_active(webhook):
            return
        delivery_id, started_at = payload.new_id(), self._clock.now()
        body = payload.finished(event.body.encode(), delivery_id, started_at)
        uri = webhook.fields.callback_uri
        if event.kind == payload.VEHICLE_ERROR and webhook.fields.error_callback_uri is not None:
            uri = webhook.fields.error_callback_uri
        answer = await self._signed(webhook.id, uri, body, found[0].signing_keys(started_at), standard=(event.id, started_at))
        due_at, state = self._next(event, answer)
        self.counts["failed" if state == "pending" else state] += 1
        await self._store.webhooks.attempted(answer.attempt(delivery_id, event.id, webhook.id, started_at), due_at, state)
        await self._update_failing(webhook, answer)

    async def _signed(
        self, webhook_id: str, uri: str, body: bytes, keys: Sequence[str], *, standard: tuple[str, int]
    ) -> Answer:  # fmt: skip
        """Send a body with its signature. While two keys are valid, try the other one if the first is refused."""
        more = standard_headers(keys, *standard, body) if self._settings.standard_signature else {}
        for key in sorted(keys, key=lambda key: key != self._keys.get(webhook_id)):
            headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, SIGNATURE: signature(key, body)} | more
            answer = await self._post(uri, body, headers)
            if answer.status not in REFUSED:
                break
        if answer.is_success:
            self._keys[webhook_id] = key
        return answer

    async def _post(self, uri: str, body: bytes, headers: dict[str, str]) -> Answer:
        if self._sender is None:
            from chargeport.webhooks.sender import Sender

            self._sender = Sender(self._settings)
        return await self._sender.post(uri, body, headers)

    def _next(self, event: Event, answer: Answer) -> tuple[int | None, EventState]:
        """Return when the next attempt is due, and the new state of the event."""
        if answer.is_success:
            return None, "delivered"
        delays = self._settings.retry_delays_s
        if event.attempts >= len(delays):
            return None, "dead"
        delay_s = delays[event.attempts] * (1 + random.random() * self._settings.retry_jitter)  # noqa: S311  (no secret)
        if answer.retry_after_s is not None:
            delay_s = max(delay_s, answer.retry_after_s)
        return self._clock.now() + round(delay_s * 1000), "pending"

    async def _update_failing(self, webhook: Webhook, answer: Answer) -> None:
        """Store since when a receiver fails; disable it after `disable_after_s`."""
        if answer.is_success:
            if webhook.failing_at is not None:
                self._failing.discard(webhook.id)
                await self._store.webhooks.set_failing(webhook.id, None)
            return
        self._failing.add(webhook.id)
        if webhook.failing_at is None:
            await self._store.webhooks.set_failing(webhook.id, self._clock.now())
        elif self._clock.now() - webhook.failing_at > self._settings.disable_after_s * 1000:
            reason = (
                f"no delivery has succeeded for {self._settings.disable_after_s / 3600:g} h: {answer.error or answer.status}"
            )
            await self._store.webhooks.disable(webhook.id, reason)
            _log.error("webhook %s is disabled: %s", webhook.id, reason)

    async def verify(self, webhook: Webhook) -> Answer:
        """Send a challenge to the receivers of a webhook; store whether all answers prove the key."""
        found = await self._store.access.application(webhook.client_id)
        uris = [webhook.fields.callback_uri, webhook.fields.error_callback_uri]
        answer = Answer(0, error="its application is not known")
        for uri in dict.fromkeys(uri for uri in uris if uri is not None and found is not None):
            answer = await self._challenge(webhook, uri, found[0].signing_keys(self._clock.now()) if found else ())
            if answer.error is not None:
                break
        at = self._clock.now() if answer.error is None else None
        await self._store.webhooks.verified(webhook, at, None if answer.error is None else f"VERIFY: {answer.error}")
        return answer

    async def _challenge(self, webhook: Webhook, uri: str, keys: tuple[str, ...]) -> Answer:
        event_id, delivery_id, challenge = payload.new_id(), payload.new_id(), secrets.token_hex(16)
        at = self._clock.now()
        body = payload.finished(payload.verify(webhook, event_id, challenge), delivery_id, at)
        answer = await self._post(uri, body, {"Content-Type": "application/json", "User-Agent": USER_AGENT})
        proven = [key for key in keys if answer.status == 200 and is_answered(key, challenge, answer.challenge)]  # noqa: PLR2004
        if proven:
            self._keys[webhook.id] = proven[0]
        elif answer.error is None:
            received = f"status {answer.status}" if answer.status != 200 else "another answer"  # noqa: PLR2004
            expected = '200 and {"challenge": "<HMAC-SHA256 of the challenge with the management token>"}'
            answer = msgspec.structs.replace(answer, error=f"{received} instead of {expected}")
        await self._store.webhooks.attempted(answer.attempt(delivery_id, event_id, webhook.id, at), None, "delivered")
        return answer

    async def prune(self) -> None:
        """Remove delivered and dead events that are older than `keep_s`."""
        before_at = self._clock.now() - round(self._settings.keep_s * 1000)
        removed = 1
        while removed:
            removed = await self._store.webhooks.prune_events(before_at, 1_000)
