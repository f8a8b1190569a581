"""The tables of the persistent state of sources, and of their status."""

import json
from collections.abc import Mapping
from typing import Final

from chargeport.store.sql import Connection, Reader, Writer, fetch

LEASES: Final = "leases"  # the owner of the notes that are leases: when each ends, with twenty digits, and its holder
_RECALL: Final = "SELECT value FROM remembered WHERE owner = ? AND key = ?"
_TAKE: Final = (
    "INSERT INTO remembered VALUES (?1, ?2, ?3) ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value"
    " WHERE remembered.value < ?4 OR substr(remembered.value, 22) = ?5"
)
_END: Final = "DELETE FROM remembered WHERE owner = ?1 AND key = ?2 AND substr(value, 22) = ?3"


class NoteTables:
    """`store.notes.KeyValue`."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def recall(self, owner: str, key: str) -> str | None:
        """Return the text that was stored last."""
        row = await self._reader.select_row(_RECALL, (owner, key))
        return None if row is None else str(row[0])

    async def remember(self, owner: str, key: str, value: str | None) -> None:
        """Store a text; None deletes it."""
        await self._writer.call(lambda connection: _remember(connection, owner, key, value))

    async def remember_first(self, owner: str, key: str, value: str) -> str:
        """Store a text unless there is one already. See `store.notes.KeyValue`."""

        def first(connection: Connection) -> str:
            connection.execute("INSERT INTO remembered VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (owner, key, value))
            return str(fetch(connection, _RECALL, (owner, key))[0][0])

        return await self._writer.call(first)

    async def take_lease(self, name: str, holder: str, now: int, until: int) -> bool:
        """Give a lease to a holder, if it is free. See `store.notes.KeyValue`."""
        values = (LEASES, name, f"{until:020d} {holder}", f"{now:020d}", holder)

        def take(connection: Connection) -> bool:
            connection.execute(_TAKE, values)
            return connection.changes() > 0

        return await self._writer.call(take)

    async def end_lease(self, name: str, holder: str) -> None:
        """Release a lease, if it is the holder's."""
        values = (LEASES, name, holder)
        await self._writer.call(lambda connection: connection.execute(_END, values))

    async def write_source_states(self, states: Mapping[str, str], at: int) -> None:
        """Store the states of sources; remove those of sources that are no longer named."""
        await self._writer.call(lambda connection: _write_states(connection, states, at))

    async def source_states(self) -> dict[str, tuple[str, int]]:
        """Return the states of the sources, and when they were stored, by name."""
        return {
            row[0]: (row[1], row[2]) for row in await self._reader.select("SELECT name, state, written_at FROM source_states")
        }


def _remember(connection: Connection, owner: str, key: str, value: str | None) -> None:
    if value is None:
        connection.execute("DELETE FROM remembered WHERE owner = ? AND key = ?", (owner, key))
    else:
        connection.execute(
            "INSERT INTO remembered VALUES (?, ?, ?) ON CONFLICT (owner, key) DO UPDATE SET value = excluded.value",
            (owner, key, value),
        )


def _write_states(connection: Connection, states: Mapping[str, str], at: int) -> None:
    names = sorted(states)  # several processes with the same sources lock them in one order
    connection.execute(
        "DELETE FROM source_states WHERE name NOT IN (SELECT value FROM json_each(CAST(?1 AS TEXT)))", (json.dumps(names),)
    )
    connection.executemany(
        "INSERT INTO source_states (name, state, written_at) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET state = excluded.state, written_at = excluded.written_at",
        [(name, states[name], at) for name in names],
    )
