"""The reports of each source about charging and the cable, at their instants.

In: the samples of charge-ischarging, the detailed status, the cable, power and the state of charge. Out: `Reports`, the
instants at which each source shows charging, no charging, a connected and a disconnected cable. In three steps:

1. Statements of a source (charge-ischarging, the status) count directly.
2. Power shows charging, or none, if there is no fresh statement. A single high sample does not, nor does heating.
3. A disconnected cable counts for the vehicle unless another report contradicts it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from chargeport.derive import status
from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import rise_between
from chargeport.derive.tracks import AT, Sample, number
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING

CABLE: Final = BY_CODE["charge-ischargingcableconnected"]
STATUS: Final = BY_CODE["charge-detailedchargingstatus"]
POWER: Final = BY_CODE["charge-wattage"]

# Many sources also report the other statuses of a car on the road: they are no lasting evidence about the cable.
PLUGGED_STATUSES: Final = (status.NEVER_CHARGING | status.CHARGING_WITH_POWER) - (
    status.UNPLUGGED | status.WITHOUT_CABLE_STATE | {"FULLY_CHARGED", "DISCHARGING"}
)
# Power after one of these is heating or a discharge until the source reports another status.
LASTING_STATUSES: Final = frozenset({"FULLY_CHARGED", "DISCHARGING", "NOT_CHARGING", "STOPPED"})
DISCHARGING: Final = "DISCHARGING"
# A station reports these between two sessions of one connected cable, and none of them in a pause of a session.
BETWEEN_SESSIONS: Final = frozenset({"STOPPED", "CONNECTED"})

CLOCK_TOLERANCE_MS: Final = 2 * MINUTE_MS
"""The clocks of two sources differ by up to this; no car charges again within this time after the cable was disconnected."""
CONTINUOUS_MS: Final = 15 * MINUTE_MS
"""If a source reports charging, or a connected cable, twice within this time, there was no end in between."""

MIN_RETURNS: Final = 3
"""Power that flows for less than two minutes is charging if it returns so often within half an hour."""


class Report(NamedTuple):
    """A report that shows charging, or a connected cable; `is_stated` is false where power shows it."""

    at: int
    source: str
    is_stated: bool = True
    code: str = IS_CHARGING.code


class SourceReports(msgspec.Struct, frozen=True):
    """The reports of one source, by time: charging, not charging, cable connected, cable disconnected.

    `charging_ends` are those of `not_charging` that follow charging; the others only repeat that nothing charges. At
    `between_sessions` a status shows that no session is in progress, although a cable is connected.
    """

    charging: list[Report]
    not_charging: list[int]
    charging_ends: list[int]
    plugged: list[Report]
    unplugged: list[int]
    between_sessions: list[int]

    def charges_throughout(self, start: int, end: int) -> bool:
        """Return whether reports show charging from one instant to another, none of them long after the one before."""
        first = max(0, bisect_right(self.charging, start, key=AT) - 1)
        known = self.charging[first : bisect_left(self.charging, end, key=AT) + 1]
        if not known or known[0].at > start or known[-1].at < end:
            return False
        return all(after.at - before.at <= CONTINUOUS_MS for before, after in pairwise(known))

    def pauses_throughout(self, start: int, end: int, rules: Rules) -> bool:
        """Return whether the source reported continuously in this time, with a connected cable and no end of a session."""
        plugged_at = _last_before(self.plugged, start + 1)
        if plugged_at < start - rules.cable_holds_ms or instants_between(self.unplugged, plugged_at, end):
            return False
        reported = sorted({*(each.at for each in [*self.charging, *self.plugged]), *self.not_charging, start, end})
        within = instants_between(reported, start, end)
        is_silent = any(after - before > rules.pause_ms for before, after in pairwise(within))
        return not is_silent and not instants_between(self.between_sessions, start, end)

    def cable_at(self, at: int, rules: Rules) -> bool | None:
        """Return whether the latest report before `at` shows a connected cable; None if none is valid any more."""
        connected_at = max(_last_before(self.charging, at), _last_before(self.plugged, at))
        index = bisect_left(self.unplugged, at) - 1
        unplugged_at = self.unplugged[index] if index >= 0 else -1
        if max(connected_at, unplugged_at) < at - rules.state_holds_ms:
            return None
        if connected_at <= unplugged_at:
            return False
        index = bisect_left(self.not_charging, at) - 1
        plugged_at = _last_before(self.plugged, at)
        is_cable_reported = plugged_at > unplugged_at and plugged_at >= at - rules.cable_holds_ms
        if index >= 0 and self.not_charging[index] > connected_at and not is_cable_reported:
            return None  # only charging showed the cable, and that has ended
        return True


class Reports(msgspec.Struct, frozen=True):
    """The reports of each source by its name, and of all together; `unplugged` excludes contradicted reports."""

    by_source: Mapping[str, SourceReports]
    charging: list[Report]
    plugged: list[Report]
    unplugged: list[int]

    def not_charging_between(self, source: str | None, start: int, end: int, rules: Rules) -> list[int]:
        """Return the instants from `start` to `end`, both included, at which a source reports that nothing charges.

        The reports of a source whose own cable is disconnected while another's is connected do not count, unless it is `source`
        itself.
        """
        found: set[int] = set()
        for name, reports in self.by_source.items():
            within = instants_between(reports.not_charging, start, end)
            if name == source:
                found.update(within)
            else:
                found.update(at for at in within if not self._is_elsewhere(name, at, rules))
        return sorted(found)

    def is_plugged(self, start: int, end: int, rules: Rules) -> bool:
        """Return whether any source reports a connected cable at both instants."""
        return all(any(each.cable_at(at + 1, rules) for each in self.by_source.values()) for at in (start, end))

    def is_idle(self, source: str, at: int, rules: Rules) -> bool:
        """Return whether the cable of a source was disconnected for long around an instant, so that it measured no charging."""
        reports = self.by_source.get(source)
        if reports is None or not instants_between(reports.unplugged, at + 1 - rules.state_holds_ms, at):
            return False  # the usual case, by the cheapest test
        if reports.cable_at(at + 1, rules) is not False:
            return False
        since, until = at - rules.state_holds_ms, at + rules.soc_proof_ms
        return not any(since <= _last_before(each, until) for each in (reports.charging, reports.plugged))

    def _is_elsewhere(self, source: str, at: int, rules: Rules) -> bool:
        """Return whether the cable of this source is disconnected while another source reports a connected one."""
        if self.by_source[source].cable_at(at + 1, rules) is not False:
            return False
        return any(
            name != source and reports.cable_at(at, rules) is True for name, reports in self.by_source.items()
        )  # fmt: skip


class StateSamples(msgspec.Struct, frozen=True):
    """The samples of the signals that show whether it charges, by source; `soc` those of all sources."""

    charging: Mapping[str, Sequence[Sample]]
    status: Mapping[str, Sequence[Sample]]
    cable: Mapping[str, Sequence[Sample]]
    power: Mapping[str, Sequence[Sample]]
    soc: Sequence[Sample]

    def sources(self) -> list[str]:
        """Return the names of all sources of these signals."""
        return sorted({*self.charging, *self.status, *self.cable, *self.power})


class _Statement(NamedTuple):
    """A statement of a source; `status` is empty if it is from charge-ischarging."""

    at: int
    is_charging: bool
    status: str


class _Statements(NamedTuple):
    """What a source stated about charging, and the instants at which it reported a disconnected cable; both by time."""

    charging: list[_Statement]
    unplugged: list[int]

    def last(self, at: int) -> _Statement | None:
        index = bisect_right(self.charging, at, key=AT) - 1
        return self.charging[index] if index >= 0 else None

    def unplugged_between(self, since: int, at: int) -> bool:
        index = bisect_right(self.unplugged, at) - 1
        return index >= 0 and self.unplugged[index] > since


def read_reports(samples: StateSamples, rules: Rules) -> Reports:
    """Return the reports of all sources. The meaning of a report depends on those within half a day around it."""
    statements = {source: _statements(samples, source) for source in samples.sources()}
    by_source = {source: _source_reports(source, samples, statements, rules) for source in statements}
    charging = sorted(report for reports in by_source.values() for report in reports.charging)
    plugged = sorted(report for reports in by_source.values() for report in reports.plugged)
    return Reports(by_source, charging, plugged, _uncontradicted(by_source, charging, plugged, rules))


def _statements(samples: StateSamples, source: str) -> _Statements:
    """Return the statements of a source. At one instant charge-ischarging ranks above the status.

    If charge-ischarging agrees with the status, the status is used, because it is more detailed.
    """
    by_instant: dict[int, _Statement] = {}
    statuses = [(sample.at, str(sample.value).upper()) for sample in samples.status.get(source, [])]
    for at, text in statuses:
        is_charging = status.is_charging(text, None)
        if is_charging is not None:
            by_instant[at] = _Statement(at, is_charging, text)
    for sample in samples.charging.get(source, []):
        stated = by_instant.get(sample.at)
        if stated is None or stated.is_charging is not (sample.value is True):
            by_instant[sample.at] = _Statement(sample.at, sample.value is True, "")
    unplugged = {sample.at for sample in samples.cable.get(source, []) if sample.value is False}
    unplugged |= {at for at, text in statuses if text in status.UNPLUGGED}
    return _Statements([by_instant[at] for at in sorted(by_instant)], sorted(unplugged))


def _source_reports(source: str, samples: StateSamples, statements: Mapping[str, _Statements], rules: Rules) -> SourceReports:
    stated = statements[source].charging
    by_power, without_power = _by_power(source, samples, statements, rules)
    charging = [
        Report(each.at, source, code=IS_CHARGING.code if each.status == "" else STATUS.code)
        for each in stated
        if each.is_charging
    ]
    charging = sorted([*charging, *by_power])
    not_charging = sorted({*(each.at for each in stated if not each.is_charging), *without_power})
    cable, statuses = samples.cable.get(source, []), samples.status.get(source, [])
    plugged = [Report(sample.at, source, code=CABLE.code) for sample in cable if sample.value is True]
    plugged += [
        Report(sample.at, source, code=STATUS.code) for sample in statuses if str(sample.value).upper() in PLUGGED_STATUSES
    ]
    between_sessions = [sample.at for sample in statuses if str(sample.value).upper() in BETWEEN_SESSIONS]
    return SourceReports(
        charging,
        not_charging,
        _charging_ends(charging, not_charging, rules),
        sorted(plugged),
        statements[source].unplugged,
        between_sessions,
    )


def _by_power(
    source: str, samples: StateSamples, statements: Mapping[str, _Statements], rules: Rules
) -> tuple[list[Report], list[int]]:
    """Return when the power of a source shows charging, and when it shows none, at times without a fresh statement."""
    charging, not_charging = [], []
    power = samples.power.get(source, [])
    for index, sample in enumerate(power):
        if any(_is_fresh(each, sample.at, rules, is_same=name == source) for name, each in statements.items()):
            continue
        if number(sample) <= rules.power_from_w:
            not_charging.append(sample.at)
        elif _lasts(power, index, rules) and not _is_no_charging(power, index, samples.soc, statements[source], rules):
            charging.append(Report(sample.at, source, is_stated=False, code=POWER.code))
    return charging, not_charging


def _is_fresh(statements: _Statements, at: int, rules: Rules, *, is_same: bool) -> bool:
    """Return whether a source stated shortly before `at` whether it charges.

    The statement of another source than the power's (`is_same` is false) counts only while that source's cable is connected.
    """
    last = statements.last(at)
    if last is None or at - last.at > rules.state_outranks_ms:
        return False
    return is_same or not statements.unplugged_between(at - rules.state_holds_ms, at)


def _is_no_charging(power: Sequence[Sample], index: int, soc: Sequence[Sample], statements: _Statements, rules: Rules) -> bool:
    """Return whether power is heating or a discharge: by the last status of its source, or because charging is over.

    The status is out of date where the state of charge rises meanwhile, or the power is more than heating takes.
    """
    at = power[index].at
    last = statements.last(at)
    if last is None or last.is_charging or at - last.at > rules.state_holds_ms:
        return False
    if (last.status and last.status not in LASTING_STATUSES) or statements.unplugged_between(last.at, at):
        return False
    rise = rise_between(soc, *_flow_around(power, index, rules), rules)
    if last.status == DISCHARGING or rise is None:
        return last.status == DISCHARGING or number(power[index]) <= rules.max_heating_w
    return rise < rules.soc_proof_percent


def _flow_around(power: Sequence[Sample], index: int, rules: Rules) -> tuple[int, int]:
    """Return the start and the end of the flow of power around a sample, at most `soc_proof_ms` away from it."""
    at = power[index].at
    first = last = index
    while first and number(power[first - 1]) > rules.power_from_w and at - power[first - 1].at <= rules.soc_proof_ms:
        first -= 1
    while (
        last + 1 < len(power) and number(power[last + 1]) > rules.power_from_w and power[last + 1].at - at <= rules.soc_proof_ms
    ):
        last += 1
    return power[first].at, power[last].at


def _lasts(power: Sequence[Sample], index: int, rules: Rules) -> bool:
    """Return whether power lasted: the sample before or after confirms it, the next one comes late enough, or it returns."""
    at = power[index].at
    before = power[index - 1] if index else None
    after = power[index + 1] if index + 1 < len(power) else None
    if before is not None and at - before.at <= rules.pause_ms and number(before) > rules.power_from_w:
        return True
    if after is None or after.at - at > rules.pause_ms:
        return False
    if number(after) > rules.power_from_w or after.at - at >= rules.min_duration_ms:
        return True
    return _returned_kwh(power, index, rules) >= rules.min_energy_kwh


def _returned_kwh(power: Sequence[Sample], index: int, rules: Rules) -> float:
    """Return the energy in kWh of single samples of power around this one, each up to the next sample; 0.0 below `MIN_RETURNS`.

    A controller that follows solar power switches every minute; a handshake that fails is repeated, but moves no energy.
    """
    first = bisect_left(power, power[index].at - rules.pause_ms, key=AT)
    last = bisect_right(power, power[index].at + rules.pause_ms, key=AT)
    near = [(before, after) for before, after in pairwise(power[first:last]) if number(before) > rules.power_from_w]
    if len(near) < MIN_RETURNS:
        return 0.0
    return sum(number(before) / 1000 * (after.at - before.at) / HOUR_MS for before, after in near)


def _charging_ends(charging: Sequence[Report], not_charging: Sequence[int], rules: Rules) -> list[int]:
    """Return the first instant without charging after each report of charging, while that report holds."""
    ends = set()
    for report in charging:
        index = bisect_left(not_charging, report.at)
        if index < len(not_charging) and not_charging[index] - report.at <= rules.state_holds_ms:
            ends.add(not_charging[index])
    return sorted(ends)


def _uncontradicted(
    by_source: Mapping[str, SourceReports], charging: Sequence[Report], plugged: Sequence[Report], rules: Rules
) -> list[int]:
    """Return when the cable was disconnected, without what other reports of the same time contradict.

    A source that did not report a connected cable before reports no change; another source that did outranks it.
    """
    connected = sorted({report.at for report in [*charging, *plugged]})
    connected_by = {
        name: sorted({report.at for report in [*reports.charging, *reports.plugged]}) for name, reports in by_source.items()
    }
    found = set()
    for source, reports in by_source.items():
        for at in reports.unplugged:
            if _is_within(connected, at, CLOCK_TOLERANCE_MS):
                continue
            others = [name for name in by_source if name != source]
            if any(_is_within(connected_by[name], at, CONTINUOUS_MS) for name in others):
                continue
            is_change = reports.cable_at(at, rules) is True
            if not is_change and any(by_source[name].cable_at(at, rules) is True for name in others):
                continue
            found.add(at)
    return sorted(found)


def _is_within(instants: Sequence[int], at: int, max_interval_ms: int) -> bool:
    """Return whether `at` is one of the ordered instants, or between two that are at most `max_interval_ms` apart."""
    index = bisect_left(instants, at)
    if index == len(instants):
        return False
    return instants[index] == at or (index > 0 and instants[index] - instants[index - 1] <= max_interval_ms)


def _last_before(reports: Sequence[Report], at: int) -> int:
    """Return the instant of the last report before `at`; -1 where there is none."""
    index = bisect_left(reports, at, key=AT) - 1
    return reports[index].at if index >= 0 else -1


def reports_between(reports: Sequence[Report], start: int, end: int) -> Sequence[Report]:
    """Return those of the reports, ordered by time, from `start` to `end`, both included."""
    first = bisect_left(reports, start, key=AT)
    return reports[first : bisect_right(reports, end, first, key=AT)]


def instants_between(instants: Sequence[int], start: int, end: int) -> Sequence[int]:
    """Return those of the ordered instants from `start` to `end`, both included."""
    return instants[bisect_left(instants, start) : bisect_right(instants, end)]
