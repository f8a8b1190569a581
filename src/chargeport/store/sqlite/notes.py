"""The tables of what sources remember, and of how they are."""

from collections.abc import Mapping

from chargeport.store.sql import Connection, Reader, Writer


class NoteTables:
    """`store.protocols.KeyValue` on SQLite."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def recall(self, owner: str, key: str) -> str | None:
        """What was put down last."""
        row = await self._reader.select_row("SELECT value FROM remembered WHERE owner = ? AND key = ?", (owner, key))
        return None if row is None else str(row[0])

    async def remember(self, owner: str, key: str, value: str | None) -> None:
        """Put something down; None takes it away."""
        await self._writer.call(lambda connection: _remember(connection, owner, key, value))

    async def write_source_states(self, states: Mapping[str, str], at: int) -> None:
        """Put down how sources are; those that are not named any more go."""
        await self._writer.call(lambda connection: _write_states(connection, states, at))

    async def source_states(self) -> dict[str, tuple[str, int]]:
        """How the sources were, and when that was put down, by name."""
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
    connection.execute("DELETE FROM source_states")
    connection.executemany("INSERT INTO source_states VALUES (?, ?, ?)", [(name, state, at) for name, state in states.items()])
