"""What is published when: each effective change of the feed in its order, then what is so now.

The position up to which everything was acknowledged by the broker is kept in the store, so that a restart, or a broker that was
away, loses no change. Values that end by silence, or with their session, are no changes of the feed: after each look, whatever
is not as it was published is published. At the start, and where the broker was away, that is all.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from chargeport.clock import Clock
from chargeport.errors import StoreError
from chargeport.mqtt_out.discovery import device, discovery_topic, topic
from chargeport.settings import MqttOutSettings
from chargeport.signals import wire
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Signal, Value
from chargeport.signals.effective import effective_of, next_change_at
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.store.effective_feed import EffectiveFeed
from chargeport.store.feed_cursor import FeedCursor
from chargeport.store.protocols import Store
from chargeport.store.records import Change, Page, Vehicle
from chargeport.wire.envelope import iso
from chargeport.wire.status import WORDINGS

BATCH: Final = 200
PAGE: Final = 500
LOOK_AGAIN_S: Final = 30.0
OWNER: Final = "mqtt_out"  # of the notes in which the cursor and the announced vehicles are kept
ANNOUNCED: Final = "vehicles"

_log = logging.getLogger("chargeport.mqtt_out")


class Publish(Protocol):
    """What publishes: `client.Broker`."""

    def publish(self, topic: str, payload: bytes) -> Awaitable[None]:
        """Publish, retained and in order; what it returns is done once the broker has it."""
        ...


class Publisher:
    """Follows the feed, and publishes. One for the service."""

    def __init__(
        self, store: Store, clock: Clock, settings: MqttOutSettings, broker: Publish, wait: Callable[[float], Awaitable[bool]]
    ) -> None:
        """Prepare the publisher. `wait` returns when something was stored, or after so many seconds."""
        self._store = store
        self._cursor = FeedCursor(store, OWNER)
        self._clock = clock
        self._settings = settings
        self._broker = broker
        self._wait = wait
        self._feed = EffectiveFeed(store)
        self._published: dict[str, bytes] = {}  # by topic
        self._observed_at: dict[str, int] = {}  # the newest change that was published, by topic
        self._under_way: list[Awaitable[None]] = []
        self._turns: dict[str, int] = {}  # when a vehicle may change by itself
        self._announced: set[str] = set()
        self._named: set[str] = set()  # names of vehicles of which something was stored
        self._listed_at = 0

    def note(self, entries: Sequence[Entry]) -> None:
        """Note what was stored: a value that is confirmed after it had gone stale is no change of the feed."""
        self._named.update(entry.vehicle for entry in entries)

    def again(self) -> None:
        """Publish everything once more: the broker may have forgotten it."""
        self._published.clear()
        self._turns.clear()
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
        """Publish what is new once."""
        now = self._clock.now()
        touched = await self._changes()
        if not self._listed_at or not 0 <= now - self._listed_at < LOOK_AGAIN_S * 1000:
            touched |= await self._vehicles()
            self._listed_at = now
        for name in [self._named.pop() for _ in range(len(self._named))]:
            found = await self._store.vehicles.find_vehicle(name)
            touched |= set() if found is None else {found.id}
        for vehicle_id in touched | {each for each, at in self._turns.items() if at <= now}:
            await self._look(vehicle_id)

    def _pause_s(self) -> float:
        left_s = self._clock.machine_s((min(self._turns.values(), default=1 << 53) - self._clock.now()) / 1000)
        return min(LOOK_AGAIN_S, max(0.05, left_s))

    async def _changes(self) -> set[str]:
        """Publish each effective change since the cursor; return the vehicles of which anything was stored."""
        touched: set[str] = set()
        cursor = await self._cursor.position()
        while changes := await self._store.readings.changes(cursor, BATCH):
            for change in await self._feed.events(changes):
                await self._announce_one(change.vehicle_id)
                to = topic(self._settings.prefix, change.vehicle_id, change.signal.code)
                if change.observed_at >= self._observed_at.get(to, 0):  # a late one was never so since
                    self._observed_at[to] = change.observed_at
                    self._publish(to, _of_change(change))
            touched.update(change.vehicle_id for change in changes)
            cursor = changes[-1].position
            await self._acknowledged()
            await self._cursor.keep(cursor)
        return touched

    async def _vehicles(self) -> set[str]:
        """Announce vehicles that are new, withdraw those that are gone; return those that were not looked at yet."""
        found, total = await self._store.vehicles.vehicles(Page(1, PAGE))
        for number in range(2, total // PAGE + 2):
            found += (await self._store.vehicles.vehicles(Page(number, PAGE)))[0]
        for vehicle in found:
            self._announce(vehicle)
        gone = self._announced - {each.id for each in found}
        for vehicle_id in gone:
            self._withdraw(vehicle_id)
        await self._acknowledged()
        await self._store.notes.remember(OWNER, ANNOUNCED, json.dumps(sorted(self._announced)))
        return {each.id for each in found if each.id not in self._turns}

    async def _announce_one(self, vehicle_id: str) -> None:
        if vehicle_id not in self._announced:
            vehicle = await self._store.vehicles.vehicle(vehicle_id)
            if vehicle is not None:
                self._announce(vehicle)

    def _announce(self, vehicle: Vehicle) -> None:
        if self._settings.discovery_prefix:
            self._publish(discovery_topic(self._settings.discovery_prefix, vehicle.id), device(vehicle, self._settings.prefix))
        self._announced.add(vehicle.id)

    def _withdraw(self, vehicle_id: str) -> None:
        """Take back everything about a vehicle that is gone: an empty payload ends what is retained."""
        if self._settings.discovery_prefix:
            self._publish(discovery_topic(self._settings.discovery_prefix, vehicle_id), b"")
        for signal in CATALOGUE:
            self._publish(topic(self._settings.prefix, vehicle_id, signal.code), b"")
        self._announced.discard(vehicle_id)
        self._turns.pop(vehicle_id, None)

    async def _look(self, vehicle_id: str) -> None:
        """Publish what is not as it was published."""
        found = await self._store.readings.signals(vehicle_id)
        if found is None:
            return
        now, ranks = self._clock.now(), self._store.readings.ranks
        for counts in effective_of(CATALOGUE, found.known, ranks, now):
            state, against, signal = counts.state, counts.unavailability, counts.state.signal
            payload = _payload(
                signal, state.value, None if against is None else against.reason, state.observed_at, state.source
            )
            self._publish(topic(self._settings.prefix, vehicle_id, signal.code), payload)
        await self._acknowledged()
        turns = (next_change_at(signal, found.series, now) for signal in CATALOGUE)
        self._turns[vehicle_id] = min((turn for turn in turns if turn is not None), default=1 << 53)

    def _publish(self, to: str, payload: bytes) -> None:
        if self._published.get(to) != payload:
            self._published[to] = payload
            self._under_way.append(self._broker.publish(to, payload))

    async def _acknowledged(self) -> None:
        """Return once the broker has all that was published."""
        under_way, self._under_way = self._under_way, []
        await asyncio.gather(*under_way)


def _of_change(change: Change) -> bytes:
    return _payload(change.signal, change.value, change.absence, change.observed_at, change.source)


def _payload(signal: Signal, value: Value | None, absence: AbsenceReason | None, at: int | None, source: str | None) -> bytes:
    """Return the JSON of a signal: its status, its body in wire form, when it was observed, and by whom."""
    wording = None if absence is None else WORDINGS[absence]
    document: dict[str, object] = {"status": "SUCCESS" if wording is None else "ERROR"}
    if wording is not None:
        document["error"] = {"type": wording.type} | ({} if wording.code is None else {"code": wording.code})
    if value is not None and (wording is None or wording.keeps_body):
        document["body"] = msgspec.Raw(wire.body(signal, value).encode())
    document |= {} if at is None else {"observedAt": iso(at)}
    return msgspec.json.encode(document | ({} if source is None else {"source": source}))
