"""The count of changes to who sees which vehicles, and what those are: what was made of them holds while it stays the same.

Whoever changes vehicles, connections or what was ended says so in its transaction, after all else: PostgreSQL locks the row
until that is over. There is no trigger for it, so that one SQL is good for both databases and for tables that Citus spreads.
"""

from typing import Final

from chargeport.store.sql import Connection

COUNT: Final = "SELECT coalesce(max(value), 0) FROM sequences WHERE name = 'visibility'"
_CHANGED: Final = (
    "INSERT INTO sequences (name, value) VALUES ('visibility', 1) ON CONFLICT (name) DO UPDATE SET value = sequences.value + 1"
)


def changed(connection: Connection) -> None:
    """Count a change. `Connection.changes` tells of this afterwards."""
    connection.execute(_CHANGED)
