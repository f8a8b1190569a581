"""Compare the state that a webhook was last sent with the present one; write each difference into the outbox.

The feed of changes names the vehicles to compare. The changes of a vehicle within the window are a burst, which becomes one
event with all triggers and the effective state after the last change. A backlog, such as after a crash, is sent by bursts, too,
so that no change is left out. `sent` and the events are written in one transaction: a comparison that a crash repeats finds
nothing new.
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
from chargeport.signals.effective import Effective, effective_of, next_change_at
from chargeport.signals.reading import Entry
from chargeport.store.effective_feed import FeedCursor
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, Page, VehicleSeries, user_uuid_of
from chargeport.store.webhooks import Event, Subscription, Webhook
from chargeport.webhooks import payload
from chargeport.webhooks.comparison import TEMPORARY, Burst, Sent, bursts_of, decode_sent, has_temporary, new_errors, triggers

BATCH: Final = 1_000  # changes read at a time
MAX_STALE_CHECKED: Final = 200  # vehicles with stale values that a step checks for writes of other processes
MAX_COMPARED: Final = 8  # vehicles compared at the same time
VEHICLE_PAGE: Final = 500
OWNER: Final = "webhooks"  # of the notes that store the cursor
POLL_S: Final = 30.0  # without a ring, which may be lost

_log = logging.getLogger("chargeport.webhooks")


_Allowed = tuple[dict[str, str], frozenset[Permission]]
"""The user of a vehicle in an application, and the permissions of the application on it."""


class _Snapshot(NamedTuple):
    """A vehicle at an instant: the last change, the instant of the newest value, and whether newer changes are stored."""

    series: VehicleSeries
    at: int
    position: int
    observed_at: int
    is_past: bool = False


class Watch:
    """Create events from changes. One instance for the service."""

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
        """Prepare the watch. `wait` returns after a write to the store; `queued` is called after new events; `docs`: a URL."""
        self._store = store
        self._cursor = FeedCursor(store, OWNER)
        self._clock = clock
        self._docs = docs
        self._wait = wait
        self._coalesce_s = coalesce_s
        self._queued = queued
        self.has_other_writers = False  # whether other processes store, too
        self._lock = asyncio.Lock()
        self._stale: dict[str, int] = {}  # by id of a vehicle with a stale value: when its newest state was received
        self._written_names: set[str] = set()  # names of vehicles that were written to since a value went stale
        self._pending: set[str] = set()  # ids of webhooks whose vehicles are all to be compared

    def note_written(self, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> None:
        """Store the vehicles of entries that are not in the feed: a stale value may have been reported again unchanged."""
        if self._stale:
            self._written_names.update(
                entry.vehicle for entry, outcome in zip(entries, outcomes, strict=True) if outcome is not Outcome.ACCEPTED
            )

    async def load_stale(self) -> None:
        """Find the vehicles of which a stale value was sent before the start."""
        webhooks = [webhook.id for webhook in await active_webhooks(self._store)]
        number, total = 1, 1
        while webhooks and (number - 1) * BATCH < total:
            found, total = await self._store.webhooks.subscriptions(Page(number, BATCH), webhooks)
            number += 1
            for subscription in found:
                if subscription.sent is not None and any(f":{reason}" in subscription.sent for reason in TEMPORARY):
                    self._stale.setdefault(subscription.vehicle.id, 0)

    async def _find_written_by_others(self) -> None:
        """Find vehicles with a stale value that were written to since; check up to MAX_STALE_CHECKED of them, in turn.

        `note_written` is not called for writes of other processes.
        """
        for vehicle_id in list(islice(self._stale, MAX_STALE_CHECKED)):
            known_at = self._stale.pop(vehicle_id)
            series = await self._store.readings.signals(vehicle_id)
            if series is not None:
                received_at = self._stale[vehicle_id] = _received_at(series)  # moves it to the end of the order
                if received_at > known_at:
                    self._written_names.add(vehicle_id)

    def add(self, webhook_id: str) -> None:
        """Compare all vehicles of a webhook in the next step: it is new, was verified, or has other signals."""
        self._pending.add(webhook_id)

    async def run(self) -> None:
        """Watch until cancelled; log store errors and try again."""
        is_loaded = False
        while True:
            try:
                if not is_loaded:
                    await self.load_stale()
                    is_loaded = True
                await self.step()
                if not self._pending:
                    await self._wait(await self._pause_s())
                await self._clock.sleep(self._coalesce_s)
            except StoreError as error:
                _log.warning("webhooks: %s", error)
                await self._clock.sleep(1)

    async def step(self) -> None:
        """Compare vehicles that changed, vehicles with new stale values, and the vehicles of the webhooks that were added."""
        async with self._lock:  # two steps at the same time would send the same changes twice
            await self._step()

    async def _step(self) -> None:
        webhooks = await active_webhooks(self._store)
        codes = {code for webhook in webhooks for code in (*webhook.fields.triggers, *webhook.fields.data)}
        deciding = {BY_CODE[code] for code in codes} | {IS_CHARGING, CABLE_CONNECTED}  # live values depend on these two
        cursor = await self._cursor.position()
        changes = await self._store.readings.changes(cursor, BATCH)
        while changes:
            cursor = changes[-1].position
            relevant = (change for change in changes if change.signal in deciding)
            by_vehicle = bursts_of(relevant, round(self._coalesce_s * 1000))
            await self._gather([self._compare_vehicle(id_, webhooks, bursts, cursor) for id_, bursts in by_vehicle.items()])
            await self._cursor.keep(cursor)
            changes = await self._store.readings.changes(cursor, BATCH)
        for vehicle_id in await self._store.webhooks.due_vehicles(self._clock.now(), BATCH):
            await self._compare_vehicle(vehicle_id, webhooks)
        if self.has_other_writers:
            await self._find_written_by_others()
        names = list(self._written_names)
        ids = await self._store.vehicles.ids_of(names)
        for name in names:
            self._written_names.discard(name)
            if name in ids and ids[name] in self._stale:
                await self._compare_vehicle(ids[name], webhooks)
        while self._pending:
            webhook_id = self._pending.pop()
            for webhook in webhooks:
                if webhook.id == webhook_id:
                    await self._compare_all(webhook)

    async def _gather(self, comparisons: Sequence[Coroutine[Any, Any, None]]) -> None:
        """Run MAX_COMPARED at the same time: a database server answers several queries as fast as one."""
        waiting = iter(comparisons)

        async def work() -> None:
            for comparison in waiting:
                await comparison

        try:
            ended = await asyncio.gather(*(work() for _ in range(min(MAX_COMPARED, len(comparisons)))), return_exceptions=True)
        finally:
            for comparison in waiting:
                comparison.close()
        for error in ended:
            if error is not None:
                raise error

    async def _pause_s(self) -> float:
        """Return the time until the next value goes stale, at most POLL_S."""
        due_at = await self._store.webhooks.next_look_at()
        if due_at is None:
            return POLL_S
        return min(POLL_S, max(0.05, self._clock.machine_s((due_at - self._clock.now()) / 1000)))

    async def _compare_all(self, webhook: Webhook) -> None:
        number = 1
        while vehicle_ids := await self._vehicles(webhook, Page(number, VEHICLE_PAGE)):
            for vehicle_id in vehicle_ids:
                await self._compare_vehicle(vehicle_id, [webhook])
            number += 1

    async def _vehicles(self, webhook: Webhook, page: Page) -> list[str]:
        if not webhook.fields.auto_subscribe:
            subscriptions, _ = await self._store.webhooks.subscriptions(page, [webhook.id])
            return [subscription.vehicle.id for subscription in subscriptions]
        found = await self._store.access.application(webhook.client_id)
        connected_to = webhook.client_id if found is not None and found[0].connected_only else None
        vehicles, _ = await self._store.vehicles.vehicles(page, connected_to)
        return [vehicle.id for vehicle in vehicles]

    async def _compare_vehicle(
        self, vehicle_id: str, webhooks: Iterable[Webhook], bursts: Sequence[Burst] = (), cursor: int = 0
    ) -> None:  # fmt: skip
        """Compare the state of a vehicle that each webhook was last sent with those after each burst, and with the present one.

        `cursor` is the position up to which the feed was read. The present state is that after the last burst, unless newer
        changes were stored since.
        """
        subscribed = {subscription.webhook_id for subscription in await self._store.webhooks.subscriptions_of(vehicle_id)}
        webhooks = [webhook for webhook in webhooks if webhook.id in subscribed or webhook.fields.auto_subscribe]
        series = await self._store.readings.signals(vehicle_id) if webhooks else None
        if series is None:
            return
        allowed = {webhook.id: found for webhook in webhooks if (found := await self._allowed(webhook, vehicle_id)) is not None}
        webhooks = [webhook for webhook in webhooks if webhook.id in allowed]
        states = [state for per_source in series.series.values() for state in per_source]
        newest = max((state.position for state in states), default=0)
        is_behind = bool(bursts) and newest > cursor
        for position, at in bursts if is_behind else bursts[:-1]:
            then = await self._store.history.series_at(vehicle_id, at)
            if then is not None:
                await self._send(webhooks, allowed, _Snapshot(then, at, position, at, is_past=True))
        if not is_behind:
            observed_at = max((state.observed_at or 0 for state in states), default=0)
            await self._send(webhooks, allowed, _Snapshot(series, self._clock.now(), newest, observed_at))

    async def _send(self, webhooks: Iterable[Webhook], allowed: Mapping[str, _Allowed], snapshot: _Snapshot) -> None:
        """Queue for each webhook the changes of a vehicle that it was not sent yet."""
        vehicle_id = snapshot.series.vehicle.id
        found = await self._store.webhooks.subscriptions_of(vehicle_id)
        subscriptions = {subscription.webhook_id: subscription for subscription in found}
        for webhook in webhooks:
            user, permissions = allowed[webhook.id]
            subscription = subscriptions.get(webhook.id) or await self._store.webhooks.subscribe(
                webhook.id, vehicle_id, user["id"], self._clock.now(), again=False
            )
            if subscription is not None:
                await self._compare(webhook, subscription, snapshot, user, permissions)

    async def _allowed(self, webhook: Webhook, vehicle_id: str) -> _Allowed | None:
        """Return the user and the permissions of the application on a vehicle; None if it may not see the vehicle."""
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
        snapshot: _Snapshot,
        user: Mapping[str, str],
        permissions: frozenset[Permission],
    ) -> None:
        series, at, position, observed_at, is_past = snapshot
        before = None if subscription.sent is None else decode_sent(subscription.sent)
        if before is not None and is_past and (position <= before.position or at < before.observed_at):
            return  # sent before a crash, or a newer state was sent
        now, known = self._clock.now(), self._known(webhook, series, permissions, at)
        if not any(known.values()):
            return
        self._stale.pop(subscription.vehicle.id, None)
        if has_temporary(known):
            self._stale[subscription.vehicle.id] = _received_at(series)
        after = Sent.of(known, position, observed_at)
        vehicle, events = subscription.vehicle, []
        if changed := triggers(webhook, before, after):
            event_id = payload.new_id()
            body = payload.state(webhook, event_id, vehicle, user, known=known, permissions=permissions, triggers=changed)
            events.append(self._event(event_id, webhook, payload.VEHICLE_STATE, body, now))
        if errors := new_errors(before, after, self._docs):
            event_id = payload.new_id()
            body = payload.error(webhook, event_id, vehicle, user, errors)
            events.append(self._event(event_id, webhook, payload.VEHICLE_ERROR, body, now))
        expiries = [due for code in known if (due := next_change_at(BY_CODE[code], series.series, at)) is not None]
        await self._store.webhooks.enqueue(
            subscription, events, msgspec.json.encode(after).decode(), min(expiries, default=None)
        )
        if events:
            self._queued()

    def _known(
        self, webhook: Webhook, series: VehicleSeries, permissions: frozenset[Permission], at: int
    ) -> dict[str, Effective | None]:
        """Return the effective states of a webhook's signals that the application may read, by code."""
        all_codes = dict.fromkeys((*webhook.fields.triggers, *webhook.fields.data))
        codes = [code for code in all_codes if BY_CODE[code].permission in permissions]
        counts = effective_of(map(BY_CODE.__getitem__, codes), series.known, self._store.readings.ranks, at)
        return dict.fromkeys(codes) | {effective.state.signal.code: effective for effective in counts}

    def _event(self, event_id: str, webhook: Webhook, kind: str, body: bytes, now: int) -> Event:
        return Event(id=event_id, webhook_id=webhook.id, kind=kind, body=body.decode(), created_at=now, due_at=now)


def is_active(webhook: Webhook) -> bool:
    """Return whether events are sent to a webhook: only after its receiver has answered a VERIFY."""
    return webhook.fields.is_enabled and webhook.verified_at is not None


async def active_webhooks(store: Store) -> list[Webhook]:
    """Return the webhooks to which events are sent. Raises StoreError."""
    return [webhook for webhook in await store.webhooks.webhooks() if is_active(webhook)]


def _received_at(series: VehicleSeries) -> int:
    """Return when the newest state of a vehicle was received, in epoch milliseconds."""
    return max((state.received_at or 0 for states in series.series.values() for state in states), default=0)


async def until(event: asyncio.Event, timeout_s: float) -> None:
    """Wait until the event is set, for at most `timeout_s`; clear it."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
    event.clear()
