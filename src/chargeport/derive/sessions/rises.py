"""Charging that shows in what it leaves behind: energy counters and states of charge that rose, counters that began anew."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from chargeport.derive.series import MINUTE_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.tracks import Sample, by_source, number

RETURNS_MS: Final = 10 * MINUTE_MS
RETURNS_KWH: Final = 3.0
"""A counter that is back where it was so soon, and not much higher, never began anew: one report was wrong."""
FALL_KWH: Final = 0.5
FALL_SHARE: Final = 0.1
"""A counter may fall by as much while the car heats itself (sources 15.2)."""
SOC_DIP_PERCENT: Final = 1.0
"""Two sources, or two roundings, differ by as much."""


class Rise(NamedTuple):
    """Between two reports something rose by an amount (kWh or percent), so it charged in between; when exactly is not known."""

    start: int
    end: int
    amount: float


class Reset(NamedTuple):
    """The last report of an old count and the first of a new one."""

    before: int
    at: int


def is_reset(before: float, after: float) -> bool:
    """Whether a counter began anew, as against fell a little."""
    fall = before - after
    return fall >= max(FALL_KWH, FALL_SHARE * before) or (fall > 0 and before >= 2 * FALL_KWH / 5 and after <= before / 2)


def without_glitches(counted: Sequence[Sample]) -> list[Sample]:
    """One source's counter without single reports that the next one takes back."""
    kept: list[Sample] = []
    for index, sample in enumerate(counted):
        after = counted[index + 1] if index + 1 < len(counted) else None
        if kept and after is not None and is_reset(number(kept[-1]), number(sample)):
            back = number(after) - number(kept[-1])
            if after.at - kept[-1].at <= RETURNS_MS and -FALL_KWH < back < RETURNS_KWH:
                continue
        kept.append(sample)
    return kept


def counter_rises(counted: Sequence[Sample], rules: Rules) -> list[Rise]:
    """Where an energy counter rose from one report to the next; after it began anew, all that it shows."""
    found = []
    for told in by_source(counted).values():
        for one, other in pairwise(without_glitches(told)):
            anew = is_reset(number(one), number(other))
            grown = number(other) if anew else number(other) - number(one)
            if grown > 0 and other.at - one.at <= rules.reach_ms:
                found.append(Rise(one.at, other.at, grown))
    return sorted(found)


def resets(counted: Sequence[Sample]) -> list[Reset]:
    """Where the energy counter of a source began anew."""
    found = []
    for told in by_source(counted).values():
        pairs = pairwise(without_glitches(told))
        found += [Reset(one.at, other.at) for one, other in pairs if is_reset(number(one), number(other))]
    return sorted(found)


def soc_rises(charge: Sequence[Sample], rules: Rules) -> list[Rise]:
    """Where the state of charge rose without a fall or a long rest in it, by enough to be charging."""
    found = []
    for told in by_source(charge).values():
        found += [rise for rise in _climbs(told, rules) if rise.amount >= rules.soc_rise_percent]
    return sorted(found)


def soc_jumps(charge: Sequence[Sample], rules: Rules) -> list[Rise]:
    """Where the state of charge rose a lot from one report to the next after a silence."""
    found = []
    for told in by_source(charge).values():
        for one, other in pairwise(told):
            grown = number(other) - number(one)
            if grown >= rules.soc_rise_percent and rules.pause_ms < other.at - one.at <= rules.reach_ms:
                found.append(Rise(one.at, other.at, grown))
    return sorted(found)


def soc_falls(charge: Sequence[Sample], from_at: int, to_at: int, rules: Rules) -> bool:
    """Whether the state of charge is much lower at the end of the time than it was at its beginning, by any one source."""
    for told in by_source(charge).values():
        within = [number(sample) for sample in told if from_at <= sample.at <= to_at]
        if within and within[0] - min(within) >= rules.soc_fall_percent:
            return True
    return False


def _climbs(told: Sequence[Sample], rules: Rules) -> Iterator[Rise]:
    """From each trough to the top that follows. A top is left by falling, or by resting for long."""
    low: Sample | None = None
    top: Sample | None = None
    for sample in told:
        if low is None or top is None:
            low = top = sample
            continue
        value = number(sample)
        silent = sample.at - top.at > rules.soc_plateau_ms and (value <= number(top) or top is low)
        if value < number(top) - SOC_DIP_PERCENT or silent or sample.at - top.at > rules.reach_ms:
            yield Rise(low.at, top.at, number(top) - number(low))
            low = top = sample
        elif value > number(top):
            top = sample
        elif top is low:
            low = top = sample  # still resting: it begins to rise here at the earliest
    if low is not None and top is not None:
        yield Rise(low.at, top.at, number(top) - number(low))
