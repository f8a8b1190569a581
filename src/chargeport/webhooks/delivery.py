"""How events reach their receivers: attempts, retries, and what is noted of each.

At least once: an event leaves the outbox only after an attempt was answered with 2xx, or after the last one has failed.
Events are not ordered. A receiver has a few requests of its own at a time, so that a dead one delays nobody else.
"""

import asyncio
import ipaddress
import json
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import msgspec

from chargeport import __version__
from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.settings import WebhookSettings
from chargeport.simulation.faults import Fault, Faults
from chargeport.store.protocols import Store
from chargeport.store.webhooks import Attempt, Event, EventState, Webhook
from chargeport.webhooks import payload
from chargeport.webhooks.signing import SIGNATURE, is_answered, signature, standard_headers
from chargeport.webhooks.targets import PublicResolver, RefusedTargetError, refusal
from chargeport.webhooks.watch import is_active, until

AT_ONCE: Final = 8  # requests to one receiver
ALL_AT_ONCE: Final = 256
MOST_OF_RESPONSE: Final = 1_024  # bytes that are read and kept
LONGEST_RETRY_AFTER_S: Final = 86_400
USER_AGENT: Final = f"Chargeport/{__version__}"

_log = logging.getLogger("chargeport.webhooks")


class Answer(msgspec.Struct, frozen=True):
    """What a receiver answered, or why there is no answer."""

    duration_ms: int
    status: int | None = None
    error: str | None = None
    response: str = ""
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver has taken the event: any 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004


class Sender:
    """Makes the requests. Proxies and redirects are not followed, and private addresses are refused unless allowed."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def post(self, uri: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send one request."""
        began = time.perf_counter()

        def took() -> int:
            return round((time.perf_counter() - began) * 1000)

        try:
            self._check(uri)
            async with self._opened().post(uri, data=body, headers=headers, allow_redirects=False) as response:
                head = await response.content.read(MOST_OF_RESPONSE)
                error = "redirects are not followed" if 300 <= response.status < 400 else None  # noqa: PLR2004
                return Answer(took(), response.status, error, head.decode("utf-8", "replace"), _retry_after_s(response.headers))
        except TimeoutError:
            return Answer(took(), error=f"no answer within {self._settings.timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(took(), error=_reason(error))

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _check(self, uri: str) -> None:
        """Refuse a private address that stands in the URI itself: it is not resolved. Raises RefusedTargetError."""
        host = urlsplit(uri).hostname or ""
        with suppress(ValueError):
            ipaddress.ip_address(host)
            refused = None if self._settings.allow_private_targets else refusal(host)
            if refused is not None:
                raise RefusedTargetError(refused)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = PublicResolver(allow_private=self._settings.allow_private_targets)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=resolver, use_dns_cache=False, limit=ALL_AT_ONCE, limit_per_host=AT_ONCE
                ),
                timeout=aiohttp.ClientTimeout(total=self._settings.timeout_s),
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


