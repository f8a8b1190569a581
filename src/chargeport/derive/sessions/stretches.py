"""Stretches: the times in which it charged without a known pause.

They come from the reports of charging and, where there are none, from what rose meanwhile (a counter, the state of charge).
Everything in this module concerns one cable period: the time from one disconnected cable to the next.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Final, NamedTuple

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.counters import COUNTER_LAG_MS, Reset
from chargeport.derive.sessions.reports import CLOCK_TOLERANCE_MS, CONTINUOUS_MS, Report, instants_between
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import Rise

RateAt = Callable[[Rise], float | None]
"""Return the power in kW around a rise; None where it is unknown."""
NotCharging = Callable[[str, int, int], Sequence[int]]
"""Return the instants without charging, for the rises of one source, from one instant to another, both included."""


USUAL_REPORTS: Final = 4
"""The longest interval between this many last reports is the usual one: a source that sends changes reports irregularly."""


class Stretch(NamedTuple):
    """Charging without a known pause; `estimated` where an end was not reported when it happened."""

    start: int
    end: int
    estimated: bool = False


def from_reports(
    charging: Sequence[Report], not_charging: Sequence[int], other_ends: Sequence[int], rules: Rules
) -> list[Stretch]:
    """Return the stretches that one source's reports show.

    `not_charging` are its instants without charging, with the end of the cable period. `other_ends` are the ends of charging
    that other sources report: they count where this source is silent. A single report right after such an end is a repetition
    by a slower clock, and shows charging at its own instant only.
    """
    stretches: list[Stretch] = []
    ends = sorted({*not_charging, *other_ends})
    index = 0
    while index < len(charging):
        last = index
        while last + 1 < len(charging) and _continues(charging[last], charging[last + 1], not_charging, other_ends, rules):
            last += 1
        at = charging[index].at
        ended_at = stretches[-1].end if stretches else None
        is_repetition = (
            last == index
            and ended_at is not None
            and at - ended_at <= CLOCK_TOLERANCE_MS
            and not instants_between(not_charging, ended_at, ended_at)
        )
        stretches.append(Stretch(at, at) if is_repetition else _up_to_its_end(charging[index : last + 1], ends, rules))
        index = last + 1
    return merged(stretches)


def _continues(before: Report, after: Report, not_charging: Sequence[int], other_ends: Sequence[int], rules: Rules) -> bool:
    """Return whether it charged between two reports of charging."""
    max_interval_ms = rules.state_bridges_ms if before.is_stated and after.is_stated else rules.pause_ms
    if after.at - before.at > max_interval_ms or instants_between(not_charging, before.at, after.at):
        return False
    return after.at - before.at <= CONTINUOUS_MS or not instants_between(other_ends, before.at + 1, after.at - 1)


def _up_to_its_end(charging: Sequence[Report], not_charging: Sequence[int], rules: Rules) -> Stretch:
    """Return the stretch of consecutive reports, up to the report of its end if that came in time; else up to the last report.

    The report of the end may be lost, and the next one come much later. A single report may be that of a source that sends
    changes only: it holds until the next one.
    """
    start, last = charging[0].at, charging[-1]
    index = bisect_left(not_charging, last.at)
    if index == len(not_charging) or not_charging[index] - last.at > rules.reach_ms:
        return Stretch(start, last.at, estimated=True)
    end, silent_ms = not_charging[index], not_charging[index] - last.at
    if len(charging) > 1:
        usual_ms = max(after.at - before.at for before, after in pairwise(charging[-USUAL_REPORTS:]))
        in_time = silent_ms <= max(2 * usual_ms, MINUTE_MS)
        return Stretch(start, end if in_time else last.at, estimated=not in_time)
    holds_ms = rules.state_holds_ms if last.is_stated else rules.pause_ms
    return Stretch(start, end if silent_ms <= holds_ms else last.at, estimated=silent_ms > rules.pause_ms)


def with_counter_rises(
    stretches: list[Stretch],
    rises: Sequence[Rise],
    steady: AbstractSet[Rise],
    not_charging: NotCharging,
    *,
    rate_at: RateAt,
    rules: Rules,
) -> list[Stretch]:
    """Return the stretches and those that only a counter shows. A rise that overlaps a stretch adds nothing.

    A small rise that is not `steady` may be a correction if it is long, next to a stretch, or contains a report without
    charging.
    """
    added = []
    for rise in rises:
        is_denied = bool(not_charging(rise.source, rise.start, rise.end))
        if _overlaps(stretches, rise.start, rise.end):
            continue
        is_long = rise.end - rise.start > rules.pause_ms
        is_adjacent = any(each.end == rise.start or each.start == rise.end for each in stretches)
        may_be_correction = is_adjacent or ((is_denied or is_long) and rise not in steady)
        if may_be_correction and rise.amount < rules.min_rise_kwh:
            continue
        rate_kw = rate_at(rise) if is_denied or is_long else None
        beside = _rise_beside(rise, rises, rules) if is_long and rate_kw is None else None
        added.append(_stretch_of_rise(stretches, rise, rate_kw) if beside is None else _stretch_beside(beside, rise))
    return merged([*stretches, *added])


def _rise_beside(rise: Rise, rises: Sequence[Rise], rules: Rules) -> Rise | None:
    """Return the rise of the same counter right after the first one of several, or right before the last one.

    Between two others a rise is the first one after a pause if it is slower than any charging. Return None for another one.
    """
    own = [each for each in rises if each.source == rise.source]
    before = next((each for each in own if each.end == rise.start), None)
    after = next((each for each in own if each.start == rise.end), None)
    mean_w = rise.amount * 1000 / ((rise.end - rise.start) / HOUR_MS)
    is_between = before is not None and after is not None
    return None if is_between and mean_w > rules.power_from_w else after or before


def _stretch_beside(beside: Rise, rise: Rise) -> Stretch:
    """Return the stretch of a long rise, next to another one, for as long as it takes at the rate of that one.

    A counter that is reported on change had its last value for a long time before it began to rise.
    """
    duration_ms = min(rise.end - rise.start, round(rise.amount / beside.amount * (beside.end - beside.start)))
    if beside.end == rise.start:
        return Stretch(rise.start, rise.start + duration_ms, estimated=True)
    return Stretch(rise.end - duration_ms, rise.end, estimated=True)


def _stretch_of_rise(stretches: Sequence[Stretch], rise: Rise, rate_kw: float | None) -> Stretch:
    """Return the stretch that a rise shows: next to the stretch that it continues, as long as it takes at that rate.

    Without a stretch next to it, or without a rate, it is as long as the rise.
    """
    duration_ms = rise.end - rise.start
    if rate_kw:
        duration_ms = min(duration_ms, round(rise.amount / rate_kw * HOUR_MS))
    if any(each.end == rise.start for each in stretches):
        return Stretch(rise.start, rise.start + duration_ms, estimated=True)
    if any(each.start == rise.end for each in stretches):
        return Stretch(rise.end - duration_ms, rise.end, estimated=True)
    return Stretch(rise.start, rise.end, estimated=rate_kw is not None)


def with_soc_rises(
    stretches: list[Stretch], rises: Sequence[Rise], jumps: Sequence[Rise], is_denied: Callable[[Rise], bool]
) -> list[Stretch]:
    """Return the stretches and those that only the state of charge shows, unless that is denied."""
    for found in (rises, jumps):
        added = [
            Stretch(rise.start, rise.end, estimated=True)
            for rise in found
            if not _overlaps(stretches, rise.start, rise.end) and not is_denied(rise)
        ]
        stretches = merged([*stretches, *added])
    beyond = [
        Stretch(end, jump.end, estimated=True) for jump in jumps for end in _lost_ends(stretches, jump) if not is_denied(jump)
    ]
    return merged([*stretches, *beyond])


def _lost_ends(stretches: Sequence[Stretch], jump: Rise) -> list[int]:
    """Return the end of the only stretch in a jump of the state of charge, if it was not reported: it charged on."""
    within = [each for each in stretches if each.start < jump.end and each.end > jump.start]
    return [each.end for each in within if len(within) == 1 and each.estimated and each.end < jump.end]


def without(stretches: Sequence[Stretch], times: Sequence[tuple[int, int]], *, estimated: bool = False) -> list[Stretch]:
    """Return the stretches without the given times, whose starts are `estimated` ends of stretches, or reported ones."""
    remaining = list(stretches)
    for start, end in times:
        left = [Stretch(each.start, min(each.end, start), estimated) for each in remaining if each.start < start < each.end]
        right = [Stretch(max(each.start, end), each.end, each.estimated) for each in remaining if each.start < end < each.end]
        untouched = [each for each in remaining if each.end <= start or each.start >= end]
        remaining = sorted([*untouched, *left, *right])
    return remaining


def split_at_resets(stretches: Sequence[Stretch], resets: Sequence[Reset]) -> list[Stretch]:
    """Return the stretches, split where a counter was reset: another session began then."""
    split = list(stretches)
    for reset in resets:
        for index, stretch in enumerate(split):
            if _counted(stretch, reset) and reset.at < stretch.end:
                split[index : index + 1] = [
                    Stretch(stretch.start, reset.before, estimated=True),
                    Stretch(reset.at, stretch.end, stretch.estimated),
                ]
                break
    return split


def is_reset_between(before: Stretch, after: Stretch, resets: Sequence[Reset]) -> bool:
    """Return whether a counter was reset between two stretches, so that they are two sessions."""
    return any(_counted(before, reset) and before.end <= reset.at <= after.start + COUNTER_LAG_MS for reset in resets)


def _counted(stretch: Stretch, reset: Reset) -> bool:
    """Return whether the counter counted this stretch before its reset; else its last value was from before the stretch."""
    return stretch.start + COUNTER_LAG_MS < reset.before and reset.unchanged_since > stretch.start


def merged(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Return the stretches by time, those that overlap or touch as one.

    The end of such a stretch is estimated if that of the later one is; if they end together, if both are.
    """
    result: list[Stretch] = []
    for stretch in sorted(stretches):
        if not result or stretch.start > result[-1].end:
            result.append(stretch)
            continue
        last = result[-1]
        if stretch.end == last.end:
            estimated = stretch.estimated and last.estimated
        elif stretch.start == last.end:
            estimated = stretch.estimated or last.estimated
        else:
            estimated = stretch.estimated if stretch.end > last.end else last.estimated
        result[-1] = Stretch(last.start, max(last.end, stretch.end), estimated)
    return result


def _overlaps(stretches: Sequence[Stretch], start: int, end: int) -> bool:
    index = bisect_right(stretches, start, key=lambda stretch: stretch.end)
    return index < len(stretches) and stretches[index].start < end
