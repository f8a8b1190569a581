"""What is handed to the pipeline at once, and what became of it."""

from collections import Counter
from collections.abc import Iterable
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
    """A part of a batch, or one signal of a part, that was not stored."""

    index: int
    code: str
    detail: str
    path: str
    signal: str | None = None


class Batch:
    """Entries on their way to the store. Its parts (items or messages) are numbered from 0.

    `client_id` is the application that sent it, if one did; where it is `connected_only`, the batch is limited to the vehicles
    that it has a writing connection to, and keeps no issue: one that is replayed has no application any more. `may_register`
    makes unknown vehicles known that are named by a UUID or a VIN. `is_trial` stores nothing. Without `keep_issues` the issues
    are only returned.
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
        self.parts = 0  # messages so far; an issue of a whole delivery counts as one
        self.entries: list[Entry] = []
        self.indices: list[int] = []  # of each entry, the part that it was made of
        self.taken_back: list[Entry] = []  # what rejected items show to hold no more; stored, and counted as no outcome
        self.messages: dict[int, RawMessage] = {}  # the parts that are messages
        self.outcomes: Counter[Outcome] = Counter()
        self.rejections: list[Rejection] = []
        self.issues: list[Issue] = []
        self.unsaid: dict[int, tuple[CarMemory, dict[str, Any]]] = {}  # retained values as they were, should the store fail

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Self:
        """Return a batch of entries that we made ourselves."""
        batch = cls()
        for index, entry in enumerate(entries):
            batch.add(index, entry)
        return batch

    @property
    def stored(self) -> int:
        """Readings and absences that are on disk."""
        return sum(self.outcomes[outcome] for outcome in STORED)

    def add(self, index: int, entry: Entry) -> None:
        """Add an entry that was made of this part."""
        self.entries.append(entry)
        self.indices.append(index)

    def reject(self, index: int, found: Violation, signal: str | None = None) -> None:
        """Note that a part, or one signal of it, can't be stored."""
        self.rejections.append(Rejection(index, found.rule.value, found.detail, found.path, signal))

    def misread(self, index: int, *issues: Issue) -> None:
        """Note what of a message can't be understood: rejected, and kept as issues."""
        for issue in map(storable, issues):
            self.issues.append(issue)
            self.rejections.append(Rejection(index, issue.rule.value, issue.detail, issue.subject))
