"""Publish each effective change of the feed in its order, then the present state.

The position up to which the broker has acknowledged everything is in the store, so that no change is lost by a restart or
an interruption of the broker. Values that expire, or end with their session, are no changes of the feed: each step also
publishes every state that differs from the last publication. At the start, and after a reconnect, these are all states.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from chargeport.clock import Clock
from chargeport.errors import SettingError, StoreError
from chargeport.mqtt_out.client import Broker
from chargeport.mqtt_out.discovery import device, discovery_topic, status_topic, topic
from chargeport.settings import MqttOutSettings
from chargeport.signals import wire
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Signal, Value
from chargeport.signals.effective import effective_of, next_change_at
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.sources.base import SourceError
from chargeport.sources.mqtt.settings import MqttSettings
from chargeport.store.effective_feed import EffectiveFeed, FeedCursor
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, Page, Vehicle
from chargeport.wire.envelope import iso
from chargeport.wire.status import ERROR_STATUSES

BATCH: Final = 200
PAGE: Final = 500
POLL_S: Final = 30.0  # between steps without a write to the store
OWNER: Final = "mqtt_out"  # of the notes that store the cursor and the announced vehicles
NEVER: Final = 1 << 53
ANNOUNCED: Final = "vehicles"

_log = logging.getLogger("chargeport.mqtt_out")


class Publish(Protocol):
    """Publishes: `client.Broker`."""

    def publish(self, topic: str, payload: bytes) -> Awaitable[None]:
        """Publish, retained and in order; the result is done once the broker has acknowledged it."""
        ...


class Publisher:
    """Follow the feed, and publish. One for the service."""

    def __init__(
        self, store: Store, clock: Clock, settings: MqttOutSettings, broker: Publish, wait: Callable[[float], Awaitable[bool]]
    ) -> None:
        """Prepare the publisher. `wait` returns after a write to the store, or after so many seconds."""
        self._store = store
        self._cursor = FeedCursor(store, OWNER)
        self._clock = clock
        self._settings = settings
        self._broker = broker
        self._wait = wait
        self._feed = EffectiveFeed(store)
        self._published: dict[str, bytes] = {}  # by topic
        self._observed_at: dict[str, int] = {}  # the newest change that was published, by topic
        self._unacknowledged: list[Awaitable[None]] = []
        self._next_at: dict[str, int] = {}  # by id of a vehicle: when its state may change without a write
        self._announced: set[str] = set()
        self._written_names: set[str] = set()  # names of vehicles with entries that are not in the feed
        self._listed_at = 0

    def note_written(self, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> None:
        """Remember the vehicles of entries that are not in the feed: a stale value may have been reported again unchanged."""
        self._written_names.update(
            entry.vehicle for entry, outcome in zip(entries, outcomes, strict=True) if outcome is not Outcome.ACCEPTED
        )

    def republish(self) -> None:
        """Publish everything again in the next step: the broker may have lost it."""
        self._published.clear()
        self._next_at.clear()
        self._listed_at = 0

    async def run(self) -> None:
        """Publish until cancelled; log store errors and try again."""
        self._announced = set(json.loads(await self._store.notes.recall(OWNER, ANNOUNCED) or "[]"))
        while True:
            try:
                await self.step()
                await self._wait(self._pause_s())
            except StoreError as error:
                _log.warning("mqtt_out: %s", error)
                await self._clock.sleep(1)

    async def step(self) -> None:
        """Publish all changes since the last step."""
        now = self._clock.now()
        vehicle_ids = await self._publish_changes()
        if not self._listed_at or not 0 <= now - self._listed_at < POLL_S * 1000:
            vehicle_ids |= await self._list_vehicles()
            self._listed_at = now
        names = list(self._written_names)
        vehicle_ids.update((await self._store.vehicles.ids_of(names)).values())
        self._written_names.difference_update(names)
        for vehicle_id in vehicle_ids | {vehicle_id for vehicle_id, at in self._next_at.items() if at <= now}:
            await self._publish_state(vehicle_id)

    def _pause_s(self) -> float:
        left_s = self._clock.machine_s((min(self._next_at.values(), default=NEVER) - self._clock.now()) / 1000)
        return min(POLL_S, max(0.05, left_s))

    async def _publish_changes(self) -> set[str]:
        """Publish each effective change since the cursor; return the ids of all vehicles with changes."""
        vehicle_ids: set[str] = set()
        cursor = await self._cursor.position()
        while changes := await self._store.readings.changes(cursor, BATCH):
            for change in await self._feed.events(changes):
                await self._announce_new(change.vehicle_id)
                to = topic(self._settings.prefix, change.vehicle_id, change.signal.code)
                if change.observed_at >= self._observed_at.get(to, 0):  # not for a late change: a newer one was published
                    self._observed_at[to] = change.observed_at
                    payload = _payload(change.signal, change.value, change.absence, change.observed_at, change.source)
                    self._publish(to, payload)
            vehicle_ids.update(change.vehicle_id for change in changes)
            cursor = changes[-1].position
            await self._acknowledged()
            await self._cursor.keep(cursor)
        return vehicle_ids

    async def _list_vehicles(self) -> set[str]:
        """Announce new vehicles and withdraw removed ones; return the ids of those whose state was not published yet."""
        found, total = await self._store.vehicles.vehicles(Page(1, PAGE))
        for number in range(2, total // PAGE + 2):
            found += (await self._store.vehicles.vehicles(Page(number, PAGE)))[0]
        for vehicle in found:
            self._announce(vehicle)
        removed = self._announced - {vehicle.id for vehicle in found}
        for vehicle_id in removed:
            self._withdraw(vehicle_id)
        await self._acknowledged()
        await self._store.notes.remember(OWNER, ANNOUNCED, json.dumps(sorted(self._announced)))
        return {vehicle.id for vehicle in found if vehicle.id not in self._next_at}

    async def _announce_new(self, vehicle_id: str) -> None:
        if vehicle_id not in self._announced:
            vehicle = await self._store.vehicles.vehicle(vehicle_id)
            if vehicle is not None:
                self._announce(vehicle)

    def _announce(self, vehicle: Vehicle) -> None:
        if self._settings.discovery_prefix:
            self._publish(discovery_topic(self._settings.discovery_prefix, vehicle.id), device(vehicle, self._settings.prefix))
        self._announced.add(vehicle.id)

    def _withdraw(self, vehicle_id: str) -> None:
        """Remove the retained messages of a vehicle that was removed, by empty payloads."""
        if self._settings.discovery_prefix:
            self._publish(discovery_topic(self._settings.discovery_prefix, vehicle_id), b"")
        for signal in CATALOGUE:
            self._publish(topic(self._settings.prefix, vehicle_id, signal.code), b"")
        self._announced.discard(vehicle_id)
        self._next_at.pop(vehicle_id, None)

    async def _publish_state(self, vehicle_id: str) -> None:
        """Publish the effective states of a vehicle that differ from the last publication."""
        found = await self._store.readings.signals(vehicle_id)
        if found is None:
            return
        now, ranks = self._clock.now(), self._store.readings.ranks
        for effective in effective_of(CATALOGUE, found.known, ranks, now):
            state, signal = effective.state, effective.state.signal
            reason = None if effective.unavailability is None else effective.unavailability.reason
            payload = _payload(signal, state.value, reason, state.observed_at, state.source)
            self._publish(topic(self._settings.prefix, vehicle_id, signal.code), payload)
        await self._acknowledged()
        expiries = (next_change_at(signal, found.series, now) for signal in CATALOGUE)
        self._next_at[vehicle_id] = min((at for at in expiries if at is not None), default=NEVER)

    def _publish(self, to: str, payload: bytes) -> None:
        if self._published.get(to) != payload:
            self._published[to] = payload
            self._unacknowledged.append(self._broker.publish(to, payload))

    async def _acknowledged(self) -> None:
        """Wait until the broker has acknowledged all publications."""
        publications, self._unacknowledged = self._unacknowledged, []
        await asyncio.gather(*publications)


def _payload(signal: Signal, value: Value | None, absence: AbsenceReason | None, at: int | None, source: str | None) -> bytes:
    """Return the JSON of a signal: its status, its body in wire form, the time of observation, and the source."""
    error = None if absence is None else ERROR_STATUSES[absence]
    document: dict[str, object] = {"status": "SUCCESS" if error is None else "ERROR"}
    if error is not None:
        document["error"] = {"type": error.type} | ({} if error.code is None else {"code": error.code})
    if value is not None and (error is None or error.keeps_body):
        document["body"] = msgspec.Raw(wire.body(signal, value).encode())
    document |= {} if at is None else {"observedAt": iso(at)}
    return msgspec.json.encode(document | ({} if source is None else {"source": source}))


class MqttOut:
    """The broker and the publisher."""

    def __init__(self, store: Store, clock: Clock, settings: MqttOutSettings, wait: Callable[[float], Awaitable[bool]]) -> None:
        """Connect. Raises SettingError."""
        try:
            broker = MqttSettings(
                url=settings.url or "", username=settings.username, password=settings.password, ca_file=settings.ca_file
            )
            self._broker = Broker(broker, f"{settings.prefix}-out", status_topic(settings.prefix))
            self._broker.start()
        except (ValueError, SourceError) as error:
            raise SettingError(f"A setting is wrong: mqtt_out: {str(error).rstrip('.')}.") from error
        self._publisher = Publisher(store, clock, settings, self._broker, wait)
        self._broker.on_connected = self._publisher.republish
        store.readings.on_written(self._publisher.note_written)

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._publisher.run()

    async def close(self) -> None:
        """Disconnect."""
        await self._broker.close()
