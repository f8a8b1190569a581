"""The batch: entries that are written at once, and their outcomes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import msgspec

from chargeport.ingest.issues import storable
from chargeport.ingest.memory import CarMemory
from chargeport.signals.reading import Entry, Issue
from chargeport.signals.violation import Violation
from chargeport.sources.base import RawMessage
from chargeport.store.records import Outcome

STORED: Final = (Outcome.ACCEPTED, Outcome.SUPERSEDED, Outcome.UNCHANGED)
"""The outcomes of entries that are on disk."""


class Rejection(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a batch, or a signal of a part, that was not stored."""

    index: int
    code: str
    detail: str
    path: str
    signal: str | None = None


class Batch:
    """Entries to be written at once, and their outcomes. Its parts (items or messages) are numbered from 0.

    `client_id` is the application that sent it, if any. With `connected_only` the batch is limited to the vehicles to which the
    application has a connection for writing, and stores no issues: a replay would not have this limit. `may_register` adds
    unknown vehicles that are named by a UUID or a VIN. `is_trial` stores nothing. Without `keep_issues` the issues are only
    returned.
    """

    def __init__(
        self,
        *,
        client_id: str | None = None,
        connected_only: bool = False,
        may_register: bool = False,
        is_trial: bool = False,
        keep_issues: bool = True,
    ) -> None:
        self.client_id = client_id
        self.only_for = client_id if connected_only else None
        self.may_register = may_register and not connected_only
        self.is_trial = is_trial
        self.keep_issues = keep_issues and not connected_only and not is_trial
        self.parts = 0  # messages so far, and deliveries that are an issue as a whole
        self.entries: list[Entry] = []
        self.indices: list[int] = []  # of each entry, the number of its part
        self.withdrawals: list[Entry] = []  # absences that follow from rejected items; stored without an outcome
        self.messages: dict[int, RawMessage] = {}  # the parts that are messages
        self.outcomes: Counter[Outcome] = Counter()
        self.rejections: list[Rejection] = []
        self.issues: list[Issue] = []
        self.unconfirmed: dict[int, tuple[CarMemory, dict[str, Any]]] = {}  # as they were before, should the store fail

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Return a batch of entries that the server made itself."""
        batch = cls()
        for index, entry in enumerate(entries):
            batch.add(index, entry)
        return batch

    @property
    def stored(self) -> int:
        """The number of readings and absences that are on disk."""
        return sum(self.outcomes[outcome] for outcome in STORED)

    def add(self, index: int, entry: Entry) -> None:
        """Add an entry of this part."""
        self.entries.append(entry)
        self.indices.append(index)

    def add_all(self, index: int, entries: Sequence[Entry]) -> None:
        """Add the entries of this part."""
        self.entries += entries
        self.indices += [index] * len(entries)

    def reject(self, index: int, violation: Violation, signal: str | None = None) -> None:
        """Add the rejection of a part, or of one signal of it."""
        self.rejections.append(Rejection(index, violation.rule.value, violation.detail, violation.path, signal))

    def add_issues(self, index: int, *issues: Issue) -> None:
        """Add the issues of a message, and a rejection for each."""
        for issue in map(storable, issues):
            self.issues.append(issue)
            self.rejections.append(Rejection(index, issue.rule.value, issue.detail, issue.subject))
