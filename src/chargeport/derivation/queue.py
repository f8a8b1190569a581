"""The queue of derivation: which vehicles something is to be derived of and when, and how far all that was stored is derived.

The queue is in memory only. Kept on disk is a `Progress`, behind which nothing waits: after a crash whatever came behind it is
queued again, and deriving it twice makes no difference.
"""

from collections import Counter
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Final, Literal

import msgspec

from chargeport.derive.sessions.window import Window

EVER_AT: Final = 1 << 62

Reason = Literal["values", "sessions"]


class Progress(msgspec.Struct, frozen=True, order=True):
    """Derived is all up to these: places in the feed and among edits and erasures, and the instant of receipt.

    It only grows, in each of its fields, so the least of several is the oldest.
    """

    position: int = 0
    received_at: int = msgspec.field(default=0, name="heard_at")
    edit: int = 0
    erasure: int = 0


class Changed(msgspec.Struct):
    """What changed of a vehicle and is not derived yet: stored behind `since`, and observed from `first_at` to `last_at`.

    Without anything that concerns sessions `last_at` lies before `first_at`. `is_edited`: a person changed its records,
    or had readings erased.
    """

    since: Progress
    first_at: int = EVER_AT
    last_at: int = -1
    is_edited: bool = False

    def add(self, other: "Changed") -> None:
        """Add what else changed."""
        self.since = min(self.since, other.since)
        self.first_at, self.last_at = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        self.is_edited |= other.is_edited


class Job(msgspec.Struct):
    """One kind of work on one vehicle. It stays queued while it is not to be done again yet, or time alone may call for it."""

    vehicle_id: str
    reason: Reason
    changed: Changed | None = None
    begun: Changed | None = None
    """What is being derived now, in several steps where it is much."""
    windows: list[Window] | None = None
    """Of sessions, what is left to recompute, the newest first; None before that was found out."""
    not_before: int = 0
    look_at: int | None = None
    """When its result may be another although nothing is reported."""
    queued_at: int | None = None


class Queue:
    """The jobs by the instant at which they are due; of those that are due, the one that has waited longest comes first."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, Reason], Job] = {}
        self._heap: list[tuple[int, int, Job]] = []
        self._numbers = count()
        self._waiting: Counter[Reason] = Counter()
        self._begun = 0

    def __len__(self) -> int:
        """Return how many jobs wait for their turn."""
        return self._waiting.total()

    @property
    def unfinished(self) -> int:
        """How many jobs wait or are begun and not done."""
        return self._waiting.total() + self._begun

    def waiting(self, reason: Reason) -> int:
        """Return how many vehicles wait for this."""
        return self._waiting[reason]

    def mark(self, vehicle_id: str, reason: Reason, changed: Changed, at: int | None = None) -> None:
        """Queue a vehicle; by `at`, where that is earlier than its turn."""
        job = self._jobs.get((vehicle_id, reason))
        if job is None:
            job = self._jobs[vehicle_id, reason] = Job(vehicle_id, reason)
        if job.changed is None:
            job.changed = changed
            self._waiting[reason] += 1
        else:
            job.changed.add(changed)
        self._push(job, job.not_before if at is None else min(at, job.not_before))

    def due(self, now: int) -> Job | None:
        """Take the next job that is due, which `done` or `later` puts back; forget those that are of no use any more."""
        while self._heap and self._heap[0][0] <= now:
            at, _, job = heappop(self._heap)
            if at != job.queued_at:  # an earlier turn took its place
                continue
            job.queued_at = None
            if job.changed is not None or job.begun is not None or (job.look_at is not None and job.look_at <= now):
                return job
            if job.look_at is not None:
                self._push(job, job.look_at)
            else:
                del self._jobs[job.vehicle_id, job.reason]
        return None

    def next_due_at(self) -> int | None:
        """Return when the next job may be due; None where there is none."""
        return self._heap[0][0] if self._heap else None

    def begin(self, job: Job, otherwise: Changed) -> Changed:
        """Return what is to be derived: what was begun, else what changed, else `otherwise`."""
        if job.begun is None:
            if job.changed is not None:
                self._waiting[job.reason] -= 1
            job.begun, job.changed = job.changed or otherwise, None
            self._begun += 1
        return job.begun

    def later(self, job: Job, now: int) -> None:
        """Put a job back behind all that are due: it is not done."""
        self._push(job, now)

    def done(self, job: Job, not_before: int, look_at: int | None = None) -> None:
        """Put back a job whose begun work is done: it is due again with new changes, not earlier than this, or at `look_at`."""
        self._begun -= job.begun is not None
        job.begun = job.windows = None
        job.not_before, job.look_at = not_before, look_at
        due_at = not_before if job.changed is not None or look_at is None else max(look_at, not_before)
        self._push(job, due_at)

    def oldest(self, reached: Progress) -> Progress:
        """Return how far all is derived, where `reached` is how far it was queued."""
        return min((changed.since for changed in self._pending()), default=reached)

    def _pending(self) -> Iterator[Changed]:
        for job in self._jobs.values():
            if job.begun is not None:
                yield job.begun
            if job.changed is not None:
                yield job.changed

    def _push(self, job: Job, at: int) -> None:
        if job.queued_at is None or at < job.queued_at:
            job.queued_at = at
            heappush(self._heap, (at, next(self._numbers), job))
