"""Derivation: one worker over one queue of vehicles.

There are two kinds of work. *Values* of signals that no source reports are derived from reported signals, and stored as the
source `derived`. *Sessions* are computed from history around changes. Both are functions of stored data, so work that is lost
in a crash is repeated. Only `run` decides what is derived next.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Final

from chargeport.clock import Clock
from chargeport.derivation.collector import ChangeCollector
from chargeport.derivation.context import ContextReader
from chargeport.derivation.queue import Changed, Job, Queue
from chargeport.derivation.sessions import SessionDeriver
from chargeport.derivation.values import ValueDeriver
from chargeport.derivation.vehicles import FactsReader
from chargeport.errors import StoreError
from chargeport.ingest.batch import Batch
from chargeport.ingest.pipeline import Pipeline
from chargeport.settings import Settings
from chargeport.signals.reading import Entry, Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome

WAIT_S: Final = 1.0
BETWEEN_ROUNDS_S: Final = 0.2  # at least, between two rounds
ROUND_MS: Final = 500  # the longest round; then new changes are collected
WRITE_SIZE: Final = 200  # derived entries written at once
WRITE_TEXT: Final = 4 << 20  # characters of their documents
LEAST_REST_S: Final = 0.002  # the shortest pause; pauses for less work are combined
SHARE: Final = 3  # work takes a third of the time

VALUES_EVERY_MS: Final = 1_000
COMPLETE_EVERY_MS: Final = 60_000  # of a vehicle that reports all derivable signals
OPEN_EVERY_MS: Final = 15_000  # at least, between two computations of the sessions of a vehicle that charges
OTHERS_EVERY_MS: Final = 60_000  # the same of one that does not; and between two checks of an open session without reports
SOON_MS: Final = 2_000  # the same while few vehicles wait; for each that waits EACH_MS are added
EACH_MS: Final = 100

_log = logging.getLogger("chargeport.derivation")

Wait = Callable[[float], Awaitable[object]]
"""Wait for at most this many seconds."""


class Derivation:
    """Derive the values and sessions of vehicles, step by step, in a share of the server's time."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, wait: Wait, *, rest: Wait = asyncio.sleep) -> None:
        """Prepare. `wait` returns after a write or its seconds, `rest` after its seconds. Raises SettingError."""
        facts = FactsReader(store, settings, clock)
        self._store = store
        self._clock = clock
        self._wait = wait
        self._rest = rest
        self._pipeline = Pipeline(store, clock)
        self._queue = Queue()
        self._collector = ChangeCollector(store, clock, self._queue)
        self._values = ValueDeriver(store, ContextReader(store, facts))
        self._sessions = SessionDeriver(store, settings, clock, facts)
        self._unwritten: list[Entry] = []
        self._owed_s = 0.0
        self._is_running = False

    @property
    def waiting(self) -> int:
        """The number of jobs that are not done: each is the values or sessions of a vehicle. 0 where another process derives.

        A write of this process counts until everything derived from it is stored; one of another process counts from when this
        process has read it from the feed, within seconds.
        """
        if not self._is_running:
            return 0
        return self._collector.unqueued + self._queue.unfinished + len(self._unwritten)

    def note(self, entries: Sequence[Entry], outcomes: Sequence[Outcome]) -> None:
        """Collect entries that were stored: the feed does not contain those that only confirm a value."""
        self._collector.note(entries, outcomes)

    async def run(self) -> None:
        """Derive until cancelled; log errors and retry."""
        self._is_running = True
        try:
            await self._run()
        finally:
            self._is_running = False

    async def _run(self) -> None:
        while await self._tried(self.resume) is None:
            await self._rest(WAIT_S)
        while True:
            is_more = await self._tried(self.work)
            if is_more is None:
                await self._rest(WAIT_S)
            elif not is_more:
                next_at = self._queue.next_due_at()
                wait_s = WAIT_S if next_at is None else (next_at - self._clock.now()) / 1000
                await self._wait(min(WAIT_S, max(0.0, wait_s)))
            await self._rest(BETWEEN_ROUNDS_S)

    async def resume(self) -> bool:
        """Continue from the stored progress."""
        await self._collector.resume()
        return True

    async def catch_up(self) -> None:
        """Derive everything that is due now. Raises StoreError."""
        position = await self._store.readings.position()
        while await self.work() or self._collector.reached.position < position:
            pass

    async def work(self) -> bool:
        """Collect changes and do due jobs for a round; return whether more are due. Raises StoreError."""
        await self._write()
        await self._collector.collect()
        until = self._clock.now() + ROUND_MS
        while (job := self._queue.due(self._clock.now())) is not None:
            await self._step(job)
            if len(self._unwritten) >= WRITE_SIZE or sum(map(_text, self._unwritten)) >= WRITE_TEXT:
                await self._write()
            if self._clock.now() >= until:
                break
        await self._write()
        await self._collector.keep()
        next_at = self._queue.next_due_at()
        return self._collector.can_search or (next_at is not None and next_at <= self._clock.now())

    async def _tried(self, work: Callable[[], Awaitable[bool]]) -> bool | None:
        try:
            return await work()
        except StoreError as error:
            _log.warning("derivation waits: %s", error)
        except Exception:  # noqa: BLE001  (no error may end derivation)
            _log.exception("derivation failed")
        return None

    async def _step(self, job: Job) -> None:
        """Do a job or a part of it, and rest so that work keeps to its share of the time."""
        now, began_s = self._clock.now(), perf_counter()
        changed = self._queue.begin(job, Changed(self._collector.reached, now, now))
        try:
            if job.reason == "values":
                await self._derive_values(job, now)
            else:
                await self._derive_sessions(job, changed, now)
        except (StoreError, asyncio.CancelledError):
            self._queue.later(job, now)
            raise
        except Exception:  # noqa: BLE001  (an error of one vehicle must not block the others)
            _log.exception("the %s of vehicle %s can't be derived", job.reason, job.vehicle_id)
            self._queue.done(job, now + OTHERS_EVERY_MS)
        self._owed_s += perf_counter() - began_s
        if self._owed_s >= LEAST_REST_S:
            owed_s, self._owed_s = self._owed_s, 0.0
            await self._rest(owed_s * (SHARE - 1))

    async def _derive_values(self, job: Job, now: int) -> None:
        derived = await self._values.of(job.vehicle_id, now)
        self._unwritten += derived.entries
        every_ms = COMPLETE_EVERY_MS if derived.is_complete else VALUES_EVERY_MS
        self._queue.done(job, now + every_ms, derived.silent_at)

    async def _derive_sessions(self, job: Job, changed: Changed, now: int) -> None:
        """Recompute one window of a vehicle's sessions. Other jobs run between two windows, as an import may span years."""
        step = await self._sessions.step(job, changed, now)
        self._unwritten += step.entries
        if step.has_other_open:
            self._queue.mark(job.vehicle_id, "values", Changed(changed.since))
        if step.is_more:
            self._queue.later(job, self._clock.now())
            return
        every_ms = min(
            OPEN_EVERY_MS if step.is_open else OTHERS_EVERY_MS, SOON_MS + EACH_MS * self._queue.waiting("sessions")
        )  # fmt: skip
        self._queue.done(job, now + every_ms, now + OTHERS_EVERY_MS if step.is_open else None)

    async def _write(self) -> None:
        """Write the derived entries of several vehicles at once, so that streams are woken once.

        After an error it is written next time, before progress is stored.
        """
        if self._unwritten:
            await self._pipeline.write(Batch.of(self._unwritten))
            self._unwritten.clear()


def _text(entry: Entry) -> int:
    return len(entry.value) if isinstance(entry, Reading) and isinstance(entry.value, str) else 0
