"""What a store keeps of what could not be understood."""

from collections.abc import Sequence
from typing import Protocol

from chargeport.signals.reading import Issue
from chargeport.store.records import IssueCount, Page, StoredMessage


class Issues(Protocol):
    """What could not be understood."""

    async def add_issues(self, issues: Sequence[Issue], client_id: str | None = None) -> None:
        """Keep issues; one of the same source, vehicle, subject and detail is counted, with its newest message.

        What an application sent (`client_id`) has room of its own: it pushes out nothing of other applications and of sources.
        """
        ...

    async def issues(self, page: Page) -> tuple[list[IssueCount], int]:
        """Return a page of the issues, newest first, and how many different ones there are."""
        ...

    async def issue_messages(self, after: int, limit: int) -> list[StoredMessage]:
        """Return the messages behind the issues, in the order in which they came, those after the one with this number.

        An implementation limits how many of the newest are stored for each issue.
        """
        ...

    async def settle(self, message: StoredMessage) -> None:
        """Forget a message that is understood by now, and count it no more; its issue goes with the last one of its kind."""
        ...
