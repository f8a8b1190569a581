"""Messages that could not be understood before, through today's tables once more. A second time changes nothing."""

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
from chargeport.store.records import KeptMessage, Outcome

BATCH: Final = 500
SHOWN: Final = 10


class Tally:
    """What became of all messages that were read."""

    def __init__(self) -> None:
        self.messages = 0
        self.rejected = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()

    def add(self, batch: Batch) -> None:
        """Count what became of a batch."""
        self.outcomes.update(batch.outcomes)
        self.kinds.update((issue.subject, issue.detail) for issue in batch.issues)

    def document(self) -> dict[str, Any]:
        """Return the counts as they are printed; nothing has been outranked since every source has its own series."""
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


async def again(store: Store, pipeline: Pipeline) -> Tally:
    """Read the kept messages again. One that is understood is kept no more, one that fails in another way under that issue.

    So `source issues` counts afterwards what is told here as rejected.
    """
    await store.audit.add(Act.ISSUES_REPLAYED)
    tally, after = Tally(), 0
    others: list[tuple[str | None, Issue]] = []
    while part := await store.issues.issue_messages(after, BATCH):
        after = part[-1].id
        for message in part:
            batch = await _read(pipeline, message)
            tally.messages += 1
            tally.add(batch)
            kind = message.issue.subject, message.issue.detail
            if kind in {(issue.subject, issue.detail) for issue in batch.issues}:
                tally.rejected += 1
                continue
            await store.issues.settle(message)
            others += [(message.client_id, issue) for issue in batch.issues]
            tally.rejected += len(batch.issues)
    for client_id, issue in others:
        await store.issues.add_issues([issue], client_id)
    return tally


async def _read(pipeline: Pipeline, message: KeptMessage) -> Batch:
    """Read a kept message again; what can't be read keeps its issue."""
    batch = Batch(keep_issues=False)
    part = _kept(message.issue.raw)
    if part is None or part.dialect not in pipeline.dialects:
        batch.misread(0, message.issue)
        return batch
    return await pipeline.take([part], batch)


def _kept(raw: str) -> Delivery | RawMessage | None:
    """Return a message as `ingest.issues.kept` wrote it; None when it could not be written so."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(raw, type=Delivery)
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(raw, type=RawMessage)
    return None
