"""How much history a late report concerns: recomputing a window gives what recomputing the whole history would give there.

A window begins and ends at an instant across which no report has an effect: a disconnected cable that is an hour away from the
change or, where no report of the cable exists, an idle time that is further away than any report has an effect.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions.detection import sessions_of_periods
from chargeport.derive.sessions.periods import FOREVER, CablePeriod, Observations, cable_periods, read_observations
from chargeport.derive.sessions.rules import CABLE_MARGIN_MS, Rules
from chargeport.derive.sessions.session import Session
from chargeport.derive.tracks import Tracks

FIRST_READ_MS: Final = 30 * HOUR_MS
"""How far around a change history is read at first."""

REACHES: Final = 2
"""A report affects the meaning of another one within its reach, and that one has a reach of its own."""


Interval = tuple[int, int]
"""The instants at which a time begins and ends."""


class Window(NamedTuple):
    """A time that can be recomputed by itself: the sessions that started from `from_at` on and before `to_at`."""

    from_at: int
    to_at: int


class Recomputed(msgspec.Struct, frozen=True):
    """The sessions that started in the window. They replace all stored ones of the window."""

    window: Window
    sessions: list[Session]


class NeededRange(NamedTuple):
    """The range of the tracks, from one instant to another, that a recomputation needs."""

    from_at: int
    to_at: int


def first_read(first_changed_at: int, last_changed_at: int, now: int, back_ms: int = FIRST_READ_MS) -> NeededRange:
    """Return the range of the tracks of `detection.SIGNALS` that a recomputation begins with, and the pieces that held before.

    `back_ms` is what the last recomputation of the vehicle needed. A change near to `now` has little history after it, which is
    read to its end.
    """
    is_near = last_changed_at + FIRST_READ_MS >= now
    return NeededRange(first_changed_at - back_ms, FOREVER if is_near else last_changed_at + FIRST_READ_MS)


def recompute(tracks: Tracks, read: NeededRange, changed: Interval, now: int, rules: Rules) -> Recomputed | NeededRange:
    """Return the sessions that may have changed by reports observed between two instants (`changed`, both included).

    `tracks` are those of the range `read`. Where they do not contain all that may have changed, return a larger range.
    """
    first_changed_at, last_changed_at = changed
    observations = read_observations(tracks, rules)
    periods = cable_periods(observations, rules)
    busy = _busy_times(observations, periods, rules)
    from_at = _window_start(observations, busy, read.from_at, first_changed_at, rules)
    to_at = _window_end(observations, busy, read.to_at, last_changed_at, rules)
    if from_at is not None and to_at is not None:
        found = sessions_of_periods(periods, observations, tracks, now, rules)
        return Recomputed(Window(from_at, to_at), [session for session in found if from_at <= session.started_at < to_at])
    min_ms = 2 * REACHES * rules.reach_ms + HOUR_MS
    back_ms, ahead_ms = first_changed_at - read.from_at, read.to_at - last_changed_at
    return NeededRange(
        read.from_at if from_at is not None else first_changed_at - max(2 * back_ms, min_ms),
        read.to_at if to_at is not None else last_changed_at + max(2 * ahead_ms, min_ms),
    )


def _window_start(
    observations: Observations, busy: Sequence[Interval], read_from_at: int, changed_at: int, rules: Rules
) -> int | None:
    """Return the latest instant before the change across which no report has an effect; None where the range has none."""
    earliest = read_from_at + rules.state_holds_ms + CABLE_MARGIN_MS
    latest = changed_at - rules.soc_proof_ms - CABLE_MARGIN_MS
    unplugged = [at for at in observations.reports.unplugged if earliest <= at <= latest]
    if unplugged:
        return unplugged[-1]
    reach_ms = REACHES * rules.reach_ms
    idle = list(_idle_times(busy, read_from_at + reach_ms, changed_at - reach_ms))
    return idle[-1][1] if idle else None


def _window_end(
    observations: Observations, busy: Sequence[Interval], read_to_at: int, changed_at: int, rules: Rules
) -> int | None:
    """Return the earliest instant after the change across which no report has an effect; None where the range has none."""
    earliest = changed_at + rules.state_holds_ms + CABLE_MARGIN_MS
    latest = read_to_at - rules.soc_proof_ms - CABLE_MARGIN_MS
    unplugged = [at for at in observations.reports.unplugged if earliest <= at <= latest]
    if unplugged:
        return unplugged[0]
    reach_ms = REACHES * rules.reach_ms
    idle = list(_idle_times(busy, changed_at + reach_ms, read_to_at - reach_ms))
    return idle[0][0] if idle else None


def _busy_times(observations: Observations, periods: Sequence[CablePeriod], rules: Rules) -> list[Interval]:
    """Return the times of charging, with a pause before and after, and those of a connected cable; by their start."""
    charging = [
        (stretch.start - rules.pause_ms, stretch.end + rules.pause_ms) for period in periods for stretch in period.stretches
    ]
    reports = observations.reports
    cable = sorted(
        [*((report.at, True) for report in reports.plugged), *((at, False) for at in reports.unplugged), (FOREVER, False)]
    )
    # A report of a connected cable holds until the next report of the cable, but no longer than `cable_holds_ms`.
    plugged = [(at, min(next_at, at + rules.cable_holds_ms)) for (at, is_in), (next_at, _) in pairwise(cable) if is_in]
    return sorted([*charging, *plugged])


def _idle_times(busy: Sequence[Interval], from_at: int, to_at: int) -> Iterator[Interval]:
    """Yield the times between two instants that are not busy."""
    at = from_at
    for start, end in [*busy, (to_at + 1, to_at + 1)]:
        if at < start - 1 and at <= to_at:
            yield at, min(start - 1, to_at)
        at = max(at, end + 1)
