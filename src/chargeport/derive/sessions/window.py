"""How much history a late report concerns: recomputing a window gives what recomputing everything would give there.

A window ends where nothing reaches across. An unplugged cable is such a place, an hour from the change; where there is no news
of a cable, a time of rest is one, if it is further away than any sighting can matter.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions.parts import EVER, Observed, Part, observed, parts
from chargeport.derive.sessions.rules import PAST_A_CABLE_MS, Rules
from chargeport.derive.sessions.session import Session, from_observed
from chargeport.derive.tracks import Tracks

FIRST_READ_MS: Final = 30 * HOUR_MS

TWICE: Final = 2
"""A sighting decides what another one means that lies in its reach, and that one has a reach of its own."""


Span = tuple[int, int]
"""From one instant to another."""


class Window(NamedTuple):
    """A time that can be recomputed by itself: what started from `from_at` on and before `to_at`."""

    from_at: int
    to_at: int


class Recomputed(msgspec.Struct, frozen=True):
    """The sessions that started in the window, to be stored in place of all those that were stored of it."""

    window: Window
    sessions: list[Session]


class Wanted(NamedTuple):
    """More is needed: the tracks from one instant to another."""

    from_at: int
    to_at: int


def first_read(first_changed_at: int, last_changed_at: int, now: int, back_ms: int = FIRST_READ_MS) -> Wanted:
    """Return the tracks of `sessions.SIGNALS` that a recomputation begins with, with the pieces that held before.

    `back_ms` is what the last one of the vehicle needed. What lies ahead is read to its end where that is near: it is little.
    """
    is_near = last_changed_at + FIRST_READ_MS >= now
    return Wanted(first_changed_at - back_ms, EVER if is_near else last_changed_at + FIRST_READ_MS)


def recompute(tracks: Tracks, read: Wanted, changed: tuple[int, int], now: int, rules: Rules) -> Recomputed | Wanted:
    """Return the sessions that reports observed between two instants (`changed`, both included) may have changed.

    `tracks` are those that were wanted in `read`; where they do not reach around all that may have changed, more are wanted.
    """
    first_changed_at, last_changed_at = changed
    seen = observed(tracks, rules)
    known_parts = parts(seen, rules)
    busy = _busy(seen, known_parts, rules)
    from_at = _left(seen, busy, read.from_at, first_changed_at, rules)
    to_at = _right(seen, busy, read.to_at, last_changed_at, rules)
    if from_at is not None and to_at is not None:
        found = from_observed(seen, tracks, now, rules, known_parts)
        return Recomputed(Window(from_at, to_at), [one for one in found if from_at <= one.started_at < to_at])
    least_ms = 2 * TWICE * rules.reach_ms + HOUR_MS
    back_ms, ahead_ms = first_changed_at - read.from_at, read.to_at - last_changed_at
    return Wanted(
        read.from_at if from_at is not None else first_changed_at - max(2 * back_ms, least_ms),
        read.to_at if to_at is not None else last_changed_at + max(2 * ahead_ms, least_ms),
    )


def _left(seen: Observed, busy: Sequence[Span], read_from_at: int, first_changed_at: int, rules: Rules) -> int | None:
    """Return the latest place before the change that nothing reaches across."""
    low, high = read_from_at + rules.state_holds_ms + PAST_A_CABLE_MS, first_changed_at - rules.soc_proof_ms - PAST_A_CABLE_MS
    cables = [at for at in seen.reports.unplugged if low <= at <= high]
    if cables:
        return cables[-1]
    far_ms = TWICE * rules.reach_ms
    rests = list(_rests(busy, read_from_at + far_ms, first_changed_at - far_ms))
    return rests[-1][1] if rests else None


def _right(seen: Observed, busy: Sequence[Span], read_to_at: int, last_changed_at: int, rules: Rules) -> int | None:
    """Return the earliest place after the change that nothing reaches across."""
    low, high = last_changed_at + rules.state_holds_ms + PAST_A_CABLE_MS, read_to_at - rules.soc_proof_ms - PAST_A_CABLE_MS
    cables = [at for at in seen.reports.unplugged if low <= at <= high]
    if cables:
        return cables[0]
    far_ms = TWICE * rules.reach_ms
    rests = list(_rests(busy, last_changed_at + far_ms, read_to_at - far_ms))
    return rests[0][0] if rests else None


def _busy(seen: Observed, known_parts: Sequence[Part], rules: Rules) -> list[Span]:
    """Return the times in which something charges, did or will within a pause, or a cable is known to be in; in order."""
    charging = [(one.start - rules.pause_ms, one.end + rules.pause_ms) for part in known_parts for one in part.stretches]
    return sorted([*charging, *_plugged(seen, rules)])


def _rests(busy: Sequence[Span], from_at: int, to_at: int) -> Iterator[Span]:
    """Yield the times between two instants that are not busy."""
    at = from_at
    for start, end in [*busy, (to_at + 1, to_at + 1)]:
        if at < start - 1 and at <= to_at:
            yield at, min(start - 1, to_at)
        at = max(at, end + 1)


def _plugged(seen: Observed, rules: Rules) -> Sequence[Span]:
    """Return when the cable is known to be in: from each report of it to the next, or to that of its end, but not for ever."""
    ends = sorted(
        [*((mark.at, True) for mark in seen.reports.plugged), *((at, False) for at in seen.reports.unplugged), (EVER, False)]
    )
    return [(at, min(after, at + rules.cable_holds_ms)) for (at, is_in), (after, _) in pairwise(ends) if is_in]
