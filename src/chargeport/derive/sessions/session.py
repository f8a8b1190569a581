"""Charging sessions from the stored history: a pure function of what was reported, whatever the order in which it came.

Nothing depends on seeing an edge: each report says what it says of its own instant, and sessions are what all of them together
leave. So a restart, a late report or a repeated one makes no difference.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions.energy import Inputs, energy
from chargeport.derive.sessions.known import Evidence, Fact, Session
from chargeport.derive.sessions.parts import (
    CURRENT,
    ENERGY,
    EVER,
    REGISTER,
    Observed,
    Part,
    groups,
    observed,
    parts,
    plug_of,
    stays_plugged,
)
from chargeport.derive.sessions.reports import CABLE, GLITCH_MS, POWER, STATUS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import BEFORE_MS, SOC
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import Sample, Track, Tracks, between, number, samples
from chargeport.signals.battery import NominalCapacity
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Signal
from chargeport.signals.documents import ChargingType

FAST: Final = BY_CODE["charge-isfastchargerpresent"]
CAPACITY: Final = BY_CODE["tractionbattery-nominalcapacity"]

__all__ = ["CAPACITY", "FAST", "SIGNALS", "Evidence", "Fact", "Session", "from_observed", "sessions"]

SIGNALS: Final[tuple[Signal, ...]] = (IS_CHARGING, CABLE, STATUS, POWER, CURRENT, ENERGY, REGISTER, SOC, FAST)
"""The tracks that sessions are made from; that of CAPACITY, of all time, is of use too."""

SOC_NEAR_MS: Final = 2 * 60_000
"""Where no state of charge is known outside of the charging, one from so shortly inside will do."""
STILL_SHARE: Final = 0.015
STILL_KWH: Final = 2.0
"""Power that brings more than this share of the capacity, or so many kWh, makes the state of charge rise."""


def sessions(tracks: Tracks, now: int, rules: Rules | None = None) -> list[Session]:
    """Return all sessions that the tracks show, by time; `now` only tells which of them may still go on."""
    return from_observed(observed(tracks, rules or Rules()), tracks, now, rules or Rules())


class _Charge(msgspec.Struct, frozen=True):
    """The stretches of one session within its part, between the sessions before and after it.

    `last_ended_at` is when anything charged last before, with whatever cable; `fast` what was said of the charger.
    """

    part: Part
    stretches: Sequence[Stretch]
    before: int
    after: int
    last_ended_at: int
    fast: Sequence[Sample]

    @property
    def start(self) -> int:
        return self.stretches[0].start

    @property
    def end(self) -> int:
        return self.stretches[-1].end


def from_observed(
    seen: Observed, tracks: Tracks, now: int, rules: Rules, known_parts: Sequence[Part] | None = None
) -> list[Session]:
    """Return the same from what the tracks say, which was read already; `known_parts` are its parts, where those are known."""
    fast, capacities = samples(tracks, FAST), _capacities(tracks.get(CAPACITY))
    found: list[Session] = []
    ended_at = -EVER
    for part in parts(seen, rules) if known_parts is None else known_parts:
        grouped = groups(part, rules)
        for index, group in enumerate(grouped):
            before = grouped[index - 1][-1].end if index else part.start
            after = grouped[index + 1][0].start if index + 1 < len(grouped) else part.end
            fast_reports = between(fast, max(part.start, before, group[0].start - rules.reach_ms), group[-1].end - 1)
            charge = _Charge(part, group, before, after, ended_at, fast_reports)
            capacity = _capacity_at(capacities, group[-1].end)
            known = rules if capacity is None else msgspec.structs.replace(rules, capacity_kwh=capacity)
            one = _session(charge, seen, known)
            ended_at = group[-1].end
            if _counts(one, known):
                found.append(_dated(one, charge, now, rules))
    return found


def _capacities(track: Track | None) -> list[tuple[int, float]]:
    """Return the nominal capacities that were reported, each with the instant from which it holds."""
    reports = [] if track is None else track.samples()
    found = [(each.at, msgspec.json.decode(str(each.value), type=NominalCapacity).capacity) for each in reports]
    return [(at, kwh) for at, kwh in found if kwh]


def _capacity_at(capacities: Sequence[tuple[int, float]], at: int) -> float | None:
    """Return the capacity that held at an instant; before the first report the one that this tells."""
    before = [kwh for reported_at, kwh in capacities if reported_at <= at]
    return before[-1] if before else capacities[0][1] if capacities else None


def _counts(one: Session, rules: Rules) -> bool:
    """Return whether it is more than a handshake, and charging.

    What only power shows is none where the state of charge did not rise by it: the car heated itself, or gave.
    """
    lasted_ms = one.ended_at - one.started_at
    if lasted_ms < rules.shortest_ms and (one.energy_method in (None, "state_of_charge") or lasted_ms <= rules.briefest_ms):
        return False
    added_kwh, most_kwh = one.energy_added_kwh, float("inf")
    charging = [code for fact in one.evidence.facts if fact.fact == "charging" for code in fact.signals]
    if charging == [POWER.code] and one.start_soc is not None and one.end_soc is not None and one.end_soc <= one.start_soc:
        most_kwh = STILL_KWH if rules.capacity_kwh is None else STILL_SHARE * rules.capacity_kwh
    return most_kwh == float("inf") if added_kwh is None else rules.smallest_kwh <= added_kwh < most_kwh


def _session(charge: _Charge, seen: Observed, rules: Rules) -> Session:
    part, group, start, end = charge.part, charge.stretches, charge.start, charge.end
    soc = seen.measured.soc
    start_soc, end_soc = _soc_before(soc, charge, rules), _soc_after(soc, charge, rules)
    within = part.measured.between(start, end)
    highest_w = max((number(each) for each in within.power), default=0.0) or None
    is_dc = _type(highest_w, None, charge, rules) == "DC"
    found = energy(_inputs(charge, seen, (start_soc, end_soc), rules, is_dc=is_dc), rules)
    marks = [mark for mark in part.on if start <= mark.at <= end]
    facts = _fact("charging", sorted({mark.code for mark in marks}), [mark.at for mark in marks])
    for fact, code, used in found.used:
        facts += _fact(fact, [code], [each.at for each in used])
    for code, used in found.set_aside:
        facts += _fact("set_aside", [code], [each.at for each in used])
    facts += _fact("state_of_charge", [SOC.code], [each.at for each in within.soc])
    measured = [*within.energy, *within.register, *within.power, *within.soc]
    return Session(
        started_at=start,
        ended_at=end,
        is_open=False,
        start_soc=start_soc,
        end_soc=end_soc,
        energy_added_kwh=found.added_kwh,
        energy_drawn_kwh=found.drawn_kwh,
        energy_method=found.method,
        energy_bounds_kwh=found.bounds_kwh,
        estimated=found.estimated or any(stretch.estimated for stretch in group[:-1]),
        charging_type=_type(highest_w, found.added_kwh, charge, rules),
        max_power_w=highest_w,
        meter_start_kwh=found.register_start,
        meter_end_kwh=found.register_end,
        sources=tuple(sorted({mark.source for mark in marks} | {each.source for each in measured})),
        evidence=Evidence(tuple(facts)),
        stretches=tuple(group),
        slots=found.slots,
    )


def _fact(fact: str, codes: Sequence[str], instants: Sequence[int]) -> list[Fact]:
    return [Fact(fact, tuple(codes), min(instants), max(instants), len(instants))] if instants else []


def _type(highest_w: float | None, added_kwh: float | None, charge: _Charge, rules: Rules) -> ChargingType | None:
    """Return the charging type: by what was reported of the charger, else by the highest power; unknown without either."""
    within = [each.value for each in charge.fast if each.at >= charge.start]  # not at the end: the cable may be out then
    before = charge.fast[-1].value if charge.fast else None
    if within or before is True:
        return "DC" if (before is True and not within) or True in within else "AC"
    if highest_w is not None:  # "no fast charger", said before, may be of another place
        return "DC" if highest_w > rules.dc_from_w else "AC"
    if before is False:
        return "AC"
    if added_kwh is not None and added_kwh / max(charge.end - charge.start, 1) * HOUR_MS > rules.dc_from_w / 1000:
        return "DC"
    return None


def _dated(one: Session, charge: _Charge, now: int, rules: Rules) -> Session:
    """Return it with when it was plugged in and out, and whether it may go on."""
    part, before, after = charge.part, charge.before, charge.after
    first = bisect_left(part.plugged, max(before, part.start), key=lambda mark: mark.at)
    plugged_at = None
    if before >= one.started_at - rules.reach_ms and first < len(part.plugged) and part.plugged[first].at <= one.started_at:
        plugged_at = part.plugged[first].at
    is_last = after == EVER
    unplugged_at = part.end if after == part.end != EVER and part.end - one.ended_at <= rules.reach_ms else None
    soon = now - one.ended_at <= rules.pause_ms
    is_open = is_last and (soon or stays_plugged(part.plugged, one.ended_at + rules.pause_ms, now, rules))
    estimated = one.estimated or (one.stretches[-1].estimated and not is_open)
    return msgspec.structs.replace(one, plugged_at=plugged_at, unplugged_at=unplugged_at, is_open=is_open, estimated=estimated)


def _soc_before(soc: Sequence[Sample], charge: _Charge, rules: Rules) -> float | None:
    """Return the state of charge at the begin: one of shortly before, or of since the cable is in."""
    at = charge.start
    plugged = [mark.at for mark in charge.part.plugged if max(charge.before, at - rules.state_holds_ms) <= mark.at <= at]
    since = min(plugged, default=at)
    known = between(soc, min(since, at - rules.soc_age_ms), at)[-1:] or between(soc, at, at + SOC_NEAR_MS)[:1]
    return number(known[0]) if known else None


def _soc_after(soc: Sequence[Sample], charge: _Charge, rules: Rules) -> float | None:
    """Return the state of charge at the end: one of shortly after, or of before the cable is out."""
    at, until = charge.end, min(charge.after, charge.end + rules.state_holds_ms)
    known = between(soc, at, at + rules.soc_age_ms)[:1] or between(soc, at - SOC_NEAR_MS, at)[-1:]
    if not known and any(at - rules.cable_holds_ms <= mark.at <= at for mark in charge.part.plugged):
        known = between(soc, at, until)[:1]
    return number(known[0]) if known else None


def _inputs(charge: _Charge, seen: Observed, socs: tuple[float | None, float | None], rules: Rules, *, is_dc: bool) -> Inputs:
    """Return what the energy is worked out from. A counter's last word may come a little after the cable was out."""
    part, start, end = charge.part, charge.start, charge.end
    until = min(charge.after + GLITCH_MS if charge.after == part.end else charge.after, end + rules.reach_ms)
    again = bisect_right(part.on, end, key=lambda mark: mark.at)
    until = min([until, *(mark.at - 1 for mark in part.on[again : again + 1])])  # it charges again, and counts that
    since = max(charge.before, start - rules.reach_ms)
    # A register counts on while the cable is out.
    counts_since = max(charge.last_ended_at, min(since, start - rules.state_holds_ms))
    idle = seen.reports.off(None, since, start - 1, rules)
    counts = {ENERGY.code: seen.measured.energy, REGISTER.code: seen.measured.register}
    return Inputs(
        stretches=charge.stretches,
        counts={code: between(each, counts_since, until) for code, each in counts.items()},
        registers=frozenset({REGISTER.code}),
        power=part.measured.power,
        soc=between(seen.measured.soc, start - BEFORE_MS, end + rules.soc_age_ms),
        start_soc=socs[0],
        end_soc=socs[1],
        capacity_kwh=rules.capacity_kwh,
        idle_at=max([*idle[-1:], *([charge.before] if charge.before >= since else [])], default=None),
        base_until=start - 1 if any(mark.at == start for mark in part.on) else start,
        share=rules.dc_efficiency if is_dc else rules.ac_efficiency,
        plug=plug_of(part.measured, rules),
    )
