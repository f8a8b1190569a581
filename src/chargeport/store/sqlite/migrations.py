"""Numbered steps of the schema, and the data that a step computes row by row."""

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Final

import apsw

from chargeport.errors import SchemaError, StartError
from chargeport.store.sqlite.engine import Connection, fetch, reason
from chargeport.store.sqlite.split import split_series
from chargeport.store.tables.access import name_users

_AFTER: Final[dict[int, Callable[[Connection], None]]] = {5: split_series, 7: name_users}


def migrations() -> list[tuple[int, str, str]]:
    """Return every step of the schema: number, name, SQL."""
    folder = resources.files("chargeport.store.sqlite") / "schema"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), name.removesuffix(".sql"), (folder / name).read_text("utf-8")) for name in names]


def version(connection: Connection) -> int:
    """Return the number of the newest step that the database has."""
    return int(fetch(connection, "PRAGMA user_version")[0][0])


def migrate(connection: Connection, path: Path) -> list[str]:
    """Migrate to the current schema, each step as a whole or not at all; return the names of the steps that were run.

    Raises SchemaError when the database is newer than this program.
    """
    try:
        taken = []
        with connection:  # a transaction: BEGIN IMMEDIATE below would nest, so concurrent processes wait at the first write
            steps = migrations()
            current = version(connection)
            if current == 0 and fetch(connection, "SELECT 1 FROM sqlite_schema LIMIT 1"):
                raise StartError(f"The database {path} is another program's: name a file of Chargeport's own.")
            if current > steps[-1][0]:
                raise SchemaError(
                    f"The database {path} has schema {current}, but this Chargeport supports at most {steps[-1][0]}: "
                    "use the newer Chargeport that wrote it."
                )
            for number, name, sql in steps:
                if number > current:
                    connection.execute(sql)
                    if number in _AFTER:
                        _AFTER[number](connection)
                    connection.execute(f"PRAGMA user_version = {number}")
                    taken.append(name)
    except apsw.Error as error:
        raise StartError(f"The database {path} can't be opened: {reason(path, error)}.") from error
    return taken
