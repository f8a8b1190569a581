"""The rows of a store's tables as they are, and another store on them, whichever database they are in."""

import json
from typing import Any

import apsw

from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore
from postgres_server import asked

ORDER = {"latest": "1, 2", "history": "1, 2, 3, 4, 5", "hourly": "1, 2, 3, 4", "horizons": "1, 2"}


def table(store: Store, name: str) -> list[Any]:
    """All rows of a table, in the order of its key where that matters."""
    if isinstance(store, SqliteStore):
        connection = apsw.Connection(str(store.path))
        try:
            return connection.execute(f"SELECT * FROM {name}").fetchall()
        finally:
            connection.close()
    order = f" ORDER BY {ORDER[name]}" if name in ORDER else ""
    found = asked(store.url, f"SELECT coalesce(json_agg(n), '[]') FROM (SELECT * FROM {name}{order}) n")  # type: ignore[attr-defined]
    return [tuple(row.values()) for row in json.loads(found)]


def reopened(store: Store) -> Store:
    """Another store on the same database."""
    if isinstance(store, SqliteStore):
        return SqliteStore.open(store.path)
    return type(store).open(store.url)  # type: ignore[attr-defined,no-any-return]
