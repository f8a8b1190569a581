"""Check the energy of reported sessions: against the meter, the duration, the battery and the detected session.

In: reported sessions. Out: the same, with a rejected energy replaced or removed, and a fact `set_aside` that records this.
The stored reports are not changed, because a session is recognised by them when it is reported again.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.choice import DISAGREES_KWH
from chargeport.derive.sessions.energy import COUNTER_TOLERANCE, MAX_CAPACITY_SHARE
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.session import Evidence, Fact, Session
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.records import MAX_ENERGY_KWH

MAX_AC_KW: Final = 44.0
"""Three phases of 63 A at 230 V."""
ONE_INSTANT_MS: Final = MINUTE_MS
"""Start and end of a session of up to this may be one instant: that of receipt, or a rounded one."""
MIN_DURATION_MS: Final = 5 * MINUTE_MS
"""A shorter session does not show how fast a car charges."""
DAY_MS: Final = 24 * HOUR_MS
MAX_RATE_SHARE: Final = 1.5
"""The most by which the energy may exceed the energy that is expected from another session, or the detected one."""
COVERS_MS: Final = 15 * MINUTE_MS
"""The detected session covers a reported one that lasts longer by at most this at either end."""

_CODE: Final = BY_CODE["charge-chargerecords"].code


def with_plausible_energy(
    reported: Sequence[Session], rules: Rules, capacities: Sequence[tuple[int, float]] = ()
) -> list[Session]:
    """Return reported sessions, by time, with the energy of their meter where they have one, and without impossible energies.

    `capacities` are those of `reported_capacities`: each session is checked against that of its time. An energy that continues
    the count of the session before, at the same place, is replaced by its increase.
    """
    checked: list[Session] = []
    latest: dict[str, tuple[Session, float]] = {}  # the last session of a source, and the mean power of one in kW
    for session in sorted(reported, key=lambda each: (each.started_at, each.ended_at)):
        own_rules = rules.at(session.ended_at, capacities)
        metered = _with_metered_energy(session, own_rules)
        source = metered.sources[0]
        if source in latest and _continues_count(metered, *latest[source]):
            base_kwh = latest[source][0].energy_added_kwh or 0.0
            checked.append(_with_energy(metered, (metered.energy_added_kwh or 0.0) - base_kwh))
            latest[source] = (metered, latest[source][1])
            continue
        if (metered.energy_added_kwh or 0.0) > _max_kwh(metered, own_rules):
            metered = _with_energy(metered, None)
        elif mean_kw := _mean_kw(metered):
            latest[source] = (metered, mean_kw)
        checked.append(metered)
    return checked


def without_contradicted_energy(reported: Sequence[Session], detected: Session) -> list[Session]:
    """Return the reports of a session without the energies that the detected session contradicts.

    Two reports that agree outrank it.
    """
    energies = [session.energy_added_kwh for session in reported if session.energy_added_kwh is not None]
    if detected.energy_added_kwh is None or any(_agree(first, second) for first, second in combinations(energies, 2)):
        return list(reported)
    return [_with_energy(session, None) if _is_contradicted(session, detected) else session for session in reported]


def _is_contradicted(reported: Session, detected: Session) -> bool:
    """Return whether the detected session covers a reported one, and its energy rules out the reported energy."""
    kwh, detected_kwh = reported.energy_added_kwh, detected.energy_added_kwh
    if kwh is None or detected_kwh is None or reported.is_open or detected.is_open:
        return False
    if detected.started_at > reported.started_at + COVERS_MS or detected.ended_at < reported.ended_at - COVERS_MS:
        return False
    low, high = detected.energy_bounds_kwh or (detected_kwh, detected_kwh)
    if detected.estimated:
        return kwh > MAX_RATE_SHARE * high + DISAGREES_KWH
    min_kwh, max_kwh = COUNTER_TOLERANCE.bounds_kwh(kwh)
    is_drawn = detected.energy_drawn_kwh is not None and _agree(kwh, detected.energy_drawn_kwh)
    return not is_drawn and (min_kwh > high or max_kwh < low) and abs(kwh - detected_kwh) > DISAGREES_KWH


def _with_metered_energy(session: Session, rules: Rules) -> Session:
    """Return a session with the difference of its meter readings as its energy, unless they agree or can't be true."""
    if session.meter_start_kwh is None or session.meter_end_kwh is None:
        return session
    metered_kwh = session.meter_end_kwh - session.meter_start_kwh
    if not 0 < metered_kwh <= _max_kwh(session, rules):
        return session
    if session.energy_added_kwh is None:
        return msgspec.structs.replace(session, energy_added_kwh=metered_kwh, energy_method="reported")
    return session if _agree(metered_kwh, session.energy_added_kwh) else _with_energy(session, metered_kwh)


def _max_kwh(session: Session, rules: Rules) -> float:
    """Return the most that can have been charged: by the power of chargers, and by the capacity once a day."""
    lasted_ms = session.ended_at - session.started_at
    kw = MAX_AC_KW if session.charging_type == "AC" else rules.max_kw
    is_unlimited = lasted_ms <= ONE_INSTANT_MS or session.is_open
    supplied = MAX_ENERGY_KWH if is_unlimited else kw * lasted_ms / HOUR_MS + DISAGREES_KWH
    if rules.capacity_kwh is None:
        return supplied
    room = MAX_CAPACITY_SHARE / rules.ac_efficiency * rules.capacity_kwh  # the energy may be that drawn from the grid
    return min(supplied, room * (1 + lasted_ms // DAY_MS) + DISAGREES_KWH)


def _continues_count(session: Session, before: Session, mean_kw: float) -> bool:
    """Return whether the energy of a session is too large for its duration, but its increase since the one before is not."""
    place, kwh, base_kwh = session.place, session.energy_added_kwh, before.energy_added_kwh
    if place is None or place != before.place or kwh is None or base_kwh is None or session.is_open:
        return False
    has_moved = None not in (session.odometer_km, before.odometer_km) and session.odometer_km != before.odometer_km
    if has_moved or not 0 <= session.started_at - before.ended_at <= DAY_MS:
        return False
    max_kwh = MAX_RATE_SHARE * mean_kw * (session.ended_at - session.started_at) / HOUR_MS + DISAGREES_KWH
    return kwh > max_kwh >= kwh - base_kwh >= 0


def _mean_kw(session: Session) -> float | None:
    """Return the mean power of a session in kW; None where its energy or its duration is unknown."""
    lasted_ms = session.ended_at - session.started_at
    if session.energy_added_kwh is None or lasted_ms < MIN_DURATION_MS:
        return None
    return session.energy_added_kwh * HOUR_MS / lasted_ms


def _agree(kwh: float, other_kwh: float) -> bool:
    low, high = COUNTER_TOLERANCE.bounds_kwh(kwh)
    return low <= other_kwh <= high


def _with_energy(session: Session, kwh: float | None) -> Session:
    """Return a session with another energy than was reported, and a fact that records this."""
    facts = [
        Fact("set_aside", (_CODE,), fact.first_at, fact.last_at, 1)
        for fact in session.evidence.facts
        if fact.fact == "reported"
    ]
    return msgspec.structs.replace(
        session,
        energy_added_kwh=kwh,
        energy_method=None if kwh is None else session.energy_method,
        estimated=True,
        evidence=Evidence((*session.evidence.facts, *facts)),
    )
