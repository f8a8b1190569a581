"""The pipeline, by which all readings are written to the store: every way in ends in `Pipeline.write` with a `Batch`.

Transports and pushes in a dialect use `take`, which reads their deliveries; items of the API, files and derived values are
entries already. The caller may acknowledge its input on return: entries and issues are on disk then. Only StoreError is raised:
any other error about a message becomes an issue with the message.
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
from chargeport.ingest.issues import refusal, refused_issue, unknown_vehicle_issue, unreadable_issue
from chargeport.ingest.liveness import EVERY_CAR, LIVENESS, Liveness
from chargeport.ingest.memory import CarMemory, Memory
from chargeport.ingest.times import AheadTimes
from chargeport.ingest.vehicle_names import VehicleNames, new_vehicle
from chargeport.signals.reading import Entry, Issue, Reading
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.protocols import Store
from chargeport.store.records import Grant, Outcome

MAX_ENTRIES: Final = 2_000  # from messages, before they are written
TURN: Final = 64  # messages, after which other tasks run
OFFLOAD_BYTES: Final = 262_144  # larger payloads are read in a thread: they would block the loop for more than a few ms

RecordDeliveries = Callable[[Sequence[Delivery]], None]


class Pipeline:
    """Reads messages and writes batches. One for the service: it holds names of vehicles, and the last reports of sources."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        dialects: Mapping[str, Dialect] = {},
        *,
        max_future_s: float = 0,
        auto_register: bool = False,
        record: RecordDeliveries | None = None,
    ) -> None:
        """Prepare the pipeline. `record` is called with the deliveries of a batch once it is on disk."""
        self.dialects = dialects
        self.names = VehicleNames(store.vehicles, clock)
        self._store = store
        self._clock = clock
        self._max_future_s = max_future_s
        self._auto_register = auto_register
        self._record = record
        self.ahead = AheadTimes()
        self._memory = Memory()
        self._own_dialects: dict[str, Dialect] = {}
        self._online: dict[str, dict[str, RawMessage]] = {}  # by source and car: its status

    def use_dialect(self, source: str, dialect: Dialect) -> None:
        """Read the messages of a source by a variant of its dialect, such as one with topics of its own."""
        self._own_dialects[source] = dialect

    def batch(self, grant: Grant | None = None) -> Batch:
        """Return an empty batch of an application, or of the server; it may register vehicles where the settings allow it."""
        if grant is None:
            return Batch(may_register=self._auto_register)
        return Batch(client_id=grant.client_id, connected_only=grant.connected_only, may_register=self._auto_register)

    async def take(self, parts: Sequence[RawMessage | Delivery], batch: Batch | None = None) -> Batch:
        """Read messages and deliveries into a batch and write it. Raises StoreError: then all may be sent again."""
        batch = self.batch() if batch is None else batch
        try:
            await self.read(parts, batch)
            await self.write(batch)
        except StoreError:
            for memory, before in batch.unconfirmed.values():  # these values were used, and are not on disk
                memory.unconfirmed = before | memory.unconfirmed
            raise
        if self._record is not None:
            self._record([part for part in parts if isinstance(part, Delivery)])
        return batch

    async def read(self, parts: Sequence[RawMessage | Delivery], batch: Batch) -> None:
        """Read messages and deliveries into a batch; write entries whenever there are MAX_ENTRIES. Raises StoreError."""
        for part in parts:
            messages = [part] if isinstance(part, RawMessage) else await self._messages(part)
            if isinstance(messages, Issue):
                batch.add_issues(batch.parts, messages)
                batch.parts += 1
                continue
            for message in messages:
                if LIVENESS in message.fields:
                    await self._apply_liveness(message, batch)
                    continue
                batch.messages[batch.parts] = message
                await self._normalise(batch.parts, message, batch)
                batch.parts += 1
                if len(batch.entries) >= MAX_ENTRIES:
                    await self._write_entries(batch)
                if batch.parts % TURN == 0:  # messages without entries never wait for the store
                    await asyncio.sleep(0)

    async def write(self, batch: Batch) -> Batch:
        """Write a batch; return it with its outcomes, once its entries and issues are on disk. Raises StoreError."""
        await self._write_entries(batch)
        await self._outcomes(batch.withdrawals, batch)
        if batch.issues and batch.keep_issues:
            await self._store.issues.add_issues(batch.issues, batch.client_id)
        return batch

    async def confirm(self, source: str) -> None:
        """Confirm the last values of a connected source, for the cars that it reports as online. Raises StoreError."""
        now, online = self._clock.now(), self._online.get(source, {})
        await self.take([msgspec.structs.replace(message, received_at=now) for message in online.values()])

    def mark_disconnected(self, source: str) -> None:
        """Discard the status of a source that is not connected any more."""
        self._online.pop(source, None)

    async def _apply_liveness(self, message: RawMessage, batch: Batch) -> None:
        """Apply a message about liveness to the car that it names, or to all cars of its source."""
        online = self._online.setdefault(message.source, {})
        if message.fields[LIVENESS] == Liveness.ONLINE:
            online[message.vehicle] = message
        elif message.fields[LIVENESS] == Liveness.OFFLINE:
            online.pop(message.vehicle, None)
        for vehicle in self._memory.cars(message.source) if message.vehicle == EVERY_CAR else [message.vehicle]:
            await self._normalise(batch.parts, msgspec.structs.replace(message, vehicle=vehicle), batch)
            batch.parts += 1

    async def _messages(self, delivery: Delivery) -> list[RawMessage] | Issue:
        try:
            dialect = self._dialect(delivery)
            if len(delivery.payload) > OFFLOAD_BYTES:
                return await asyncio.to_thread(read, delivery, dialect)
            return read(delivery, dialect)
        except Exception as error:  # noqa: BLE001  (a third-party dialect may raise anything)
            return unreadable_issue(delivery, error)

    def _dialect(self, part: RawMessage | Delivery) -> Dialect:
        own = self._own_dialects.get(part.source)
        if own is not None and own.name == part.dialect:
            return own
        if part.dialect not in self.dialects:
            raise ValueError(f"{part.dialect!r} is no dialect here")
        return self.dialects[part.dialect]

    async def _normalise(self, index: int, message: RawMessage, batch: Batch) -> None:
        """Add the entries and issues of a message."""
        try:
            self._check(message)
            vehicle_id = await self._vehicle_id(message, batch)
            if vehicle_id is None:
                batch.add_issues(index, unknown_vehicle_issue(message, batch.only_for))
                return
            memory = await self._memory_of(message.source, vehicle_id, batch)
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
            batch.add_issues(index, unreadable_issue(message, error))
            return
        batch.add_issues(index, *result.issues)
        batch.add_all(index, result.entries)

    def _check(self, message: RawMessage) -> None:
        """Refuse a source name that can't be encoded, and a receipt in the future, which would outrank later ones."""
        message.source.encode()
        if not 0 <= message.received_at <= self._clock.now() + self._max_future_s * 1000:
            raise ValueError(f"it can't have been received at {message.received_at}")

    async def _vehicle_id(self, message: RawMessage, batch: Batch) -> str | None:
        name = message.vehicle
        vehicle_id = await self.names.find(message.source, message.dialect, name, batch.only_for)
        if vehicle_id is None and batch.may_register:
            if batch.is_trial:
                return name if new_vehicle(name, 0) is not None else None
            if await self.names.register(name):
                return await self.names.find(message.source, message.dialect, name)
        if vehicle_id is None or batch.only_for is None or await self._store.access.may_write(batch.only_for, vehicle_id):
            return vehicle_id
        return None  # its connection was removed since

    def _stamp(self, message: RawMessage, vehicle_id: str, batch: Batch) -> Any:
        """Return the timestamp of a message, after an earlier one that was ahead; `as_of` handles one that is ahead itself."""
        stamp = message.observed_at
        if type(stamp) is not int:
            return stamp
        if stamp > message.received_at:
            self._clock.compared(stamp)  # it may be our clock that is behind
        counted_at = self.ahead.counted_at((batch.client_id, message.source, vehicle_id), stamp, message.received_at)
        return stamp if stamp > message.received_at else counted_at

    async def _memory_of(self, source: str, vehicle_id: str, batch: Batch) -> CarMemory:
        """Return the memory of a vehicle for a source; a new one is filled from the store.

        An application that is limited to its connections has memories of its own: it must not change how others are read.
        """
        reporter = source if batch.only_for is None else f"{batch.only_for} {source}"
        is_known = self._memory.has(reporter, vehicle_id)
        memory = self._memory.of(reporter, vehicle_id)
        if not is_known and (stored := await self._store.readings.signals(vehicle_id)) is not None:
            memory.resume(state for series in stored.series.values() for state in series if state.source == source)
        if memory.unconfirmed:
            batch.unconfirmed.setdefault(id(memory), (memory, dict(memory.unconfirmed)))
        return memory

    async def _write_entries(self, batch: Batch) -> None:
        """Write the entries of a batch, and remove them from it."""
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
        """Write entries; in a trial return what the outcomes would be."""
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
        """Write the entries of unknown vehicles again: under the id that a name has by now, or after registration."""
        retried: list[int] = []
        vehicle_ids: dict[tuple[str, str | None], str | None] = {}
        for number, outcome in enumerate(outcomes):
            if outcome is not Outcome.UNKNOWN_VEHICLE:
                continue
            entry, message = entries[number], batch.messages.get(indices[number])
            key = (entry.vehicle, None if message is None else f"{message.source} {message.vehicle}")
            if key not in vehicle_ids:
                vehicle_ids[key] = await self._resolve_again(entry.vehicle, message, batch)
            if (vehicle_id := vehicle_ids[key]) is not None:
                entries[number] = msgspec.structs.replace(entry, vehicle=vehicle_id)
                retried.append(number)
        again = await self._outcomes([entries[number] for number in retried], batch)
        for number, outcome in zip(retried, again, strict=True):
            outcomes[number] = outcome

    async def _resolve_again(self, vehicle: str, message: RawMessage | None, batch: Batch) -> str | None:
        """Return the reference of a vehicle that was unknown to the store, if it is known or registered now; None otherwise."""
        if message is not None:  # the vehicle was removed, and may have been added again
            self.names.forget(vehicle)
            return await self._vehicle_id(message, batch)
        is_registered = batch.may_register and not batch.is_trial and await self.names.register(vehicle)
        return vehicle if is_registered else None

    def _refuse(self, entries: Sequence[Entry], indices: Sequence[int], outcomes: Sequence[Outcome], batch: Batch) -> None:
        """Reject entries that were not stored: of an item each signal, a message once."""
        last = -1
        for entry, index, outcome in zip(entries, indices, outcomes, strict=True):
            if outcome in STORED:
                continue
            # An application that is limited to its connections must not learn which other vehicles exist.
            why = Outcome.NOT_PERMITTED if batch.only_for is not None else outcome
            message = batch.messages.get(index)
            if message is None:
                batch.reject(index, refusal(why), entry.signal.code)
            elif index != last:
                batch.add_issues(index, refused_issue(message, why))
                last = index
