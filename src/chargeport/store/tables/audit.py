"""The table of the audit log. Entries of changes are written by `store.audit.recorded`, with the change."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.store.audit import Act, Actor, AuditEntry, AuditFilter, actor, record
from chargeport.store.records import Page
from chargeport.store.sql import Connection, Reader, Writer

_SELECTED: Final = (
    "FROM audit WHERE (CAST(?1 AS TEXT) IS NULL OR act = ?1) AND (CAST(?2 AS TEXT) IS NULL OR actor = ?2)"
    " AND (CAST(?3 AS TEXT) IS NULL OR subject = ?3) AND last_at >= ?4 AND at < ?5"
)
_ALWAYS: Final = 1 << 53


class AuditTable:
    """`store.audit.Audit`."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def add(self, act: Act, subject: str = "", detail: str = "") -> None:
        """Record an action that changes no table."""
        current = actor()
        await self._writer.call(lambda connection: record(connection, act, subject, detail, who=current))

    async def count(self, counts: Mapping[tuple[Act, Actor, str], int]) -> None:
        """Add to the counts of the day."""

        def add(connection: Connection) -> None:
            for (act, counted, subject), count in counts.items():
                record(connection, act, subject, who=counted, count=count)

        await self._writer.call(add)

    async def entries(self, selection: AuditFilter, page: Page) -> tuple[list[AuditEntry], int]:
        """Return a page of the selected entries, newest first, and their number."""
        from_at = -_ALWAYS if selection.from_at is None else selection.from_at
        to_at = _ALWAYS if selection.to_at is None else selection.to_at
        bindings: tuple[Any, ...] = (selection.act, selection.actor, selection.subject, from_at, to_at)
        total = await self._reader.select_count(f"SELECT count(*) {_SELECTED}", bindings)
        rows = await self._reader.select(
            f"SELECT act, actor, address, subject, detail, at, last_at, count, number {_SELECTED}"
            " ORDER BY last_at DESC, number DESC LIMIT ?6 OFFSET ?7",
            (*bindings, page.size, page.offset),
        )
        return [AuditEntry(Act(row[0]), *row[1:]) for row in rows], total

    async def prune(self, before_at: int, most: int) -> int:
        """Remove the entries from before an instant, and the oldest beyond `most`; return their number."""

        def prune(connection: Connection) -> int:
            connection.execute("DELETE FROM audit WHERE last_at < ?", (before_at,))
            removed = connection.changes()
            connection.execute(
                "DELETE FROM audit WHERE number <= (SELECT number FROM audit ORDER BY number DESC LIMIT 1 OFFSET ?)", (most,)
            )
            return removed + connection.changes()

        return await self._writer.call(prune)
