"""What has changed since derivation was last there: from this process's writes, the feed, edits, erasures, and after a start.

The feed tells every change, but not that a known value was confirmed. What this process writes is noted as it is written; what
was missed, in a crash or because too much was noted, is looked for by the time of its receipt.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.derivation.queue import Changed, Progress, Queue
from chargeport.derivation.sessions import RELEVANT
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import Entry
from chargeport.store.protocols import Store

PORTION: Final = 2_000  # changes of the feed, or vehicles, looked through at once
MAX_WAITING: Final = 200_000  # jobs; while there are more, the feed is not read on
MAX_NOTED: Final = 200_000  # vehicles, of which more are looked for by the time of receipt
NAMES_AT_ONCE: Final = 100  # looked up before other tasks have their turn
KEPT_EVERY_MS: Final = 5_000  # how often progress is written down
MARGIN_MS: Final = 60_000  # received so shortly before that may have been stored after it

_OWNER, _PROGRESS = "derivation", "progress"
_KEYS: Final = frozenset(signal.key for signal in RELEVANT)


class ChangeCollector:
    """Queues the vehicles of which something was stored, and writes down how far all is derived."""

    def __init__(self, store: Store, clock: Clock, queue: Queue) -> None:
        self._store = store
        self._clock = clock
        self._queue = queue
        self.reached = Progress()
        """How far everything was queued."""
        self._noted: dict[str, Changed] = {}  # by what the source calls the vehicle
        self._missed: Progress | None = None  # since when confirmations were not noted
        self._sweep: tuple[Progress, int] | None = None  # since when they are looked for, and after which vehicle
        self._is_new = True  # since a start nothing was looked at yet
        self._kept: Progress | None = None
        self._kept_at = 0

    @property
    def unqueued(self) -> int:
        """Of how many vehicles something is known to be stored and not queued yet; what was not looked at counts as one."""
        is_looking = self._is_new or self._missed is not None or self._sweep is not None
        return len(self._noted) + is_looking

    def note(self, entries: Sequence[Entry]) -> None:
        """Note what was written by this process."""
        noted = self._noted
        for entry in entries:
            if entry.source == DERIVED:
                continue
            changed = noted.get(entry.vehicle)
            if changed is None:
                if len(noted) >= MAX_NOTED:
                    self._missed = self._missed or self.reached
                    return
                changed = noted[entry.vehicle] = Changed(self.reached)
            if entry.signal.key in _KEYS:
                changed.first_at = min(changed.first_at, entry.observed_at)
                changed.last_at = max(changed.last_at, entry.observed_at)

    async def resume(self) -> None:
        """Go on where the work was left. A new database with old readings is worked through from its beginning."""
        self._is_new = True
        kept = await self._store.notes.recall(_OWNER, _PROGRESS)
        if kept is not None:
            self.reached = self._missed = msgspec.json.decode(kept, type=Progress)
        for vehicle_id, started_at in await self._store.sessions.cars_with_open_sessions():
            self._mark(vehicle_id, Changed(self.reached, started_at, self._clock.now()))

    async def collect(self) -> None:
        """Queue what changed until now; as much as there is room for, the rest another time."""
        now = self._clock.now()
        for number, name in enumerate(list(self._noted), 1):
            if number % NAMES_AT_ONCE == 0:
                await asyncio.sleep(0)  # a name costs some 10 us, and nobody else is served meanwhile
            vehicle = await self._store.vehicles.find_vehicle(name)
            changed = self._noted.pop(name)
            if vehicle is not None:
                self._mark(vehicle.id, changed)
        await self._look_for_missed()
        await self._read_feed()
        await self._read_edits_and_erasures(now)
        self._reach(received_at=now)
        self._is_new = False

    async def keep(self) -> None:
        """Write down how far all is derived, from time to time, and when nothing is left to do."""
        now = self._clock.now()
        if now - self._kept_at < KEPT_EVERY_MS and len(self._queue):
            return
        open_ends = [each.since for each in self._noted.values()]
        open_ends += [] if self._missed is None else [self._missed]
        open_ends += [] if self._sweep is None else [self._sweep[0]]
        progress = min([self._queue.oldest(self.reached), *open_ends])
        if self._kept is None or msgspec.structs.replace(progress, received_at=self._kept.received_at) != self._kept:
            await self._store.notes.remember(_OWNER, _PROGRESS, msgspec.json.encode(progress).decode())
            self._kept, self._kept_at = progress, now

    async def _look_for_missed(self) -> None:
        """Queue the vehicles of which something was received since it was not noted any more."""
        if self._sweep is None and self._missed is not None:
            self._sweep, self._missed = (self._missed, 0), None
        while self._sweep is not None and len(self._queue) < MAX_WAITING:
            since, after = self._sweep
            found, next_one = await self._store.sessions.received_since(since.received_at - MARGIN_MS, after, PORTION)
            for each in found:
                self._mark(each.vehicle_id, _changed(since, each.first_at, each.last_at))
            self._sweep = None if next_one is None else (since, next_one)

    async def _read_feed(self) -> None:
        while len(self._queue) < MAX_WAITING:
            since = self.reached
            changed, position = await self._store.sessions.changed_since(since.position, PORTION, RELEVANT)
            for each in changed:
                self._mark(each.vehicle_id, _changed(since, each.first_at, each.last_at))
            self._reach(position=position)
            if position - since.position < PORTION:
                break

    async def _read_edits_and_erasures(self, now: int) -> None:
        for span in await self._store.sessions.erased_since(self.reached.erasure):
            self._mark(span.vehicle_id, Changed(self.reached, span.first_at, span.last_at, is_edited=True))
            self._reach(erasure=span.number)
        edited = await self._store.sessions.edited_since(self.reached.edit)
        for vehicle_id, _ in edited:
            self._queue.mark(vehicle_id, "sessions", Changed(self.reached, is_edited=True), now)
        self._reach(edit=max((number for _, number in edited), default=self.reached.edit))

    def _mark(self, vehicle_id: str, changed: Changed) -> None:
        """Queue a vehicle for its values, and for its sessions where something of them changed; sessions come first."""
        if changed.last_at >= changed.first_at:
            self._queue.mark(vehicle_id, "sessions", changed)
        self._queue.mark(vehicle_id, "values", Changed(changed.since))

    def _reach(self, **fields: int) -> None:
        self.reached = msgspec.structs.replace(self.reached, **fields)


def _changed(since: Progress, first_at: int | None, last_at: int | None) -> Changed:
    return Changed(since) if first_at is None or last_at is None else Changed(since, first_at, last_at)
