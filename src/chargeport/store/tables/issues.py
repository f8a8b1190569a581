"""The tables of issues: one row for each kind, and the newest messages of that kind."""

from collections.abc import Sequence
from typing import Final

from chargeport.signals.reading import Issue
from chargeport.store.records import IssueCount, Page, StoredMessage
from chargeport.store.sql import Connection, Reader, Row, Writer, fetch

# A faulty source must not fill the disk: beyond these limits the oldest are removed, in all a gigabyte at most. Each
# application has its own limits, so that its messages remove none of others.
MAX_RAW: Final = 65_536  # characters of a message; a longer one is shown in part, and can't be read again
MAX_KINDS: Final = 10_000  # different issues of our own sources
MAX_MESSAGES: Final = 1_000  # messages of one kind
MAX_ALL: Final = 20_000  # messages of all kinds together
MAX_SENT_KINDS: Final = 1_000  # different issues of one application
MAX_SENT: Final = 2_000  # messages of one application
TRIMMED_EVERY: Final = 500  # on average, after this many messages of our own sources, all of them are counted

_KIND: Final = "client_id = ?1 AND source = ?2 AND vehicle = ?3 AND subject = ?4 AND detail = ?5"
_UPSERT: Final = (
    "INSERT INTO issues VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, ?7) ON CONFLICT (client_id, source, vehicle, subject, detail)"
    " DO UPDATE SET count = issues.count + 1, raw = excluded.raw, last_at = excluded.last_at"
)
_TRIM: Final = (
    "DELETE FROM issues WHERE client_id = ?1 AND (source, vehicle, subject, detail) IN"
    " (SELECT source, vehicle, subject, detail FROM issues WHERE client_id = ?1 ORDER BY last_at DESC"
    " LIMIT 9223372036854775807 OFFSET ?2)"
)
_KEEP: Final = (
    "INSERT INTO issue_messages (client_id, source, vehicle, subject, detail, raw, received_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
)
_OLDEST_GO: Final = (
    f"DELETE FROM issue_messages WHERE {_KIND} AND id <="
    f" (SELECT id FROM issue_messages WHERE {_KIND} ORDER BY id DESC LIMIT 1 OFFSET {MAX_MESSAGES})"
)
_OLDEST_OF_ALL_GO: Final = (
    "DELETE FROM issue_messages WHERE client_id = ?1 AND id <="
    " (SELECT id FROM issue_messages WHERE client_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)"
)
_ORPHANS_GO: Final = (
    "DELETE FROM issue_messages WHERE client_id = ?1 AND NOT EXISTS (SELECT 1 FROM issues i WHERE i.client_id = ?1"
    " AND i.source = issue_messages.source AND i.vehicle = issue_messages.vehicle"
    " AND i.subject = issue_messages.subject AND i.detail = issue_messages.detail)"
)


class IssueTable:
    """`store.protocols.Issues`."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def add_issues(self, issues: Sequence[Issue], client_id: str | None = None) -> None:
        """Store and count the issues of an application or of our sources."""
        sender = client_id or ""
        bindings = [
            (sender, issue.source, issue.vehicle or "", issue.subject, issue.detail, issue.raw, issue.received_at)
            for issue in issues
        ]
        await self._writer.call(lambda connection: _add(connection, sender, bindings))

    async def issues(self, page: Page) -> tuple[list[IssueCount], int]:
        """Return a page of issues, newest first, and the number of kinds."""
        found = await self._reader.select(
            "SELECT source, subject, detail, raw, last_at, vehicle, count, first_at, client_id FROM issues"
            " ORDER BY last_at DESC, source, vehicle, subject, detail, client_id LIMIT ? OFFSET ?",
            (page.size, page.offset),
        )
        counts = [IssueCount(_issue(row), row[6], row[7], row[8] or None) for row in found]
        return counts, await self._reader.select_count("SELECT count(*) FROM issues")

    async def issue_messages(self, after: int, limit: int) -> list[StoredMessage]:
        """Return the messages of the issues, in the order of their receipt, those after the one with this number."""
        found = await self._reader.select(
            "SELECT id, source, vehicle, subject, detail, raw, received_at, client_id FROM issue_messages"
            " WHERE id > ? ORDER BY id LIMIT ?",
            (after, limit),
        )
        return [
            StoredMessage(row[0], Issue(row[1], row[3], row[4], row[5], row[6], row[2] or None), row[7] or None)
            for row in found
        ]

    async def settle(self, message: StoredMessage) -> None:
        """Remove a message that can be read by now, and decrement its count; its issue is removed with its last message."""
        await self._writer.call(lambda connection: _settle(connection, message))


def _add(connection: Connection, sender: str, bindings: Sequence[tuple[str | int, ...]]) -> None:
    connection.executemany(_UPSERT, [(*binding[:5], str(binding[5])[:MAX_RAW], binding[6]) for binding in bindings])
    whole = [binding for binding in bindings if len(str(binding[5])) <= MAX_RAW]
    connection.executemany(_KEEP, whole)
    connection.executemany(_OLDEST_GO, {binding[:5] for binding in whole})
    if whole and (sender or _newest(connection, sender) % TRIMMED_EVERY < len(whole)):
        connection.execute(_OLDEST_OF_ALL_GO, (sender, MAX_SENT if sender else MAX_ALL))
    connection.execute(_TRIM, (sender, MAX_SENT_KINDS if sender else MAX_KINDS))
    if connection.changes():
        connection.execute(_ORPHANS_GO, (sender,))


def _newest(connection: Connection, sender: str) -> int:
    return int(fetch(connection, "SELECT max(id) FROM issue_messages WHERE client_id = ?", (sender,))[0][0])


def _settle(connection: Connection, message: StoredMessage) -> None:
    issue = message.issue
    kind = (message.client_id or "", issue.source, issue.vehicle or "", issue.subject, issue.detail)
    connection.execute("DELETE FROM issue_messages WHERE id = ?", (message.id,))
    if connection.changes():
        connection.execute(f"UPDATE issues SET count = CASE WHEN count > 1 THEN count - 1 ELSE 1 END WHERE {_KIND}", kind)
    connection.execute(f"DELETE FROM issues WHERE {_KIND} AND NOT EXISTS (SELECT 1 FROM issue_messages WHERE {_KIND})", kind)


def _issue(row: Row) -> Issue:
    return Issue(source=row[0], subject=row[1], detail=row[2], raw=row[3], received_at=row[4], vehicle=row[5] or None)
