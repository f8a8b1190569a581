"""A car's history in parts, each from one unplugged cable to the next, and the stretches of charging in each.

What happens in a part follows from it alone, but for states of charge: this is what lets a late report concern its own
surroundings only. Each source's marks make stretches of their own; those that overlap are one.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from chargeport.derive.sessions import reports, soc
from chargeport.derive.sessions.counters import Plug, Reset, counter_rises, resets
from chargeport.derive.sessions.reports import CABLE, GLITCH_MS, POWER, STATUS, Mark, Reports
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import SOC, Rise
from chargeport.derive.sessions.stretches import (
    Stretch,
    from_marks,
    parts_them,
    split_at_resets,
    united,
    with_rises,
    with_soc,
    without,
)
from chargeport.derive.tracks import Sample, Tracks, between, by_source, number, samples
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING

ENERGY: Final = BY_CODE["charge-energyadded"]
REGISTER: Final = BY_CODE["chargeport-energyregister"]
CURRENT: Final = BY_CODE["charge-amperage"]

EVER: Final = 1 << 62


class Measured(msgspec.Struct, frozen=True):
    """Samples of all sources, by time."""

    power: Sequence[Sample]
    current: Sequence[Sample]
    energy: Sequence[Sample]
    register: Sequence[Sample]
    soc: Sequence[Sample]

    def between(self, start: int, end: int) -> "Measured":
        """Return those from `start` to `end`, both included."""
        return Measured(*(between(getattr(self, name), start, end) for name in self.__struct_fields__))


class Observed(msgspec.Struct, frozen=True):
    """All that sessions are made from."""

    reports: Reports
    measured: Measured


class Part(msgspec.Struct, frozen=True):
    """The time from `start` to `end`, at which the cable was out; with the charging in it, and what tells of it.

    `start` is -EVER in the first part and `end` is EVER in the last.
    """

    start: int
    end: int
    on: Sequence[Mark]
    plugged: Sequence[Mark]
    measured: Measured
    resets: Sequence[Reset] = ()
    stretches: Sequence[Stretch] = ()


def observed(tracks: Tracks, rules: Rules) -> Observed:
    """Return what the tracks say."""
    power, charge = samples(tracks, POWER), soc.plausible(samples(tracks, SOC))
    inputs = reports.Samples(
        by_source(samples(tracks, IS_CHARGING)),
        by_source(samples(tracks, STATUS)),
        by_source(samples(tracks, CABLE)),
        by_source(power),
        charge,
    )
    said = reports.read(inputs, rules)

    def flows(found: Sequence[Sample]) -> list[Sample]:
        return [each for each in found if not said.is_idle(each.source, each.at, rules)]

    current, energy, register = (flows(samples(tracks, signal)) for signal in (CURRENT, ENERGY, REGISTER))
    measured = Measured(flows(power), current, energy, register, charge)
    return Observed(said, measured)


def parts(seen: Observed, rules: Rules) -> list[Part]:
    """Return the parts in which something charged, by time."""
    found = []
    for start, end in pairwise([-EVER, *seen.reports.unplugged, EVER]):
        part = Part(
            start,
            end,
            _within(seen.reports.on, start, end),
            _within(seen.reports.plugged, start, end),
            seen.measured.between(start, end),
        )
        part = _with_stretches(part, seen, rules)
        if part.stretches:
            found.append(part)
    return found


def _within(found: Sequence[Mark], start: int, end: int) -> Sequence[Mark]:
    first = bisect_left(found, start, key=lambda mark: mark.at)
    return found[first : bisect_right(found, end, first, key=lambda mark: mark.at)]


def plug_of(measured: Measured, rules: Rules) -> Plug:
    """Return what the plug can give, by the measured power."""
    return Plug(measured.power, rules.most_kw, rules.power_from_w)


def _with_stretches(part: Part, seen: Observed, rules: Rules) -> Part:
    measured = part.measured
    if not part.on and all(len(each) < 2 for each in (measured.energy, measured.register, measured.soc)):  # noqa: PLR2004
        return part
    plug = plug_of(measured, rules)

    def off(source: str, start: int, end: int) -> Sequence[int]:
        return seen.reports.off(source, start, end, rules)

    def pace(rise: Rise) -> float | None:
        """Return that of the power just before, or just after."""
        power = measured.power
        near = [each for each in between(power, rise.start - rules.pause_ms, rise.start) if _flows(each, rules)][-1:]
        near = near or [each for each in between(power, rise.end, rise.end + rules.pause_ms) if _flows(each, rules)][:1]
        return rules.ac_efficiency * number(near[0]) / 1000 if near else None

    rises = [*counter_rises(measured.energy, plug, rules), *counter_rises(measured.register, plug, rules)]
    rises = [rise for rise in sorted(rises) if _may_charge(rise, seen.reports, rules)]
    climbs = [rise for rise in soc.rises(measured.soc, rules) if _may_charge(rise, seen.reports, rules)]
    jumps = [rise for rise in soc.jumps(measured.soc, rules) if _may_charge(rise, seen.reports, rules)]
    found = _from_marks(part, seen.reports, rules)
    found = without(found, _waiting(part, found, rules))
    found = with_rises(found, rises, off, pace, rules)
    found = with_soc(found, climbs, jumps, off)
    began_anew = resets(measured.energy, plug)
    return msgspec.structs.replace(part, resets=began_anew, stretches=split_at_resets(found, began_anew))


def _flows(each: Sample, rules: Rules) -> bool:
    return number(each) > rules.power_from_w


def _from_marks(part: Part, seen: Reports, rules: Rules) -> list[Stretch]:
    """Return the stretches that each source's marks show, as one list."""
    found: list[Stretch] = []
    for source, own in seen.by_source.items():
        on = _within(own.on, part.start, part.end)
        if not on:
            continue
        off = own.off[bisect_left(own.off, part.start) : bisect_right(own.off, part.end)]
        others = [at for name, other in seen.by_source.items() if name != source for at in _in(other.ends, part)]
        off = sorted({*off, part.end}) if part.end != EVER else off
        found += from_marks(on, off, sorted(others), rules)
    return united(found)


