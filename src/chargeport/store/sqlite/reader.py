"""The reading connection: key reads of a few microseconds, made in the calling thread.

Each read outside a transaction acquires and releases a lock on the log, a third of its cost. Reads of one turn of the event
loop therefore share a snapshot, which is released before the loop polls its sockets again. This is not visible: what was
acknowledged before a request was received was committed before that turn began.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

import apsw

from chargeport.errors import StoreError
from chargeport.store.health import Health
from chargeport.store.sqlite.engine import Row, connect, is_damage, translated

CACHE_KIB: Final = 49_152  # a page that is not in it is read from the operating system's cache, in 1 to 2 us

_SOURCES: Final = "SELECT key, name FROM sources"
_RULES: Final = "SELECT key, text FROM rules"


class Reader:
    """Runs queries on a connection that can't write; a failure of SQLite's becomes one of ours. Belongs to one event loop."""

    def __init__(self, path: Path, health: Health) -> None:
        self._connection = connect(path, is_of_one_thread=True)
        self._health = health
        self._execute = self._connection.cursor().execute  # the only cursor
        self._execute(f"PRAGMA query_only = ON; PRAGMA cache_size = -{CACHE_KIB}").fetchall()
        self.sources: dict[int, str] = {}
        """The names of sources that are loaded so far, by key: see `source`."""
        self._rules: dict[int, str] = {}
        self._turn = 0  # reads of this turn of the loop; the second one opens the snapshot that the others share
        self._snapshots = 0
        self.snapshot = 0
        """The number of the shared snapshot; 0 where there is none."""

    def rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Row]:
        """Return all rows of a query."""
        try:
            if self._turn < 2:  # noqa: PLR2004
                self._begin()
            return self._execute(sql, bindings).fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            self._note(error)
            raise translated(error) from error

    def row(self, sql: str, bindings: tuple[Any, ...] = ()) -> Row | None:
        """Return the first row of a query."""
        rows = self.rows(sql, bindings)
        return rows[0] if rows else None

    def count(self, sql: str, bindings: tuple[Any, ...] = ()) -> int:
        """Return the one number that a query yields."""
        return int(self.rows(sql, bindings)[0][0])

    async def select(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Row]:
        """Return all rows of a query, for modules that are independent of SQLite: see `store.sql`."""
        return self.rows(sql, bindings)

    async def select_row(self, sql: str, bindings: tuple[Any, ...] = ()) -> Row | None:
        """Return the first row of a query."""
        return self.row(sql, bindings)

    async def select_count(self, sql: str, bindings: tuple[Any, ...] = ()) -> int:
        """Return the one number that a query yields."""
        return self.count(sql, bindings)

    def source(self, key: int) -> str:
        """Return the name of a source. A key is never reused, so a loaded name stays correct."""
        name = self.sources.get(key)
        if name is None:
            self.sources = dict(self.rows(_SOURCES))
            name = self.sources.get(key)
            if name is None:
                raise StoreError(f"The database has no source {key}: it is damaged.")
        return name

    def rule(self, key: int) -> str:
        """Return the text of a rule; a loaded text stays correct here, too."""
        text = self._rules.get(key)
        if text is None:
            self._rules = dict(self.rows(_RULES))
            text = self._rules.get(key)
            if text is None:
                raise StoreError(f"The database has no rule {key}: it is damaged.")
        return text

    def close(self) -> None:
        """Close the file."""
        self._turn = self.snapshot = 0
        self._connection.close()

    def share(self) -> int:
        """Open the snapshot of this turn, for several consistent reads; return its number. Raises StoreError."""
        if not self.snapshot:
            try:
                self._begin()
                if not self.snapshot:
                    self._begin()
            except apsw.Error as error:
                raise translated(error) from error
        return self.snapshot

    def _begin(self) -> None:
        self._turn += 1
        if self._turn == 1:
            asyncio.get_running_loop().call_soon(self._end)
        else:
            self._execute("BEGIN")
            self._snapshots += 1
            self.snapshot = self._snapshots

    def _end(self) -> None:
        began = self._turn > 1
        self._turn = self.snapshot = 0
        if not began:
            return
        try:
            self._execute("COMMIT")
        except apsw.Error as error:  # a read that failed fails again here, or has ended the snapshot
            self._note(error)
            if self._connection.in_transaction:
                self._execute("ROLLBACK")

    def _note(self, error: apsw.Error | UnicodeDecodeError) -> None:
        if is_damage(error):
            self._health.failed(translated(error), lasting=True)
