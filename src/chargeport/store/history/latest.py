"""The newest value and the newest absence of a series, and what an entry that is newer than both does to them."""

from typing import Any, Final, Protocol

from chargeport.signals.reading import Entry
from chargeport.store.history.runs import MAX_OFFSET_MS, RUN_MS, Run
from chargeport.store.records import Outcome

TAIL_BYTES: Final = 4 * 32
"""Sightings that are kept with the latest values before they move to their run."""

_ACCEPTED, _UNCHANGED = Outcome.ACCEPTED, Outcome.UNCHANGED


NOTHING: Final = (None, None, None, None, 0, 0, None, None, None, None, None)


class Latest:
    """What is known of a series: a mutable record.

    (`run_at`, `position`) names the run of the newest value, `seen` its newest sightings, which are not yet in history.
    `changed_at` is since when the value has been the same. While an absence holds, `absence_at` alone tells when it was seen
    last. `absent` and `newest_at` follow from the times: see `settle`.
    """

    __slots__ = (
        "absence", "absence_at", "absence_received_at", "absent", "changed_at", "newest_at", "observed_at", "position",
        "received_at", "rule", "run_at", "seen", "value",
    )  # fmt: skip

    def __init__(self, row: tuple[Any, ...] = NOTHING) -> None:
        """Read a row of what `columns` gives: values and times, their run, the absence, the rule, `seen`."""
        self.value: Any
        self.observed_at: int | None
        self.changed_at: int | None
        self.received_at: int | None
        self.position: int
        self.run_at: int
        self.absence: str | None
        self.absence_at: int | None
        self.absence_received_at: int | None
        self.rule: Any
        (
            self.value, self.observed_at, self.changed_at, self.received_at, self.position, self.run_at, self.absence,
            self.absence_at, self.absence_received_at, self.rule, seen,
        ) = row  # fmt: skip
        self.seen: bytes = seen or b""
        if self.absence_at is None:  # nearly always
            self.absent = False
            self.newest_at = -1 if self.observed_at is None else self.observed_at
        else:
            self.settle()

    def columns(self) -> tuple[Any, ...]:
        """Return what a backend keeps of it, in the order in which `row` has it."""
        return (
            self.value, self.observed_at, self.changed_at, self.received_at, self.position, self.run_at, self.absence,
            self.absence_at, self.absence_received_at, self.rule, self.seen or None,
        )  # fmt: skip

    def settle(self) -> None:
        """Work out what follows from the times."""
        observed_at = -1 if self.observed_at is None else self.observed_at
        absence_at = -1 if self.absence_at is None else self.absence_at
        self.absent = absence_at > observed_at
        self.newest_at = max(absence_at, observed_at)

    def says(self, value: Any, absence: str | None) -> bool:
        """Return whether the newest of all is this value or absence."""
        return self.absence == absence if self.absent else absence is None and self.value == value

    def whole(self, run: Run) -> Run:
        """Return a run with the sightings that have not been moved to it yet."""
        if run.position != self.position or run.observed_at != self.run_at or run.absence is not None:
            return run
        return run._replace(last_seen_at=self.observed_at, seen=(run.seen or b"") + self.seen)

    def whole_newest(self, run: Run) -> Run:
        """Return the newest run of all with the instant at which it was seen last."""
        if run.absence is None or self.absence_at is None or self.absence_at <= run.ends_at:
            return run
        return run._replace(last_seen_at=self.absence_at)


class RunLog(Protocol):
    """Takes down what happens to the runs of series, one call for each change."""

    def next_position(self) -> int:
        """Return a new position in the feed."""
        ...

    def begin(self, latest: Latest, run: tuple[Any, ...]) -> None:
        """Begin a run: a tuple of the members of `Run`."""
        ...

    def extend(self, latest: Latest) -> None:
        """Move the sightings in `latest.seen` to the run of the newest value, which was seen last at `observed_at`."""
        ...

    def extend_absence(self, latest: Latest) -> None:
        """Note that the newest absence that began until `absence_at` was seen last then."""
        ...


def append(latest: Latest, entry: Entry, value: Any, absence: str | None, rule: Any, *, log: RunLog) -> Outcome:
    """Put an entry behind all that is known; it is newer."""
    at = entry.observed_at
    if absence is None:
        if latest.absent or latest.value != value or latest.position == 0:
            _begin(latest, entry, value, None, rule, log=log)
            latest.value, latest.changed_at = value, at
            outcome = _ACCEPTED
        else:
            _see(latest, entry, rule, log)
            outcome = _UNCHANGED
        latest.observed_at, latest.received_at, latest.absent = at, entry.received_at, False
    else:
        if latest.absent and latest.absence == absence:
            outcome = _UNCHANGED
        else:
            _begin(latest, entry, None, absence, rule, log=log)
            outcome = _ACCEPTED
        latest.absence, latest.absence_at, latest.absence_received_at = absence, at, entry.received_at
        latest.absent = True
    latest.newest_at, latest.rule = at, rule
    return outcome


def finish(latest: Latest, log: RunLog) -> None:
    """Move what only `latest` knows of the run that ends to history: its sightings, or an absence's last instant."""
    if latest.seen:
        log.extend(latest)
        latest.seen = b""
    if latest.absent and latest.absence_at is not None:
        log.extend_absence(latest)


def _begin(
    latest: Latest, entry: Entry, value: Any, absence: str | None, rule: Any, *, log: RunLog, continues: int | None = None
) -> None:
    """Begin a run with this entry and finish the one before it."""
    if latest.seen or latest.absent:
        finish(latest, log)
    position = log.next_position()
    log.begin(latest, (entry.observed_at, position, entry.received_at, value, absence, None, None, continues, rule))
    if absence is None:
        latest.position, latest.run_at = position, entry.observed_at


def _see(latest: Latest, entry: Entry, rule: Any, log: RunLog) -> None:
    """Note that the value of the newest run was seen once more, later than ever before."""
    offset = entry.observed_at - latest.run_at
    if offset > MAX_OFFSET_MS or (offset > RUN_MS and len(latest.seen) >= TAIL_BYTES):
        _begin(latest, entry, latest.value, None, rule, log=log, continues=1)
        return
    if len(latest.seen) >= TAIL_BYTES:
        finish(latest, log)
    latest.seen += offset.to_bytes(4, "little")
