"""The state of charge: without readings that can't be true, and where it rose or fell."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.tracks import Sample, between, by_source, number
from chargeport.signals.catalogue import BY_CODE

SOC: Final = BY_CODE["tractionbattery-stateofcharge"]

SOC_DIP_PERCENT: Final = 1.0
"""Two sources, or two roundings, differ by as much."""
EMPTY_PERCENT: Final = 10.0
"""A reading of 0 next to more than this is no reading."""
NEIGHBOUR_MS: Final = 12 * HOUR_MS
STEP_PERCENT: Final = 10.0
RETURNS_MS: Final = 30 * MINUTE_MS
RETURNS_PERCENT: Final = 5.0
"""A step that is taken back so soon, to about the same value, never happened."""
FASTEST_PERCENT_AN_HOUR: Final = 40.0
"""A car of 60 kWh takes as much at 120 km/h: what falls faster, to where it rose from, was no drive."""
AT_MOST_MS: Final = 90 * MINUTE_MS
NEAR_MS: Final = 30 * MINUTE_MS
BEFORE_MS: Final = HOUR_MS
LED_BACK_PERCENT: Final = 3.0
"""A state of charge of the hour before that differs by no more was still that when charging began."""


class Rise(NamedTuple):
    """Between two reports of a source something rose by an amount (kWh or percent); when exactly is not known."""

    start: int
    end: int
    amount: float
    source: str


def plausible(charge: Sequence[Sample]) -> list[Sample]:
    """Return the samples of all sources without readings that the ones around them show to be wrong."""
    kept = [sample for own in by_source(charge).values() for sample in _without_steps(_without_zeros(own))]
    return sorted(kept, key=lambda sample: (sample.at, sample.source))


def _without_zeros(own: Sequence[Sample]) -> list[Sample]:
    """Return one source's samples without a 0 that stands for "not known": one that is far from what comes after or before."""
    kept = []
    for index, sample in enumerate(own):
        if number(sample) > 0:
            kept.append(sample)
            continue
        after = next((each for each in own[index + 1 :] if number(each) > 0), None)
        before = kept[-1] if kept and number(kept[-1]) > 0 else None
        near = [each for each in (after, before) if each is not None and abs(each.at - sample.at) <= NEIGHBOUR_MS]
        if not near or number(near[0]) <= EMPTY_PERCENT:
            kept.append(sample)
    return kept


def _without_steps(own: Sequence[Sample]) -> list[Sample]:
    """Return one source's samples without those that stand out between two about the same."""
    kept: list[Sample] = []
    index = 0
    while index < len(own):
        back = _back_again(kept[-1], own, index) if kept else None
        if back is not None:
            index = back
            continue
        kept.append(own[index])
        index += 1
    return kept


def _back_again(before: Sample, own: Sequence[Sample], index: int) -> int | None:
    """Return where a step at `index` is taken back: soon, or to the same value faster than a car drives or charges on AC."""
    step = abs(number(own[index]) - number(before))
    if step < STEP_PERCENT:
        return None
    fast_ms = min(round(step / FASTEST_PERCENT_AN_HOUR * HOUR_MS), AT_MOST_MS)
    for later in range(index + 1, len(own)):
        longest_ms = max(own[index].at - before.at, own[later].at - own[index].at)
        left = abs(number(own[later]) - number(before))
        if longest_ms > max(RETURNS_MS, fast_ms):
            return None
        if left <= (RETURNS_PERCENT if longest_ms <= RETURNS_MS else SOC_DIP_PERCENT):
            return later
    return None


def rises(charge: Sequence[Sample], rules: Rules) -> list[Rise]:
    """Return where the state of charge rose without a fall or a long rest in it, by enough to be charging."""
    found = [rise for own in by_source(charge).values() for rise in _climbs(own, rules)]
    return sorted(rise for rise in found if rise.amount >= rules.soc_rise_percent)


