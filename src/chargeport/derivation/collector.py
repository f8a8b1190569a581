"""Collection of changes to derive from: this process's writes, the feed, edits and erasures.

The feed has every change, but no confirmations of known values. Those are taken from the writes of this process; those that
were missed, in a crash or because there were too many, are searched by the time of receipt.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.derivation.queue import Changed, Progress, Queue
from chargeport.derivation.sessions import RELEVANT
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import Entry
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome

PORTION: Final = 2_000  # changes of the feed, or vehicles, read at once
MAX_WAITING: Final = 200_000  # jobs; while there are more, the feed is not read
MAX_WRITTEN: Final = 200_000  # vehicles; the writes of further ones are searched by the time of receipt
STORE_EVERY_MS: Final = 5_000  # between writes of the progress
MARGIN_MS: Final = 60_000  # the longest time between the receipt of a reading and its storage

_OWNER, _PROGRESS = "derivation", "progress"
_KEYS: Final = frozenset(signal.key for signal in RELEVANT)


class ChangeCollector:
    """Queue the vehicles with new readings, and store the progress of derivation."""

    def __init__(self, store: Store, clock: Clock, queue: Queue) -> None:
        self._store = store
        self._clock = clock
        self._queue = queue
        self.reached = Progress()
        """The progress up to which everything is queued."""
        self._changes = self._changes_read = 0  # calls of `note` with changes, and those of which the feed was read since
        self._written: dict[str, Changed] = {}  # writes that are not in the feed, by the source's name for the vehicle
        self._missed: Progress | None = None  # from where on the writes of this process are not complete
        self._search: tuple[Progress, int] | None = None  # from where missed writes are searched, and after which vehicle
        self._is_new = True  # nothing was collected since the start
        self._stored: Progress | None = None
        self._stored_at = 0

    @property
    def unqueued(self) -> int:
        """The number of vehicles with readings that are not queued yet; a search, and the feed, count as one until read."""
        return len(self._written) + (self._is_new or self._is_searching) + (self._changes != self._changes_read)

    @property
    def can_search(self) -> bool:
        """Whether there are vehicles left to search for missed writes, and room in the queue for those found."""
        return self._is_searching and len(self._queue) < MAX_WAITING

    @property
    def _is_searching(self) -> bool:
        return self._missed is not None or self._search is not None

    def note(self, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> None:
        """Collect the writes of this process that are not in the feed; record whether any is: every accepted entry is."""
        written, has_changes, accepted = self._written, False, Outcome.ACCEPTED  # looked up once
        for entry, outcome in zip(entries, outcomes, strict=True):
            if entry.source == DERIVED:
                continue
            if outcome is accepted:
                has_changes = True
                continue
            changed = written.get(entry.vehicle)
            if changed is None:
                if len(written) >= MAX_WRITTEN:
                    self._missed = self._missed or self.reached
                    break
                changed = written[entry.vehicle] = Changed(self.reached)
            if entry.signal.key in _KEYS:
                changed.first_at = min(changed.first_at, entry.observed_at)
                changed.last_at = max(changed.last_at, entry.observed_at)
        self._changes += has_changes

    async def resume(self) -> None:
        """Continue from the stored progress. A database without one is derived from its beginning."""
        self._is_new = True
        stored = await self._store.notes.recall(_OWNER, _PROGRESS)
        if stored is not None:
            self.reached = self._missed = msgspec.json.decode(stored, type=Progress)
        for vehicle_id, started_at in await self._store.sessions.cars_with_open_sessions():
            self._mark(vehicle_id, Changed(self.reached, started_at, self._clock.now()))

    async def collect(self) -> None:
        """Queue the changes until now, as far as the queue has room; a search proceeds by one portion of the vehicles."""
        now = self._clock.now()
        names = list(self._written)
        ids = await self._store.vehicles.ids_of(names)
        for name in names:
            changed = self._written.pop(name)
            if name in ids:
                self._mark(ids[name], changed)
        await self._queue_missed()
        await self._read_feed()
        await self._read_edits_and_erasures(now)
        self._reach(received_at=now)
        self._is_new = False

    async def keep(self) -> None:
        """Store the progress every STORE_EVERY_MS, and if the queue is empty."""
        now = self._clock.now()
        if now - self._stored_at < STORE_EVERY_MS and len(self._queue):
            return
        open_ends = [changed.since for changed in self._written.values()]
        open_ends += [] if self._missed is None else [self._missed]
        open_ends += [] if self._search is None else [self._search[0]]
        progress = min([self._queue.oldest(self.reached), *open_ends])
        if self._stored is None or msgspec.structs.replace(progress, received_at=self._stored.received_at) != self._stored:
            await self._store.notes.remember(_OWNER, _PROGRESS, msgspec.json.encode(progress).decode())
            self._stored, self._stored_at = progress, now

    async def _queue_missed(self) -> None:
        """Queue those of the next vehicles with readings received since the writes of this process are not complete.

        One portion takes some 50 ms. All of a million vehicles together would slow reads for half a minute after each start.
        """
        if self._search is None and self._missed is not None:
            self._search, self._missed = (self._missed, 0), None
        if self._search is None or not self.can_search:
            return
        since, after = self._search
        spans, next_after = await self._store.sessions.received_since(since.received_at - MARGIN_MS, after, PORTION)
        for span in spans:
            self._mark(span.vehicle_id, _changed(since, span.first_at, span.last_at))
        self._search = None if next_after is None else (since, next_after)

    async def _read_feed(self) -> None:
        changes = self._changes
        while len(self._queue) < MAX_WAITING:
            since = self.reached
            changed, position = await self._store.sessions.changed_since(since.position, PORTION, RELEVANT)
            for span in changed:
                self._mark(span.vehicle_id, _changed(since, span.first_at, span.last_at))
            self._reach(position=position)
            if position - since.position < PORTION:
                self._changes_read = changes
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
        """Queue a vehicle for its values and, if a change concerns them, for its sessions; sessions come first."""
        if changed.last_at >= changed.first_at:
            self._queue.mark(vehicle_id, "sessions", changed)
        self._queue.mark(vehicle_id, "values", Changed(changed.since))

    def _reach(self, **fields: int) -> None:
        self.reached = msgspec.structs.replace(self.reached, **fields)


def _changed(since: Progress, first_at: int | None, last_at: int | None) -> Changed:
    return Changed(since) if first_at is None or last_at is None else Changed(since, first_at, last_at)
