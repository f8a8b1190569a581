"""The one way to the store: whatever comes in ends in `Pipeline.write`, with a `Batch`.

Transports and pushes in a dialect come through `take`, which reads their deliveries; the API's items, files and what is
derived come as entries. Whoever hands something on may acknowledge it on return: what it means, and what of it could not be
understood, is then on disk. Only a StoreError gets out: whatever else goes wrong with a message is an issue that keeps it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from chargeport.clock import Clock
from chargeport.dialects.table import Dialect
from chargeport.errors import StoreError
from chargeport.ingest.batch import STORED, Batch
from chargeport.ingest.connectors import Connectors
from chargeport.ingest.engine import normalise, read
from chargeport.ingest.issues import refusal, refused, unknown_vehicle, unreadable
from chargeport.ingest.memory import CarMemory, Memory
from chargeport.ingest.signs_of_life import ALIVE, EVERY_CAR, Sign
from chargeport.ingest.times import AheadTimes
from chargeport.ingest.vehicle_names import VehicleNames, new_vehicle
from chargeport.signals.reading import Entry, Issue, Reading
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.protocols import Store
from chargeport.store.records import Grant, Outcome

MAX_ENTRIES: Final = 2_000  # made of messages before they are written
TURN: Final = 64  # messages, after which others have their turn
OFFLOAD_BYTES: Final = 262_144  # beyond, a payload is read in a thread: it would hold up all tasks for more than a few ms

Keep = Callable[[Sequence[Delivery]], None]


class Pipeline:
    """Stores what comes in. One for the whole service: it remembers names, and what sources said before."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        dialects: Mapping[str, Dialect] = {},
        *,
        max_future_s: float = 0,
        auto_register: bool = False,
        record: Keep | None = None,
    ) -> None:
        """Prepare the pipeline. `record` is handed every delivery once what it means is on disk."""
        self.dialects = dialects
        self.names = VehicleNames(store.vehicles, clock)
        self._store = store
        self._clock = clock
        self._max_future_s = max_future_s
        self._auto_register = auto_register
        self._record = record
        self.ahead = AheadTimes()
        self._memory = Memory()
        self._own: dict[str, Dialect] = {}
        self._there: dict[str, dict[str, RawMessage]] = {}  # by source and car, that it is there until it says otherwise

    def use_dialect(self, source: str, dialect: Dialect) -> None:
        """Read what a source says in this dialect by this form of it: one with topics of its own, say."""
        self._own[source] = dialect

    def batch(self, grant: Grant | None = None) -> Batch:
        """Return an empty batch of an application, or of our own; it may register vehicles where the settings say so."""
        if grant is None:
            return Batch(may_register=self._auto_register)
        return Batch(client_id=grant.client_id, connected_only=grant.connected_only, may_register=self._auto_register)

    async def take(self, parts: Sequence[RawMessage | Delivery], batch: Batch | None = None) -> Batch:
        """Read messages and deliveries into a batch and write it. Raises StoreError: then all may be handed on again."""
        batch = self.batch() if batch is None else batch
        try:
            await self.read(parts, batch)
            await self.write(batch)
        except StoreError:
            for memory, before in batch.unsaid.values():  # it was used, and is not on disk
                memory.doubted = before | memory.doubted
            raise
        if self._record is not None:
            self._record([part for part in parts if isinstance(part, Delivery)])
        return batch

    async def read(self, parts: Sequence[RawMessage | Delivery], batch: Batch) -> None:
        """Read messages and deliveries into a batch; write the entries that are too many to wait. Raises StoreError."""
        for part in parts:
            found = [part] if isinstance(part, RawMessage) else await self._messages(part)
            if isinstance(found, Issue):
                batch.misread(batch.parts, found)
                batch.parts += 1
                continue
            for message in found:
                if ALIVE in message.fields:
                    await self._alive(message, batch)
                    continue
                batch.messages[batch.parts] = message
                await self._normalise(batch.parts, message, batch)
                batch.parts += 1
                if len(batch.entries) >= MAX_ENTRIES:
                    await self._write_entries(batch)
                if batch.parts % TURN == 0:  # what makes no entries waits for nothing
                    await asyncio.sleep(0)

    async def write(self, batch: Batch) -> Batch:
        """Write a batch; return it with what became of its entries, once they and its issues are on disk. Raises StoreError."""
        await self._write_entries(batch)
        await self._outcomes(batch.taken_back, batch)
        if batch.issues and batch.keep_issues:
            await self._store.issues.add_issues(batch.issues, batch.client_id)
        return batch

    async def confirm(self, source: str) -> None:
        """Confirm what a connected source has told, for the cars for which it says that it is there. Raises StoreError."""
        now, there = self._clock.now(), self._there.get(source, {})
        await self.take([msgspec.structs.replace(message, received_at=now) for message in there.values()])

    def lost(self, source: str) -> None:
        """Note that a source is not connected any more: whether it is there is not known."""
        self._there.pop(source, None)

    async def _alive(self, message: RawMessage, batch: Batch) -> None:
        """Add what follows from a source being there, for the car that it names or for all of which it has told."""
        there = self._there.setdefault(message.source, {})
        if message.fields[ALIVE] == Sign.THERE:
            there[message.vehicle] = message
        elif message.fields[ALIVE] == Sign.GONE:
            there.pop(message.vehicle, None)
        for vehicle in self._memory.cars(message.source) if message.vehicle == EVERY_CAR else [message.vehicle]:
            await self._normalise(batch.parts, msgspec.structs.replace(message, vehicle=vehicle), batch)
            batch.parts += 1

    async def _messages(self, delivery: Delivery) -> list[RawMessage] | Issue:
        try:
            dialect = self._dialect(delivery)
            if len(delivery.payload) > OFFLOAD_BYTES:
                return await asyncio.to_thread(read, delivery, dialect)
            return read(delivery, dialect)
        except Exception as error:  # noqa: BLE001  (a dialect of somebody else's may raise anything)
            return unreadable(delivery, error)

    def _dialect(self, part: RawMessage | Delivery) -> Dialect:
        own = self._own.get(part.source)
        if own is not None and own.name == part.dialect:
            return own
        if part.dialect not in self.dialects:
            raise ValueError(f"{part.dialect!r} is no dialect here")
        return self.dialects[part.dialect]

    async def _normalise(self, index: int, message: RawMessage, batch: Batch) -> None:
        """Add what a message says of the vehicle that it means."""
        try:
            self._check(message)
            vehicle_id = await self._vehicle_id(message, batch)
            if vehicle_id is None:
                batch.misread(index, unknown_vehicle(message, batch.only_for))
                return
            memory = await self._remembered(message.source, vehicle_id, batch)
            ours = msgspec.structs.replace(message, vehicle=vehicle_id, observed_at=self._stamp(message, vehicle_id, batch))
            dialect = self._dialect(message)
            if dialect.connectors is not None and dialect.connectors.match(message.vehicle):
                memory.connectors = memory.connectors or Connectors()
                counted = memory.connectors.count(message.vehicle, message.fields, dialect.plug, message.received_at)
                ours = msgspec.structs.replace(ours, fields=counted)
            result = normalise(ours, dialect, memory, self._store.readings.freshness)
            for entry in result.entries:
                if isinstance(entry, Reading) and isinstance(entry.value, str):
                    entry.value.encode()  # half a character can't be stored
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  (as above)
            batch.misread(index, unreadable(message, error))
            return
        batch.misread(index, *result.issues)
        for entry in result.entries:
            batch.add(index, entry)

    def _check(self, message: RawMessage) -> None:
        """Refuse a source without a name, and what can't have been received yet: it would hold as the latest until then."""
        message.source.encode()
        if not 0 <= message.received_at <= self._clock.now() + self._max_future_s * 1000:
            raise ValueError(f"it can't have been received at {message.received_at}")

    async def _vehicle_id(self, message: RawMessage, batch: Batch) -> str | None:
        name = message.vehicle
        found = await self.names.find(message.source, message.dialect, name, batch.only_for)
        if found is None and batch.may_register:
            if batch.is_trial:
                return name if new_vehicle(name, 0) is not None else None
            if await self.names.register(name):
                return await self.names.find(message.source, message.dialect, name)
        if found is None or batch.only_for is None or await self._store.access.may_write(batch.only_for, found):
            return found
        return None  # it was found a moment ago, and has been taken away

    def _stamp(self, message: RawMessage, vehicle_id: str, batch: Batch) -> Any:
        """Return a message's stamp, put after one that lay ahead of our clock; one that is ahead itself is left to `as_of`."""
        stamp = message.observed_at
        if type(stamp) is not int:
            return stamp
        if stamp > message.received_at:
            self._clock.compared(stamp)  # it may be our clock that is behind
        counted_at = self.ahead.counted_at((batch.client_id, message.source, vehicle_id), stamp, message.received_at)
        return stamp if stamp > message.received_at else counted_at

    async def _remembered(self, source: str, vehicle_id: str, batch: Batch) -> CarMemory:
        """Return what a source said of a vehicle; of one that it has not spoken of yet, what the store has of it.

        What an application says that may write to some vehicles only must not change how other sources are read.
        """
        speaker = source if batch.only_for is None else f"{batch.only_for} {source}"
        is_known = self._memory.knows(speaker, vehicle_id)
        memory = self._memory.of(speaker, vehicle_id)
        if not is_known and (found := await self._store.readings.signals(vehicle_id)) is not None:
            memory.resume(state for series in found.series.values() for state in series if state.source == source)
        if memory.doubted:
            batch.unsaid.setdefault(id(memory), (memory, dict(memory.doubted)))
        return memory

    async def _write_entries(self, batch: Batch) -> None:
        """Write the entries that a batch has so far, and take them out of it."""
        entries, indices = batch.entries, batch.indices
        batch.entries, batch.indices = [], []
        outcomes = await self._outcomes(entries, batch)
        if Outcome.UNKNOWN_VEHICLE in outcomes and (batch.may_register or batch.messages):
            await self._write_again(entries, indices, outcomes, batch)
        stored = {outcome: outcomes.count(outcome) for outcome in STORED}  # a Counter would hash each of them
        batch.outcomes.update(stored)
        if sum(stored.values()) < len(outcomes):
            self._refuse(entries, indices, outcomes, batch)

    async def _outcomes(self, entries: Sequence[Entry], batch: Batch) -> list[Outcome]:
        """Write entries, or in a trial see whether they would be."""
        if not entries:
            return []
        if not batch.is_trial:
            return await self._store.readings.write(entries, batch.only_for)
        known: dict[str, Outcome] = {}
        for name in dict.fromkeys(entry.vehicle for entry in entries):
            is_known = await self.names.is_known(name) or (batch.may_register and new_vehicle(name, 0) is not None)
            known[name] = Outcome.ACCEPTED if is_known else Outcome.UNKNOWN_VEHICLE
        return [known[entry.vehicle] for entry in entries]

    async def _write_again(self, entries: list[Entry], indices: Sequence[int], outcomes: list[Outcome], batch: Batch) -> None:
        """Write once more what is of unknown vehicles: under the id that a name has by now, or once they are registered."""
        places: list[int] = []
        found: dict[tuple[str, str | None], str | None] = {}
        for place, outcome in enumerate(outcomes):
            if outcome is not Outcome.UNKNOWN_VEHICLE:
                continue
            entry, message = entries[place], batch.messages.get(indices[place])
            key = (entry.vehicle, None if message is None else f"{message.source} {message.vehicle}")
            if key not in found:
                found[key] = await self._known_by_now(entry.vehicle, message, batch)
            if (vehicle_id := found[key]) is not None:
                entries[place] = msgspec.structs.replace(entry, vehicle=vehicle_id)
                places.append(place)
        again = await self._outcomes([entries[place] for place in places], batch)
        for place, outcome in zip(places, again, strict=True):
            outcomes[place] = outcome

    async def _known_by_now(self, vehicle: str, message: RawMessage | None, batch: Batch) -> str | None:
        """Return what to call a vehicle that the store does not know, once it is known; None if it can't be."""
        if message is not None:  # it was removed, and may have been added again
            self.names.forget(vehicle)
            return await self._vehicle_id(message, batch)
        can_be = batch.may_register and not batch.is_trial and await self.names.register(vehicle)
        return vehicle if can_be else None

    def _refuse(self, entries: Sequence[Entry], indices: Sequence[int], outcomes: Sequence[Outcome], batch: Batch) -> None:
        """Reject what was not stored: an item by its signals, a message once."""
        last = -1
        for entry, index, outcome in zip(entries, indices, outcomes, strict=True):
            if outcome in STORED:
                continue
            # Whoever writes to connected vehicles only is not told which others there are.
            why = Outcome.NOT_PERMITTED if batch.only_for is not None else outcome
            message = batch.messages.get(index)
            if message is None:
                batch.reject(index, refusal(why), entry.signal.code)
            elif index != last:
                batch.misread(index, refused(message, why))
                last = index
