"""The store's interface for issues: messages that could not be read."""

from collections.abc import Sequence
from typing import Protocol

from chargeport.signals.reading import Issue
from chargeport.store.records import IssueCount, Page, StoredMessage


class Issues(Protocol):
    """Messages that could not be read."""

    async def add_issues(self, issues: Sequence[Issue], client_id: str | None = None) -> None:
        """Store issues; one of the same source, vehicle, subject and detail is counted, with its newest message.

        The issues of an application (`client_id`) have their own limit: they remove none of other applications and of sources.
        """
        ...

    async def issues(self, page: Page) -> tuple[list[IssueCount], int]:
        """Return a page of the issues, newest first, and the number of different ones."""
        ...

    async def issue_messages(self, after: int, limit: int) -> list[StoredMessage]:
        """Return the messages of the issues, in the order of their receipt, those after the one with this number.

        An implementation limits how many of the newest are stored for each issue.
        """
        ...

    async def settle(self, message: StoredMessage) -> None:
        """Remove a message that can be read by now, and decrement its count; its issue is removed with its last message."""
        ...
