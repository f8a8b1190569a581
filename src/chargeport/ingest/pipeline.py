"""What is heard, on its way to the disk: delivery → messages → car → meaning → store.

Whoever hands something on may acknowledge it when `take` returns: what it means, and what of it could not be understood, is
then on disk. Only a StoreError gets out of it: whatever else goes wrong with a message is an issue that keeps the message.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from chargeport.clock import Clock
from chargeport.dialects.table import Dialect
from chargeport.errors import StoreError
from chargeport.ingest.engine import normalise, read
from chargeport.ingest.issues import Heard, poisoned, refused, storable, unknown_vehicle
from chargeport.ingest.memory import CarMemory, Memory
from chargeport.ingest.vehicle_names import Identities
from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.held import reported_of
from chargeport.signals.reading import Issue, Reading
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome

MAX_ENTRIES: Final = 2_000  # that are worked out before they are written: meanwhile nobody else gets his turn
OFFLOAD_BYTES: Final = 262_144  # beyond, a payload is read in a thread
STORED: Final = (Outcome.ACCEPTED, Outcome.SUPERSEDED, Outcome.UNCHANGED)

Keep = Callable[[Sequence[Delivery]], None]


class Taken(msgspec.Struct):
    """What became of what was handed on. `places` says of each issue which of the messages it is about, from 0."""

    outcomes: Counter[Outcome]
    issues: list[Issue]
    places: list[int] = []

    @property
    def stored(self) -> int:
        """Readings and absences that are on disk."""
        return sum(self.outcomes[outcome] for outcome in STORED)

    def add(self, place: int, *issues: Issue) -> None:
        """Note what could not be understood of a message."""
        self.issues += map(storable, issues)
        self.places += [place] * len(issues)


class Intake:
    """Takes in what sources hear. One for the whole service: it remembers what they said before."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        dialects: Mapping[str, Dialect],
        *,
        max_future_s: float,
        auto_register: bool = False,
        record: Keep | None = None,
    ) -> None:
        """`record` is handed every delivery once what it means is on disk."""
        self.dialects = dialects
        self._store = store
        self._clock = clock
        self._max_future_s = max_future_s
        self._record = record
        self._identities = Identities(store.vehicles, clock, auto_register=auto_register)
        self._memory = Memory()
        self._own: dict[str, Dialect] = {}

    def speaks(self, source: str, dialect: Dialect) -> None:
        """What a source says in this dialect is to be read by this form of it: one with topics of its own, say."""
        self._own[source] = dialect

    async def take(
        self, heard: Sequence[RawMessage | Delivery], only_for: str | None = None, *, keep_issues: bool = True
    ) -> Taken:
        """Store what was heard; returns when it is on disk. Raises StoreError: then it may be handed on again, whole.

        With `only_for`, only cars that this application may write to, and nothing but those is kept: an issue that is replayed
        is nobody's any more. Without `keep_issues` what is not understood is only told: it is kept already.
        """
        taken = Taken(Counter(), [])
        doubted: dict[int, tuple[CarMemory, dict[str, Any]]] = {}
        try:
            await self._take(heard, taken, only_for, doubted)
            if taken.issues and keep_issues and only_for is None:
                await self._store.issues.add_issues(taken.issues)
        except StoreError:
            for memory, before in doubted.values():  # it was believed, and is not on disk
                memory.doubted = before | memory.doubted
            raise
        if self._record is not None:
            self._record([part for part in heard if isinstance(part, Delivery)])
        return taken

    async def _take(
        self,
        heard: Sequence[RawMessage | Delivery],
        taken: Taken,
        only_for: str | None,
        doubted: dict[int, tuple[CarMemory, dict[str, Any]]],
    ) -> None:
        batch: list[Heard] = []
        async for place, message in self._messages(heard, taken):
            batch += await self._meaning(place, message, taken, only_for, doubted)
            if len(batch) >= MAX_ENTRIES:
                await self._write(batch, taken, only_for)
                batch = []
        await self._write(batch, taken, only_for)

    async def _messages(self, heard: Sequence[RawMessage | Delivery], taken: Taken) -> AsyncIterator[tuple[int, RawMessage]]:
        """The messages of all parts, numbered."""
        place = 0
        for part in heard:
            found = part if isinstance(part, RawMessage) else await self._read(part)
            if isinstance(found, Issue):
                taken.add(place, found)
                found = []
                place += 1
            for message in [found] if isinstance(found, RawMessage) else found:
                yield place, message
                place += 1

    async def _read(self, delivery: Delivery) -> list[RawMessage] | Issue:
        try:
            dialect = self._dialect(delivery)
            if len(delivery.payload) > OFFLOAD_BYTES:
                return await asyncio.to_thread(read, delivery, dialect)
            return read(delivery, dialect)
        except Exception as error:  # noqa: BLE001  (a dialect of somebody else's may raise anything)
            return poisoned(delivery, error)

    def _dialect(self, part: RawMessage | Delivery) -> Dialect:
        own = self._own.get(part.source)
        if own is not None and own.name == part.dialect:
            return own
        if part.dialect not in self.dialects:
            raise ValueError(f"{part.dialect!r} is no dialect here")
        return self.dialects[part.dialect]

    async def _meaning(
        self,
        place: int,
        message: RawMessage,
        taken: Taken,
        only_for: str | None,
        doubted: dict[int, tuple[CarMemory, dict[str, Any]]],
    ) -> list[Heard]:
        """What a message says of the car that it means."""
        try:
            self._check(message)
            names = message.source, message.dialect, message.vehicle
            vehicle_id = await self._identities.of(*names, may_register=only_for is None)
            if vehicle_id is None:
                taken.add(place, unknown_vehicle(message, only_for))
                return []
            # What an application says that may write to some cars only must not change how other sources are read.
            memory = await self._remembered(message.source if only_for is None else f"{only_for} {message.source}", vehicle_id)
            if memory.doubted:
                doubted.setdefault(id(memory), (memory, dict(memory.doubted)))
            ours = msgspec.structs.replace(message, vehicle=vehicle_id)
            result = normalise(ours, self._dialect(message), self._max_future_s, memory)
            for entry in result.entries:
                if isinstance(entry, Reading) and isinstance(entry.value, str):
                    entry.value.encode()  # half a character can't be stored
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  (as above)
            taken.add(place, poisoned(message, error))
            return []
        taken.add(place, *result.issues)
        return [Heard(entry, message, place) for entry in result.entries]

    def _check(self, message: RawMessage) -> None:
        """Refuse what can't have been heard yet: it would hold as the latest until then. And a source that has no name."""
        message.source.encode()
        if not 0 <= message.received_at <= self._clock.now() + self._max_future_s * 1000:
            raise ValueError(f"it can't have been received at {message.received_at}")

    async def _remembered(self, source: str, vehicle_id: str) -> CarMemory:
        """What the source said of the car; of one that it has not spoken of yet, whether it is known to charge."""
        known = self._memory.knows(source, vehicle_id)
        memory = self._memory.of(source, vehicle_id)
        if not known and (found := await self._store.readings.signal(vehicle_id, IS_CHARGING)) is not None:
            charging = reported_of(found.series, IS_CHARGING)
            if charging is not None and charging.changed_at is not None and charging.value is not None:
                memory.charging_was(charging.changed_at, bool(charging.value))
        return memory

    async def _write(self, batch: list[Heard], taken: Taken, only_for: str | None, *, again: bool = True) -> None:
        """Write a batch. A car that is not there any more may be known by the same name once more."""
        entries = [heard.entry for heard in batch]
        outcomes = await self._store.readings.write(entries, only_for) if entries else []
        gone: dict[int, Heard] = {}
        for heard, outcome in zip(batch, outcomes, strict=True):
            if outcome in STORED:
                taken.outcomes[outcome] += 1
            elif outcome is Outcome.UNKNOWN_VEHICLE and again:
                self._identities.forget(heard.entry.vehicle)
                gone[heard.place] = heard
            else:
                taken.outcomes[outcome] += 1
                taken.add(heard.place, refused(heard, outcome))
        for heard in gone.values():
            told = Taken(Counter(), [])  # its other issues are known already
            anew = await self._meaning(heard.place, heard.message, told, only_for, {})
            if not anew:
                taken.add(heard.place, *told.issues)
            await self._write(anew, taken, only_for, again=False)
