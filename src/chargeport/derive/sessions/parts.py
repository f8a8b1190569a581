"""A car's history in parts, each from one unplugged cable to the next, and the stretches of charging in each.

What happens in a part can be told from it alone, but for states of charge: this is what lets a late report concern its own
surroundings only.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from chargeport.derive.sessions.marks import POWER, Mark, Marks, marks
from chargeport.derive.sessions.rises import Reset, Rise, counter_rises, resets, soc_falls, soc_jumps, soc_rises
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.stretches import Stretch, from_marks, parts_them, split_at_resets, with_rises, with_soc
from chargeport.derive.tracks import Sample, Tracks, between, number, samples
from chargeport.signals.catalogue import BY_CODE

ENERGY: Final = BY_CODE["charge-energyadded"]
SOC: Final = BY_CODE["tractionbattery-stateofcharge"]

EVER: Final = 1 << 62


class Heard(msgspec.Struct, frozen=True):
    """All reports that sessions are made from: by time, of all sources."""

    marks: Marks
    power: list[Sample]
    energy: list[Sample]
    soc: list[Sample]


class Part(msgspec.Struct, frozen=True):
    """The time from `start` to `end`, at which the cable was out; with the charging in it, and what told of it.

    `start` is -EVER in the first part and `end` is EVER in the last.
    """

    start: int
    end: int
    on: Sequence[Mark]
    plugged: Sequence[Mark]
    power: Sequence[Sample]
    energy: Sequence[Sample]
    soc: Sequence[Sample]
    resets: Sequence[Reset] = ()
    stretches: Sequence[Stretch] = ()


def heard(tracks: Tracks, rules: Rules) -> Heard:
    """What the tracks tell."""
    return Heard(marks(tracks, rules), samples(tracks, POWER), samples(tracks, ENERGY), samples(tracks, SOC))


def parts(told: Heard, rules: Rules) -> list[Part]:
    """The parts in which something charged, by time."""
    found = []
    for start, end in pairwise([-EVER, *told.marks.unplugged, EVER]):
        part = Part(
            start,
            end,
            _within(told.marks.on, start, end),
            _within(told.marks.plugged, start, end),
            between(told.power, start, end),
            between(told.energy, start, end),
            between(told.soc, start, end),
        )
        off = told.marks.off[bisect_left(told.marks.off, start) : bisect_right(told.marks.off, end)]
        if end != EVER:
            off = sorted({*off, end})
        part = _with_stretches(part, off, rules)
        if part.stretches:
            found.append(part)
    return found


def _within(found: Sequence[Mark], start: int, end: int) -> Sequence[Mark]:
    first = bisect_left(found, start, key=lambda mark: mark.at)
    return found[first : bisect_right(found, end, first, key=lambda mark: mark.at)]


def _with_stretches(part: Part, off: Sequence[int], rules: Rules) -> Part:
    if not part.on and len(part.energy) < 2 and len(part.soc) < 2:  # noqa: PLR2004  (two make a rise)
        return part

    def pace(rise: Rise) -> float | None:
        """By the power just before, or just after."""
        near = [each for each in between(part.power, rise.start - rules.pause_ms, rise.start) if _flows(each, rules)][-1:]
        near = near or [each for each in between(part.power, rise.end, rise.end + rules.pause_ms) if _flows(each, rules)][:1]
        return rules.ac_efficiency * number(near[0]) / 1000 if near else None

    found = from_marks(part.on, off, rules)
    found = with_rises(found, counter_rises(part.energy, rules), off, pace, rules)
    found = with_soc(found, soc_rises(part.soc, rules), soc_jumps(part.soc, rules), off)
    began_anew = resets(part.energy)
    return msgspec.structs.replace(part, resets=began_anew, stretches=split_at_resets(found, began_anew))


def _flows(each: Sample, rules: Rules) -> bool:
    return number(each) > rules.power_from_w


def groups(part: Part, rules: Rules) -> list[list[Stretch]]:
    """The stretches of each session of a part: pauses belong to it while the cable stays in, else if they are short."""
    found: list[list[Stretch]] = []
    for stretch in part.stretches:
        if found and _goes_on(part, found[-1][-1], stretch, rules):
            found[-1].append(stretch)
        else:
            found.append([stretch])
    return found


def _goes_on(part: Part, one: Stretch, other: Stretch, rules: Rules) -> bool:
    if parts_them(one, other, part.resets) or soc_falls(part.soc, one.end, other.start, rules):
        return False
    return other.start - one.end <= rules.pause_ms or stays_plugged(part.plugged, one.end + rules.pause_ms, other.start, rules)


def stays_plugged(plugged: Sequence[Mark], from_at: int, to_at: int, rules: Rules) -> bool:
    """Whether the cable is known to be in at every instant from `from_at` to `to_at`."""
    first = bisect_right(plugged, from_at, key=lambda mark: mark.at)
    known = [mark.at for mark in plugged[max(0, first - 1) : bisect_right(plugged, to_at, key=lambda mark: mark.at)]]
    if not known or known[0] > from_at:
        return False
    return all(after - at <= rules.cable_holds_ms for at, after in pairwise([*known, to_at]))
