"""The one writer: takes jobs from a queue, runs all that wait in one transaction, answers once that is on disk.

Group commit makes full durability nearly free: from a hundred rows a group on, synchronous FULL costs as much as NORMAL. The
checkpoint is run here too, at a chosen time: run by SQLite during a commit it would be the p99 of every write.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final, NamedTuple, TypeVar

import apsw

from chargeport.errors import ChargeportError, StoreError
from chargeport.signals.reading import Entry
from chargeport.store.health import Backlog, Health
from chargeport.store.records import Outcome
from chargeport.store.sqlite.engine import Connection, is_damage, translated
from chargeport.store.sqlite.files import DatabaseFiles
from chargeport.store.sqlite.moving import Mover
from chargeport.store.sqlite.names import Names
from chargeport.store.sqlite.slot import SlotTable
from chargeport.store.tables.merge import Batch, merge

MAX_GROUP_ENTRIES: Final = 20_000  # bounds how long the first of a group waits for the last: about 0.1 s
CHECKPOINT_PAGES: Final = 8_192  # 32 MiB of log: copied back when no job waits
CHECKPOINT_NOW_PAGES: Final = 65_536  # 256 MiB: copied back even if jobs wait
LOOK_EVERY_S: Final = 1.0  # between checks of the files


T = TypeVar("T")


class _Job(NamedTuple):
    """Work to do inside a transaction: either entries to merge, or a function of the connection."""

    answer: "asyncio.Future[Any]"
    batch: Batch | None = None
    call: Callable[[Connection], Any] | None = None


class Writer:
    """Owns the writing connection and its thread."""

    def __init__(self, connection: Connection, ring: Callable[[], None], files: DatabaseFiles, health: Health) -> None:
        """Prepare the writer. `ring` is called on the event loop after each commit that stored something."""
        self._connection = connection
        self._ring = ring
        self._files = files
        self._health = health
        self._is_missing = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._backlog = Backlog()
        self._log_pages = 0
        self._mover = Mover(connection)
        connection.set_wal_hook(self._note_log_size)
        self._thread = threading.Thread(target=self._run, name="chargeport-writer", daemon=True)
        self._thread.start()

    async def write(self, entries: Sequence[Entry], only_for: str | None) -> list[Outcome]:
        """Merge entries; return when they are on disk. Raises StoreError where too many wait already."""
        with self._backlog.of(len(entries)):
            answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
            self._jobs.put(_Job(answer, batch=Batch(entries, only_for)))
            return await answer

    async def call(self, function: Callable[[Connection], T]) -> T:
        """Run `function` inside a transaction; return when that is on disk. If it raises, its changes are rolled back."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(answer, call=function))
        return await answer

    async def close(self) -> None:
        """Finish what is queued, end the thread and close the file."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self._connection.close()  # the last connection to close copies the log back and removes it

    def _run(self) -> None:
        look_at_s = 0.0
        while True:
            came = True
            try:
                job = self._jobs.get(timeout=LOOK_EVERY_S)
            except queue.Empty:
                came = False
            if (now_s := perf_counter()) >= look_at_s:
                self._look()
                look_at_s = now_s + LOOK_EVERY_S
            if not came:
                continue
            if job is None:
                return
            group, last = self._gather(job)
            self._settle(*self._commit(group))
            self._tidy()
            if last:
                return

    def _gather(self, job: _Job) -> tuple[list[_Job], bool]:
        """Return the job and all that wait behind it, up to a bound; and whether the end was among them."""
        group, entries = [job], len(job.batch.entries) if job.batch else 0
        while entries < MAX_GROUP_ENTRIES:
            try:
                waiting = self._jobs.get_nowait()
            except queue.Empty:
                return group, False
            if waiting is None:
                return group, True
            group.append(waiting)
            entries += len(waiting.batch.entries) if waiting.batch else 0
        return group, False

    def _commit(self, group: list[_Job]) -> tuple[list[_Job], list[Any]]:
        """Run the group in one transaction. A job that fails is answered with its error; the rest of the group is stored."""
        if self._health.is_lasting and self._health.failure is not None:
            return group, [self._health.failure] * len(group)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                results = self._do(group)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise
        except apsw.Error as error:
            cause = _first(error)
            failure = translated(cause)
            self._health.failed(failure, lasting=is_damage(cause))
            return group, [failure] * len(group)
        except Exception as error:  # noqa: BLE001  (whatever it is, the waiting calls must get it)
            if len(group) == 1:
                return group, [error]
            pairs = [self._commit([job]) for job in group]  # one at a time, to find the job that fails
            return group, [results[0] for _, results in pairs]
        if (missing := self._missing()) is not None:  # it is in a file that is never opened again: not acknowledged
            return group, [missing] * len(group)
        self._health.worked()
        return group, results

    def _missing(self) -> StoreError | None:
        """Return why the files are not those that were opened; None if they are, also if they are so again."""
        missing = self._files.missing()
        if missing is not None:
            self._health.failed(missing)
            if not self._is_missing:
                self._copy_log_back()
        elif self._is_missing:
            self._health.worked()
        self._is_missing = missing is not None
        return missing

    def _look(self) -> None:
        """Check the files: also while nothing is written, and however much is."""
        try:
            if self._missing() is None and (damage := self._files.damage(self._connection)) is not None:
                self._health.failed(damage, lasting=True)
        except (apsw.Error, OSError):  # the next write reports it
            return

    def _do(self, group: list[_Job]) -> list[Any]:
        """Return every job's result, in order: entries of all batches are merged together, then the functions run."""
        results: list[Any] = [None] * len(group)
        batches = [(index, job.batch) for index, job in enumerate(group) if job.batch is not None]
        if batches:
            merged = merge(SlotTable(self._connection), Names(self._connection), [batch for _, batch in batches])
            for (index, _), outcomes in zip(batches, merged, strict=True):
                results[index] = outcomes
        for index, job in enumerate(group):
            if job.call is not None:
                results[index] = self._call(job.call)
        return results

    def _call(self, function: Callable[[Connection], Any]) -> Any:
        """Return the function's result, or the error of ours that it raised, with its changes rolled back."""
        try:
            with self._connection:  # a savepoint
                return function(self._connection)
        except ChargeportError as error:
            return error

    def _settle(self, group: list[_Job], results: list[Any]) -> None:
        """Answer all callers, on their own event loops; one call for each loop."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
        for job, result in zip(group, results, strict=True):
            by_loop.setdefault(job.answer.get_loop(), []).append((job.answer, result))
        for loop, answers in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._answer, answers)

    def _answer(self, answers: list[tuple["asyncio.Future[Any]", Any]]) -> None:
        for answer, result in answers:
            if answer.done():  # the caller was cancelled
                continue
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result)
        self._ring()

    def _note_log_size(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    def _tidy(self) -> None:
        """Move history on and copy the log back: as much as there is to do while no job waits, else a little."""
        while self._mover.step() and (self._mover.is_late or self._jobs.empty()):
            self._checkpoint()
        self._checkpoint()

    def _checkpoint(self) -> None:
        idle = self._jobs.empty()
        if self._log_pages >= (CHECKPOINT_PAGES if idle else CHECKPOINT_NOW_PAGES):
            self._copy_log_back()

    def _copy_log_back(self) -> None:
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:  # readers are in the way, or the disk is full: the next round tries again
            return
        self._log_pages = 0


def _first(error: apsw.Error) -> apsw.Error:
    """Return the error that came first. A full disk ends the transaction, and then there is no savepoint to go back to."""
    while isinstance(error.__context__, apsw.Error):
        error = error.__context__
    return error
