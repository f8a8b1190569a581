"""How much history a late report concerns: recomputing a window gives what recomputing everything would give there.

A window ends where nothing reaches across. An unplugged cable is such a place, an hour from the change; where there is no news
of a cable, a time of rest is one, if it is further away than any sighting can matter.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions.parts import EVER, Heard, heard, parts
from chargeport.derive.sessions.rules import PAST_A_CABLE_MS, Rules
from chargeport.derive.sessions.session import FAST, Session, from_heard
from chargeport.derive.tracks import Tracks, samples

FIRST_READ_MS: Final = 12 * HOUR_MS

TWICE: Final = 2
"""A sighting decides what another one means that lies in its reach, and that one has a reach of its own."""

Read = Callable[[int, int], Awaitable[Tracks]]
"""Reads the tracks of `sessions.SIGNALS` from one instant to another, with the piece that held before of each."""


class Window(NamedTuple):
    """A time that can be recomputed by itself: what started from `from_at` on and before `to_at`."""

    from_at: int
    to_at: int


class Recomputed(msgspec.Struct, frozen=True):
    """The sessions that started in the window, to be stored in place of all those that were stored of it."""

    window: Window
    sessions: list[Session]


async def recomputed(
    read: Read, first_changed_at: int, last_changed_at: int, now: int, rules: Rules | None = None
) -> Recomputed:
    """The sessions that reports observed between these two instants (both included) may have changed."""
    rules = rules or Rules()
    back_ms, ahead_ms = FIRST_READ_MS, FIRST_READ_MS
    while True:
        read_from_at, read_to_at = first_changed_at - back_ms, last_changed_at + ahead_ms
        tracks = await read(read_from_at, read_to_at)
        told = heard(tracks, rules)
        from_at = _left(told, read_from_at, first_changed_at, rules)
        to_at = _right(told, read_to_at, last_changed_at, rules)
        if from_at is not None and to_at is not None:
            found = from_heard(told, samples(tracks, FAST), now, rules)
            return Recomputed(Window(from_at, to_at), [one for one in found if from_at <= one.started_at < to_at])
        least_ms = 2 * TWICE * rules.reach_ms + HOUR_MS
        back_ms = back_ms if from_at is not None else max(2 * back_ms, least_ms)
        ahead_ms = ahead_ms if to_at is not None else max(2 * ahead_ms, least_ms)


def window(
    tracks: Tracks, read: tuple[int, int], first_changed_at: int, last_changed_at: int, rules: Rules | None = None
) -> Window | None:
    """The window around a change within tracks that were read from one instant to another; None where more must be read."""
    rules = rules or Rules()
    told = heard(tracks, rules)
    from_at, to_at = _left(told, read[0], first_changed_at, rules), _right(told, read[1], last_changed_at, rules)
    return None if from_at is None or to_at is None else Window(from_at, to_at)


def _left(told: Heard, read_from_at: int, first_changed_at: int, rules: Rules) -> int | None:
    """The latest place before the change that nothing reaches across."""
    low, high = read_from_at + PAST_A_CABLE_MS, first_changed_at - PAST_A_CABLE_MS
    cables = [at for at in told.marks.unplugged if low <= at <= high]
    if cables:
        return cables[-1]
    far_ms = TWICE * rules.reach_ms
    rests = list(_rests(told, read_from_at + far_ms, first_changed_at - far_ms, rules))
    return rests[-1][1] if rests else None


def _right(told: Heard, read_to_at: int, last_changed_at: int, rules: Rules) -> int | None:
    """The earliest place after the change that nothing reaches across."""
    low, high = last_changed_at + PAST_A_CABLE_MS, read_to_at - PAST_A_CABLE_MS
    cables = [at for at in told.marks.unplugged if low <= at <= high]
    if cables:
        return cables[0]
    far_ms = TWICE * rules.reach_ms
    rests = list(_rests(told, last_changed_at + far_ms, read_to_at - far_ms, rules))
    return rests[0][0] if rests else None


def _rests(told: Heard, from_at: int, to_at: int, rules: Rules) -> Iterator[tuple[int, int]]:
    """The times between two instants in which nothing charges, or did lately or will soon, and no cable is known to be in."""
    busy = [(one.start - rules.pause_ms, one.end + rules.pause_ms) for part in parts(told, rules) for one in part.stretches]
    busy += _plugged(told, rules)
    at = from_at
    for start, end in [*sorted(busy), (to_at + 1, to_at + 1)]:
        if at < start - 1 and at <= to_at:
            yield at, min(start - 1, to_at)
        at = max(at, end + 1)


def _plugged(told: Heard, rules: Rules) -> Sequence[tuple[int, int]]:
    """When the cable is known to be in: from each report of it to the next, or to that of its end, but not for ever."""
    ends = sorted(
        [*((mark.at, True) for mark in told.marks.plugged), *((at, False) for at in told.marks.unplugged), (EVER, False)]
    )
    return [(at, min(after, at + rules.cable_holds_ms)) for (at, is_in), (after, _) in pairwise(ends) if is_in]