class Deliveries:
    """Delivers what is in the outbox, and asks new receivers whether they know the key. One for the service."""

    def __init__(self, store: Store, clock: Clock, settings: WebhookSettings, sender: Sender | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._store = store
        self._clock = clock
        self._settings = settings
        self._sender = sender or Sender(settings)
        self.woken = asyncio.Event()
        self.faults: Faults | None = None  # of a simulator
        self._held: dict[str, list[Event]] = {}  # by webhook: events that a newer one is to overtake
        self._late: set[str] = set()  # events that were held back already
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._busy: Counter[str] = Counter()

    def wake(self) -> None:
        """Look into the outbox: there is something new."""
        self.woken.set()

    async def run(self) -> None:
        """Deliver until cancelled; log store errors and try again."""
        try:
            while True:
                try:
                    await self.step()
                    await until(self.woken, await self._pause_s())
                except StoreError as error:
                    _log.warning("webhooks: %s", error)
                    await asyncio.sleep(1)
        finally:
            await self.close()

    async def close(self) -> None:
        """Cut what is under way, and close all connections. What was cut is sent again later."""
        flying = list(self._flying.values())
        for task in flying:
            task.cancel()
        await asyncio.gather(*flying, return_exceptions=True)
        await self._sender.close()

    async def step(self, at_once: int = ALL_AT_ONCE) -> None:
        """Begin an attempt for each event that is due, as far as its receiver has room."""
        webhooks = {each.id: each for each in await self._store.webhooks.webhooks()}
        closed = [each.id for each in webhooks.values() if not is_active(each)]
        while len(self._flying) < at_once:
            full = [webhook_id for webhook_id, count in self._busy.items() if count >= AT_ONCE]
            now, room = self._clock.now(), at_once - len(self._flying)
            due = await self._store.webhooks.due_events(now, ALL_AT_ONCE, without=[*closed, *full])
            fresh = [each for each in due if each.id not in self._flying and each.webhook_id in webhooks][:room]
            begun = sum(self._begin(each, webhooks[each.webhook_id]) for each in fresh)
            if not begun:
                return

    async def catch_up(self) -> None:
        """Make all attempts that are due at this instant, one after the other: in the same order at every run."""
        await self.step(at_once=1)
        while self._flying:
            await self.drain()
            await self.step(at_once=1)

    async def drain(self) -> None:
        """Return when no request is under way. For tests and a clean stop."""
        while self._flying:
            await asyncio.gather(*self._flying.values(), return_exceptions=True)

    def _begin(self, event: Event, webhook: Webhook) -> bool:
        if self._busy[webhook.id] >= AT_ONCE:
            return False
        self._busy[webhook.id] += 1
        task = asyncio.create_task(self._deliver(event, webhook), name="webhook")
        self._flying[event.id] = task
        task.add_done_callback(lambda _: self._landed(event, webhook))
        return True

    def _landed(self, event: Event, webhook: Webhook) -> None:
        del self._flying[event.id]
        self._busy[webhook.id] -= 1
        if not self._busy[webhook.id]:
            del self._busy[webhook.id]
        self.wake()

    async def _pause_s(self) -> float:
        due_at = await self._store.webhooks.next_due_at()
        if due_at is None:
            return 30.0
        return min(30.0, max(0.05, (due_at - self._clock.now()) / 1000))

    async def _deliver(self, event: Event, webhook: Webhook) -> None:
        """Attempt to deliver an event once, unless a fault is to befall it, and note the outcome."""
        fault = self._fault(event)
        if fault is not None and fault.webhook != "REPEAT":
            await self._mislay(event, webhook, fault)
            return
        for _ in range(1 if fault is None else 2):
            await self._attempt(event, webhook)
        for held in self._held.pop(webhook.id, []):
            if held.id != event.id:  # nothing newer came in time
                await self._attempt(held, webhook)

    def _fault(self, event: Event) -> Fault | None:
        """What is to go wrong with an event that nothing went wrong with yet."""
        if self.faults is None or event.id in self._late:
            return None
        return self.faults.of_event(json.loads(event.body + "}}")["data"]["vehicle"]["id"])

    async def _mislay(self, event: Event, webhook: Webhook, fault: Fault) -> None:
        """Drop an event, or hold it back: for a time, or until a newer one was sent."""
        now = self._clock.now()
        answer, is_lost = Answer(0, error=f"simulated fault: {fault.webhook}"), fault.webhook == "DROP"
        due_at = None if is_lost else now + round(fault.delay_seconds * 1000)
        self._late.add(event.id)
        if fault.webhook == "REORDER":
            self._held.setdefault(webhook.id, []).append(event)
        await self._store.webhooks.attempted(
            _attempt(payload.new_id(), event.id, webhook.id, now, answer), due_at, "dead" if is_lost else "pending"
        )

    async def _attempt(self, event: Event, webhook: Webhook) -> None:
        found = await self._store.access.application(webhook.client_id)
        if found is None:
            return
        delivery_id, started_at = payload.new_id(), self._clock.now()
        body = payload.finished(event.body.encode(), delivery_id, started_at)
        uri = webhook.fields.callback_uri
        if event.kind == payload.VEHICLE_ERROR and webhook.fields.error_callback_uri is not None:
            uri = webhook.fields.error_callback_uri
        answer = await self._sender.post(uri, body, self._headers(found[0].management_token, event.id, started_at, body))
        self.counts["delivered" if answer.is_success else "failed"] += 1
        due_at, state = self._next(event, answer)
        await self._store.webhooks.attempted(_attempt(delivery_id, event.id, webhook.id, started_at, answer), due_at, state)
        await self._note(webhook.id, answer)

    def _headers(self, key: str, event_id: str, at: int, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT, SIGNATURE: signature(key, body)}
        if self._settings.standard_signature:
            headers |= standard_headers(key, event_id, at, body)
        return headers

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

    async def _note(self, webhook_id: str, answer: Answer) -> None:
        """Note since when a receiver fails; disable it when that has been so for too long."""
        webhook = await self._store.webhooks.webhook(webhook_id)
        if webhook is None:
            return
        now = self._clock.now()
        if answer.is_success:
            if webhook.failing_at is not None:
                await self._store.webhooks.put_webhook(msgspec.structs.replace(webhook, failing_at=None))
        elif webhook.failing_at is None:
            await self._store.webhooks.put_webhook(msgspec.structs.replace(webhook, failing_at=now))
        elif webhook.fields.is_enabled and now - webhook.failing_at > self._settings.disable_after_s * 1000:
            reason = (
                f"no delivery has succeeded for {self._settings.disable_after_s / 3600:g} h: {answer.error or answer.status}"
            )
            fields = msgspec.structs.replace(webhook.fields, is_enabled=False)
            await self._store.webhooks.put_webhook(msgspec.structs.replace(webhook, fields=fields, reason=reason))
            _log.error("webhook %s is disabled: %s", webhook.id, reason)

    async def verify(self, webhook: Webhook) -> Answer:
        """Ask the receivers of a webhook for the answer to a challenge, and note whether all know the key."""
        found = await self._store.access.application(webhook.client_id)
        uris = [webhook.fields.callback_uri, webhook.fields.error_callback_uri]
        answer = Answer(0, error="its application is not known")
        for uri in dict.fromkeys(each for each in uris if each is not None and found is not None):
            answer = await self._challenge(webhook, uri, found[0].management_token if found else "")
            if answer.error is not None:
                break
        known = await self._store.webhooks.webhook(webhook.id)
        if known is not None:
            at = self._clock.now() if answer.error is None else None
            reason = None if answer.error is None else f"VERIFY: {answer.error}"
            await self._store.webhooks.put_webhook(
                msgspec.structs.replace(known, verified_at=at, reason=reason, failing_at=None)
            )
        return answer

    async def _challenge(self, webhook: Webhook, uri: str, key: str) -> Answer:
        event_id, delivery_id, challenge = payload.new_id(), payload.new_id(), secrets.token_hex(16)
        at = self._clock.now()
        body = payload.finished(payload.verify(webhook, event_id, challenge), delivery_id, at)
        answer = await self._sender.post(uri, body, {"Content-Type": "application/json", "User-Agent": USER_AGENT})
        if answer.error is None and not (answer.status == 200 and is_answered(key, challenge, _challenge_in(answer))):  # noqa: PLR2004
            received = f"status {answer.status}" if answer.status != 200 else "another answer"  # noqa: PLR2004
            wanted = '200 and {"challenge": "<HMAC-SHA256 of the challenge with the management token>"}'
            answer = msgspec.structs.replace(answer, error=f"{received} instead of {wanted}")
        await self._store.webhooks.attempted(_attempt(delivery_id, event_id, webhook.id, at, answer), None, "delivered")
        return answer

    async def prune(self) -> None:
        """Remove events that are over and older than they are kept."""
        before_at = self._clock.now() - round(self._settings.keep_s * 1000)
        removed = 1
        while removed:
            removed = await self._store.webhooks.prune_events(before_at, 1_000)


def _attempt(delivery_id: str, event_id: str, webhook_id: str, started_at: int, answer: Answer) -> Attempt:
    return Attempt(
        id=delivery_id, event_id=event_id, webhook_id=webhook_id, started_at=started_at, duration_ms=answer.duration_ms,
        status=answer.status, error=answer.error, response=answer.response or None,
    )  # fmt: skip


def _challenge_in(answer: Answer) -> object:
    try:
        found = json.loads(answer.response)
    except ValueError:
        return None
    return found.get("challenge") if isinstance(found, dict) else None


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After")
    if text is not None and text.isascii() and text.isdigit():
        return min(float(text), LONGEST_RETRY_AFTER_S)
    return None


def _reason(error: Exception) -> str:
    """Return in a few words why a request failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RefusedTargetError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
