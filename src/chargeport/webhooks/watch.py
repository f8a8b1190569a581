"""Compare what a webhook was last sent with the present state; write each difference into the outbox.

The feed of changes says which vehicles to look at. The changes of a vehicle within the window are a burst, and one event that
names each trigger and carries the effective state behind them. A backlog, such as after a crash, is sent burst by burst, too:
what was stored while nobody looked is not passed over. Because `sent` and the events are written in one transaction, a crash
anywhere repeats a look, which then finds nothing new.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Permission
from chargeport.signals.effective import effective_of, next_change_at
from chargeport.signals.reading import Entry
from chargeport.store.feed_cursor import FeedCursor
from chargeport.store.protocols import Store
from chargeport.store.records import Page, VehicleSeries, user_uuid_of
from chargeport.store.webhooks import Event, Subscription, Webhook
from chargeport.webhooks import payload
from chargeport.webhooks.comparison import PASSING, Burst, Sent, bursts_of, is_passing, new_errors, recalled, triggers

BATCH: Final = 1_000  # changes read at a time
LOOKED_AT: Final = 200  # vehicles with stale values that are looked at in a step, for what other processes have stored
LOOKS: Final = 8  # vehicles looked at at the same time
OWNER: Final = "webhooks"  # of the notes in which the cursor is kept
LOOK_AGAIN_S: Final = 30.0  # without a ring, which may be lost

_log = logging.getLogger("chargeport.webhooks")


_Allowed = tuple[dict[str, str], frozenset[Permission]]
"""Whose vehicle it is to an application, and what that may see."""


class _Seen(NamedTuple):
    """A vehicle at an instant: up to which change, when the newest value was observed, and whether more is known by now."""

    series: VehicleSeries
    at: int
    position: int
    observed_at: int
    is_past: bool = False


class Watch:
    """Turns changes into events. One for the service."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        docs: str,
        wait: Callable[[float], Awaitable[bool]],
        *,
        coalesce_s: float,
        queued: Callable[[], None],
    ) -> None:
        """Prepare the watch. `wait` returns when something was stored; `queued` is called at new events; `docs` is a URL."""
        self._store = store
        self._cursor = FeedCursor(store, OWNER)
        self._clock = clock
        self._docs = docs
        self._wait = wait
        self._coalesce_s = coalesce_s
        self._queued = queued
        self.hears_others = False  # whether other processes store, too
        self._turn = asyncio.Lock()
        self._stale: dict[
            str, int
        ] = {}  # vehicles with a value that has gone stale, by id, and when was received what is known
        self._named: set[str] = set()  # names of vehicles of which something was stored since
        self._touched: set[str] = set()  # webhooks to be looked at as a whole

    def note(self, entries: Sequence[Entry]) -> None:
        """Note what was stored. A value that is confirmed unchanged after it had gone stale is no change in the feed."""
        if self._stale:
            self._named.update(entry.vehicle for entry in entries)

    async def recall(self) -> None:
        """Find the vehicles whose subscribers were sent last that a value had gone stale, as it was before a start."""
        webhooks = [each.id for each in await self._store.webhooks.webhooks() if is_active(each)]
        number, total = 1, 1
        while webhooks and (number - 1) * BATCH < total:
            found, total = await self._store.webhooks.subscriptions(Page(number, BATCH), webhooks)
            number += 1
            for each in found:
                if each.sent is not None and any(f":{reason}" in each.sent for reason in PASSING):
                    self._stale.setdefault(each.vehicle.id, 0)

    async def look_for_confirmed(self) -> None:
        """Note the vehicles that something was received of since a value of theirs went stale: some of them, in turn.

        What another process stores is not heard here, and a confirmed value is no change in the feed.
        """
        for vehicle_id in list(islice(self._stale, LOOKED_AT)):
            known_at = self._stale.pop(vehicle_id)
            series = await self._store.readings.signals(vehicle_id)
            if series is not None:
                received_at = self._stale[vehicle_id] = _received_at(series)  # last in turn now
                if received_at > known_at:
                    self._named.add(vehicle_id)

    def touch(self, webhook_id: str) -> None:
        """Look at all vehicles of a webhook: it is new, was verified, or reports on other signals now."""
        self._touched.add(webhook_id)

    async def run(self) -> None:
        """Watch until cancelled; log store errors and try again."""
        is_recalled = False
        while True:
            try:
                if not is_recalled:
                    await self.recall()
                    is_recalled = True
                await self.step()
                if not self._touched:
                    await self._wait(await self._pause_s())
                await self._clock.sleep(self._coalesce_s)
            except StoreError as error:
                _log.warning("webhooks: %s", error)
                await self._clock.sleep(1)

    async def step(self) -> None:
        """Look once at all that changed, that went stale, and at the webhooks that were touched."""
        async with self._turn:  # two looks at once would both find the same news
            await self._step()

    async def _step(self) -> None:
        webhooks = [each for each in await self._store.webhooks.webhooks() if is_active(each)]
        codes = {code for each in webhooks for code in (*each.fields.triggers, *each.fields.data)}
        deciding = {BY_CODE[code] for code in codes} | {IS_CHARGING, CABLE_CONNECTED}  # live values depend on these two
        cursor = await self._cursor.position()
        changes = await self._store.readings.changes(cursor, BATCH)
        while changes:
            cursor = changes[-1].position
            wanted = (each for each in changes if each.signal in deciding)
            by_vehicle = bursts_of(wanted, round(self._coalesce_s * 1000))
            await self._at_once([self._look(name, webhooks, bursts, cursor) for name, bursts in by_vehicle.items()])
            await self._cursor.keep(cursor)
            changes = await self._store.readings.changes(cursor, BATCH)
        for vehicle_id in await self._store.webhooks.due_vehicles(self._clock.now(), BATCH):
            await self._look(vehicle_id, webhooks)
        if self.hears_others:
            await self.look_for_confirmed()
        while self._named:
            found = await self._store.vehicles.find_vehicle(self._named.pop())
            if found is not None and found.id in self._stale:
                await self._look(found.id, webhooks)
        while self._touched:
            touched = self._touched.pop()
            await self._look_at_all([each for each in webhooks if each.id == touched])

    async def _at_once(self, looks: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Look at several vehicles at the same time: a database that is a server answers many as fast as one."""
        waiting = iter(looks)

        async def work() -> None:
            for look in waiting:
                await look

        try:
            ended = await asyncio.gather(*(work() for _ in range(min(LOOKS, len(looks)))), return_exceptions=True)
        finally:
            for look in waiting:
                look.close()
        for error in ended:
            if error is not None:
                raise error

    async def _pause_s(self) -> float:
        """Return how long nothing changes by itself."""
        look_at = await self._store.webhooks.next_look_at()
        if look_at is None:
            return LOOK_AGAIN_S
        return min(LOOK_AGAIN_S, max(0.05, self._clock.machine_s((look_at - self._clock.now()) / 1000)))

    async def _look_at_all(self, webhooks: list[Webhook]) -> None:
        for webhook in webhooks:
            number, seen = 1, 1
            while seen:
                found = await self._vehicles(webhook, Page(number, 500))
                for vehicle_id in found:
                    await self._look(vehicle_id, [webhook])
                number, seen = number + 1, len(found)

    async def _vehicles(self, webhook: Webhook, page: Page) -> list[str]:
        if not webhook.fields.auto_subscribe:
            subscriptions, _ = await self._store.webhooks.subscriptions(page, [webhook.id])
            return [each.vehicle.id for each in subscriptions]
        found = await self._store.access.application(webhook.client_id)
        connected_to = webhook.client_id if found is not None and found[0].connected_only else None
        vehicles, _ = await self._store.vehicles.vehicles(page, connected_to)
        return [vehicle.id for vehicle in vehicles]

    async def _look(
        self, vehicle_id: str, webhooks: Iterable[Webhook], bursts: Sequence[Burst] = (), cursor: int = 0
    ) -> None:  # fmt: skip
        """Compare what each webhook was last sent of a vehicle with the state behind each burst, and with the present one.

        `cursor` is how far the feed was read. The present state is that of the last burst, unless more was stored since.
        """
        subscriptions = {each.webhook_id: each for each in await self._store.webhooks.subscriptions_of(vehicle_id)}
        wanted = [each for each in webhooks if each.id in subscriptions or each.fields.auto_subscribe]
        series = await self._store.readings.signals(vehicle_id) if wanted else None
        if series is None:
            return
        allowed = {each.id: found for each in wanted if (found := await self._allowed(each, vehicle_id)) is not None}
        wanted = [each for each in wanted if each.id in allowed]
        states = [state for each in series.series.values() for state in each]
        newest = max((state.position for state in states), default=0)
        is_behind = bool(bursts) and newest > cursor
        for position, at in bursts if is_behind else bursts[:-1]:
            then = await self._store.history.series_at(vehicle_id, at)
            if then is not None:
                await self._send(wanted, allowed, _Seen(then, at, position, at, is_past=True))
        if not is_behind:
            observed_at = max((state.observed_at or 0 for state in states), default=0)
            await self._send(wanted, allowed, _Seen(series, self._clock.now(), newest, observed_at))

    async def _send(self, webhooks: Iterable[Webhook], allowed: Mapping[str, _Allowed], seen: _Seen) -> None:
        """Write for each webhook what it was not sent yet of a vehicle."""
        vehicle_id = seen.series.vehicle.id
        subscriptions = {each.webhook_id: each for each in await self._store.webhooks.subscriptions_of(vehicle_id)}
        for webhook in webhooks:
            user, permissions = allowed[webhook.id]
            subscription = subscriptions.get(webhook.id) or await self._store.webhooks.subscribe(
                webhook.id, vehicle_id, user["id"], self._clock.now(), again=False
            )
            if subscription is not None:
                await self._compare(webhook, subscription, seen, user, permissions)

    async def _allowed(self, webhook: Webhook, vehicle_id: str) -> _Allowed | None:
        """Return whose vehicle it is to the application, and what that may see; None where it may not see it at all."""
        found = await self._store.access.application(webhook.client_id)
        if found is None or found[0].revoked_at is not None:
            return None
        application = found[0]
        connection = await self._store.access.connection(application.client_id, vehicle_id)
        if connection is not None:
            named = {} if connection.external_id is None else {"externalId": connection.external_id}
            return {"id": connection.user_uuid, **named}, application.permissions & connection.permissions
        if application.connected_only or await self._store.access.ended_among(application.client_id, (vehicle_id,)):
            return None
        return {"id": user_uuid_of(application.client_id)}, application.permissions

    async def _compare(
        self,
        webhook: Webhook,
        subscription: Subscription,
        seen: _Seen,
        user: Mapping[str, str],
        permissions: frozenset[Permission],
    ) -> None:
        before = None if subscription.sent is None else recalled(subscription.sent)
        if before is not None and seen.is_past and (seen.position <= before.position or seen.at < before.observed_at):
            return  # sent before a crash, or overtaken
        series, at, now = seen.series, seen.at, self._clock.now()
        named = dict.fromkeys((*webhook.fields.triggers, *webhook.fields.data))
        codes = [code for code in named if BY_CODE[code].permission in permissions]  # of others, nothing at all is told
        counts = effective_of(map(BY_CODE.__getitem__, codes), series.known, self._store.readings.ranks, at)
        known = dict.fromkeys(codes) | {each.state.signal.code: each for each in counts}
        if not any(known.values()):
            return
        self._stale.pop(subscription.vehicle.id, None)
        if is_passing(known):
            self._stale[subscription.vehicle.id] = _received_at(series)
        after = Sent.of(known, seen.position, seen.observed_at)
        events = []
        if changed := triggers(webhook, before, after):
            event_id = payload.new_id()
            body = payload.state(
                webhook, event_id, subscription.vehicle, user, known=known, permissions=permissions, triggers=changed
            )
            events.append(self._event(event_id, webhook, payload.VEHICLE_STATE, body, now))
        if errors := new_errors(before, after, self._docs):
            event_id = payload.new_id()
            body = payload.error(webhook, event_id, subscription.vehicle, user, errors)
            events.append(self._event(event_id, webhook, payload.VEHICLE_ERROR, body, now))
        turns = [turn for code in codes if (turn := next_change_at(BY_CODE[code], series.series, at)) is not None]
        await self._store.webhooks.enqueue(subscription, events, msgspec.json.encode(after).decode(), min(turns, default=None))
        if events:
            self._queued()

    def _event(self, event_id: str, webhook: Webhook, kind: str, body: bytes, now: int) -> Event:
        return Event(id=event_id, webhook_id=webhook.id, kind=kind, body=body.decode(), created_at=now, due_at=now)


def is_active(webhook: Webhook) -> bool:
    """Return whether events are sent to a webhook: only after its receiver has answered a VERIFY."""
    return webhook.fields.is_enabled and webhook.verified_at is not None


def _received_at(series: VehicleSeries) -> int:
    """Return when was received what was received last of a vehicle."""
    return max((state.received_at or 0 for states in series.series.values() for state in states), default=0)


async def until(event: asyncio.Event, timeout_s: float) -> None:
    """Return when the event is set, or after a time; clear it."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
