"""The newest value and the newest absence of a series, and the effect of an entry that is newer than both."""

from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import astuple

from chargeport.signals.reading import Entry
from chargeport.store.history.runs import MAX_OFFSET_MS, RUN_MS, Run
from chargeport.store.records import Outcome

TAIL_BYTES: Final = 4 * 32
"""Sightings that are stored with the latest values before they are moved to their run."""

_ACCEPTED, _UNCHANGED = Outcome.ACCEPTED, Outcome.UNCHANGED


class Latest(msgspec.Struct, gc=False, eq=False):
    """The latest state of a series: a mutable record, made of its row in the backend, with `slot` appended.

    (`run_at`, `position`) names the run of the newest value, `seen` its newest sightings, which are not yet in history.
    `changed_at` is since when the value has been the same. While an absence is valid, only `absence_at` has when it was seen
    last. `slot` is the number of the series where the row is to be written again.
    """

    value: Any = None
    observed_at: int | None = None
    changed_at: int | None = None
    received_at: int | None = None
    position: int = 0
    run_at: int = 0
    absence: str | None = None
    absence_at: int | None = None
    absence_received_at: int | None = None
    rule: Any = None
    seen: bytes | None = None
    slot: int = -1

    @property
    def absent(self) -> bool:
        """Whether an absence is valid."""
        return self.absence_at is not None and (self.observed_at is None or self.absence_at > self.observed_at)

    @property
    def newest_at(self) -> int:
        """When the newer of both was last seen; -1 where nothing is known."""
        observed_at = -1 if self.observed_at is None else self.observed_at
        return observed_at if self.absence_at is None or self.absence_at < observed_at else self.absence_at

    def columns(self) -> tuple[Any, ...]:
        """Return the columns of the row in the backend, in the order in which the record is made of them."""
        return astuple(self)[:-1]

    def says(self, value: Any, absence: str | None) -> bool:
        """Return whether the newest of all is this value or absence."""
        return self.absence == absence if self.absent else absence is None and self.value == value

    def whole(self, run: Run) -> Run:
        """Return a run with the sightings that have not been moved to it yet."""
        if run.position != self.position or run.observed_at != self.run_at or run.absence is not None:
            return run
        return run._replace(last_seen_at=self.observed_at, seen=(run.seen or b"") + (self.seen or b""))

    def whole_newest(self, run: Run) -> Run:
        """Return the newest run of all with the instant at which it was seen last."""
        if run.absence is None or self.absence_at is None or self.absence_at <= run.ends_at:
            return run
        return run._replace(last_seen_at=self.absence_at)


class RunLog(Protocol):
    """Records the changes of the runs of series, one call for each change."""

    def begin(self, latest: Latest, entry: Entry, value: Any, absence: str | None, rule: Any, *, continues: int | None) -> int:
        """Begin a run with an entry; return its position in the feed, which is new."""
        ...

    def extend(self, latest: Latest) -> None:
        """Move the sightings in `latest.seen` to the run of the newest value, which was last seen at `observed_at`."""
        ...

    def extend_absence(self, latest: Latest) -> None:
        """Note that the newest absence that began until `absence_at` was last seen then."""
        ...


def append(latest: Latest, entry: Entry, value: Any, absence: str | None, rule: Any, *, log: RunLog) -> Outcome:
    """Append an entry that is newer than all others."""
    at, is_absent, outcome = entry.observed_at, latest.absent, _ACCEPTED
    if absence is not None:
        if is_absent and latest.absence == absence:
            outcome = _UNCHANGED
        else:
            _begin(latest, entry, None, absence, rule, log=log)
        latest.absence, latest.absence_at, latest.absence_received_at = absence, at, entry.received_at
    else:
        if is_absent or latest.value != value or latest.position == 0:
            _begin(latest, entry, value, None, rule, log=log)
            latest.value, latest.changed_at = value, at
        else:
            _see(latest, entry, rule, log)
            outcome = _UNCHANGED
        latest.observed_at, latest.received_at = at, entry.received_at
    latest.rule = rule
    return outcome


def finish(latest: Latest, log: RunLog) -> None:
    """Move to history what only `latest` has of the run that ends: its sightings, or an absence's last instant."""
    if latest.seen is not None:
        log.extend(latest)
        latest.seen = None
    if latest.absent:
        log.extend_absence(latest)


def _begin(
    latest: Latest, entry: Entry, value: Any, absence: str | None, rule: Any, *, log: RunLog, continues: int | None = None
) -> None:
    """Begin a run with this entry and finish the one before it."""
    if latest.seen is not None or latest.absence_at is not None:
        finish(latest, log)
    position = log.begin(latest, entry, value, absence, rule, continues=continues)
    if absence is None:
        latest.position, latest.run_at = position, entry.observed_at


def _see(latest: Latest, entry: Entry, rule: Any, log: RunLog) -> None:
    """Note that the value of the newest run was seen once more, later than ever before."""
    offset, seen = entry.observed_at - latest.run_at, latest.seen or b""
    is_full = len(seen) >= TAIL_BYTES
    if offset > MAX_OFFSET_MS or (offset > RUN_MS and is_full):
        _begin(latest, entry, latest.value, None, rule, log=log, continues=1)
        return
    if is_full:
        finish(latest, log)
        seen = b""
    latest.seen = seen + offset.to_bytes(4, "little")
