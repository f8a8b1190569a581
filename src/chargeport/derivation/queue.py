"""The queue of derivation: jobs of vehicles with due times, and the progress of derivation.

The queue is in memory only. A `Progress` is stored up to which everything is derived; after a crash everything later is queued
again, as deriving it twice makes no difference.
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
    """Everything up to here is derived: position in the feed, instant of receipt, numbers of an edit and an erasure.

    No field ever decreases, so the minimum of several is the oldest.
    """

    position: int = 0
    received_at: int = msgspec.field(default=0, name="heard_at")
    edit: int = 0
    erasure: int = 0


class Changed(msgspec.Struct):
    """Changes of a vehicle that are not derived yet: stored after `since`, and observed from `first_at` to `last_at`.

    Without changes that concern sessions `last_at` is before `first_at`. `is_edited`: a person changed records or erased
    readings.
    """

    since: Progress
    first_at: int = EVER_AT
    last_at: int = -1
    is_edited: bool = False

    def add(self, other: "Changed") -> None:
        """Add other changes."""
        self.since = min(self.since, other.since)
        self.first_at, self.last_at = min(self.first_at, other.first_at), max(self.last_at, other.last_at)
        self.is_edited |= other.is_edited


class Job(msgspec.Struct):
    """One kind of work on one vehicle. A job without changes stays queued until `not_before` or `look_at`."""

    vehicle_id: str
    reason: Reason
    changed: Changed | None = None
    begun: Changed | None = None
    """The changes that are being derived, in several steps if they are many."""
    windows: list[Window] | None = None
    """Of sessions, the windows left to recompute, the newest first; None before they are determined."""
    not_before: int = 0
    look_at: int | None = None
    """When its result may change without a report."""
    queued_at: int | None = None


class Queue:
    """The jobs by due time; the one that has waited longest comes first."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, Reason], Job] = {}
        self._heap: list[tuple[int, int, Job]] = []
        self._numbers = count()
        self._waiting: Counter[Reason] = Counter()
        self._begun = 0

    def __len__(self) -> int:
        """Return the number of jobs with changes that are not begun."""
        return self._waiting.total()

    @property
    def unfinished(self) -> int:
        """The number of jobs that wait or are begun."""
        return self._waiting.total() + self._begun

    def waiting(self, reason: Reason) -> int:
        """Return the number of vehicles that wait for this kind of work."""
        return self._waiting[reason]

    def mark(self, vehicle_id: str, reason: Reason, changed: Changed, at: int | None = None) -> None:
        """Queue changes of a vehicle; its job is due at `at` at the latest, if given."""
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
        """Remove and return the next due job, which `done` or `later` puts back; drop idle jobs."""
        while self._heap and self._heap[0][0] <= now:
            at, _, job = heappop(self._heap)
            if at != job.queued_at:  # it was queued again, earlier
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
        """Return when the next job may be due; None without jobs."""
        return self._heap[0][0] if self._heap else None

    def begin(self, job: Job, otherwise: Changed) -> Changed:
        """Begin a job; return its changes: those that were begun, else the new ones, else `otherwise`."""
        if job.begun is None:
            if job.changed is not None:
                self._waiting[job.reason] -= 1
            job.begun, job.changed = job.changed or otherwise, None
            self._begun += 1
        return job.begun

    def later(self, job: Job, now: int) -> None:
        """Put a job that is not done back behind all due jobs."""
        self._push(job, now)

    def done(self, job: Job, not_before: int, look_at: int | None = None) -> None:
        """Put back a job that is done; it is due again with new changes, not before `not_before`, or at `look_at`."""
        self._begun -= job.begun is not None
        job.begun = job.windows = None
        job.not_before, job.look_at = not_before, look_at
        due_at = not_before if job.changed is not None or look_at is None else max(look_at, not_before)
        self._push(job, due_at)

    def oldest(self, reached: Progress) -> Progress:
        """Return up to where everything is derived; `reached` is up to where everything is queued."""
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
