"""Derives what sources leave out: one worker over one queue of vehicles.

Two kinds of work. *Values*: what reported signals say of signals that nobody reports, stored as a source of their own.
*Sessions*: computed from history around what changed. Both are functions of what is stored, so work that is lost in a crash is
done again. `run` decides what is derived next; nothing else does.
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
from chargeport.signals.reading import Entry
from chargeport.store.protocols import Store

WAIT_S: Final = 1.0
BETWEEN_ROUNDS_S: Final = 0.2  # between two rounds at the least, however often something is stored
ROUND_MS: Final = 500  # after which what changed meanwhile is queued, too
WRITTEN: Final = 200  # derived values written at once
LEAST_REST_S: Final = 0.002  # less work than this is not worth a pause of its own
SHARE: Final = 3  # of so many parts of the time, work takes one

VALUES_EVERY_MS: Final = 1_000
COMPLETE_EVERY_MS: Final = 60_000  # of a vehicle that reports all by itself
OPEN_EVERY_MS: Final = 15_000  # how often the sessions of a vehicle that charges are computed, at the most
OTHERS_EVERY_MS: Final = 60_000  # the same of one that does not; and how often an open session is looked at in silence
SOON_MS: Final = 2_000  # how often they are while few others wait; with each that does, it is so much more seldom:
EACH_MS: Final = 100

_log = logging.getLogger("chargeport.derivation")

Wait = Callable[[float], Awaitable[object]]
"""Returns after so many seconds, or earlier."""


class Derivation:
    """Derives the values and sessions of vehicles, one step after the other, in a share of the server's time."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, wait: Wait, *, rest: Wait = asyncio.sleep) -> None:
        """Prepare. `wait` returns when something was stored, or after its seconds; `rest` after them. Raises SettingError."""
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
        """How many jobs are not done: a vehicle's values or sessions each. 0 where another process derives.

        What this process has written counts from then on until all that follows from it is stored; what another one has, from
        when this one has read of it, within seconds.
        """
        if not self._is_running:
            return 0
        return self._collector.unqueued + self._queue.unfinished + len(self._unwritten)

    def note(self, entries: Sequence[Entry]) -> None:
        """Note what was stored: it may only confirm what was known, which the feed does not tell."""
        self._collector.note(entries)

    async def run(self) -> None:
        """Derive until cancelled; log what fails and try it again."""
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
        """Go on where the work was left."""
        await self._collector.resume()
        return True

    async def catch_up(self) -> None:
        """Derive all that is due at this instant. Raises StoreError."""
        position = await self._store.readings.position()
        while await self.work() or self._collector.reached.position < position:
            pass

    async def work(self) -> bool:
        """Queue what changed and derive what is due, for a while; return whether there is more. Raises StoreError."""
        await self._write()
        await self._collector.collect()
        until = self._clock.now() + ROUND_MS
        while (job := self._queue.due(self._clock.now())) is not None:
            await self._step(job)
            if len(self._unwritten) >= WRITTEN:
                await self._write()
            if self._clock.now() >= until:
                break
        await self._write()
        await self._collector.keep()
        next_at = self._queue.next_due_at()
        return next_at is not None and next_at <= self._clock.now()

    async def _tried(self, work: Callable[[], Awaitable[bool]]) -> bool | None:
        try:
            return await work()
        except StoreError as error:
            _log.warning("derivation waits: %s", error)
        except Exception:  # noqa: BLE001  (whatever it was, it must not end all derivation)
            _log.exception("derivation failed")
        return None

    async def _step(self, job: Job) -> None:
        """Do a job, or a part of it, and rest for as long as that took times what the others are due."""
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
        except Exception:  # noqa: BLE001  (a vehicle whose rules fail must not hold up all others)
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
        """Recompute a window of a vehicle's sessions. Others come between two windows: what is imported may be years."""
        step = await self._sessions.step(job, changed, now)
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
        """Write the derived values. What fails is written next time, before progress is."""
        if self._unwritten:
            await self._pipeline.write(Batch.of(self._unwritten))
            self._unwritten.clear()
