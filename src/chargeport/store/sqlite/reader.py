"""The reading connection: key reads of a few microseconds, made where they are asked for."""

from pathlib import Path
from typing import Any, Final

import apsw

from chargeport.errors import StoreError
from chargeport.store.sqlite.engine import Row, connect, fetch, translated


class Reader:
    """Runs queries on a connection that can't write; a failure of SQLite's becomes one of ours."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._connection.execute("PRAGMA query_only = ON").fetchall()
        self._sources: dict[int, str] = {}

    def rows(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Row]:
        """All rows of a query."""
        try:
            return fetch(self._connection, sql, bindings)
        except apsw.Error as error:
            raise translated(error) from error

    def row(self, sql: str, bindings: tuple[Any, ...] = ()) -> Row | None:
        """The first row of a query."""
        rows = self.rows(sql, bindings)
        return rows[0] if rows else None

    def count(self, sql: str, bindings: tuple[Any, ...] = ()) -> int:
        """The one number that a query answers."""
        return int(self.rows(sql, bindings)[0][0])

    def sources(self, needed: int) -> dict[int, str]:
        """Names of sources by key, with `needed` (the highest key met) among them. A name never changes its key."""
        if needed not in self._sources:
            self._sources = dict(self.rows(_SOURCES))
            if needed not in self._sources:
                raise StoreError(f"The database names no source {needed}: it is damaged.")
        return self._sources

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


_SOURCES: Final = "SELECT key, name FROM sources"
