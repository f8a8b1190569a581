"""Runs: a source reported the same from one instant to another, without anything else between. Plain records.

Of two entries of a series at one instant the greater value is valid; an absence is less than any value.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import groupby
from typing import Any, Final, NamedTuple, Protocol

ALWAYS: Final = 1 << 62
MAX_OFFSET_MS: Final = 0xFFFF_FFFF
RUN_MS: Final = 6 * 3600 * 1000
"""A run that lasts longer is continued by another one: this keeps `seen` below ten kilobytes."""


class Run(NamedTuple):
    """A run in the form of the backend.

    `value` is as the backend has it; `rule` is the backend's form of the rule of a derived value. `seen` holds the
    sightings after the first one as 32-bit offsets from it in milliseconds; a backend may leave it out of what it reads.
    `continues` is 1 where the run only continues the one before it: it is not a change.
    """

    observed_at: int
    position: int
    received_at: int
    value: Any
    absence: str | None
    last_seen_at: int | None = None
    seen: bytes | None = None
    continues: int | None = None
    rule: Any = None

    @property
    def ends_at(self) -> int:
        """When it was last seen."""
        return self.observed_at if self.last_seen_at is None else self.last_seen_at

    def sightings(self) -> list[int]:
        """Return every instant at which it was seen, in order; of an absence only the first and the last are stored."""
        offsets = array("I", self.seen or b"")
        return sorted({self.observed_at, self.ends_at, *(self.observed_at + offset for offset in offsets)})

    def was_seen(self, at: int) -> bool:
        """Return whether the same entry at this instant adds nothing."""
        return at <= self.ends_at if self.absence is not None else at in self.sightings()

    def is_less_than(self, value: Any, absence: str | None) -> bool:
        """Return whether, of two entries at one instant, the other one is valid."""
        if self.absence is not None or absence is not None:
            return absence is None or (self.absence is not None and self.absence < absence)
        return bool(self.value < value)

    def says(self, value: Any, absence: str | None) -> bool:
        """Return whether it has this value or absence."""
        return self.absence == absence and self.value == value

    def seen_at(self, sightings: Sequence[int]) -> "Run":
        """Return the run with these sightings, from the first on. Of an absence, which may last years, only two are stored."""
        last_seen_at = sightings[-1] if len(sightings) > 1 else None
        if self.absence is not None:
            return self._replace(observed_at=sightings[0], last_seen_at=last_seen_at, seen=None)
        offsets = array("I", [at - sightings[0] for at in sightings[1:]])
        return self._replace(observed_at=sightings[0], last_seen_at=last_seen_at, seen=offsets.tobytes() or None)


class Rows(Protocol):
    """The runs of one series, read one by one, so that a reader can stop at any time.

    Of several that begin at one instant only the valid one is returned, except by `around`.
    """

    def onward(self, from_at: int, *, seen: bool = False) -> Iterator[Run]:
        """Return those that begin at an instant or later, in order; with their sightings where `seen`."""
        ...

    def back(self, before: int, *, seen: bool = False) -> Iterator[Run]:
        """Return those that begin before an instant, the newest first."""
        ...

    def value_before(self, before: int) -> Run | None:
        """Return the newest one of a value that begins before an instant, with its sightings."""
        ...

    def absence_before(self, before: int) -> Run | None:
        """Return the newest one of an absence that begins before an instant."""
        ...

    def at(self, observed_at: int, position: int) -> Run | None:
        """Return the one that begins at this instant and has this position, whether it is valid or not."""
        ...

    def around(self, at: int) -> list[Run]:
        """Return all that begin at the newest instant until `at` at which any begins, with their sightings."""
        ...


def held(runs: Iterable[Run]) -> Run | None:
    """Return the valid one of runs that begin at one instant; None if there are none."""
    return reduce(_greater, runs, None)


def holding(runs: Iterable[Run]) -> Iterator[Run]:
    """Yield of each group of runs that begin at one instant the valid one."""
    return (reduce(_greater, ties) for _, ties in groupby(runs, key=lambda run: run.observed_at))


def _greater(run: Run | None, other: Run) -> Run:
    return other if run is None or run.is_less_than(other.value, other.absence) else run


def head(rows: Rows, run: Run) -> tuple[Run, Run | None]:
    """Return the first of the runs with the same value up to this one, and the one before it."""
    first = run
    for before in rows.back(run.observed_at):
        if not before.says(run.value, run.absence):
            return first, before
        first = before
    return first, None
