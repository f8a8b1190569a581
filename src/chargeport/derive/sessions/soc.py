"""The state of charge: remove readings that can't be true, and find where it rose or fell.

All functions take samples in percent, ordered by time, of one or of several sources; each source is examined by itself.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.tracks import Sample, between, by_source, number
from chargeport.signals.catalogue import BY_CODE

SOC: Final = BY_CODE["tractionbattery-stateofcharge"]

ROUNDING_PERCENT: Final = 1.0
"""Two sources, or two roundings, differ by up to this."""
EMPTY_PERCENT: Final = 10.0
"""A reading of 0 next to one above this means "unknown"."""
NEIGHBOUR_MS: Final = 12 * HOUR_MS
"""How far away the reading may be that a 0 is compared with."""
STEP_PERCENT: Final = 10.0
"""A smaller change between two readings is always accepted."""
REVERTED_WITHIN_MS: Final = 30 * MINUTE_MS
REVERTED_WITHIN_PERCENT: Final = 5.0
"""A step that is reverted within this time, to within this difference, is an error of the source."""
FASTEST_PERCENT_PER_HOUR: Final = 40.0
"""A car of 60 kWh uses this much at 120 km/h: a faster fall to the value before the step was no drive."""
FALLING_STEP_PERCENT: Final = 20.0
MAX_REVERSAL_MS: Final = 90 * MINUTE_MS
"""The longest time within which a step can be reverted, of whatever size it is."""
NEAR_MS: Final = 30 * MINUTE_MS
"""How far outside of a time a sample may be that shows the state of charge at its start or end."""
LOOK_BACK_MS: Final = HOUR_MS
EXTRAPOLATION_PERCENT: Final = 3.0
"""A reading from up to LOOK_BACK_MS before charging that differs by at most this from the extrapolated one was still true."""

SETTLED_MS: Final = 45 * MINUTE_MS
SETTLED_SAMPLES: Final = 3
"""A state of charge that has not risen for this time, in this many samples, has settled."""
NEAR_END_MS: Final = 15 * MINUTE_MS
STEADY_STEPS: Final = 3

Trend = Literal["settled", "rising"]


class Rise(NamedTuple):
    """A rise by an amount (kWh or percent) between two reports of a source; the exact time between them is unknown."""

    start: int
    end: int
    amount: float
    source: str


def plausible(charge: Sequence[Sample]) -> list[Sample]:
    """Return the samples of all sources without the readings that their neighbours show to be wrong."""
    kept = [sample for samples in by_source(charge).values() for sample in _without_steps(_without_zeros(samples))]
    return sorted(kept, key=lambda sample: (sample.at, sample.source))


def _without_zeros(samples: Sequence[Sample]) -> list[Sample]:
    """Return one source's samples without each 0 that means "unknown": the next or the previous reading is far above it."""
    kept = []
    for index, sample in enumerate(samples):
        if number(sample) > 0:
            kept.append(sample)
            continue
        after = next((later for later in samples[index + 1 :] if number(later) > 0), None)
        before = kept[-1] if kept and number(kept[-1]) > 0 else None
        near = [each for each in (after, before) if each is not None and abs(each.at - sample.at) <= NEIGHBOUR_MS]
        if not near or number(near[0]) <= EMPTY_PERCENT:
            kept.append(sample)
    return kept


def _without_steps(samples: Sequence[Sample]) -> list[Sample]:
    """Return one source's samples without steps that are reverted."""
    kept: list[Sample] = []
    index = 0
    while index < len(samples):
        reverted = _reversal(kept[-1], samples, index) if kept else None
        if reverted is not None:
            index = reverted
            continue
        kept.append(samples[index])
        index += 1
    return kept


