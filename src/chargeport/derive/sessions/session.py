"""Charging sessions from the stored history: a pure function of what was reported, whatever the order in which it came.

Nothing depends on seeing an edge: each report says what it says of its own instant, and sessions are what all of them together
leave (sources 15.3). So a restart, a late report or a repeated one makes no difference.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

import msgspec

from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions.energy import Counted, Drawn, EnergyMethod, Slot, best_counted, counted, drawn, spread
from chargeport.derive.sessions.known import Evidence, Fact, Session
from chargeport.derive.sessions.marks import CABLE, GLITCH_MS, POWER, STATUS
from chargeport.derive.sessions.parts import ENERGY, EVER, SOC, Heard, Part, groups, heard, parts, stays_plugged
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import Sample, Tracks, between, by_source, number, samples
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Signal
from chargeport.signals.documents import ChargingType

FAST: Final = BY_CODE["charge-isfastchargerpresent"]

__all__ = ["FAST", "SIGNALS", "Evidence", "Fact", "Session", "from_heard", "sessions"]

SIGNALS: Final[tuple[Signal, ...]] = (IS_CHARGING, CABLE, STATUS, POWER, ENERGY, SOC, FAST)
"""The tracks that sessions are made from."""

SOC_NEAR_MS: Final = 2 * 60_000
"""Where no state of charge is known outside of the charging, one from so shortly inside will do."""


class _Energy(msgspec.Struct, frozen=True):
    added_kwh: float | None
    drawn_kwh: float | None
    method: EnergyMethod | None
    estimated: bool
    slots: tuple[Slot, ...]
    facts: tuple[Fact, ...]


def sessions(tracks: Tracks, now: int, rules: Rules | None = None) -> list[Session]:
    """All sessions that the tracks show, by time; `now` only tells which of them may still go on."""
    return from_heard(heard(tracks, rules or Rules()), samples(tracks, FAST), now, rules or Rules())


def from_heard(told: Heard, fast: Sequence[Sample], now: int, rules: Rules) -> list[Session]:
    """The same from what the tracks told."""
    found: list[Session] = []
    for part in parts(told, rules):
        grouped = groups(part, rules)
        for index, group in enumerate(grouped):
            before = grouped[index - 1][-1].end if index else part.start
            after = grouped[index + 1][0].start if index + 1 < len(grouped) else part.end
            one = _session(part, told, group, (before, after), rules)
            one = _typed(one, between(fast, max(part.start, before, one.started_at - rules.reach_ms), one.ended_at - 1), rules)
            if _counts(one, rules):
                found.append(_dated(one, part, (before, after), now, rules))
    return found


def _counts(one: Session, rules: Rules) -> bool:
    """Whether it is more than a handshake."""
    long_enough = one.ended_at - one.started_at >= rules.shortest_ms
    return long_enough and (one.energy_added_kwh is None or one.energy_added_kwh >= rules.smallest_kwh)


def _session(part: Part, told: Heard, group: Sequence[Stretch], bounds: tuple[int, int], rules: Rules) -> Session:
    start, end = group[0].start, group[-1].end
    start_soc, end_soc = _soc_before(told.soc, start, rules), _soc_after(told.soc, end, rules)
    power = between(part.power, start, end)
    highest_w = max((number(each) for each in power), default=0.0) or None
    is_dc = highest_w is not None and highest_w > rules.dc_from_w
    energy = _energy(part, told.energy, group, bounds, _risen_kwh(start_soc, end_soc, rules), is_dc=is_dc, rules=rules)
    marks = [mark for mark in part.on if start <= mark.at <= end]
    facts = [*_fact("charging", sorted({mark.code for mark in marks}), [mark.at for mark in marks]), *energy.facts]
    soc, counts = between(part.soc, start, end), between(part.energy, start, end)
    facts += _fact("state_of_charge", [SOC.code], [each.at for each in soc])
    return Session(
        started_at=start,
        ended_at=end,
        is_open=False,
        start_soc=start_soc,
        end_soc=end_soc,
        energy_added_kwh=energy.added_kwh,
        energy_drawn_kwh=energy.drawn_kwh,
        energy_method=energy.method,
        estimated=energy.estimated or any(stretch.estimated for stretch in group[:-1]),
        max_power_w=highest_w,
        sources=tuple(sorted({mark.source for mark in marks} | {each.source for each in [*counts, *power, *soc]})),
        evidence=Evidence(tuple(facts)),
        stretches=tuple(group),
        slots=energy.slots,
    )


def _fact(fact: str, codes: Sequence[str], instants: Sequence[int]) -> list[Fact]:
    return [Fact(fact, tuple(codes), min(instants), max(instants), len(instants))] if instants else []


def _typed(one: Session, fast: Sequence[Sample], rules: Rules) -> Session:
    """With its charging type: by what was reported of the charger, else by the highest power; unknown without either."""
    within = [each.value for each in fast if each.at >= one.started_at]  # not at the end: the cable may be out then
    before = fast[-1].value if fast else None
    kind: ChargingType | None = None
    if within or before is True:
        kind = "DC" if (before is True and not within) or True in within else "AC"
    elif one.max_power_w is not None:  # "no fast charger", said before, may be of another place
        kind = "DC" if one.max_power_w > rules.dc_from_w else "AC"
    elif before is False:
        kind = "AC"
    elif one.energy_added_kwh is not None:
        mean_kw = one.energy_added_kwh / max(one.ended_at - one.started_at, 1) * HOUR_MS
        kind = "DC" if mean_kw > rules.dc_from_w / 1000 else None
    return msgspec.structs.replace(one, charging_type=kind)


def _dated(one: Session, part: Part, bounds: tuple[int, int], now: int, rules: Rules) -> Session:
    """With when it was plugged in and out, and whether it may go on."""
    before, after = bounds
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


def _soc_before(soc: Sequence[Sample], at: int, rules: Rules) -> float | None:
    known = between(soc, at - rules.soc_age_ms, at)[-1:] or between(soc, at, at + SOC_NEAR_MS)[:1]
    return number(known[0]) if known else None


def _soc_after(soc: Sequence[Sample], at: int, rules: Rules) -> float | None:
    known = between(soc, at, at + rules.soc_age_ms)[:1] or between(soc, at - SOC_NEAR_MS, at)[-1:]
    return number(known[0]) if known else None


def _risen_kwh(start_soc: float | None, end_soc: float | None, rules: Rules) -> float | None:
    if start_soc is None or end_soc is None or rules.capacity_kwh is None or end_soc <= start_soc:
        return None
    return (end_soc - start_soc) / 100 * rules.capacity_kwh


def _energy(
    part: Part,
    counts: Sequence[Sample],
    group: Sequence[Stretch],
    bounds: tuple[int, int],
    risen_kwh: float | None,
    *,
    is_dc: bool,
    rules: Rules,
) -> _Energy:
    """By the best of what there is: a counter, else power over time, else the state of charge.

    The counter's last word may come a little after the cable was out, by another clock.
    """
    start, end = group[0].start, group[-1].end
    drew = drawn(part.power, group, rules)
    share = rules.dc_efficiency if is_dc else rules.ac_efficiency
    likely = risen_kwh if drew is None else drew.kwh * share
    until = min(bounds[1] + GLITCH_MS if bounds[1] == part.end else bounds[1], end + rules.reach_ms)
    told = between(counts, max(bounds[0], start - rules.reach_ms), until)
    by_car, by_grid = _counters(told, start, end, likely, rules)
    drawn_kwh, slots = (None, ()) if drew is None else (drew.kwh, drew.slots)
    if by_grid is not None:
        drawn_kwh, slots = by_grid.kwh, _scaled(slots, by_grid.kwh, group)
    facts = _facts(by_car, by_grid, drew)
    if by_car is not None:
        return _Energy(by_car.kwh, drawn_kwh, by_car.method, False, slots, facts)
    if by_grid is not None:
        return _Energy(by_grid.kwh * share, drawn_kwh, by_grid.method, True, slots, facts)
    if drew is not None:
        return _Energy(drew.kwh * share, drawn_kwh, "integral", drew.estimated, slots, facts)
    return _Energy(risen_kwh, None, None if risen_kwh is None else "state_of_charge", risen_kwh is not None, (), facts)


def _counters(
    told: Sequence[Sample], start: int, end: int, likely: float | None, rules: Rules
) -> tuple[Counted | None, Counted | None]:
    """What the counters of the car and of the station say."""
    found = {}
    for source, each in by_source(told).items():
        if (count := counted(each, start, end, likely)) is not None:
            found[source] = count
    by_car = best_counted({name: count for name, count in found.items() if name not in rules.grid_sources})
    by_grid = best_counted({name: count for name, count in found.items() if name in rules.grid_sources})
    return by_car and by_car[1], by_grid and by_grid[1]


def _scaled(slots: tuple[Slot, ...], kwh: float, group: Sequence[Stretch]) -> tuple[Slot, ...]:
    whole = sum(slot.kwh for slot in slots)
    return tuple(Slot(slot.at, slot.kwh * kwh / whole) for slot in slots) if whole else spread(kwh, group)


def _facts(by_car: Counted | None, by_grid: Counted | None, drew: Drawn | None) -> tuple[Fact, ...]:
    found: list[Fact] = []
    if by_car is not None:
        found += _fact("energy_added", [ENERGY.code], [each.at for each in by_car.samples])
    if by_grid is not None:
        found += _fact("energy_drawn", [ENERGY.code], [each.at for each in by_grid.samples])
    elif drew is not None:
        found += _fact("energy_drawn", [POWER.code], [each.at for each in drew.samples])
    return tuple(found)
