"""Evidence of charging from energy counters: their rises, their resets, and the energy of one session.

A counter is a session counter (reset to 0 when a session begins) or a register (which counts over all sessions). Both have
faults: they fall a little, show another counter for a while, stop under power, or retain the last session's count. So the
samples of a counter are divided into *segments* first: in a segment it rises by no more than the power supply can give. Between
two segments it was reset, or is wrong.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, Literal, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import Rise
from chargeport.derive.sessions.supply import NEAR_MS, RATE_SHARE, SLACK_KWH, PowerSupply
from chargeport.derive.tracks import AT, Sample, by_source, number

EnergyMethod = Literal["counter", "lifetime", "integral", "state_of_charge", "reported"]

FALL_KWH: Final = 0.5
FALL_SHARE: Final = 0.1
MAX_FALL_KWH: Final = 3.0
"""A session counter may fall by this while the car heats itself; a larger fall is a reset."""
RECOVERY_MS: Final = 2 * HOUR_MS
"""A counter that rises on as before within this time was not reset: the reports in between were wrong."""
HEATING_KWH: Final = 1.0
"""A car may draw up to this to heat itself while its counter of charged energy does not rise."""
MIN_STEADY_RISES: Final = 3
MIN_STEADY_KWH: Final = 1.0
COUNTER_LAG_MS: Final = 10 * MINUTE_MS
"""A counter may show the previous session for this long after charging began."""

EnergyBetween = Callable[[int, int], float | None]
"""Return the energy in kWh between two instants by another measurement; None where there is none."""


class Reset(NamedTuple):
    """A reset of a counter: the instants of the last report before and the first after; the old value was `unchanged_since`."""

    before: int
    at: int
    unchanged_since: int
    source: str


def is_reset(before: float, after: float) -> bool:
    """Return whether a counter was reset, as opposed to falling a little."""
    fall = before - after
    min_fall = max(FALL_KWH, min(FALL_SHARE * before, MAX_FALL_KWH))
    return fall >= min_fall or (fall > 0 and before >= 2 * FALL_KWH / 5 and after <= before / 2)


def segments(samples: Sequence[Sample], supply: PowerSupply) -> list[list[Sample]]:
    """Return the samples of one counter in segments, in each of which it rises by no more than the supply can give.

    Samples after which the counter continues as before are wrong, and left out.
    """
    found: list[list[Sample]] = []
    for sample in samples:
        if len(found) > 1 and _is_recovered(found[-2], found[-1], sample):
            found.pop()
            found[-1].append(sample)
        elif found and (_is_continued(found[-1][-1], sample, supply) or _catches_up(found[-1], sample, supply)):
            found[-1].append(sample)
        else:
            found.append([sample])
    index = 0
    while index + 2 < len(found):
        last = found[index][-1]
        continuation = next(
            (
                later
                for later in range(index + 2, len(found))
                if found[later][0].at - last.at <= RECOVERY_MS and _is_continued(last, found[later][0], supply)
            ),
            None,
        )
        if continuation is None:
            index += 1
        else:
            found[index : continuation + 1] = [[*found[index], *found[continuation]]]
    return found


def _is_recovered(before: Sequence[Sample], segment: Sequence[Sample], sample: Sample) -> bool:
    """Return whether a sample continues the segment `before` at its usual rate, and `segment` only by a jump."""
    last = before[-1]
    rise, jump = number(sample) - number(last), number(sample) - number(segment[-1])
    if sample.at - last.at > RECOVERY_MS or rise < 0 or jump <= rise:
        return False
    newest = before[bisect_left(before, last.at - RECOVERY_MS, key=AT) :]
    usual_rate = _usual_rate([newest, segment]) or 0.0
    fastest_rate = max([usual_rate, *_rates([segment])])
    is_jump = jump > RATE_SHARE * fastest_rate * (sample.at - segment[-1].at) + SLACK_KWH
    return is_jump and rise <= RATE_SHARE * usual_rate * (sample.at - last.at)


def _catches_up(segment: Sequence[Sample], sample: Sample, supply: PowerSupply) -> bool:
    """Return whether a counter that did not rise under power has now risen by what can have flowed since."""
    since = max(_unchanged_since(segment), supply.flowing_since(sample.at), sample.at - RECOVERY_MS)
    return since < segment[-1].at and 0 < number(sample) - number(segment[-1]) <= supply.max_kwh(since, sample.at)


def _is_continued(before: Sample, after: Sample, supply: PowerSupply) -> bool:
    """Return whether a counter was not reset between two samples, and rose by no more than the supply can give."""
    rise = number(after) - number(before)
    return not is_reset(number(before), number(after)) and rise <= supply.max_kwh(before.at, after.at)


def _unchanged_since(segment: Sequence[Sample]) -> int:
    """Return since when a segment has had its last value."""
    since = segment[-1].at
    for sample in reversed(segment):
        if number(sample) != number(segment[-1]):
            break
        since = sample.at
    return since


def counter_rises(counts: Sequence[Sample], supply: PowerSupply, rules: Rules) -> list[Rise]:
    """Return the rises of the counters of all sources from one report to the next; after a reset, by the whole new value."""
    rises = []
    for source, samples in by_source(counts).items():
        found = segments(samples, supply)
        for segment in found:
            rises += [
                Rise(before.at, after.at, number(after) - number(before), source)
                for before, after in pairwise(segment)
                if number(after) > number(before) and after.at - before.at <= rules.reach_ms
            ]
        for before_reset, after_reset in pairwise(found):
            before, after = before_reset[-1], after_reset[0]
            is_possible = 0 < number(after) <= supply.max_kwh(before.at, after.at)
            if is_possible and is_reset(number(before), number(after)) and after.at - before.at <= rules.reach_ms:
                rises.append(Rise(before.at, after.at, number(after), source))
    return sorted(rises)


def steady_rises(rises: Sequence[Rise], rules: Rules) -> set[Rise]:
    """Return the rises of counters that rise at `MIN_STEADY_RISES` successive reports or more, and by enough energy together.

    A single rise may be a correction, or a leap; a slow one is standby.
    """
    found: set[Rise] = set()
    fast = [rise for rise in rises if rise.amount * 1000 * HOUR_MS > rules.power_from_w * (rise.end - rise.start)]
    by_start = {(rise.source, rise.start): rise for rise in fast}
    ends = {(rise.source, rise.end) for rise in fast}
    for first in fast:
        if (first.source, first.start) in ends:
            continue  # it continues another one
        chain = [first]
        while (later := by_start.get((first.source, chain[-1].end))) is not None:
            chain.append(later)
        if len(chain) >= MIN_STEADY_RISES and sum(rise.amount for rise in chain) >= MIN_STEADY_KWH:
            found.update(chain)
    return found


def resets(counts: Sequence[Sample], supply: PowerSupply) -> list[Reset]:
    """Return the resets of session counters, after which another session is counted; without those while charging continued."""
    found = []
    for samples in by_source(counts).values():
        for before_reset, after_reset in pairwise(segments(samples, supply)):
            before, after = before_reset[-1], after_reset[0]
            is_possible = number(after) <= supply.max_kwh(before.at, after.at)
            if not is_reset(number(before), number(after)) or not is_possible:
                continue
            if not supply.goes_on(before, after):
                found.append(Reset(before.at, after.at, _unchanged_since(before_reset), before.source))
    return sorted(found)


class CountedSession(NamedTuple):
    """The session whose energy is counted: it charged from `start` to `end`, except in the `pauses`.

    Nothing charged at `idle_at` before (None: unknown). A reading until `base_until` was made before the session.
    `max_first_kwh` is the most that the first reading in the session can show (None: unknown), `likely_kwh` the energy by other
    measurements.
    """

    start: int
    end: int
    idle_at: int | None
    base_until: int
    likely_kwh: float | None
    max_first_kwh: float | None
    pauses: Sequence[tuple[int, int]] = ()


class CounterEnergy(msgspec.Struct, frozen=True):
    """The energy of a session by one counter; `is_filled` where a part is from another measurement, or missing."""

    kwh: float
    method: EnergyMethod
    samples: Sequence[Sample]
    is_filled: bool = False
    register_start: float | None = None
    register_end: float | None = None


def counter_energy(
    samples: Sequence[Sample],
    session: CountedSession,
    supply: PowerSupply,
    energy_between: EnergyBetween,
    *,
    is_register: bool,
) -> CounterEnergy | None:
    """Return the energy of a session by one counter, in three steps; None where the counter shows nothing of it.

    `samples` begin with the previous session and end before the next one.

    1. The segment in which the session begins: its rise, and what it counted before its first reading.
    2. Energy before that reading that the counter does not contain: from another measurement.
    3. Each further segment: its rise, and the energy between it and the one before.
    """
    found = segments(samples, supply)
    first = next((index for index, segment in enumerate(found) if segment[-1].at > session.start), None)
    if first is None:
        return None
    base = next((sample for sample in reversed(found[first]) if sample.at <= session.base_until), None)
    before = found[first - 1][-1] if first and base is None else None
    begin = _begin(found[first], base, before, session, supply, is_register=is_register)
    used = [*([base] if base else []), *(sample for sample in found[first] if sample.at > session.base_until)]
    total, is_filled = _with_missing(begin, used[0], session, supply, energy_between)
    total += _fallen_in_pauses(found[first], session.pauses)
    was_reset = False
    for index in range(first + 1, len(found)):
        last, segment = found[index - 1][-1], found[index]
        if segment[0].at > session.end:  # of the next session
            break
        # A count that has not changed since charging began is the previous session's: this one counts from its start.
        is_lagging = index == first + 1 and begin.kwh <= 0 and _unchanged_since(found[first]) <= session.start
        since = session.start if is_lagging else last.at
        between = _energy_between_segments(found, index, since, supply, energy_between, is_register=is_register)
        was_reset, is_filled = was_reset or between.is_reset, is_filled or not between.is_reset
        total += (between.kwh or 0.0) + max(0.0, number(segment[-1]) - number(segment[0]))
        total += _fallen_in_pauses(segment, session.pauses)
        used += segment
    is_unchanged = begin.continues and not is_filled and total <= 0
    if is_unchanged and (session.likely_kwh is None or session.likely_kwh >= HEATING_KWH):
        return None
    if total <= 0 and not is_filled and used[-1].at < (session.start + session.end) // 2:
        return None  # it was reported for too short a time to show that nothing was charged
    method: EnergyMethod = "lifetime" if is_register or (begin.continues and not was_reset) else "counter"
    shown = (number(used[0]), number(used[-1])) if method == "lifetime" else (None, None)
    return CounterEnergy(max(0.0, total), method, used, is_filled, *shown)


class _Begin(NamedTuple):
    """What the first segment counts of the session; `continues` where the counter was not reset for the session.

    `missing_from` is set where the first reading does not contain the energy since then.
    """

    kwh: float
    continues: bool
    missing_from: int | None = None


def _begin(
    segment: Sequence[Sample],
    base: Sample | None,
    before: Sample | None,
    session: CountedSession,
    supply: PowerSupply,
    *,
    is_register: bool,
) -> _Begin:
    """Return what the segment in which the session begins counts of it.

    `base` is the last reading from before the session in this segment, `before` the last one of the segment before.
    """
    last = number(segment[-1])
    first = next(sample for sample in segment if sample.at > session.base_until)
    if base is not None:
        rise = max(0.0, last - number(base))
        if number(base) and rise and not is_register:
            # The base may be the previous session's count, and the counter was reset below it without a report of that. It may
            # show that count until this session ends.
            own = next((sample for sample in segment if sample.at > session.base_until and sample.value != base.value), first)
            likely = _likely_kwh(segment, own, session.start) if session.likely_kwh is None else session.likely_kwh
            is_possible = number(own) <= supply.max_kwh(session.start, own.at)
            if is_possible and likely is not None and abs(last - likely) <= abs(rise - likely):
                return _Begin(last, continues=False)
        return _Begin(rise, continues=bool(number(base)) or is_register)
    rise = max(0.0, last - number(first))
    since = session.idle_at if before is None else max(before.at, session.idle_at or before.at)
    max_kwh = session.max_first_kwh if since is None else _max_kwh_since(since, first, [segment], supply, fastest=True)
    if not is_register and (max_kwh is None or number(first) <= max_kwh):
        return _Begin(rise + number(first), continues=False)
    return _Begin(rise, continues=True, missing_from=session.start)


def _with_missing(
    begin: _Begin, first: Sample, session: CountedSession, supply: PowerSupply, energy_between: EnergyBetween
) -> tuple[float, bool]:
    """Return the energy of the first segment with what its first reading does not contain, and whether anything was added.

    A counter that was reset may contain nothing from before the pause ahead of its first reading.
    """
    if begin.missing_from is not None:
        return begin.kwh + (energy_between(begin.missing_from, first.at) or 0.0), first.at > begin.missing_from
    pauses = [pause for pause in session.pauses if pause[1] <= first.at]
    if begin.continues or not pauses or number(first) > supply.max_kwh(pauses[-1][1] - NEAR_MS, first.at):
        return begin.kwh, False
    starts = [session.start, *(resumed_at for _, resumed_at in pauses)]
    flowed = sum(energy_between(start, paused_at) or 0.0 for start, (paused_at, _) in zip(starts, pauses, strict=False))
    if flowed > number(first) + SLACK_KWH:
        return begin.kwh + flowed, True
    return begin.kwh, False


class _Between(NamedTuple):
    """The energy between two segments (None: unknown); it is counted if the counter `is_reset`, else estimated."""

    kwh: float | None
    is_reset: bool


def _energy_between_segments(
    found: Sequence[Sequence[Sample]],
    index: int,
    since: int,
    supply: PowerSupply,
    energy_between: EnergyBetween,
    *,
    is_register: bool,
) -> _Between:
    """Return the energy between the segment before `index` and that at `index`; a reset was at `since` at the earliest.

    After a reset it is the new value. Without one, or if charging continued, it is from another measurement or the usual rate.
    """
    before, after = found[index - 1][-1], found[index][0]
    is_possible = not is_register and number(after) <= _max_kwh_since(since, after, found, supply, fastest=False)
    begins = is_possible and is_reset(number(before), number(after))
    if begins and not supply.goes_on(before, after):
        return _Between(number(after), is_reset=True)
    kwh = energy_between(before.at, after.at)
    if kwh is None:
        rate = _usual_rate([found[index - 1], found[index]])
        kwh = None if rate is None else rate * (after.at - before.at)
    return _Between(max(number(after), kwh or 0.0) if begins else kwh, is_reset=begins)


def _fallen_in_pauses(segment: Sequence[Sample], pauses: Sequence[tuple[int, int]]) -> float:
    """Return by how much a counter fell in the pauses of a session: what a car uses then was charged before."""
    return sum(
        max(0.0, number(before) - number(after))
        for before, after in pairwise(segment)
        if any(paused_at <= before.at and after.at <= resumed_at for paused_at, resumed_at in pauses)
    )


def _likely_kwh(segment: Sequence[Sample], first: Sample, start: int) -> float | None:
    """Return the energy of a segment if it rose before its first reading in the session as it did afterwards."""
    rate = _usual_rate([[sample for sample in segment if sample.at >= first.at]])
    return None if rate is None else number(segment[-1]) - number(first) + rate * (first.at - start)


def _max_kwh_since(
    since: int, sample: Sample, found: Sequence[Sequence[Sample]], supply: PowerSupply, *, fastest: bool
) -> float:
    """Return the most that a counter can have counted from `since` to a sample.

    The supply limits it, and the fastest or the usual rate of these segments.
    """
    max_kwh = supply.max_kwh(since, sample.at)
    rate = max(_rates(found), default=None) if fastest else _usual_rate(found)
    return max_kwh if rate is None else min(max_kwh, RATE_SHARE * rate * (sample.at - since) + SLACK_KWH)


def _usual_rate(found: Sequence[Sequence[Sample]]) -> float | None:
    """Return the median rate at which the counter rises, in kWh per millisecond; None where it does not rise."""
    rates = _rates(found)
    return median(rates) if rates else None


def _rates(found: Sequence[Sequence[Sample]]) -> list[float]:
    return [
        (number(after) - number(before)) / (after.at - before.at)
        for segment in found
        for before, after in pairwise(segment)
        if number(after) > number(before)
    ]
