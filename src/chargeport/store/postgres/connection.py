"""A connection for the modules of tables: used in a thread that waits for each statement while the event loop runs it.

What is computed between statements (`store.history`) is plain Python on one snapshot, independent of the event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from typing import Any, ClassVar, Final, TypeVar

from chargeport.store.postgres.engine import CONNECTIONS, SCAN_TIMEOUT_S, Pool, Raw, numbered, translated

FIRST_ROWS: Final = 64  # fetched at first of rows that are read one by one; nearly always these are all
MORE_ROWS: Final = 2_048
_COLUMNS: Final = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1"
    " AND is_generated = 'NEVER' ORDER BY ordinal_position"
)
LOCKS: Final = 0x4350 << 48  # where our advisory locks begin: 0 is for all vehicles, the others are their keys

_LOCK: Final = (
    "SELECT pg_advisory_xact_lock_shared($2::bigint),"
    " (SELECT count(pg_advisory_xact_lock($2::bigint + key)) FROM unnest($1::bigint[]) AS key)"
)
_LOCK_ALL: Final = "SELECT pg_advisory_xact_lock($1::bigint)"

T = TypeVar("T")

_threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="chargeport-postgres")


class Connection:
    """`store.sql.Connection` on PostgreSQL."""

    run_tables: ClassVar = ("runs",)
    has_places: ClassVar = False
    order_tables: ClassVar = ("late_sightings",)

    def __init__(self, raw: Raw, loop: asyncio.AbstractEventLoop, *, alone: bool = False) -> None:
        """Store the connection. `alone`: lock all vehicles wherever some are to be locked."""
        self._raw = raw
        self._loop = loop
        self._alone = alone
        self._changes = 0

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the event loop; return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def execute(self, sql: str, bindings: Sequence[Any] = (), /) -> "Cursor":
        """Run a statement; a SELECT runs when its rows are read."""
        cursor = Cursor(self, numbered(sql), tuple(map(_storable, bindings)))
        if not sql.startswith("SELECT"):
            cursor.run()
        return cursor

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run a statement for each row of values."""
        values = [tuple(map(_storable, row)) for row in rows]
        if values:
            self.wait(self._raw.executemany(numbered(sql), values))

    def changes(self) -> int:
        """Return how many rows the last statement changed."""
        return self._changes

    def fetch(self, sql: str, *values: Any) -> list[Any]:
        """Return all rows of a statement in PostgreSQL's own form; values are not converted."""
        found: list[Any] = self.wait(self._raw.fetch(sql, *values))
        return found

    def columns(self, table: str, /) -> list[str]:
        """Return the names of a table's columns, in their order."""
        return [row[0] for row in self.fetch(_COLUMNS, table)]

    def lock_vehicles(self, keys: Sequence[int], /) -> None:
        """Lock the series of these vehicles against changes by others until the transaction ends.

        Always in one order, which excludes deadlocks; and before the transaction has a number, so that of two
        transactions with a vehicle in common the later one has the greater number. See `positions.py`.
        """
        if self._alone:
            self.fetch(_LOCK_ALL, LOCKS)
        else:
            self.fetch(_LOCK, sorted(set(keys)), LOCKS)

    def erasing(self) -> AbstractContextManager[None]:
        """Do nothing: `Vehicles.wipe` rewrites the tables."""
        return nullcontext()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Begin a transaction; it is committed at the end, or rolled back."""
        transaction = self._raw.transaction()
        self.wait(transaction.start())
        try:
            yield
        except BaseException:
            self.wait(transaction.rollback())
            raise
        self.wait(transaction.commit())

    async def all(self, sql: str, bindings: tuple[Any, ...]) -> list[Any]:
        """Return all rows of a query."""
        return await self._raw.fetch(sql, *bindings, timeout=SCAN_TIMEOUT_S)  # type: ignore[no-any-return]

    async def begin(self, sql: str, bindings: tuple[Any, ...]) -> Any:
        """Open a query; return the cursor from which its rows are fetched."""
        return await self._raw.cursor(sql, *bindings, timeout=SCAN_TIMEOUT_S)

    async def change(self, sql: str, bindings: tuple[Any, ...]) -> list[Any]:
        """Run a statement that changes rows; return the rows that it returns."""
        if " RETURNING " in sql:
            found = await self._raw.fetch(sql, *bindings)
            self._changes = len(found)
            return found  # type: ignore[no-any-return]
        status = await self._raw.execute(sql, *bindings)
        number = status.rpartition(" ")[2]  # such as INSERT 0 1
        self._changes = int(number) if number.isdecimal() else 0
        return []


class Cursor:
    """The rows of a statement."""

    def __init__(self, connection: Connection, sql: str, bindings: tuple[Any, ...]) -> None:
        self._connection = connection
        self._sql = sql
        self._bindings = bindings
        self._found: list[Any] | None = None

    def run(self) -> None:
        """Run a statement that changes rows."""
        self._found = self._connection.wait(self._connection.change(self._sql, self._bindings))

    def fetchall(self) -> list[Any]:
        """Return all rows."""
        if self._found is None:
            self._found = self._connection.wait(self._connection.all(self._sql, self._bindings))
        return self._found

    def __iter__(self) -> Iterator[Any]:
        if self._found is not None:
            yield from self._found
            return
        # One round trip instead of three where few rows are read.
        found = self._connection.fetch(f"{self._sql} LIMIT {FIRST_ROWS}", *self._bindings)
        yield from found
        if len(found) < FIRST_ROWS:
            return
        opened = self._connection.wait(self._connection.begin(f"{self._sql} OFFSET {FIRST_ROWS}", self._bindings))
        while found:
            found = self._connection.wait(opened.fetch(MORE_ROWS))
            yield from found


def _storable(value: Any) -> Any:
    """Return the value in a form that PostgreSQL can store: a text has no NUL there. The symbol for NUL replaces it."""
    return value.replace("\0", "\u2400") if type(value) is str and "\0" in value else value


async def in_thread(raw: Raw, function: Callable[[Connection], T], *, alone: bool = False) -> T:
    """Run a function on a connection. A cancelled caller waits for its end: it uses the connection until then."""
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(_threads, function, Connection(raw, loop, alone=alone))
    with translated():
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise


class Scans:
    """`store.sql.Scans` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self, scan: Callable[[Connection], T]) -> T:
        """Return the result of `scan` in a snapshot. Raises StoreError."""
        async with self.snapshot() as raw:
            return await in_thread(raw, scan)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Raw]:
        """Lend a connection with a snapshot of one instant."""
        async with self._pool.connection() as raw:
            with translated():
                async with raw.transaction(isolation="repeatable_read", readonly=True):
                    yield raw