def _reversal(before: Sample, samples: Sequence[Sample], index: int) -> int | None:
    """Return the index at which the step at `index` is reverted; None where it is not.

    It is reverted soon, or to the same value faster than a car drives or charges on AC, or to any value by an impossible fall.
    """
    step = abs(number(samples[index]) - number(before))
    if step < STEP_PERCENT:
        return None
    fast_ms = min(round(step / FASTEST_PERCENT_PER_HOUR * HOUR_MS), MAX_REVERSAL_MS)
    for later in range(index + 1, len(samples)):
        longest_ms = max(samples[index].at - before.at, samples[later].at - samples[index].at)
        difference = abs(number(samples[later]) - number(before))
        if longest_ms > MAX_REVERSAL_MS:
            return None
        if _falls_too_fast(samples, index, later):
            return later
        max_difference = REVERTED_WITHIN_PERCENT if longest_ms <= REVERTED_WITHIN_MS else ROUNDING_PERCENT
        if longest_ms <= max(REVERTED_WITHIN_MS, fast_ms) and difference <= max_difference:
            return later
    return None


def _falls_too_fast(samples: Sequence[Sample], index: int, later: int) -> bool:
    """Return whether a plateau that a step up began ends, for good, by a fall which no drive makes: it was an old value."""
    plateau, after = samples[later - 1], samples[later]
    fall = number(plateau) - number(after)
    is_plateau = number(samples[index]) - FALLING_STEP_PERCENT <= number(plateau) <= number(samples[index])
    is_fast = fall * HOUR_MS > FASTEST_PERCENT_PER_HOUR * (after.at - plateau.at)
    returns = later + 1 < len(samples) and number(samples[later + 1]) - number(after) >= STEP_PERCENT
    return later > index and is_plateau and fall >= FALLING_STEP_PERCENT and is_fast and not returns


def rises(charge: Sequence[Sample], rules: Rules) -> list[Rise]:
    """Return the rises, without a fall or a long rest in them, that are large enough to be charging."""
    found = [rise for samples in by_source(charge).values() for rise in _rises_of_source(samples, rules)]
    return sorted(rise for rise in found if rise.amount >= rules.soc_rise_percent)


def _rises_of_source(samples: Sequence[Sample], rules: Rules) -> Iterator[Rise]:
    """Yield the rise from each trough to the next peak. A fall, or a long time without a rise, ends a peak."""
    trough: Sample | None = None
    peak: Sample | None = None
    for sample in samples:
        if trough is None or peak is None:
            trough = peak = sample
            continue
        value = number(sample)
        rests = sample.at - peak.at > rules.soc_plateau_ms and (value <= number(peak) or peak is trough)
        if value < number(peak) - ROUNDING_PERCENT or rests or sample.at - peak.at > rules.reach_ms:
            yield Rise(trough.at, peak.at, number(peak) - number(trough), peak.source)
            trough = peak = sample
        elif value > number(peak):
            peak = sample
        elif peak is trough:
            trough = peak = sample  # it has not risen yet: a rise begins here at the earliest
    if trough is not None and peak is not None:
        yield Rise(trough.at, peak.at, number(peak) - number(trough), peak.source)


def is_steady(charge: Sequence[Sample], rise: Rise, rules: Rules) -> bool:
    """Return whether a rise is a large one in several steps, which no recalibration makes."""
    own = by_source(between(charge, rise.start, rise.end)).get(rise.source, [])
    steps = sum(number(after) > number(before) for before, after in pairwise(own))
    return rise.amount >= rules.soc_step_percent and steps >= STEADY_STEPS


def jumps(charge: Sequence[Sample], rules: Rules) -> list[Rise]:
    """Return the large rises from one report to the next after a silence."""
    found = []
    for source, samples in by_source(charge).items():
        for before, after in pairwise(samples):
            rise = number(after) - number(before)
            if rise >= rules.soc_rise_percent and rules.pause_ms < after.at - before.at <= rules.reach_ms:
                found.append(Rise(before.at, after.at, rise, source))
    return sorted(found)