def _in(instants: Sequence[int], part: Part) -> Sequence[int]:
    return instants[bisect_left(instants, part.start) : bisect_right(instants, part.end)]


def _may_charge(rise: Rise, seen: Reports, rules: Rules) -> bool:
    """Return whether something may have charged while a number rose.

    Nothing did between two reports that come soon after each other and both say so. Of a cable that is out before and after, a
    step between two reports that are further apart must be a large one.
    """
    own = seen.by_source.get(rise.source)
    if own is None:
        return True
    near = [min((abs(each - at) for each in own.off), default=EVER) <= GLITCH_MS for at in (rise.start, rise.end)]
    out = [own.cable_at(at + 1, rules) is False for at in (rise.start, rise.end)]
    if rise.end - rise.start <= rules.pause_ms:
        return not all(near) and not all(out)
    return not all(out) or rise.amount >= rules.soc_step_percent


def _waiting(part: Part, known: Sequence[Stretch], rules: Rules) -> list[tuple[int, int]]:
    """Return when charging was only stated, for long, while no power flowed and nothing rose."""
    found = []
    for one in known:
        for start, end in _without_flow(part.measured, one, rules):
            times = [(start, end)]
            risen = _risen(part.measured, start, end, rules)
            if risen is not None:
                times = [(start, risen[0]), (risen[1], end)]
            found += [(low, high) for low, high in times if high - low > rules.waiting_ms]
    return found


def _without_flow(measured: Measured, one: Stretch, rules: Rules) -> list[tuple[int, int]]:
    """Return when no source measured any flow, from the first report of that to the first that says otherwise."""
    flows = [
        (each.at, each.source, signal.code, number(each) > least)
        for signal, of_all, least in (
            (POWER, measured.power, rules.power_from_w),
            (CURRENT, measured.current, rules.current_from_a),
        )
        for each in between(of_all, one.start, one.end)
    ]
    flows.sort()
    found: list[tuple[int, int]] = []
    now: dict[tuple[str, str], bool] = {}
    since: int | None = None
    for at, source, code, is_flowing in flows:
        now[source, code] = is_flowing
        if any(now.values()):
            if since is not None:
                found.append((since, at))
            since = None
        elif since is None:
            is_first = at == flows[0][0] and at - one.start <= rules.waiting_ms
            since = one.start if is_first else at
    if since is not None:
        found.append((since, one.end))
    return found


def _risen(measured: Measured, start: int, end: int, rules: Rules) -> tuple[int, int] | None:
    """Return from when to when a state of charge or a counter rose meanwhile; None where none did."""
    found = [risen for risen in [soc.moved(measured.soc, start, end, rules)] if risen is not None]
    plug = plug_of(measured, rules)
    for counts in (measured.energy, measured.register):
        rises = counter_rises(between(counts, start, end), plug, rules)
        if sum(rise.amount for rise in rises) >= rules.jump_kwh:
            found.append((rises[0].start, max(rise.end for rise in rises)))
    return (min(low for low, _ in found), max(high for _, high in found)) if found else None


def groups(part: Part, rules: Rules) -> list[list[Stretch]]:
    """Return the stretches of each session of a part: pauses belong to it while the cable stays in, else if they are short."""
    found: list[list[Stretch]] = []
    for stretch in part.stretches:
        if found and _goes_on(part, found[-1][-1], stretch, rules):
            found[-1].append(stretch)
        else:
            found.append([stretch])
    return found


def _goes_on(part: Part, one: Stretch, other: Stretch, rules: Rules) -> bool:
    if parts_them(one, other, part.resets) or soc.falls(part.measured.soc, one.end, other.start, rules):
        return False
    return other.start - one.end <= rules.pause_ms or stays_plugged(part.plugged, one.end + rules.pause_ms, other.start, rules)


def stays_plugged(plugged: Sequence[Mark], from_at: int, to_at: int, rules: Rules) -> bool:
    """Return whether the cable is known to be in at every instant from `from_at` to `to_at`."""
    first = bisect_right(plugged, from_at, key=lambda mark: mark.at)
    known = [mark.at for mark in plugged[max(0, first - 1) : bisect_right(plugged, to_at, key=lambda mark: mark.at)]]
    if not known or known[0] > from_at:
        return False
    return all(after - at <= rules.cable_holds_ms for at, after in pairwise([*known, to_at]))
