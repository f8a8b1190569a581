"""The count of changes of the visibility of vehicles: data that depends on it is valid while the count stays the same.

A change of vehicles, connections or ended connections is counted in its transaction, as the last step: PostgreSQL locks the row
until it ends. There is no trigger for it, so that the same SQL works for both databases and for tables distributed by Citus.
"""

from typing import Final

from chargeport.store.sql import Connection

COUNT: Final = "SELECT coalesce(max(value), 0) FROM sequences WHERE name = 'visibility'"
_CHANGED: Final = (
    "INSERT INTO sequences (name, value) VALUES ('visibility', 1) ON CONFLICT (name) DO UPDATE SET value = sequences.value + 1"
)


def changed(connection: Connection) -> None:
    """Count a change. `Connection.changes` is of this statement afterwards."""
    connection.execute(_CHANGED)
