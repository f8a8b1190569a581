"""Stretches of charging: from the marks of the reports and, where these are silent, from what rose meanwhile.

Everything here is about one part of a car's history: from one unplugged cable to the next.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.marks import GLITCH_MS, Mark
from chargeport.derive.sessions.rises import Reset, Rise
from chargeport.derive.sessions.rules import Rules

LAG_MS: Final = 10 * MINUTE_MS
"""A counter may show the session before for so long after charging began."""


Pace = Callable[[Rise], float | None]
"""How many kWh an hour charging brings around a rise, where that is known."""


class Stretch(NamedTuple):
    """Charging without a pause that anybody saw; `estimated` where an end was not seen as it happened."""

    start: int
    end: int
    estimated: bool = False


def from_marks(on: Sequence[Mark], off: Sequence[int], rules: Rules) -> list[Stretch]:
    """The stretches that the marks show. `off` are the instants without charging, the cable's end included.

    A single mark right after an end is an echo by a slower clock, and holds for no longer than its instant.
    """
    found: list[Stretch] = []
    index = 0
    while index < len(on):
        last = index
        while last + 1 < len(on) and _reaches(on[last], on[last + 1], off, rules):
            last += 1
        is_echo = last == index and bool(found) and on[index].at - found[-1].end <= GLITCH_MS
        found.append(Stretch(on[index].at, on[index].at) if is_echo else _ended(on[index : last + 1], off, rules))
        index = last + 1
    return _united(found)


def _reaches(one: Mark, other: Mark, off: Sequence[int], rules: Rules) -> bool:
    within_ms = rules.state_bridges_ms if one.is_stated and other.is_stated else rules.pause_ms
    index = bisect_left(off, one.at)
    return other.at - one.at <= within_ms and (index == len(off) or off[index] > other.at)


def _ended(run: Sequence[Mark], off: Sequence[int], rules: Rules) -> Stretch:
    """A run of marks up to the report of its end, where that came in time; else up to the last mark.

    The report of the end may be lost, and the next one come much later. A source that sends changes alone says it all with two.
    """
    start, last = run[0].at, run[-1]
    index = bisect_left(off, last.at)
    if index == len(off) or off[index] - last.at > rules.reach_ms:
        return Stretch(start, last.at, estimated=True)
    off_at, silent_ms = off[index], off[index] - last.at
    if len(run) > 1:
        in_time = silent_ms <= max(2 * (last.at - run[-2].at), MINUTE_MS)
        return Stretch(start, off_at if in_time else last.at, estimated=not in_time)
    held_ms = rules.state_holds_ms if last.is_stated else rules.pause_ms
    return Stretch(start, off_at if silent_ms <= held_ms else last.at, estimated=silent_ms > rules.pause_ms)


def with_rises(known: list[Stretch], rises: Sequence[Rise], off: Sequence[int], pace: Pace, rules: Rules) -> list[Stretch]:
    """The stretches with those that only a counter shows. Known stretches are kept."""
    added = []
    for rise in rises:
        seen_off = bisect_left(off, rise.start) < bisect_right(off, rise.end)
        if _overlaps(known, rise.start, rise.end):
            continue
        is_long = rise.end - rise.start > rules.pause_ms
        if (seen_off or is_long or _touches(known, rise.start, rise.end)) and rise.amount < rules.jump_kwh:
            continue
        added.append(_placed(known, rise, pace(rise) if seen_off or is_long else None))
    return _united([*known, *added])


def with_soc(known: list[Stretch], climbs: Sequence[Rise], jumps: Sequence[Rise], off: Sequence[int]) -> list[Stretch]:
    """The stretches with those that only the state of charge shows, unless a report from within says that it did not charge."""
    added = [
        Stretch(rise.start, rise.end, estimated=True)
        for rise in climbs
        if not _overlaps(known, rise.start, rise.end) and bisect_right(off, rise.start) >= bisect_left(off, rise.end)
    ]
    known = _united([*known, *added])
    jumped = [
        Stretch(rise.start, rise.end, estimated=True)
        for rise in jumps
        if not _overlaps(known, rise.start, rise.end) and bisect_right(off, rise.start) >= bisect_left(off, rise.end)
    ]
    return _united([*known, *jumped])


def split_at_resets(known: Sequence[Stretch], found: Sequence[Reset]) -> list[Stretch]:
    """The stretches, ended where a counter was seen last before it began anew: that was another session."""
    whole = list(known)
    for reset in found:
        for index, one in enumerate(whole):
            if one.start + LAG_MS < reset.before and reset.at < one.end:
                whole[index : index + 1] = [
                    Stretch(one.start, reset.before, estimated=True),
                    Stretch(reset.at, one.end, one.estimated),
                ]
                break
    return whole


def parts_them(one: Stretch, other: Stretch, found: Sequence[Reset]) -> bool:
    """Whether a counter began anew between two stretches, so that they are two sessions."""
    return any(one.start + LAG_MS < reset.before and one.end <= reset.at <= other.start + LAG_MS for reset in found)


def _placed(known: Sequence[Stretch], rise: Rise, pace: float | None) -> Stretch:
    """A rise as a stretch: next to the charging that it goes on with, as long as that pace takes; else all of its time."""
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


def _united(found: Sequence[Stretch]) -> list[Stretch]:
    """In order of time; what overlaps or follows at once is one."""
    united: list[Stretch] = []
    for one in sorted(found):
        if united and one.start <= united[-1].end:
            last = united[-1]
            united[-1] = Stretch(last.start, max(last.end, one.end), last.estimated or one.estimated)
        else:
            united.append(one)
    return united
