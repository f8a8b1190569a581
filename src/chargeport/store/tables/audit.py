"""The table of the audit log. What is recorded with a deed is written by `store.audit.recorded`."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.store.audit import Act, Actor, Deed, Wanted, actor, record
from chargeport.store.records import Page
from chargeport.store.sql import Connection, Reader, Writer

_FITTING: Final = (
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
        """Record a deed that changes no table."""
        who = actor()
        await self._writer.call(lambda connection: record(connection, act, subject, detail, who=who))

    async def count(self, deeds: Mapping[tuple[Act, Actor, str], int]) -> None:
        """Add to the counts of the day."""

        def add(connection: Connection) -> None:
            for (act, who, subject), count in deeds.items():
                record(connection, act, subject, who=who, count=count)

        await self._writer.call(add)

    async def deeds(self, wanted: Wanted, page: Page) -> tuple[list[Deed], int]:
        """Return a page of the entries, newest first, and how many fit."""
        from_at = -_ALWAYS if wanted.from_at is None else wanted.from_at
        to_at = _ALWAYS if wanted.to_at is None else wanted.to_at
        bindings: tuple[Any, ...] = (wanted.act, wanted.actor, wanted.subject, from_at, to_at)
        total = await self._reader.select_count(f"SELECT count(*) {_FITTING}", bindings)
        found = await self._reader.select(
            f"SELECT act, actor, address, subject, detail, at, last_at, count, number {_FITTING}"
            " ORDER BY last_at DESC, number DESC LIMIT ?6 OFFSET ?7",
            (*bindings, page.size, page.offset),
        )
        return [Deed(Act(row[0]), *row[1:]) for row in found], total

    async def prune(self, before_at: int, most: int) -> int:
        """Remove what is too old, and the oldest of what is too much."""

        def prune(connection: Connection) -> int:
            connection.execute("DELETE FROM audit WHERE last_at < ?", (before_at,))
            removed = connection.changes()
            connection.execute(
                "DELETE FROM audit WHERE number <= (SELECT number FROM audit ORDER BY number DESC LIMIT 1 OFFSET ?)", (most,)
            )
            return removed + connection.changes()

        return await self._writer.call(prune)