def jumps(charge: Sequence[Sample], rules: Rules) -> list[Rise]:
    """Return where the state of charge rose a lot from one report to the next after a silence."""
    found = []
    for source, own in by_source(charge).items():
        for one, other in pairwise(own):
            grown = number(other) - number(one)
            if grown >= rules.soc_rise_percent and rules.pause_ms < other.at - one.at <= rules.reach_ms:
                found.append(Rise(one.at, other.at, grown, source))
    return sorted(found)


def falls(charge: Sequence[Sample], from_at: int, to_at: int, rules: Rules) -> bool:
    """Return whether the state of charge is much lower at the end of the time than at its beginning, by any one source."""
    for own in by_source(between(charge, from_at, to_at)).values():
        within = [number(sample) for sample in own]
        if within and within[0] - min(within) >= rules.soc_fall_percent:
            return True
    return False


def rose_within(charge: Sequence[Sample], low: int, high: int) -> float | None:
    """Return by how much the state of charge rose from `low` to `high`, by the source that saw most; None where none tells."""
    found = []
    for own in by_source(between(charge, low - NEAR_MS, high + NEAR_MS)).values():
        before = [sample for sample in own if sample.at <= low][-1:] or own[:1]
        if own[-1].at > before[0].at:
            found.append((own[-1].at - before[0].at, number(own[-1]) - number(before[0])))
    return max(found)[1] if found else None


def moved(charge: Sequence[Sample], start: int, end: int, rules: Rules) -> tuple[int, int] | None:
    """Return from when to when the state of charge rose within a time; None where it did not rise by enough to be charging."""
    for own in by_source(between(charge, start, end)).values():
        steps = [(one.at, other.at) for one, other in pairwise(own) if number(other) > number(one)]
        if steps and number(own[-1]) - number(own[0]) >= rules.soc_idle_percent:
            return steps[0][0], steps[-1][1]
    return None


def led_back(charge: Sequence[Sample], start: int, end: int) -> float | None:
    """Return the state of charge at `start` by its course up to `end`: led back no further than it is known.

    One that was reported shortly before is the better one where it fits.
    """
    for own in by_source(between(charge, start - BEFORE_MS, end)).values():
        before = [each for each in own if each.at < start][-1:]
        within = [each for each in own if each.at >= start]
        if not within or number(within[-1]) <= number(within[0]):
            continue
        first, last = within[0], within[-1]
        if first.at - start > last.at - first.at:
            continue
        risen = (number(last) - number(first)) / (last.at - first.at) * (first.at - start)
        found = max(0.0, number(first) - risen)
        fits = before and abs(number(before[0]) - found) <= LED_BACK_PERCENT
        return number(before[0]) if fits else found
    return None


def held_on(charge: Sequence[Sample], start: int, end: int) -> float | None:
    """Return the last state of charge before `end`, where the silence since is no longer than one before it."""
    for own in by_source(between(charge, start, end)).values():
        gaps = [other.at - one.at for one, other in pairwise(own)]
        if gaps and end - own[-1].at <= max(gaps):
            return number(own[-1])
    return None


def _climbs(own: Sequence[Sample], rules: Rules) -> Iterator[Rise]:
    """Yield the rise from each trough to the top that follows. A top is left by falling, or by resting for long."""
    low: Sample | None = None
    top: Sample | None = None
    for sample in own:
        if low is None or top is None:
            low = top = sample
            continue
        value = number(sample)
        silent = sample.at - top.at > rules.soc_plateau_ms and (value <= number(top) or top is low)
        if value < number(top) - SOC_DIP_PERCENT or silent or sample.at - top.at > rules.reach_ms:
            yield Rise(low.at, top.at, number(top) - number(low), top.source)
            low = top = sample
        elif value > number(top):
            top = sample
        elif top is low:
            low = top = sample  # still resting: it begins to rise here at the earliest
    if low is not None and top is not None:
        yield Rise(low.at, top.at, number(top) - number(low), top.source)
