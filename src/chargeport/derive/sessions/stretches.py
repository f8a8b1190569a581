"""Stretches of charging: from the marks of the reports and, where these are silent, from what rose meanwhile.

Everything here is about one part of a car's history: from one unplugged cable to the next.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.counters import LAG_MS, Reset
from chargeport.derive.sessions.reports import GLITCH_MS, THROUGH_MS, Mark
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import Rise

Pace = Callable[[Rise], float | None]
"""How many kWh an hour charging brings around a rise, where that is known."""
Off = Callable[[str, int, int], Sequence[int]]
"""When nothing charged, as far as one source's rises go, from one instant to another, both included."""


USUAL_MARKS: Final = 4
"""The gaps between so many last reports show how often a source speaks: one that tells changes speaks irregularly."""


class Stretch(NamedTuple):
    """Charging without a pause that anybody saw; `estimated` where an end was not seen as it happened."""

    start: int
    end: int
    estimated: bool = False


def from_marks(on: Sequence[Mark], off: Sequence[int], others: Sequence[int], rules: Rules) -> list[Stretch]:
    """Return the stretches that one source's marks show. `off` are its instants without charging, the cable's end included.

    `others` are the ends of charging that other sources saw: they count where this one is silent. A single mark right after an
    end is an echo by a slower clock, and holds for no longer than its instant.
    """
    found: list[Stretch] = []
    every = sorted({*off, *others})
    index = 0
    while index < len(on):
        last = index
        while last + 1 < len(on) and _reaches(on[last], on[last + 1], off, others, rules):
            last += 1
        is_echo = last == index and bool(found) and on[index].at - found[-1].end <= GLITCH_MS
        found.append(Stretch(on[index].at, on[index].at) if is_echo else _ended(on[index : last + 1], every, rules))
        index = last + 1
    return united(found)


def _reaches(one: Mark, other: Mark, off: Sequence[int], others: Sequence[int], rules: Rules) -> bool:
    within_ms = rules.state_bridges_ms if one.is_stated and other.is_stated else rules.pause_ms
    if other.at - one.at > within_ms or _any_between(off, one.at, other.at):
        return False
    return other.at - one.at <= THROUGH_MS or not _any_between(others, one.at + 1, other.at - 1)


def _any_between(instants: Sequence[int], start: int, end: int) -> bool:
    index = bisect_left(instants, start)
    return index < len(instants) and instants[index] <= end


def _ended(run: Sequence[Mark], off: Sequence[int], rules: Rules) -> Stretch:
    """Return a run of marks up to the report of its end, where that came in time; else up to the last mark.

    The report of the end may be lost, and the next one come much later. A source that sends changes alone says it all with two.
    """
    start, last = run[0].at, run[-1]
    index = bisect_left(off, last.at)
    if index == len(off) or off[index] - last.at > rules.reach_ms:
        return Stretch(start, last.at, estimated=True)
    off_at, silent_ms = off[index], off[index] - last.at
    if len(run) > 1:
        usual_ms = max(after.at - before.at for before, after in pairwise(run[-USUAL_MARKS:]))
        in_time = silent_ms <= max(2 * usual_ms, MINUTE_MS)
        return Stretch(start, off_at if in_time else last.at, estimated=not in_time)
    held_ms = rules.state_holds_ms if last.is_stated else rules.pause_ms
    return Stretch(start, off_at if silent_ms <= held_ms else last.at, estimated=silent_ms > rules.pause_ms)


def with_rises(known: list[Stretch], rises: Sequence[Rise], off: Off, pace: Pace, rules: Rules) -> list[Stretch]:
    """Return the stretches with those that only a counter shows. Known stretches are kept."""
    added = []
    for rise in rises:
        seen_off = bool(off(rise.source, rise.start, rise.end))
        if _overlaps(known, rise.start, rise.end):
            continue
        is_long = rise.end - rise.start > rules.pause_ms
        if (seen_off or is_long or _touches(known, rise.start, rise.end)) and rise.amount < rules.jump_kwh:
            continue
        added.append(_placed(known, rise, pace(rise) if seen_off or is_long else None))
    return united([*known, *added])


