"""The table of what could not be understood."""

from collections.abc import Sequence
from typing import Final

from chargeport.signals.reading import Issue
from chargeport.store.records import IssueCount, Page
from chargeport.store.sqlite.engine import Row
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.writer import Writer

MAX_RAW: Final = 16_384  # characters kept of one message
MAX_KINDS: Final = 10_000  # different issues kept; beyond, the oldest go: a broken source must not fill the disk

_UPSERT: Final = (
    "INSERT INTO issues VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6) ON CONFLICT DO UPDATE"
    " SET count = count + 1, raw = excluded.raw, last_at = excluded.last_at"
)
_TRIM: Final = (
    "DELETE FROM issues WHERE (source, vehicle, subject, detail) IN"
    f" (SELECT source, vehicle, subject, detail FROM issues ORDER BY last_at DESC LIMIT -1 OFFSET {MAX_KINDS})"
)


class IssueTable:
    """`store.base.Issues` on SQLite."""

    _reader: Reader
    _writer: Writer

    async def add_issues(self, issues: Sequence[Issue]) -> None:
        """Keep and count issues."""
        bindings = [
            (issue.source, issue.vehicle or "", issue.subject, issue.detail, issue.raw[:MAX_RAW], issue.received_at)
            for issue in issues
        ]

        await self._writer.call(lambda connection: (connection.executemany(_UPSERT, bindings), connection.execute(_TRIM)))

    async def issues(self, page: Page) -> tuple[list[IssueCount], int]:
        """A page of issues, newest first, and how many kinds there are."""
        found = self._reader.rows(
            "SELECT source, subject, detail, raw, last_at, vehicle, count, first_at FROM issues"
            " ORDER BY last_at DESC, source, vehicle, subject, detail LIMIT ? OFFSET ?",
            (page.size, page.offset),
        )
        counts = [IssueCount(_issue(row), row[6], row[7]) for row in found]
        return counts, self._reader.count("SELECT count(*) FROM issues")


def _issue(row: Row) -> Issue:
    return Issue(source=row[0], subject=row[1], detail=row[2], raw=row[3], received_at=row[4], vehicle=row[5] or None)
