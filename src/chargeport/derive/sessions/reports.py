"""What each source's reports say of charging and of the cable, at their own instants."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from chargeport.derive import status
from chargeport.derive.series import MINUTE_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import rose_within
from chargeport.derive.tracks import Sample, number
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING

CABLE: Final = BY_CODE["charge-ischargingcableconnected"]
STATUS: Final = BY_CODE["charge-detailedchargingstatus"]
POWER: Final = BY_CODE["charge-wattage"]

# The others say nothing lasting of the cable: many sources have no other word for a car on the road.
PLUGGED: Final = (status.NEVER_CHARGING | status.CHARGING_WITH_POWER) - (
    status.UNPLUGGED | status.SILENT_ABOUT_CABLE | {"FULLY_CHARGED", "DISCHARGING"}
)
# Power after one of these is heating or a discharge until the source says something else.
LASTING: Final = frozenset({"FULLY_CHARGED", "DISCHARGING", "NOT_CHARGING", "STOPPED"})
DISCHARGING: Final = "DISCHARGING"

GLITCH_MS: Final = 2 * MINUTE_MS
"""Nobody charges again in less time after pulling the cable; two sources, or their clocks, differ by as much."""
THROUGH_MS: Final = 15 * MINUTE_MS
"""A source that reports the cable in, or charging, on both sides of an instant no further apart than this saw no end."""


class Mark(NamedTuple):
    """A report at an instant; `is_stated` tells a state from a conclusion drawn from power."""

    at: int
    source: str
    is_stated: bool = True
    code: str = IS_CHARGING.code


class SourceReports(msgspec.Struct, frozen=True):
    """The reports of one source, by time: charging, not charging, cable in, cable out.

    `ends` are those of `off` that follow charging: the others only repeat that nothing goes on.
    """

    on: list[Mark]
    off: list[int]
    ends: list[int]
    plugged: list[Mark]
    unplugged: list[int]

    def cable_at(self, at: int, rules: Rules) -> bool | None:
        """Return whether the cable was in by the latest word before `at`; None without one in the time for which it holds."""
        newest = max(_last(self.on, at), _last(self.plugged, at))
        index = bisect_left(self.unplugged, at) - 1
        out_at = self.unplugged[index] if index >= 0 else -1
        if max(newest, out_at) < at - rules.state_holds_ms:
            return None
        if newest <= out_at:
            return False
        index = bisect_left(self.off, at) - 1
        spoken_at = _last(self.plugged, at)
        if index >= 0 and self.off[index] > newest and (spoken_at <= out_at or spoken_at < at - rules.cable_holds_ms):
            return None  # it stopped charging, and did not speak of the cable
        return True


class Reports(msgspec.Struct, frozen=True):
    """The reports of all sources: by name, and together, `unplugged` without what is contradicted."""

    by_source: Mapping[str, SourceReports]
    on: list[Mark]
    plugged: list[Mark]
    unplugged: list[int]

    def off(self, source: str | None, start: int, end: int, rules: Rules) -> list[int]:
        """Return when nothing charged from `start` to `end`, both included.

        A source whose own cable is out says nothing of what goes on elsewhere, unless it is `source` itself.
        """
        found: set[int] = set()
        for name, reports in self.by_source.items():
            within = reports.off[bisect_left(reports.off, start) : bisect_right(reports.off, end)]
            if name == source:
                found.update(within)
            else:
                found.update(at for at in within if not self._is_elsewhere(name, at, rules))
        return sorted(found)

    def is_idle(self, source: str, at: int, rules: Rules) -> bool:
        """Return whether the cable of a source was out for long around an instant: what it measures is of no charging."""
        own = self.by_source.get(source)
        if own is None or own.cable_at(at + 1, rules) is not False:
            return False
        since, until = at - rules.state_holds_ms, at + rules.soc_proof_ms
        return not any(since <= _last(marks, until) for marks in (own.on, own.plugged))

    def _is_elsewhere(self, source: str, at: int, rules: Rules) -> bool:
        """Return whether the cable of this source is out while another says that it is in."""
        if self.by_source[source].cable_at(at + 1, rules) is not False:
            return False
        return any(
            name != source and reports.cable_at(at, rules) is True for name, reports in self.by_source.items()
        )  # fmt: skip


def read(samples: "Samples", rules: Rules) -> Reports:
    """Return what all samples say. Each report's meaning depends on what was reported within half a day around it."""
    said = {source: _Said(_stated(samples, source), _unplugged(samples, source)) for source in samples.sources()}
    by_source = {source: _source_reports(source, samples, said, rules) for source in said}
    on = sorted(mark for reports in by_source.values() for mark in reports.on)
    plugged = sorted(mark for reports in by_source.values() for mark in reports.plugged)
    return Reports(by_source, on, plugged, _uncontradicted(by_source, on, plugged, rules))


