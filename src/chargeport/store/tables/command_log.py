"""The table of commands."""

from typing import Final

from chargeport.errors import NotFoundError
from chargeport.store.command_log import StoredCommand
from chargeport.store.records import Page
from chargeport.store.sql import Connection, Reader, Row, Writer

MAX_KEPT: Final = 10_000  # of one vehicle: a command every ten minutes for two months
_COLUMNS: Final = "id, client_id, kind, parameters, started_at, user_uuid, source, ended_at, outcome, detail"
_BEGIN: Final = (
    f"INSERT INTO commands (vehicle_key, {_COLUMNS})"
    " SELECT key, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM vehicles WHERE id = ?1"
)
_OLDEST_GO: Final = (
    "DELETE FROM commands WHERE vehicle_key = (SELECT key FROM vehicles WHERE id = ?1) AND started_at <"
    " (SELECT started_at FROM commands WHERE vehicle_key = (SELECT key FROM vehicles WHERE id = ?1)"
    " ORDER BY started_at DESC LIMIT 1 OFFSET ?2)"
)
_END: Final = (
    "UPDATE commands SET source = ?, ended_at = ?, outcome = ?, detail = ?"
    " WHERE vehicle_key = (SELECT key FROM vehicles WHERE id = ?) AND started_at = ? AND id = ?"
)
_CHOSEN: Final = (
    "FROM commands c JOIN vehicles v ON v.key = c.vehicle_key WHERE (CAST(?1 AS TEXT) IS NULL OR v.id = ?1)"
    " AND (CAST(?2 AS TEXT) IS NULL OR client_id = ?2) AND (CAST(?3 AS TEXT) IS NULL OR user_uuid = ?3)"
)
_SHOWN: Final = ", ".join(f"c.{name}" for name in _COLUMNS.split(", "))


class CommandTable:
    """`store.command_log.CommandLog` on SQLite."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def begin(self, command: StoredCommand) -> None:
        """Store a command, before it is executed."""
        values = (
            command.vehicle_id, command.id, command.client_id, command.kind, command.parameters, command.started_at,
            command.user_uuid, command.source, command.ended_at, command.outcome, command.detail,
        )  # fmt: skip

        def begin(connection: Connection) -> None:
            connection.execute(_BEGIN, values)
            if connection.changes() == 0:
                raise NotFoundError(f"No vehicle has the id {command.vehicle_id}.")
            connection.execute(_OLDEST_GO, (command.vehicle_id, MAX_KEPT - 1))

        await self._writer.call(begin)

    async def end(self, command: StoredCommand) -> None:
        """Store the outcome of a command."""
        values = (
            command.source, command.ended_at, command.outcome, command.detail, command.vehicle_id, command.started_at,
            command.id,
        )  # fmt: skip
        await self._writer.call(lambda connection: connection.execute(_END, values))

    async def commands(
        self, page: Page, vehicle_id: str | None = None, client_id: str | None = None, user_uuid: str | None = None
    ) -> tuple[list[StoredCommand], int]:
        """Return a page of the commands, newest first, and how many there are."""
        chosen = (vehicle_id, client_id, user_uuid)
        total = await self._reader.select_count(f"SELECT count(*) {_CHOSEN}", chosen)
        found = await self._reader.select(
            f"SELECT v.id, {_SHOWN} {_CHOSEN} ORDER BY c.started_at DESC, c.id LIMIT ?4 OFFSET ?5",
            (*chosen, page.size, page.offset),
        )
        return [_command(row) for row in found], total


def _command(row: Row) -> StoredCommand:
    names = ("vehicle_id", *_COLUMNS.split(", "))
    return StoredCommand(**dict(zip(names, row, strict=True)))
