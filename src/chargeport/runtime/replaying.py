"""Read messages with issues again with the present dialects. A repetition changes nothing."""

from collections import Counter
from contextlib import suppress
from typing import Any, Final

import msgspec

from chargeport.ingest.batch import STORED, Batch
from chargeport.ingest.pipeline import Pipeline
from chargeport.signals.reading import Issue
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.audit import Act
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, StoredMessage

BATCH: Final = 500
SHOWN: Final = 10


class Tally:
    """The counts of all messages that were read."""

    def __init__(self) -> None:
        self.messages = 0
        self.rejected = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()

    def add(self, batch: Batch) -> None:
        """Count the outcomes of a batch."""
        self.outcomes.update(batch.outcomes)
        self.kinds.update((issue.subject, issue.detail) for issue in batch.issues)

    def document(self) -> dict[str, Any]:
        """Return the counts as they are printed. `outranked` stays for readers: each source has a series of its own."""
        return {
            "messages": self.messages,
            **{outcome.value: self.outcomes[outcome] for outcome in STORED},
            "outranked": 0,
            "rejected": self.rejected,
            "issues": [
                {"subject": subject, "detail": detail, "count": number}
                for (subject, detail), number in self.kinds.most_common(SHOWN)
            ],
        }


async def replay_issues(store: Store, pipeline: Pipeline) -> Tally:
    """Read the messages with issues again; return the counts.

    A message without an issue is removed; one with another issue is stored under that. `source issues` then shows those that
    are counted as rejected. Raises StoreError.
    """
    await store.audit.add(Act.ISSUES_REPLAYED)
    tally, after = Tally(), 0
    new_issues: list[tuple[str | None, Issue]] = []
    while page := await store.issues.issue_messages(after, BATCH):
        after = page[-1].id
        for message in page:
            batch = await _read(pipeline, message)
            tally.messages += 1
            tally.add(batch)
            kind = message.issue.subject, message.issue.detail
            if kind in {(issue.subject, issue.detail) for issue in batch.issues}:
                tally.rejected += 1
                continue
            await store.issues.settle(message)
            new_issues += [(message.client_id, issue) for issue in batch.issues]
            tally.rejected += len(batch.issues)
    for client_id, issue in new_issues:
        await store.issues.add_issues([issue], client_id)
    return tally


async def _read(pipeline: Pipeline, message: StoredMessage) -> Batch:
    """Read a message again; one that can't be decoded keeps its issue."""
    batch = Batch(keep_issues=False)
    received = _decoded(message.issue.raw)
    if received is None or received.dialect not in pipeline.dialects:
        batch.add_issues(0, message.issue)
        return batch
    return await pipeline.take([received], batch)


def _decoded(raw: str) -> Delivery | RawMessage | None:
    """Return a message that `ingest.issues.kept` wrote; None if it is text of another form."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(raw, type=Delivery)
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(raw, type=RawMessage)
    return None
