"""Write runs of history, which is read as one table and written as two: see `schema/0013_recent.sql`.

A run is in `recent` or, once it was moved, in `settled`. Changes of runs search both.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from chargeport.store.sql import Connection
from chargeport.store.tables.keys import OF

ONE: Final = f"{OF} AND observed_at = ? AND position = ?"
"""The condition for one run of a series."""

_INSERT: Final = (
    "INSERT INTO {} (vehicle_key, signal_key, source_key, observed_at, position, lag, value, absence, lasted, seen, continues,"
    " rule_key) VALUES (?1, ?2, ?3, ?4, ?5, CAST(?6 AS BIGINT) - CAST(?4 AS BIGINT), ?7, ?8,"
    " CAST(?9 AS BIGINT) - CAST(?4 AS BIGINT), ?10, ?11, ?12)"
)
_SET_SEEN: Final = f"UPDATE {{}} SET seen = ?, lasted = ? - observed_at WHERE {ONE}"


def insert(connection: Connection, runs: Iterable[Sequence[Any]]) -> None:
    """Add runs: of each the keys of its series, then its members."""
    connection.executemany(_INSERT.format(connection.run_tables[0]), runs)


def set_seen(connection: Connection, runs: Iterable[Sequence[Any]]) -> None:
    """Set the sightings of runs: of each `seen`, `last_seen_at`, the keys of its series, `observed_at` and `position`."""
    change(connection, _SET_SEEN, runs)


def change(connection: Connection, statement: str, runs: Iterable[Sequence[Any]]) -> int:
    """Run an UPDATE or DELETE of one run each, in the table that has it; return the number of runs changed."""
    first, *others = (statement.format(table) for table in connection.run_tables)
    found = 0
    for run in runs:
        connection.execute(first, run)
        changed = connection.changes()
        for other in others if not changed else ():
            connection.execute(other, run)
            changed = connection.changes()
        found += changed
    return found


def change_all(connection: Connection, statement: str, bindings: Sequence[Any]) -> int:
    """Run an UPDATE or DELETE of any number of runs, in both tables; return the number of runs changed."""
    found: int = 0
    for table in connection.run_tables:
        connection.execute(statement.format(table), bindings)
        found += connection.changes()
    return found


def move_place(connection: Connection, position: int, observed_at: int | None) -> None:
    """Note in the feed that a run begins at another instant; None: that it is removed."""
    if observed_at is None:
        connection.execute("DELETE FROM feed WHERE position = ?", (position,))
    else:
        connection.execute("UPDATE feed SET observed_at = ? WHERE position = ?", (observed_at, position))