def with_soc(known: list[Stretch], climbs: Sequence[Rise], jumps: Sequence[Rise], off: Off) -> list[Stretch]:
    """Return the stretches with those that only the state of charge shows, unless a report from within says that none was."""
    for rises in (climbs, jumps):
        added = [
            Stretch(rise.start, rise.end, estimated=True)
            for rise in rises
            if not _overlaps(known, rise.start, rise.end) and not off(rise.source, rise.start + 1, rise.end - 1)
        ]
        known = united([*known, *added])
    return known


def without(known: Sequence[Stretch], waiting: Sequence[tuple[int, int]]) -> list[Stretch]:
    """Return the stretches without the times in which nothing flowed."""
    whole = list(known)
    for start, end in waiting:
        left = [Stretch(one.start, min(one.end, start), estimated=False) for one in whole if one.start < start < one.end]
        right = [Stretch(max(one.start, end), one.end, one.estimated) for one in whole if one.start < end < one.end]
        kept = [one for one in whole if one.end <= start or one.start >= end]
        whole = sorted([*kept, *left, *right])
    return whole


def split_at_resets(known: Sequence[Stretch], found: Sequence[Reset]) -> list[Stretch]:
    """Return the stretches, ended where a counter was seen last before it began anew: that was another session."""
    whole = list(known)
    for reset in found:
        for index, one in enumerate(whole):
            if _parts(one, reset) and reset.at < one.end:
                whole[index : index + 1] = [
                    Stretch(one.start, reset.before, estimated=True),
                    Stretch(reset.at, one.end, one.estimated),
                ]
                break
    return whole


def parts_them(one: Stretch, other: Stretch, found: Sequence[Reset]) -> bool:
    """Return whether a counter began anew between two stretches, so that they are two sessions."""
    return any(_parts(one, reset) and one.end <= reset.at <= other.start + LAG_MS for reset in found)


def _parts(one: Stretch, reset: Reset) -> bool:
    """Return whether the old count was of this stretch, and not left over from before it."""
    return one.start + LAG_MS < reset.before and reset.still_since > one.start


def united(found: Sequence[Stretch]) -> list[Stretch]:
    """Return the stretches by time; what overlaps or follows at once is one. Its end is known as well as that of the later."""
    whole: list[Stretch] = []
    for one in sorted(found):
        if not whole or one.start > whole[-1].end:
            whole.append(one)
            continue
        last = whole[-1]
        if one.end == last.end:
            estimated = one.estimated and last.estimated
        elif one.start == last.end:
            estimated = one.estimated or last.estimated
        else:
            estimated = one.estimated if one.end > last.end else last.estimated
        whole[-1] = Stretch(last.start, max(last.end, one.end), estimated)
    return whole


def _placed(known: Sequence[Stretch], rise: Rise, pace: float | None) -> Stretch:
    """Return a rise as a stretch: next to the charging that it goes on with, for as long as that pace takes; else all of it."""
    duration_ms = rise.end - rise.start
    if pace:
        duration_ms = min(duration_ms, round(rise.amount / pace * HOUR_MS))
    if any(one.end == rise.start for one in known):
        return Stretch(rise.start, rise.start + duration_ms, estimated=True)
    if any(one.start == rise.end for one in known):
        return Stretch(rise.end - duration_ms, rise.end, estimated=True)
    return Stretch(rise.start, rise.end, estimated=pace is not None)


def _overlaps(known: Sequence[Stretch], start: int, end: int) -> bool:
    index = bisect_right(known, start, key=lambda one: one.end)
    return index < len(known) and known[index].start < end


def _touches(known: Sequence[Stretch], start: int, end: int) -> bool:
    return any(one.end == start or one.start == end for one in known)
