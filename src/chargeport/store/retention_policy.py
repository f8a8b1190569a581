"""Retention of history: the content of an hour, its beginning, and how long each form is stored."""

from typing import Final

import msgspec

from chargeport.signals.definition import Value
from chargeport.signals.reading import AbsenceReason

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS


class Hour(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an hour of a series whose runs are no longer stored.

    `changes` to a value began in it, and for `held_ms` some value was valid. Of numbers `least`, `most` and the `mean` by time,
    if any was valid; of flags and texts the milliseconds of each. From `value` on: what was known at the hour's end.
    """

    start: int
    changes: int
    held_ms: int
    least: float | None
    most: float | None
    mean: float | None
    shares: dict[Value, int]
    value: Value | None
    value_at: int | None
    since_at: int | None
    source: str
    absence: AbsenceReason | None
    absence_at: int | None
    rule: str | None = None


class Horizon(msgspec.Struct, frozen=True):
    """How far back a signal's history goes: runs from `raw_from` on, before that hours; since `hours_from`, if given."""

    raw_from: int
    hours_from: int | None = None


class KeepFor(msgspec.Struct, frozen=True):
    """For how many days a group's runs are stored, and its hours, both counted from now; None: permanently."""

    raw_days: int | None = None
    hourly_days: int | None = None


class Policy(msgspec.Struct, frozen=True):
    """How long history is stored, by signal group; groups that are not named, permanently."""

    groups: dict[str, KeepFor] = {}

    @property
    def is_limited(self) -> bool:
        """Whether anything is ever to be folded."""
        return any(keep.raw_days is not None for keep in self.groups.values())


class Progress(msgspec.Struct, frozen=True):
    """The result of one step of folding: runs folded, hours written, hours dropped; and where the next one continues.

    `more`: the round is not over yet.
    """

    runs: int = 0
    hours: int = 0
    dropped: int = 0
    after: int = 0
    more: bool = False
