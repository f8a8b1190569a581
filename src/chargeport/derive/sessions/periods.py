"""Cable periods: a vehicle's history from one disconnected cable to the next, with the stretches of charging in each.

In: the tracks of `detection.SIGNALS`. Out: the `CablePeriod`s in which it charged. What happens in a period follows from its
own reports alone, except for states of charge; so a late report concerns its own surroundings only. The steps for each period:

1. The stretches that the reports of each source show; those that overlap are one.
2. Times are removed in which charging was stated, but no power flowed and nothing rose.
3. Stretches are added where a counter or the state of charge rose without a report of charging.
4. Stretches are split where a session counter was reset.
"""

from bisect import bisect_right
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Final

import msgspec

from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions import soc, stretches
from chargeport.derive.sessions.counters import Reset, counter_rises, resets, steady_rises
from chargeport.derive.sessions.measurements import (
    CURRENT,
    ENERGY,
    REGISTER,
    Measurements,
    repeated_times,
    standby_times,
    waiting_times,
)
from chargeport.derive.sessions.reports import (
    CABLE,
    CLOCK_TOLERANCE_MS,
    POWER,
    STATUS,
    Report,
    Reports,
    StateSamples,
    instants_between,
    read_reports,
    reports_between,
)
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import SOC, Rise
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.sessions.supply import PowerSupply
from chargeport.derive.tracks import AT, Sample, Tracks, between, by_source, number, samples
from chargeport.signals.catalogue import IS_CHARGING

FOREVER: Final = 1 << 62
"""An instant after all others; -FOREVER is before all others."""


class Observations(msgspec.Struct, frozen=True):
    """All that sessions are detected from."""

    reports: Reports
    measurements: Measurements


class CablePeriod(msgspec.Struct, frozen=True):
    """The time from `start` to `end`, at both of which the cable was disconnected, with its reports and its charging.

    `start` is -FOREVER in the first period, and `end` is FOREVER in the last.
    """

    start: int
    end: int
    charging: Sequence[Report]
    plugged: Sequence[Report]
    measurements: Measurements
    resets: Sequence[Reset] = ()
    stretches: Sequence[Stretch] = ()


def read_observations(tracks: Tracks, rules: Rules) -> Observations:
    """Return what the tracks report, without what sources measured while their cable was disconnected for long."""
    power, charge = samples(tracks, POWER), soc.plausible(samples(tracks, SOC))
    reports = read_reports(
        StateSamples(
            by_source(samples(tracks, IS_CHARGING)),
            by_source(samples(tracks, STATUS)),
            by_source(samples(tracks, CABLE)),
            by_source(power),
            charge,
        ),
        rules,
    )

    def not_idle(found: Sequence[Sample]) -> list[Sample]:
        return [sample for sample in found if not reports.is_idle(sample.source, sample.at, rules)]

    current, energy, register = (not_idle(samples(tracks, signal)) for signal in (CURRENT, ENERGY, REGISTER))
    return Observations(reports, Measurements(not_idle(power), current, energy, register, charge))


def cable_periods(observations: Observations, rules: Rules) -> list[CablePeriod]:
    """Return the periods in which it charged, by time."""
    reports, found = observations.reports, []
    for start, end in pairwise([-FOREVER, *reports.unplugged, FOREVER]):
        period = CablePeriod(
            start,
            end,
            reports_between(reports.charging, start, end),
            reports_between(reports.plugged, start, end),
            observations.measurements.between(start, end),
        )
        measured = period.measurements
        if not period.charging and all(len(each) < 2 for each in (measured.energy, measured.register, measured.soc)):  # noqa: PLR2004
            continue  # nothing can show a rise
        period = _with_stretches(period, reports, rules)
        if period.stretches:
            found.append(period)
    return found


def power_supply(measurements: Measurements, reports: Reports, rules: Rules) -> PowerSupply:
    """Return the bounds of the energy that can have flowed, by the measured power."""
    return PowerSupply(measurements.power, rules.max_kw, rules.power_from_w, reports.by_source)


def _with_stretches(period: CablePeriod, reports: Reports, rules: Rules) -> CablePeriod:
    """Return the period with its resets and stretches."""
    measured = period.measurements
    supply = power_supply(measured, reports, rules)

    def not_charging(source: str, start: int, end: int) -> Sequence[int]:
        return reports.not_charging_between(source, start, end, rules)

    def rate_at(rise: Rise) -> float | None:
        """Return the power into the battery just before a rise, or just after."""
        before = between(measured.power, rise.start - rules.pause_ms, rise.start)
        near = [sample for sample in before if number(sample) > rules.power_from_w][-1:]
        after = between(measured.power, rise.end, rise.end + rules.pause_ms)
        near = near or [sample for sample in after if number(sample) > rules.power_from_w][:1]
        return rules.ac_efficiency * number(near[0]) / 1000 if near else None

    def possible(rises: Sequence[Rise], steady: AbstractSet[Rise] = frozenset()) -> list[Rise]:
        return [rise for rise in rises if _may_charge(rise, reports, rules, is_steady=rise in steady)]

    def is_denied(rise: Rise) -> bool:
        """Return whether a report inside a rise of the state of charge denies charging, and its steps do not prove it."""
        is_steady = soc.is_steady(measured.soc, rise, rules) and reports.is_plugged(rise.start, rise.end, rules)
        return not is_steady and bool(not_charging(rise.source, rise.start + 1, rise.end - 1))

    counted = [*counter_rises(measured.energy, supply, rules), *counter_rises(measured.register, supply, rules)]
    found = _reported_stretches(period, reports, rules)
    found = stretches.without(found, waiting_times(measured, found, supply, rules))
    found = stretches.without(found, standby_times(measured, found, period.charging, rules))
    found = stretches.without(found, repeated_times(measured, found, period.charging, rules), estimated=True)
    steady = steady_rises(counted, rules)
    found = stretches.with_counter_rises(
        found, possible(sorted(counted), steady), steady, not_charging, rate_at=rate_at, rules=rules
    )  # fmt: skip
    rises, jumps = soc.rises(measured.soc, rules), soc.jumps(measured.soc, rules)
    found = stretches.with_soc_rises(found, possible(rises), possible(jumps), is_denied)
    counter_resets = [reset for reset in resets(measured.energy, supply) if not _pauses(reports, reset, rules)]
    return msgspec.structs.replace(
        period, resets=counter_resets, stretches=stretches.split_at_resets(found, counter_resets)
    )  # fmt: skip


