"""How events reach their receivers: attempts, retries, and what is noted of each.

At least once: an event leaves the outbox only after an attempt was answered with 2xx, or after the last one has failed.
Events are not ordered. A receiver has a few requests of its own at a time, and one that fails a single one, so that a dead one
delays nobody else.
"""

import asyncio
import logging
import random
import secrets
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from chargeport import __version__, tasks
from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.settings import WebhookSettings
from chargeport.simulation.faults import Fault, Faults
from chargeport.store.protocols import Store
from chargeport.store.webhooks import Event, EventState, Webhook
from chargeport.webhooks import payload
from chargeport.webhooks.answer import REFUSED, Answer
from chargeport.webhooks.signing import SIGNATURE, is_answered, signature, standard_headers
from chargeport.webhooks.watch import is_active, until

AT_ONCE: Final = 8  # requests to one receiver
ALL_AT_ONCE: Final = 256
READ_AT_ONCE: Final = 256  # events of one receiver, from the outbox into memory
MOST_IN_MEMORY: Final = 8_192  # events of all receivers that wait for one of their requests to end
LOOK_AGAIN_S: Final = 30.0
USER_AGENT: Final = f"Chargeport/{__version__}"

_log = logging.getLogger("chargeport.webhooks")


class Post(Protocol):
    """What makes the requests: `sender.Sender`."""

    async def post(self, uri: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one request."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Deliveries:
    """Delivers what is in the outbox, and asks new receivers whether they know the key. One for the service."""

    def __init__(self, store: Store, clock: Clock, settings: WebhookSettings, sender: Post | None = None) -> None:
        self.counts: Counter[str] = Counter()
        """Attempts by what came of them: `delivered`, `failed`, `dead`."""
        self._store = store
        self._clock = clock
        self._settings = settings
        self._sender = sender
        self.woken = asyncio.Event()
        self.faults: Faults | None = None  # of a simulator
        self._held: dict[str, list[Event]] = {}  # by webhook: events that a newer one is to overtake
        self._late: set[str] = set()  # events that were held back already
        self._most_at_once = ALL_AT_ONCE
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()
        self._queues: dict[str, deque[Event]] = {}  # read from the outbox, by webhook
        self._failing: set[str] = set()
        self._keys: dict[str, str] = {}  # by webhook, which of two valid keys its receiver took last

    def wake(self) -> None:
        """Look into the outbox: there is something new."""
        self.woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; log store errors and try again."""
        try:
            while True:
                try:
                    due_at = await self.step()
                    left_s = LOOK_AGAIN_S if due_at is None else self._clock.machine_s((due_at - self._clock.now()) / 1000)
                    await until(self.woken, min(LOOK_AGAIN_S, max(0.05, left_s)))
                except StoreError as error:
                    _log.warning("webhooks: %s", error)
                    await asyncio.sleep(1)
        finally:
            await self.close()

    async def close(self) -> None:
        """Cut what is under way, and close all connections. What was cut is sent again later."""
        await tasks.end(*self._flying.values())
        if self._sender is not None:
            await self._sender.close()

    async def step(self) -> int | None:
        """Begin an attempt for each event that is due, as far as its receiver has room; return when others will be due."""
        webhooks = {each.id: each for each in await self._store.webhooks.webhooks() if is_active(each)}
        self._queues = {name: queue for name, queue in self._queues.items() if name in webhooks and queue}
        self._failing = {each.id for each in webhooks.values() if each.failing_at is not None}
        now = self._clock.now()
        due = {name: at for name, at in (await self._store.webhooks.due_webhooks()).items() if name in webhooks}
        for name in (name for name, at in due.items() if at <= now):
            is_full = sum(map(len, self._queues.values())) >= MOST_IN_MEMORY
            if not self._queues.get(name) and self._has_room(name) and not is_full:
                found = await self._store.webhooks.due_events(name, now, READ_AT_ONCE)
                self._queues[name] = deque(each for each in found if each.id not in self._flying)
            self._fill(name)
        return min((at for at in due.values() if at > now), default=None)

    async def catch_up(self) -> None:
        """Make all attempts that are due at this instant, one after the other: in the same order at every run."""
        self._most_at_once = 1
        try:
            await self.step()
            while self._flying:
                await self.drain()
                await self.step()
        finally:
            self._most_at_once = ALL_AT_ONCE

    async def drain(self) -> None:
        """Return when no request is under way. For tests and a clean stop."""
        while self._flying:
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    def _has_room(self, webhook_id: str) -> bool:
        most = 1 if webhook_id in self._failing else AT_ONCE
        return self._busy[webhook_id] < most and len(self._flying) < self._most_at_once

    def _fill(self, webhook_id: str) -> None:
        """Begin attempts for what was read from the outbox, as far as there is room."""
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
            _log.error("webhook %s: an attempt could not be noted: %s", event.webhook_id, error, exc_info=error)
        self._fill(event.webhook_id)
        if (
            not self._queues.get(event.webhook_id) or len(self._flying) == self._most_at_once - 1
        ):  # others may have waited for it
            self.wake()

    async def _deliver(self, event: Event) -> None:
        """Attempt to deliver an event once, unless a fault is to befall it, and note the outcome."""
        fault = self._fault(event)
        if fault is not None and fault.webhook != "REPEAT":
            await self._mislay(event, fault)
            return
        for _ in range(1 if fault is None else 2):
            await self._attempt(event)
        for held in self._held.pop(event.webhook_id, []):
            if held.id != event.id:  # nothing newer came in time
                await self._attempt(held)

    def _fault(self, event: Event) -> Fault | None:
        """Return what is to go wrong with an event that nothing went wrong with yet."""
        if self.faults is None or event.id in self._late:
            return None
        return self.faults.of_event(msgspec.json.decode(event.body + "}}")["data"]["vehicle"]["id"])

    async def _mislay(self, event: Event, fault: Fault) -> None:
        """Drop an event, or hold it back: for a time, or until a newer one was sent."""
        now = self._clock.now()
        answer, is_lost = Answer(0, error=f"simulated fault: {fault.webhook}"), fault.webhook == "DROP"
        due_at = None if is_lost else now + round(fault.delay_seconds * 1000)
        self._late.add(event.id)
        if fault.webhook == "REORDER":
            self._held.setdefault(event.webhook_id, []).append(event)
        attempt = answer.attempt(payload.new_id(), event.id, event.webhook_id, now)
        await self._store.webhooks.attempted(attempt, due_at, "dead" if is_lost else "pending")

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
        await self._note(webhook, answer)

    async def _signed(
        self, webhook_id: str, uri: str, body: bytes, keys: Sequence[str], *, standard: tuple[str, int]
    ) -> Answer:  # fmt: skip
        """Send a body with its signature. While two keys are valid, with the other one where the first is refused."""
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
        """Return when the next attempt is due, and what the event is now."""
        if answer.is_success:
            return None, "delivered"
        delays = self._settings.retry_delays_s
        if event.attempts >= len(delays):
            return None, "dead"
        delay_s = delays[event.attempts] * (1 + random.random() * self._settings.retry_jitter)  # noqa: S311  (no secret)
        if answer.retry_after_s is not None:
            delay_s = max(delay_s, answer.retry_after_s)
        return self._clock.now() + round(delay_s * 1000), "pending"

    async def _note(self, webhook: Webhook, answer: Answer) -> None:
        """Note since when a receiver fails; disable it when that has been so for too long."""
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
        """Ask the receivers of a webhook for the answer to a challenge, and note whether all know the key."""
        found = await self._store.access.application(webhook.client_id)
        uris = [webhook.fields.callback_uri, webhook.fields.error_callback_uri]
        answer = Answer(0, error="its application is not known")
        for uri in dict.fromkeys(each for each in uris if each is not None and found is not None):
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
        known = [key for key in keys if answer.status == 200 and is_answered(key, challenge, answer.challenge)]  # noqa: PLR2004
        if known:
            self._keys[webhook.id] = known[0]
        elif answer.error is None:
            received = f"status {answer.status}" if answer.status != 200 else "another answer"  # noqa: PLR2004
            wanted = '200 and {"challenge": "<HMAC-SHA256 of the challenge with the management token>"}'
            answer = msgspec.structs.replace(answer, error=f"{received} instead of {wanted}")
        await self._store.webhooks.attempted(answer.attempt(delivery_id, event_id, webhook.id, at), None, "delivered")
        return answer

    async def prune(self) -> None:
        """Remove events that are over and older than they are kept."""
        before_at = self._clock.now() - round(self._settings.keep_s * 1000)
        removed = 1
        while removed:
            removed = await self._store.webhooks.prune_events(before_at, 1_000)
