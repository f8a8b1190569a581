"""The interface of the modules of tables to a database. They are written once, in the SQL that SQLite and PostgreSQL share.

Parameters are written `?` or `?1`. A parameter that is only compared with NULL is cast, since PostgreSQL needs its type.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from chargeport.store.history.latest import Latest

Row = Sequence[Any]
T = TypeVar("T")


class Cursor(Protocol):
    """The rows of a statement, read one by one."""

    def __iter__(self) -> Iterator[Any]:
        """Return one row after the other."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""
        ...


class Connection(Protocol):
    """A connection inside a transaction. Used in a thread, or where no call waits."""

    @property
    def run_tables(self) -> tuple[str, ...]:
        """The tables that `history` consists of; new runs are written to the first."""
        ...

    @property
    def has_places(self) -> bool:
        """Whether the feed is a table separate from history."""
        ...

    @property
    def order_tables(self) -> tuple[str, ...]:
        """The tables in addition to history that record the order of storage."""
        ...

    def lock_vehicles(self, keys: Sequence[int], /) -> None:
        """Lock the series of these vehicles against changes by others until the transaction ends. Called before any change."""
        ...

    def erasing(self) -> AbstractContextManager[None]:
        """Leave as few traces as possible of what is deleted meanwhile."""
        ...

    def execute(self, sql: str, bindings: Sequence[Any] = (), /) -> Cursor:
        """Run a statement."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Any:
        """Run a statement for each row of values."""
        ...

    def columns(self, table: str, /) -> list[str]:
        """Return the names of a table's columns, in their order."""
        ...

    def changes(self) -> int:
        """Return how many rows the last statement changed."""
        ...


class Slots(Protocol):
    """The rows of `latest` that a transaction changes."""

    @property
    def connection(self) -> Connection:
        """The connection that has the transaction."""
        ...

    @property
    def position(self) -> int:
        """The greatest position: what is stored later, by any transaction with these vehicles, gets a greater one."""
        ...

    def take(self, numbers: Sequence[int]) -> None:
        """Move to history what only the rows of these series have."""
        ...

    def store(self) -> None:
        """Write the collected writes."""
        ...

    def put(self, number: int, latest: Latest) -> None:
        """Write the row of a series that has none."""
        ...


SlotsOf = Callable[[Any], Slots]
"""Begins to change rows of `latest`, on a connection of the backend's own."""


class Reader(Protocol):
    """Short reads, each of its own snapshot."""

    async def select(self, sql: str, bindings: tuple[Any, ...] = ()) -> Sequence[Any]:
        """Return all rows of a query."""
        ...

    async def select_row(self, sql: str, bindings: tuple[Any, ...] = ()) -> Any:
        """Return the first row of a query; None when there is none."""
        ...

    async def select_count(self, sql: str, bindings: tuple[Any, ...] = ()) -> int:
        """Return the one number that a query yields."""
        ...


class Writer(Protocol):
    """Runs functions inside transactions."""

    async def call(self, function: Callable[[Connection], T]) -> T:
        """Run `function` inside a transaction; return when that is on disk. If it raises, its changes are rolled back."""
        ...


class Scans(Protocol):
    """Runs long reads."""

    async def run(self, scan: Callable[[Connection], T]) -> T:
        """Return the result of `scan` in a snapshot."""
        ...


def fetch(connection: Connection, sql: str, bindings: Sequence[Any] = ()) -> list[Any]:
    """Return all rows of a query. The query is closed: an open one would prevent the checkpoint of SQLite's log."""
    return connection.execute(sql, bindings).fetchall()
