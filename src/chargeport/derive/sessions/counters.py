"""What energy counters say: session counters, registers that count on, and what both show that can't be true."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, Literal, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import Rise
from chargeport.derive.tracks import Sample, by_source, number

EnergyMethod = Literal["counter", "lifetime", "integral", "state_of_charge", "reported"]

FALL_KWH: Final = 0.5
FALL_SHARE: Final = 0.1
FALL_MOST_KWH: Final = 3.0
"""A counter may fall by as much while the car heats itself."""
RETURNS_MS: Final = 2 * HOUR_MS
"""A counter that is back on its old course so soon never began anew: the reports between were of something else."""
STILL_KWH: Final = 1.0
"""So much a car may draw to heat itself while its counter of charged energy stands still."""
SLACK_KWH: Final = 0.5
NEAR_MS: Final = 15 * MINUTE_MS
LAG_MS: Final = 10 * MINUTE_MS
"""A counter may show the session before for so long after charging began."""
PACE_SHARE: Final = 1.5

Fill = Callable[[int, int], float | None]
"""Returns the energy between two instants by another measure; None where there is none."""


class Reset(NamedTuple):
    """The last report of an old count and the first of a new one; the old one had not risen since `still_since`."""

    before: int
    at: int
    still_since: int


class Plug(msgspec.Struct, frozen=True):
    """What the plug can give: by the power that was measured around an instant, else by what chargers have."""

    power: Sequence[Sample]
    most_kw: float
    from_w: float

    def most_kwh(self, start: int, end: int) -> float:
        """Return the most that can have flowed from one instant to the other."""
        measured = self._measured_kw(start, end)
        kw = self.most_kw if measured is None else measured * PACE_SHARE
        return kw * (end - start) / HOUR_MS + SLACK_KWH

    def flows(self, start: int, end: int) -> bool:
        """Return whether power was measured at both ends, and all the time between."""
        return self._measured_kw(start, end) is not None

    def flowing_since(self, at: int) -> int:
        """Return since when power was measured without a break up to an instant; that instant where it was not."""
        since = at
        for each in reversed(self.power[: bisect_right(self.power, at, key=lambda each: each.at)]):
            if since - each.at > NEAR_MS or number(each) <= self.from_w:
                break
            since = each.at
        return since

    def _measured_kw(self, start: int, end: int) -> float | None:
        first = bisect_left(self.power, start - NEAR_MS, key=lambda each: each.at)
        near = self.power[first : bisect_right(self.power, end + NEAR_MS, first, key=lambda each: each.at)]
        if not near or near[0].at > start or near[-1].at < end:
            return None
        apart = any(other.at - one.at > NEAR_MS for one, other in pairwise(near))
        watts = [number(each) for each in near]
        return None if apart or min(watts) <= self.from_w else max(watts) / 1000


class Counted(msgspec.Struct, frozen=True):
    """What one counter says of a session; `filled` where a part of it comes from another measure, or is missing."""

    kwh: float
    method: EnergyMethod
    samples: Sequence[Sample]
    filled: bool = False
    register_start: float | None = None
    register_end: float | None = None


def is_reset(before: float, after: float) -> bool:
    """Return whether a counter began anew, as against fell a little."""
    fall = before - after
    least = max(FALL_KWH, min(FALL_SHARE * before, FALL_MOST_KWH))
    return fall >= least or (fall > 0 and before >= 2 * FALL_KWH / 5 and after <= before / 2)


def runs(own: Sequence[Sample], plug: Plug) -> list[list[Sample]]:
    """Return one counter's samples in runs in which it counts on, by no more than the plug can give.

    Reports after which it goes on as if they had not been are left out.
    """
    found: list[list[Sample]] = []
    for sample in own:
        if len(found) > 1 and _is_back(found[-2], found[-1], sample):
            found.pop()
            found[-1].append(sample)
        elif found and (_counts_on(found[-1][-1], sample, plug) or _catches_up(found[-1], sample, plug)):
            found[-1].append(sample)
        else:
            found.append([sample])
    index = 0
    while index + 2 < len(found):
        last = found[index][-1]
        back = next(
            (
                later
                for later in range(index + 2, len(found))
                if found[later][0].at - last.at <= RETURNS_MS and _counts_on(last, found[later][0], plug)
            ),
            None,
        )
        if back is None:
            index += 1
        else:
            found[index : back + 1] = [[*found[index], *found[back]]]
    return found


def _is_back(before: Sequence[Sample], run: Sequence[Sample], sample: Sample) -> bool:
    """Return whether a counter goes on at its old pace where it had stopped, and would have to leap from where it fell to."""
    last = before[-1]
    grown, leapt = number(sample) - number(last), number(sample) - number(run[-1])
    if sample.at - last.at > RETURNS_MS or grown < 0 or leapt <= grown:
        return False
    newest = before[bisect_left(before, last.at - RETURNS_MS, key=lambda each: each.at) :]
    most_a_ms = PACE_SHARE * (_pace([newest, run]) or 0.0)
    return grown <= most_a_ms * (sample.at - last.at) and leapt > most_a_ms * (sample.at - run[-1].at) + SLACK_KWH


def _catches_up(run: Sequence[Sample], sample: Sample, plug: Plug) -> bool:
    """Return whether a counter that stood still under power has gone on by what can have flowed meanwhile."""
    since = max(_still_since(run), plug.flowing_since(sample.at), sample.at - RETURNS_MS)
    return since < run[-1].at and 0 < number(sample) - number(run[-1]) <= plug.most_kwh(since, sample.at)


def _counts_on(one: Sample, other: Sample, plug: Plug) -> bool:
    grown = number(other) - number(one)
    return not is_reset(number(one), number(other)) and grown <= plug.most_kwh(one.at, other.at)


def counter_rises(counts: Sequence[Sample], plug: Plug, rules: Rules) -> list[Rise]:
    """Return where a counter rose from one report to the next; after it began anew, all that it shows."""
    found = []
    for source, own in by_source(counts).items():
        whole = runs(own, plug)
        for run in whole:
            found += [
                Rise(one.at, other.at, number(other) - number(one), source)
                for one, other in pairwise(run)
                if number(other) > number(one) and other.at - one.at <= rules.reach_ms
            ]
        for before, after in pairwise(whole):
            one, other = before[-1], after[0]
            if 0 < number(other) <= plug.most_kwh(one.at, other.at) and is_reset(number(one), number(other)):
                found += [Rise(one.at, other.at, number(other), source)] if other.at - one.at <= rules.reach_ms else []
    return sorted(found)


def resets(counts: Sequence[Sample], plug: Plug) -> list[Reset]:
    """Return where a counter of sessions began anew, so that another session is counted; not where power flowed on."""
    found = []
    for own in by_source(counts).values():
        for before, after in pairwise(runs(own, plug)):
            one, other = before[-1], after[0]
            begins = is_reset(number(one), number(other)) and number(other) <= plug.most_kwh(one.at, other.at)
            if begins and not (other.at - one.at <= NEAR_MS and plug.flows(one.at, other.at)):
                found.append(Reset(one.at, other.at, _still_since(before)))
    return sorted(found)


def _still_since(run: Sequence[Sample]) -> int:
    """Return since when a run has shown the number that it ends with."""
    since = run[-1].at
    for sample in reversed(run):
        if number(sample) != number(run[-1]):
            break
        since = sample.at
    return since


class Span(NamedTuple):
    """The session that is counted: its charging from `start` to `end`; nothing charged at `idle_at` before (None: not known).

    A reading until `base_until` was made before it charged. `most_kwh` is the most that a first reading can show. `pauses` are
    from when to when nothing charged between.
    """

    start: int
    end: int
    idle_at: int | None
    base_until: int
    likely_kwh: float | None
    most_kwh: float | None
    pauses: Sequence[tuple[int, int]] = ()


def counted(own: Sequence[Sample], span: Span, plug: Plug, fill: Fill, *, is_register: bool) -> Counted | None:
    """Return what one counter rose by in a session. `own` begins with the session before and ends before the next.

    What it rose by between two runs, which no report shows, is filled from other measures.
    """
    whole = runs(own, plug)
    first = next((index for index, run in enumerate(whole) if run[-1].at > span.start), None)
    if first is None:
        return None
    run = whole[first]
    base = next((sample for sample in reversed(run) if sample.at <= span.base_until), None)
    before = whole[first - 1][-1] if first and base is None else None
    begun = _begun(run, base, before, span, plug, is_register=is_register)
    total, filled, began_anew = begun.kwh, False, False
    used = [*([base] if base else []), *(sample for sample in run if sample.at > span.base_until)]
    if begun.missing_from is not None:
        added = fill(begun.missing_from, used[0].at)
        total, filled = total + (added or 0.0), used[0].at > begun.missing_from
    elif earlier := _charged_before(used[0], begun, span, plug):
        flowed = sum(fill(*each) or 0.0 for each in earlier)
        if flowed > number(used[0]) + SLACK_KWH:
            total, filled = total + flowed, True
    for index in range(first + 1, len(whole)):
        one, other = whole[index - 1][-1], whole[index][0]
        if other.at > span.end:  # the next session's
            break
        # A count that stood still since charging began was the session's before: the new one counts from the begin.
        lags = index == first + 1 and begun.kwh <= 0 and _still_since(whole[first]) <= span.start
        since = span.start if lags else one.at
        anew = number(other) if not is_register and number(other) <= _most_anew(since, other, whole, plug) else None
        begins = is_reset(number(one), number(other)) and anew is not None
        began_anew = began_anew or begins
        if not begins or plug.flows(one.at, other.at):
            added = fill(one.at, other.at)
            added = _at_pace(whole[index - 1], whole[index], other.at - one.at) if added is None else added
            filled = filled or not begins
            anew = max(anew or 0.0, added or 0.0) if begins else added
        total += (anew or 0.0) + max(0.0, number(whole[index][-1]) - number(other))
        used += whole[index]
    stands_still = begun.is_counting_on and not filled and total <= 0
    if stands_still and (span.likely_kwh is None or span.likely_kwh >= STILL_KWH):
        return None
    method: EnergyMethod = "lifetime" if is_register or (begun.is_counting_on and not began_anew) else "counter"
    shown = (number(used[0]), number(used[-1])) if method == "lifetime" else (None, None)
    return Counted(max(0.0, total), method, used, filled, *shown)


class _Begun(NamedTuple):
    kwh: float  # what the first run counts of the session
    is_counting_on: bool
    missing_from: int | None = None  # since when energy is missing that the first reading does not show


def _begun(
    run: Sequence[Sample], base: Sample | None, before: Sample | None, span: Span, plug: Plug, *, is_register: bool
) -> _Begun:
    """Return what the run in which the session begins counts of it."""
    last = number(run[-1])
    first = next(sample for sample in run if sample.at > span.base_until)
    if base is not None:
        grown = max(0.0, last - number(base))
        if number(base) and grown and not is_register:
            # It may be an old session's count, and the new one's began anew below it, unseen.
            likely = _likely_by_pace(run, first, span.start) if span.likely_kwh is None else span.likely_kwh
            is_possible = number(first) <= plug.most_kwh(span.start, first.at)
            if is_possible and likely is not None and abs(last - likely) <= abs(grown - likely):
                return _Begun(last, is_counting_on=False)
        return _Begun(grown, is_counting_on=bool(number(base)) or is_register)
    grown = max(0.0, last - number(first))
    since = span.idle_at if before is None else max(before.at, span.idle_at or before.at)
    most = span.most_kwh if since is None else _most_since(since, first, run, plug)
    if not is_register and (most is None or number(first) <= most):
        return _Begun(grown + number(first), is_counting_on=False)
    return _Begun(grown, is_counting_on=True, missing_from=span.start)


def _charged_before(first: Sample, begun: _Begun, span: Span, plug: Plug) -> list[tuple[int, int]]:
    """Return when it charged before the pause ahead of a first reading; nothing where the reading shows more than flowed since.

    A counter that begins so may count nothing of what came before the pause.
    """
    pauses = [each for each in span.pauses if each[1] <= first.at]
    if begun.is_counting_on or not pauses or number(first) > plug.most_kwh(pauses[-1][1] - NEAR_MS, first.at):
        return []
    begins = [span.start, *(resumed_at for _, resumed_at in pauses)]
    return [(begin, paused_at) for begin, (paused_at, _) in zip(begins, pauses, strict=False)]


def _likely_by_pace(run: Sequence[Sample], first: Sample, start: int) -> float | None:
    """Return what a run comes to if it rose before its first reading in the session as it did afterwards."""
    pace = _pace([[sample for sample in run if sample.at >= first.at]])
    return None if pace is None else number(run[-1]) - number(first) + pace * (first.at - start)


def _most_since(since: int, first: Sample, run: Sequence[Sample], plug: Plug) -> float:
    """Return the most that a counter can show of a session when it is first seen: it charged no faster before than it does."""
    fastest = max(_paces([run]), default=None)
    most = plug.most_kwh(since, first.at)
    return most if fastest is None else min(most, PACE_SHARE * fastest * (first.at - since) + SLACK_KWH)


def _most_anew(since: int, other: Sample, whole: Sequence[Sequence[Sample]], plug: Plug) -> float:
    """Return the most that a counter which began anew at `since` at the earliest can show."""
    most = plug.most_kwh(since, other.at)
    pace = _pace(whole)
    return most if pace is None else min(most, PACE_SHARE * pace * (other.at - since) + SLACK_KWH)


def _pace(whole: Sequence[Sequence[Sample]]) -> float | None:
    """Return how many kWh a millisecond the counter rises by, where it rises."""
    paces = _paces(whole)
    return median(paces) if paces else None


def _paces(whole: Sequence[Sequence[Sample]]) -> list[float]:
    return [
        (number(other) - number(one)) / (other.at - one.at)
        for run in whole
        for one, other in pairwise(run)
        if number(other) > number(one)
    ]


def _at_pace(one: Sequence[Sample], other: Sequence[Sample], long_ms: int) -> float | None:
    pace = _pace([one, other])
    return None if pace is None else pace * long_ms