class Samples(msgspec.Struct, frozen=True):
    """The samples of the signals that say whether it charges, by source; `soc` those of all sources."""

    charging: Mapping[str, Sequence[Sample]]
    status: Mapping[str, Sequence[Sample]]
    cable: Mapping[str, Sequence[Sample]]
    power: Mapping[str, Sequence[Sample]]
    soc: Sequence[Sample]

    def sources(self) -> list[str]:
        """Return the names of all sources of these signals."""
        return sorted({*self.charging, *self.status, *self.cable, *self.power})


class _Statement(NamedTuple):
    at: int
    is_on: bool
    text: str  # what was said: a status, or that of charge-ischarging


class _Said(NamedTuple):
    """What a source stated of charging, and when it said that the cable is out."""

    stated: list[_Statement]
    unplugged: list[int]

    def last(self, at: int) -> _Statement | None:
        index = bisect_right(self.stated, at, key=lambda each: each.at) - 1
        return self.stated[index] if index >= 0 else None

    def unplugged_after(self, since: int, at: int) -> bool:
        index = bisect_right(self.unplugged, at) - 1
        return index >= 0 and self.unplugged[index] > since


def _source_reports(source: str, samples: Samples, said: Mapping[str, _Said], rules: Rules) -> SourceReports:
    own = said[source].stated
    on = [Mark(each.at, source, code=IS_CHARGING.code if each.text == "" else STATUS.code) for each in own if each.is_on]
    off = [each.at for each in own if not each.is_on]
    by_power, without = _by_power(source, samples, said, rules)
    on, off = sorted([*on, *by_power]), sorted({*off, *without})
    cable, statuses = samples.cable.get(source, []), samples.status.get(source, [])
    plugged = [Mark(each.at, source, code=CABLE.code) for each in cable if each.value is True]
    plugged += [Mark(each.at, source, code=STATUS.code) for each in statuses if str(each.value).upper() in PLUGGED]
    return SourceReports(on, off, _ends(on, off, rules), sorted(plugged), said[source].unplugged)


def _unplugged(samples: Samples, source: str) -> list[int]:
    found = {each.at for each in samples.cable.get(source, []) if each.value is False}
    return sorted(found | {each.at for each in samples.status.get(source, []) if str(each.value).upper() in status.UNPLUGGED})


def _stated(samples: Samples, source: str) -> list[_Statement]:
    """Return what a source said in so many words, by time; at one instant charge-ischarging counts more than the status.

    Where charge-ischarging is false the status still tells why.
    """
    found: dict[int, _Statement] = {}
    for each in samples.status.get(source, []):
        says = status.is_charging(str(each.value), None)
        if says is not None:
            found[each.at] = _Statement(each.at, says, str(each.value).upper())
    for each in samples.charging.get(source, []):
        known = found.get(each.at)
        if known is None or known.is_on is not (each.value is True):
            found[each.at] = _Statement(each.at, each.value is True, "")
    return [found[at] for at in sorted(found)]


def _by_power(source: str, samples: Samples, said: Mapping[str, _Said], rules: Rules) -> tuple[list[Mark], list[int]]:
    """Return when power shows charging, and when it shows none, where no statement decides."""
    on, off = [], []
    power = samples.power.get(source, [])
    for index, each in enumerate(power):
        if any(_is_fresh(own, each.at, rules, is_own=name == source) for name, own in said.items()):
            continue
        if number(each) <= rules.power_from_w:
            off.append(each.at)
        elif _is_more_than_a_blip(power, index, rules) and not _is_ruled_out(index, power, samples.soc, said[source], rules):
            on.append(Mark(each.at, source, is_stated=False, code=POWER.code))
    return on, off