def _pauses(reports: Reports, reset: Reset, rules: Rules) -> bool:
    """Return whether a counter was reset in a pause of a session: its source reported a connected cable all the time."""
    own = reports.by_source.get(reset.source)
    return own is not None and own.pauses_throughout(reset.before, reset.at, rules)


def _reported_stretches(period: CablePeriod, reports: Reports, rules: Rules) -> list[Stretch]:
    """Return the stretches that the reports of each source show, as one list."""
    found: list[Stretch] = []
    start, end = period.start, period.end
    for source, own in reports.by_source.items():
        charging = reports_between(own.charging, start, end)
        if not charging:
            continue
        not_charging = instants_between(own.not_charging, start, end)
        if end != FOREVER:
            not_charging = sorted({*not_charging, end})
        others = [other for name, other in reports.by_source.items() if name != source]
        other_ends = sorted(at for other in others for at in instants_between(other.charging_ends, start, end))
        found += stretches.from_reports(charging, not_charging, other_ends, rules)
    return stretches.merged(found)


def _may_charge(rise: Rise, reports: Reports, rules: Rules, *, is_steady: bool) -> bool:
    """Return whether the vehicle may have charged during a rise.

    It did not between two reports of its source, soon after each other, that both deny charging or a connected cable; but a
    counter that rises on and on counts what flows between such reports (`is_steady`). A longer rise with a disconnected cable
    before and after must be a large one.
    """
    own = reports.by_source.get(rise.source)
    if own is None:
        return True
    denied = [
        min((abs(each - at) for each in own.not_charging), default=FOREVER) <= CLOCK_TOLERANCE_MS
        for at in (rise.start, rise.end)
    ]
    unplugged = [own.cable_at(at + 1, rules) is False for at in (rise.start, rise.end)]
    if rise.end - rise.start <= rules.pause_ms:
        return (is_steady or not all(denied)) and not all(unplugged)
    return not all(unplugged) or rise.amount >= rules.soc_step_percent


def session_groups(period: CablePeriod, rules: Rules) -> list[list[Stretch]]:
    """Return the stretches of each session of a period.

    A pause is part of a session if it is short, or the cable stays connected in it; not if a counter was reset in it, or the
    state of charge fell so far that the car was driven.
    """
    groups: list[list[Stretch]] = []
    for stretch in period.stretches:
        if groups and _is_same_session(period, groups[-1][-1], stretch, rules):
            groups[-1].append(stretch)
        else:
            groups.append([stretch])
    return [_without_first_handshakes(group, period.measurements.power, rules) for group in groups]


def _without_first_handshakes(group: list[Stretch], power: Sequence[Sample], rules: Rules) -> list[Stretch]:
    """Return the stretches from the first one that is more than a handshake: longer, or with energy; all where none is."""
    for index, stretch in enumerate(group):
        max_w = max((number(sample) for sample in between(power, stretch.start, stretch.end)), default=0.0)
        duration_ms = stretch.end - stretch.start
        if duration_ms > rules.handshake_ms or max_w / 1000 * duration_ms / HOUR_MS >= rules.min_energy_kwh:
            return group[index:]
    return group


def _is_same_session(period: CablePeriod, before: Stretch, after: Stretch, rules: Rules) -> bool:
    if stretches.is_reset_between(before, after, period.resets):
        return False
    if soc.has_fallen(period.measurements.soc, before.end, after.start, rules):
        return False
    is_short = after.start - before.end <= rules.pause_ms
    return is_short or stays_plugged(period.plugged, before.end + rules.pause_ms, after.start, rules)


def stays_plugged(plugged: Sequence[Report], from_at: int, to_at: int, rules: Rules) -> bool:
    """Return whether reports show a connected cable at every instant from `from_at` to `to_at`."""
    first = bisect_right(plugged, from_at, key=AT)
    known = plugged[max(0, first - 1) : bisect_right(plugged, to_at, key=AT)]
    if not known or known[0].at > from_at:
        return False
    instants = [*(report.at for report in known), to_at]
    return all(after - before <= rules.cable_holds_ms for before, after in pairwise(instants))