def has_fallen(charge: Sequence[Sample], from_at: int, to_at: int, rules: Rules) -> bool:
    """Return whether, by any one source, the state of charge fell so far below its first value that the car was driven."""
    for samples in by_source(between(charge, from_at, to_at)).values():
        values = [number(sample) for sample in samples]
        if values and values[0] - min(values) >= rules.soc_fall_percent:
            return True
    return False


def rise_between(charge: Sequence[Sample], start: int, end: int, rules: Rules) -> float | None:
    """Return the rise of the state of charge in a time, by the source that covers most of it; None where no source does.

    What it fell by in a drive before, between two reports, is no part of it.
    """
    found = []
    for samples in by_source(between(charge, start - NEAR_MS, end + NEAR_MS)).values():
        first = ([sample for sample in samples if sample.at <= start][-1:] or samples[:1])[0]
        if samples[-1].at > first.at:
            driven = after_drive(charge, first, end, rules)
            found.append((samples[-1].at - first.at, number(samples[-1]) - number(driven)))
    return max(found)[1] if found else None


def after_drive(charge: Sequence[Sample], before: Sample, end: int, rules: Rules) -> Sample:
    """Return the next report of a source, up to an instant, if the car was driven between; else the report `before`."""
    later = next((each for each in between(charge, before.at + 1, end) if each.source == before.source), before)
    return later if number(before) - number(later) >= rules.soc_fall_percent else before


def rising_time(charge: Sequence[Sample], start: int, end: int, rules: Rules) -> tuple[int, int] | None:
    """Return the part of a time in which the state of charge rose; None unless it rose enough to be charging."""
    for samples in by_source(between(charge, start, end)).values():
        steps = [(before.at, after.at) for before, after in pairwise(samples) if number(after) > number(before)]
        if steps and number(samples[-1]) - number(samples[0]) >= rules.soc_idle_percent:
            return steps[0][0], steps[-1][1]
    return None


def extrapolated_start(charge: Sequence[Sample], start: int, end: int) -> float | None:
    """Return the state of charge at the start of a session, extrapolated from its rise in the session.

    It is extrapolated by no longer a time than it was observed for. A reading from shortly before is preferred if it agrees.
    """
    for samples in by_source(between(charge, start - LOOK_BACK_MS, end)).values():
        before = [sample for sample in samples if sample.at < start][-1:]
        within = [sample for sample in samples if sample.at >= start]
        if not within or number(within[-1]) <= number(within[0]):
            continue
        first, last = within[0], within[-1]
        if first.at - start > last.at - first.at:
            continue
        rise = (number(last) - number(first)) / (last.at - first.at) * (first.at - start)
        extrapolated = max(0.0, number(first) - rise)
        agrees = before and abs(number(before[0]) - extrapolated) <= EXTRAPOLATION_PERCENT
        return number(before[0]) if agrees else extrapolated
    return None


def last_before_end(charge: Sequence[Sample], start: int, end: int) -> float | None:
    """Return the last state of charge before the end of a session, unless it is older than the longest interval before it."""
    for samples in by_source(between(charge, start, end)).values():
        intervals = [after.at - before.at for before, after in pairwise(samples)]
        if intervals and end - samples[-1].at <= max(intervals):
            return number(samples[-1])
    return None


def trend(charge: Sequence[Sample], start: int, end: int) -> Trend | None:
    """Return the trend of the state of charge in a session: "rising" up to the end, or "settled" long before it; else None.

    A state of charge with a trend is up to date.
    """
    for samples in by_source(between(charge, start, end + NEAR_END_MS)).values():
        rises = [after.at for before, after in pairwise(samples) if number(after) > number(before)]
        if rises and end - rises[-1] >= SETTLED_MS and len(between(samples, rises[-1] + 1, end)) >= SETTLED_SAMPLES:
            return "settled"
        if len(rises) >= SETTLED_SAMPLES and end - rises[-1] <= NEAR_END_MS:
            return "rising"
    return None
