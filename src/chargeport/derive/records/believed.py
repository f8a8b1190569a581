"""Which energies of reported sessions are believed: each is checked against its meter, its time, the battery, and ours.

What is set aside stays in what was reported, by which a session is known again.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.energy import COUNTER_TOLERANCE, DISAGREES_KWH, MAX_CAPACITY_SHARE
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.session import Evidence, Fact, Session
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.records import MAX_ENERGY_KWH

MOST_AC_KW: Final = 44.0
"""Three phases of 63 A at 230 V."""
SHORTEST_MS: Final = 5 * MINUTE_MS
"""Begin and end of what is shorter may be one instant: of receipt, or rounded."""
DAY_MS: Final = 24 * HOUR_MS
PACE_SHARE: Final = 1.5
NEAR_MS: Final = 15 * MINUTE_MS
"""Ours covers a reported session that lasted so much longer at either end."""

_CODE: Final = BY_CODE["charge-chargerecords"].code


def believed(found: Sequence[Session], rules: Rules) -> list[Session]:
    """Return reported sessions with the energy that can be: by the meter where it has one, and none that is impossible.

    A count that went on from the session before it, at the same place, is what it rose by.
    """
    kept: list[Session] = []
    last: dict[str, tuple[Session, float]] = {}  # the last one of a source, and how fast it charged
    for one in sorted(found, key=lambda each: (each.started_at, each.ended_at)):
        known = _by_meter(one, rules)
        source = known.sources[0]
        if source in last and _counts_on(known, *last[source]):
            base_kwh = last[source][0].energy_added_kwh or 0.0
            kept.append(_set_aside(known, (known.energy_added_kwh or 0.0) - base_kwh))
            last[source] = (known, last[source][1])
            continue
        if (known.energy_added_kwh or 0.0) > _most_kwh(known, rules):
            known = _set_aside(known, None)
        elif pace := _pace_kw(known):
            last[source] = (known, pace)
        kept.append(known)
    return kept


def unlike_ours(reported: Sequence[Session], own: Session) -> list[Session]:
    """Return what was reported of a session, without energies that our own measures, which cover all of it, rule out.

    Two reports that agree are believed against ours.
    """
    known = [one.energy_added_kwh for one in reported if one.energy_added_kwh is not None]
    if own.energy_added_kwh is None or any(_agree(one, other) for one, other in combinations(known, 2)):
        return list(reported)
    return [_set_aside(one, None) if _is_ruled_out(one, own) else one for one in reported]


def _is_ruled_out(one: Session, own: Session) -> bool:
    kwh, added_kwh = one.energy_added_kwh, own.energy_added_kwh
    if kwh is None or added_kwh is None or one.is_open or own.is_open:
        return False
    if own.started_at > one.started_at + NEAR_MS or own.ended_at < one.ended_at - NEAR_MS:
        return False
    low, high = own.energy_bounds_kwh or (added_kwh, added_kwh)
    if own.estimated:
        return kwh > PACE_SHARE * high + DISAGREES_KWH
    least, most = _range(kwh)
    is_drawn = own.energy_drawn_kwh is not None and _agree(kwh, own.energy_drawn_kwh)
    return not is_drawn and (least > high or most < low) and abs(kwh - added_kwh) > DISAGREES_KWH


def _by_meter(one: Session, rules: Rules) -> Session:
    if one.meter_start_kwh is None or one.meter_end_kwh is None:
        return one
    metered = one.meter_end_kwh - one.meter_start_kwh
    if not 0 < metered <= _most_kwh(one, rules):
        return one
    if one.energy_added_kwh is None:
        return msgspec.structs.replace(one, energy_added_kwh=metered, energy_method="reported")
    least, most = _range(metered)
    return one if least <= one.energy_added_kwh <= most else _set_aside(one, metered)


def _most_kwh(one: Session, rules: Rules) -> float:
    """Return the most that can have been charged: what the plug gives in its time, and what the battery takes in a day."""
    lasted_ms = one.ended_at - one.started_at
    kw = MOST_AC_KW if one.charging_type == "AC" else rules.max_kw
    flowed = MAX_ENERGY_KWH if lasted_ms < SHORTEST_MS or one.is_open else kw * lasted_ms / HOUR_MS + DISAGREES_KWH
    if rules.capacity_kwh is None:
        return flowed
    room = MAX_CAPACITY_SHARE / rules.ac_efficiency * rules.capacity_kwh  # it may be the grid's energy
    return min(flowed, room * (1 + lasted_ms // DAY_MS) + DISAGREES_KWH)


def _counts_on(one: Session, before: Session, pace_kw: float) -> bool:
    """Return whether the energy of a session is too much for its time, and what it rose by since the one before is not."""
    place, kwh, base_kwh = one.place, one.energy_added_kwh, before.energy_added_kwh
    if place is None or place != before.place or kwh is None or base_kwh is None or one.is_open:
        return False
    has_moved = None not in (one.odometer_km, before.odometer_km) and one.odometer_km != before.odometer_km
    if has_moved or not 0 <= one.started_at - before.ended_at <= DAY_MS:
        return False
    most_kwh = PACE_SHARE * pace_kw * (one.ended_at - one.started_at) / HOUR_MS + DISAGREES_KWH
    return kwh > most_kwh >= kwh - base_kwh >= 0


def _pace_kw(one: Session) -> float | None:
    lasted_ms = one.ended_at - one.started_at
    return None if one.energy_added_kwh is None or lasted_ms < SHORTEST_MS else one.energy_added_kwh * HOUR_MS / lasted_ms


def _range(kwh: float) -> tuple[float, float]:
    low, high, slack_kwh = COUNTER_TOLERANCE
    return kwh * low - slack_kwh, kwh * high + slack_kwh


def _agree(one: float, other: float) -> bool:
    low, high = _range(one)
    return low <= other <= high


def _set_aside(one: Session, kwh: float | None) -> Session:
    """Return a session with another energy than was reported of it; the evidence says so."""
    facts = [
        Fact("set_aside", (_CODE,), fact.first_at, fact.last_at, 1) for fact in one.evidence.facts if fact.fact == "reported"
    ]
    return msgspec.structs.replace(
        one,
        energy_added_kwh=kwh,
        energy_method=None if kwh is None else one.energy_method,
        estimated=True,
        evidence=Evidence((*one.evidence.facts, *facts)),
    )
