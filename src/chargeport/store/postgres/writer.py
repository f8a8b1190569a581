"""Write entries in groups, each one transaction, two at the same time; everything else in transactions of its own.

A group has all entries that wait when it begins. While the server works on one, the other is computed.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

import asyncpg  # type: ignore[import-untyped]

from chargeport.errors import ChargeportError, StoreError
from chargeport.signals.reading import Entry
from chargeport.store.health import Backlog, Health
from chargeport.store.postgres.connection import Connection, in_thread
from chargeport.store.postgres.engine import Pool
from chargeport.store.postgres.group import Group, VehicleGoneError
from chargeport.store.postgres.partitions import Partitions
from chargeport.store.records import Outcome
from chargeport.store.tables.merge import Batch, merge

GROUPS: Final = 2  # at the same time
MAX_GROUP_ENTRIES: Final = 10_000
ATTEMPTS: Final = 5  # at a transaction that the server rolled back because of another one

_NAMES: Final = "SELECT reference, vehicle_key FROM vehicle_references WHERE reference = ANY($1::text[])"
_WRITING: Final = (
    "SELECT client_id, vehicle_key FROM connections WHERE client_id = ANY($1::text[])"
    " AND vehicle_key = ANY($2::bigint[]) AND ' ' || permissions || ' ' LIKE '% write_readings %'"
)
_GIVE: Final = "INSERT INTO {table} ({column}) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
_GIVEN: Final = "SELECT {column}, key FROM {table}"

T = TypeVar("T")


class Names:
    """`store.tables.merge.Naming`: all names that a group needs, looked up before."""

    def __init__(self, connection: Connection, batches: Sequence[Batch]) -> None:
        references = {entry.vehicle for batch in batches for entry in batch.entries}
        self._keys: dict[str, int] = dict(connection.fetch(_NAMES, [name for name in references if "\0" not in name]))
        clients = [batch.only_for for batch in batches if batch.only_for is not None]
        keys = list(set(self._keys.values()))
        self._writable = {tuple(row) for row in connection.fetch(_WRITING, clients, keys)} if clients else set()

    def keys(self, references: Collection[str]) -> dict[str, int]:  # noqa: ARG002  (all that the group names)
        """Return the keys of the vehicles with these names; unknown names have none."""
        return self._keys

    def may_write(self, client_id: str, vehicle_key: int) -> bool:
        """Return whether an application has a connection to the vehicle that allows it to write."""
        return (client_id, vehicle_key) in self._writable


class Numbers:
    """The numbers of texts that are in every row, such as sources. A number is never reused."""

    def __init__(self, table: str, column: str) -> None:
        self._give = _GIVE.format(table=table, column=column)
        self._given = _GIVEN.format(table=table, column=column)
        self.known: dict[str, int] = {}

    def learn(self, connection: Connection, texts: Iterable[str]) -> None:
        """Assign a number to each of these. Outside a transaction, so that no other one waits for it."""
        new = [text for text in texts if text not in self.known]
        if new:
            self.known |= dict(connection.fetch(self._given))
            new = [text for text in new if text not in self.known]
        if new:
            connection.fetch(self._give, new)
            self.known |= dict(connection.fetch(self._given))


class _Job(NamedTuple):
    answer: "asyncio.Future[list[Outcome]]"
    batch: Batch


class Writer:
    """Writes on connections of the pool. Belongs to one event loop."""

    def __init__(self, pool: Pool, ring: Callable[[], None], health: Health) -> None:
        """Prepare the writer. `ring` is called after each commit that may have stored something."""
        self._pool = pool
        self._ring = ring
        self._health = health
        self._jobs: deque[_Job] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._sources = Numbers("sources", "name")
        self._rules = Numbers("rules", "text")
        self._partitions = Partitions()
        self._backlog = Backlog()

    async def write(self, entries: Sequence[Entry], only_for: str | None) -> list[Outcome]:
        """Merge entries; return when they are on disk. Raises StoreError where too many wait already."""
        with self._backlog.of(len(entries)):
            answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
            self._jobs.append(_Job(answer, Batch(entries, only_for)))
            if len(self._running) < GROUPS:
                task = asyncio.create_task(self._drain(), name="postgres-writer")
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            return await answer

    async def call(self, function: Callable[[Connection], T]) -> T:
        """Run `function` inside a transaction; return when that is on disk. If it raises, its changes are rolled back."""

        def run(connection: Connection) -> T:
            with connection.transaction():
                return function(connection)

        result = await self._attempted(run)
        self._ring()
        return result

    async def close(self) -> None:
        """Finish what waits."""
        while self._running:
            await asyncio.wait(self._running)

    async def _drain(self) -> None:
        while self._jobs:
            group: list[_Job] = []
            entries = 0
            while self._jobs and (not group or entries + len(self._jobs[0].batch.entries) <= MAX_GROUP_ENTRIES):
                group.append(self._jobs.popleft())
                entries += len(group[-1].batch.entries)
            await self._commit(group)

    async def _commit(self, group: list[_Job]) -> None:
        """Store a group and answer. If that fails for another reason than the server's, each batch is stored on its own."""
        try:
            outcomes = await self._attempted(lambda connection: self._store(connection, [job.batch for job in group]))
        except Exception as error:  # noqa: BLE001  (whatever it is, the waiting calls must get it)
            if len(group) > 1 and not isinstance(error, StoreError):
                for job in group:
                    await self._commit([job])
                return
            for job in group:
                if not job.answer.done():
                    job.answer.set_exception(error)
            return
        for job, found in zip(group, outcomes, strict=True):
            if not job.answer.done():
                job.answer.set_result(found)
        self._ring()

    def _store(self, connection: Connection, batches: Sequence[Batch]) -> list[list[Outcome]]:
        names = Names(connection, batches)
        keys = names.keys(())
        entries = [entry for batch in batches for entry in batch.entries if entry.vehicle in keys]
        if not entries:
            return [[Outcome.UNKNOWN_VEHICLE] * len(batch.entries) for batch in batches]
        self._sources.learn(connection, {entry.source for entry in entries})
        self._rules.learn(connection, {entry.rule for entry in entries if entry.rule is not None})
        self._partitions.ensure(connection, max(entry.observed_at for entry in entries))
        with connection.transaction():
            return merge(Group(connection, self._sources.known, self._rules.known), names, batches)

    async def _attempted(self, run: Callable[[Connection], T]) -> T:
        """Return the result of `run`, retried where the server rolled it back because of others. Raises StoreError."""
        alone = False
        for attempt in range(ATTEMPTS):
            try:
                async with self._pool.connection() as raw:
                    result = await in_thread(raw, run, alone=alone)
            except (StoreError, VehicleGoneError) as error:
                cause = error if isinstance(error, VehicleGoneError) else error.__cause__
                alone = isinstance(cause, asyncpg.OutOfMemoryError)  # no room for so many locks: all vehicles are one
                is_passing = alone or isinstance(
                    cause, VehicleGoneError | asyncpg.SerializationError | asyncpg.DeadlockDetectedError
                )
                if not is_passing or attempt == ATTEMPTS - 1:
                    if isinstance(error, StoreError):
                        self._health.failed(error)
                    raise
            except ChargeportError:
                raise
            else:
                self._health.worked()
                return result
        raise AssertionError