def _is_fresh(said: _Said, at: int, rules: Rules, *, is_own: bool) -> bool:
    """Return whether a source other than the power's, with its cable in, stated shortly before whether it charges."""
    last = said.last(at)
    if last is None or at - last.at > rules.state_counts_ms:
        return False
    return is_own or not said.unplugged_after(at - rules.state_holds_ms, at)


def _is_ruled_out(index: int, power: Sequence[Sample], soc: Sequence[Sample], said: _Said, rules: Rules) -> bool:
    """Return whether power is heating or a discharge: its source said so, or "full", and took nothing back.

    A state of charge that rises meanwhile, or more power than heating takes, shows that the source has forgotten to.
    """
    at = power[index].at
    last = said.last(at)
    if last is None or last.is_on or (last.text and last.text not in LASTING) or at - last.at > rules.state_holds_ms:
        return False
    if said.unplugged_after(last.at, at):
        return False
    risen = rose_within(soc, *_run(power, index, rules))
    if last.text == DISCHARGING or risen is None:
        return last.text == DISCHARGING or number(power[index]) <= rules.heating_w
    return risen < rules.soc_proof_percent


def _run(power: Sequence[Sample], index: int, rules: Rules) -> tuple[int, int]:
    """Return from when to when power flowed around a sample, no further away than `soc_proof_ms`."""
    at = power[index].at
    low = high = index
    while low and number(power[low - 1]) > rules.power_from_w and at - power[low - 1].at <= rules.soc_proof_ms:
        low -= 1
    while (
        high + 1 < len(power) and number(power[high + 1]) > rules.power_from_w and power[high + 1].at - at <= rules.soc_proof_ms
    ):
        high += 1
    return power[low].at, power[high].at


def _is_more_than_a_blip(power: Sequence[Sample], index: int, rules: Rules) -> bool:
    """Return whether the sample before or after says so, too, or the next one came late enough for it to have lasted."""
    at = power[index].at
    before = power[index - 1] if index else None
    after = power[index + 1] if index + 1 < len(power) else None
    if before is not None and at - before.at <= rules.pause_ms and number(before) > rules.power_from_w:
        return True
    if after is None or after.at - at > rules.pause_ms:
        return False
    return number(after) > rules.power_from_w or after.at - at >= rules.shortest_ms


def _ends(on: Sequence[Mark], off: Sequence[int], rules: Rules) -> list[int]:
    """Return those of `off` that follow a mark of charging and no other of `off`, while that mark holds."""
    found = set()
    for mark in on:
        index = bisect_left(off, mark.at)
        if index < len(off) and off[index] - mark.at <= rules.state_holds_ms:
            found.add(off[index])
    return sorted(found)


def _uncontradicted(
    by_source: Mapping[str, SourceReports], on: Sequence[Mark], plugged: Sequence[Mark], rules: Rules
) -> list[int]:
    """Return when the cable was out: not where it is said to be in at that instant, or shortly before and after.

    A source that never said that the cable was in reports no change, and another one that says so outweighs it.
    """
    seen = sorted({mark.at for mark in [*on, *plugged]})
    own = {name: sorted({mark.at for mark in [*each.on, *each.plugged]}) for name, each in by_source.items()}
    found = set()
    for source, reports in by_source.items():
        for at in reports.unplugged:
            if _is_between(seen, at, GLITCH_MS):
                continue
            others = [name for name in by_source if name != source]
            if any(_is_between(own[name], at, THROUGH_MS) for name in others):
                continue
            is_change = reports.cable_at(at, rules) is True
            if not is_change and any(by_source[name].cable_at(at, rules) is True for name in others):
                continue
            found.add(at)
    return sorted(found)


def _is_between(instants: Sequence[int], at: int, within_ms: int) -> bool:
    """Return whether `at` is one of the ordered instants, or lies between two no further apart than `within_ms`."""
    index = bisect_left(instants, at)
    if index == len(instants):
        return False
    return instants[index] == at or (index > 0 and instants[index] - instants[index - 1] <= within_ms)


def _last(marks: Sequence[Mark], at: int) -> int:
    index = bisect_left(marks, at, key=lambda mark: mark.at) - 1
    return marks[index].at if index >= 0 else -1
