"""The samples of measured signals, and the times in which they show that nothing was charged.

In: the samples of all sources, and stretches of charging. Out: the times that are to be removed from the stretches: in them,
charging was reported, but no power flowed and nothing rose; or little power flowed, and the measures of energy did not rise; or
every report repeated the one before.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.sessions import power, soc
from chargeport.derive.sessions.counters import counter_rises
from chargeport.derive.sessions.reports import POWER, Report, reports_between
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.sessions.supply import PowerSupply
from chargeport.derive.tracks import Sample, between, by_source, number
from chargeport.signals.catalogue import BY_CODE

ENERGY: Final = BY_CODE["charge-energyadded"]
REGISTER: Final = BY_CODE["chargeport-energyregister"]
CURRENT: Final = BY_CODE["charge-amperage"]

STANDBY_SHARE: Final = 0.25
"""Power up to this share of the highest of a stretch may be standby: it is charging only if something rises."""
MIN_STEPS: Final = 3
MAX_RESTS: Final = 3
"""A measure that did not rise for so many times its longest rest has ended to rise."""
FULL_PERCENT: Final = 100.0
"""A state of charge does not rise above this."""


class Measurements(msgspec.Struct, frozen=True):
    """The samples of measured signals, of all sources, by time."""

    power: Sequence[Sample]
    current: Sequence[Sample]
    energy: Sequence[Sample]
    register: Sequence[Sample]
    soc: Sequence[Sample]

    def between(self, start: int, end: int) -> "Measurements":
        """Return those from `start` to `end`, both included."""
        return Measurements(*(between(getattr(self, name), start, end) for name in self.__struct_fields__))


def waiting_times(measured: Measurements, found: Sequence[Stretch], supply: PowerSupply, rules: Rules) -> list[tuple[int, int]]:
    """Return the long times in which charging was stated, but no power flowed and nothing rose."""
    waiting = []
    for stretch in found:
        for start, end in _times_without_flow(measured, stretch, rules):
            times = [(start, end)]
            rising = _rising_time(measured, start, end, supply, rules)
            if rising is not None:
                times = [(start, rising[0]), (rising[1], end)]
            waiting += [(from_at, to_at) for from_at, to_at in times if to_at - from_at > rules.waiting_ms]
    return waiting


def _times_without_flow(measured: Measurements, stretch: Stretch, rules: Rules) -> list[tuple[int, int]]:
    """Return the times in which no source measured power or current, from the first report of that to the first of a flow."""
    flows = [
        (sample.at, sample.source, signal.code, number(sample) > min_value)
        for signal, signal_samples, min_value in (
            (POWER, measured.power, rules.power_from_w),
            (CURRENT, measured.current, rules.current_from_a),
        )
        for sample in between(signal_samples, stretch.start, stretch.end)
    ]
    flows.sort()
    found: list[tuple[int, int]] = []
    latest: dict[tuple[str, str], bool] = {}  # whether there is a flow, by source and signal
    since: int | None = None
    for at, source, code, is_flowing in flows:
        latest[source, code] = is_flowing
        if any(latest.values()):
            if since is not None:
                found.append((since, at))
            since = None
        elif since is None:
            is_first = at == flows[0][0] and at - stretch.start <= rules.waiting_ms
            since = stretch.start if is_first else at
    if since is not None:
        found.append((since, stretch.end))
    return found


def _rising_time(measured: Measurements, start: int, end: int, supply: PowerSupply, rules: Rules) -> tuple[int, int] | None:
    """Return the part of a time in which a state of charge or a counter rose; None where none did."""
    rising = soc.rising_time(measured.soc, start, end, rules)
    found = [] if rising is None else [rising]
    for counts in (measured.energy, measured.register):
        rises = counter_rises(between(counts, start, end), supply, rules)
        if sum(rise.amount for rise in rises) >= rules.min_rise_kwh:
            found.append((rises[0].start, max(rise.end for rise in rises)))
    return (min(from_at for from_at, _ in found), max(to_at for _, to_at in found)) if found else None


def standby_times(
    measured: Measurements, found: Sequence[Stretch], charging: Sequence[Report], rules: Rules
) -> list[tuple[int, int]]:
    """Return the long times with little power and no report of charging, in which a measure that rose before did not rise."""
    standby = []
    for stretch in found:
        for start, end in _times_of_little_power(measured.power, stretch):
            if end - start <= rules.waiting_ms or any(each.is_stated for each in reports_between(charging, start, end)):
                continue
            if _rests(measured, stretch, (start, end), rules):
                standby.append((start, end))
    return standby


def _times_of_little_power(samples: Sequence[Sample], stretch: Stretch) -> Iterator[tuple[int, int]]:
    """Yield the times in which all samples are small against the highest one of the stretch."""
    within = between(samples, stretch.start, stretch.end)
    limit_w = STANDBY_SHARE * max((number(sample) for sample in within), default=0.0)
    since: int | None = None
    for sample in within:
        if number(sample) <= limit_w:
            since = sample.at if since is None else since
        elif since is not None:
            yield since, sample.at
            since = None
    if since is not None:
        yield since, stretch.end


def _rests(measured: Measurements, stretch: Stretch, time: tuple[int, int], rules: Rules) -> bool:
    """Return whether a counter, or the state of charge, that rose in the stretch does not show the energy of that time."""
    soc_kwh = float("inf") if rules.capacity_kwh is None else rules.soc_idle_percent / 100 * rules.capacity_kwh
    for samples, min_kwh, highest in (
        (measured.energy, rules.min_rise_kwh, float("inf")),
        (measured.register, rules.min_rise_kwh, float("inf")),
        (measured.soc, soc_kwh, FULL_PERCENT),
    ):
        for own in by_source(between(samples, stretch.start, stretch.end)).values():
            known = between(own, *time)
            if not known or number(own[-1]) == number(own[0]) or not number(known[-1]) <= number(known[0]) < highest:
                continue
            kwh = power.energy_between(measured.power, known[0].at, known[-1].at, rules)
            if kwh is not None and rules.ac_efficiency * kwh >= min_kwh:
                return True
    return False


def repeated_times(
    measured: Measurements, found: Sequence[Stretch], charging: Sequence[Report], rules: Rules
) -> list[tuple[int, int]]:
    """Return the long times before the end of a stretch, and after its start, in which reports of charging only repeat values.

    A cloud goes on with the last report of a car, or says that a car charges which waits, or is full. Its counter, or its state
    of charge, then no longer rises as before, or does not rise yet. Power that varies, or flows before anything rises, shows
    that the reports are new.
    """
    repeated = []
    for stretch in found:
        rising = list(_rising_measures(measured, stretch, rules))
        if not rising:
            continue
        times = (stretch.start, min(each.began_at for each in rising)), (max(each.ended_at for each in rising), stretch.end)
        longest_ms = max(each.longest_rest_ms for each in rising)
        sources = {each.source for each in rising}
        for start, end in times:
            flows = any(number(each) > rules.power_from_w for each in between(measured.power, start, end))
            is_waiting = start != stretch.start or not flows
            if end - start > longest_ms and is_waiting and _repeats(measured, charging, (start, end), sources):
                repeated.append((start, end))
    return repeated


class _RisingMeasure(NamedTuple):
    """When a counter or a state of charge rose, and the longest time for which it may not rise although it charges."""

    source: str
    began_at: int
    ended_at: int
    longest_rest_ms: int


def _rising_measures(measured: Measurements, stretch: Stretch, rules: Rules) -> Iterator[_RisingMeasure]:
    """Yield each counter and state of charge that rose in a stretch."""
    for samples, min_rise, highest, min_rest_ms in (
        (measured.energy, rules.min_rise_kwh, float("inf"), rules.waiting_ms),
        (measured.register, rules.min_rise_kwh, float("inf"), rules.waiting_ms),
        (measured.soc, rules.soc_idle_percent, FULL_PERCENT, soc.SETTLED_MS),
    ):
        for source, own in by_source(between(samples, stretch.start, stretch.end)).items():
            steps = [(before.at, after.at) for before, after in pairwise(own) if number(after) > number(before)]
            if len(steps) < MIN_STEPS or number(own[-1]) - number(own[0]) < min_rise:
                continue
            longest_ms = max(later - earlier for (_, earlier), (_, later) in pairwise(steps))
            # At 100 % a car may balance its battery for long.
            is_balancing = number(own[-1]) >= highest and bool(between(measured.power, steps[-1][1] + 1, stretch.end))
            last_at = stretch.end if is_balancing else steps[-1][1]
            yield _RisingMeasure(source, steps[0][0], last_at, max(MAX_RESTS * longest_ms, min_rest_ms))


def _repeats(measured: Measurements, charging: Sequence[Report], time: tuple[int, int], sources: set[str]) -> bool:
    """Return whether all reports of charging of a time are of these sources, several, and with values that do not vary."""
    reports = reports_between(charging, *time)
    if len(reports) < MIN_STEPS or not {report.source for report in reports} <= sources:
        return False
    for samples in (measured.power, measured.current):
        for own in by_source(between(samples, time[0] + 1, time[1] - 1)).values():
            if len({sample.value for sample in own}) > 1:
                return False
    return True
