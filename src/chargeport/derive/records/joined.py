"""Join the detected sessions and those that sources reported into one list, each session once.

In: the detected sessions, which are separate from each other, and the reported ones. Out: all sessions by time. The steps:

1. Detected and reported sessions of the same time form a cluster (`reported.is_same_session`).
2. The reports of one source in a cluster are united; the reports of several sources, and the detected session, are overlaid.
   Reported members take precedence over detected ones.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from chargeport.derive.records.reported import is_same_session, overlapping_groups
from chargeport.derive.records.reported_energy import without_contradicted_energy
from chargeport.derive.sessions.energy import COUNTER_TOLERANCE, DRAWN_SLACK_KWH, MIN_ADDED_SHARE
from chargeport.derive.sessions.power import scaled
from chargeport.derive.sessions.session import Evidence, Session
from chargeport.signals.records import Cost


def all_joined(detected: Sequence[Session], reported: Sequence[Session]) -> list[Session]:
    """Return all sessions, by time, each once. Only sessions that overlap are compared, because the lists may be long."""
    if not reported:
        return sorted(detected, key=_by_time)
    reported_ids = {id(session) for session in reported}
    found: list[Session] = []
    for group in overlapping_groups(sorted([*detected, *reported], key=_by_time)):
        found += joined(
            [session for session in group if id(session) not in reported_ids],
            [session for session in group if id(session) in reported_ids],
        )
    return found


def _by_time(session: Session) -> tuple[int, int]:
    return session.started_at, session.ended_at


class _Cluster(NamedTuple):
    """Detected and reported sessions that are one session."""

    detected: list[Session]
    reported: list[Session]


def joined(detected: Sequence[Session], reported: Sequence[Session]) -> list[Session]:
    """Return the detected and the reported sessions, each once, by time."""
    singles = [_Cluster([session], []) for session in detected] + [_Cluster([], [session]) for session in reported]
    singles.sort(key=lambda single: (*_by_time((single.detected + single.reported)[0]), bool(single.reported)))
    clusters: list[_Cluster] = []
    for single in singles:
        cluster = single
        for other in [other for other in clusters if _are_one(other, single)]:
            clusters.remove(other)
            cluster = _Cluster(other.detected + cluster.detected, other.reported + cluster.reported)
        clusters.append(cluster)
    return sorted((_joined_session(cluster) for cluster in clusters), key=_by_time)


def _are_one(cluster: _Cluster, other: _Cluster) -> bool:
    """Return whether a session of one cluster is the same as one of the other; two detected ones never are."""
    return any(
        is_same_session(first, second)
        for first in cluster.detected + cluster.reported
        for second in other.detected + other.reported
        if not (first in cluster.detected and second in other.detected)
    )


def _joined_session(cluster: _Cluster) -> Session:
    """Return the one session of a cluster."""
    base = united(cluster.detected) if cluster.detected else None
    by_source: dict[str, list[Session]] = {}
    for session in cluster.reported:
        by_source.setdefault(session.sources[0], []).append(session)
    reported = [united(by_source[source]) for source in sorted(by_source)]
    if base is not None:
        reported = without_contradicted_energy(reported, base)
    for of_source in reversed(reported):  # the first by name is overlaid last, and takes precedence
        base = of_source if base is None else overlaid(of_source, base)
    assert base is not None, "a cluster has a session"  # noqa: S101
    return base


def overlaid(reported: Session, base: Session) -> Session:
    """Return the reported session, with the members of `base` that it lacks."""
    values = ((name, getattr(reported, name)) for name in reported.__struct_fields__)
    known = {name: value for name, value in values if value not in (None, (), False)}
    known |= {
        "is_open": reported.is_open and base.is_open,
        "is_public": base.is_public if reported.is_public is None else reported.is_public,
        "energy_bounds_kwh": base.energy_bounds_kwh if reported.energy_added_kwh is None else None,
        "estimated": reported.estimated or (base.estimated and reported.energy_added_kwh is None),
        "sources": tuple(sorted({*reported.sources, *base.sources})),
        "evidence": Evidence(base.evidence.facts + reported.evidence.facts),
    }
    if reported.is_open:  # its end is unknown
        known["ended_at"] = base.ended_at
    return _with_one_energy(msgspec.structs.replace(base, **known), reported)


def _with_one_energy(session: Session, reported: Session) -> Session:
    """Return an overlaid session without the energy and the slots of the base that are not those of the reported energy."""
    if reported.energy_drawn_kwh is None:
        return without_another_drawn(session)
    measured_kwh = sum(slot.kwh for slot in session.slots)
    low, high = COUNTER_TOLERANCE.bounds_kwh(reported.energy_drawn_kwh)
    slots = scaled(session.slots, reported.energy_drawn_kwh, session.stretches) if low <= measured_kwh <= high else ()
    session = msgspec.structs.replace(session, slots=slots)
    if reported.energy_added_kwh is None and not _fits_drawn(session):
        return msgspec.structs.replace(session, energy_added_kwh=None, energy_method=None, energy_bounds_kwh=None)
    return session


def without_another_drawn(session: Session) -> Session:
    """Return a session without a drawn energy that can't be that of its added energy, as where only a part was measured."""
    return session if _fits_drawn(session) else msgspec.structs.replace(session, energy_drawn_kwh=None, slots=())


def _fits_drawn(session: Session) -> bool:
    """Return whether the drawn energy may be that of the added one, which may have been measured in front of the charger."""
    added_kwh, drawn_kwh = session.energy_added_kwh, session.energy_drawn_kwh
    if added_kwh is None or drawn_kwh is None:
        return True
    low, _ = COUNTER_TOLERANCE.bounds_kwh(added_kwh)
    return low <= drawn_kwh <= (added_kwh + DRAWN_SLACK_KWH) / MIN_ADDED_SHARE


def united(sessions: Sequence[Session]) -> Session:
    """Return sessions that follow each other as one, from the first start to the last end.

    A sum with an unknown part, such as the energy, is unknown.
    """
    if len(sessions) == 1:
        return sessions[0]
    ordered = sorted(sessions, key=_by_time)
    first, last = ordered[0], max(ordered, key=lambda session: session.ended_at)
    types = {session.charging_type for session in ordered}
    return msgspec.structs.replace(
        first,
        ended_at=last.ended_at,
        is_open=any(session.is_open for session in ordered),
        unplugged_at=last.unplugged_at,
        end_soc=last.end_soc,
        energy_added_kwh=_sum([session.energy_added_kwh for session in ordered]),
        energy_drawn_kwh=_sum([session.energy_drawn_kwh for session in ordered]),
        energy_bounds_kwh=_bounds(ordered),
        estimated=any(session.estimated for session in ordered),
        meter_end_kwh=last.meter_end_kwh,
        charging_type=first.charging_type if len(types) == 1 else None,
        max_power_w=max((each.max_power_w for each in ordered if each.max_power_w is not None), default=None),
        cost=_total_cost([session.cost for session in ordered]),
        sources=tuple(sorted({source for session in ordered for source in session.sources})),
        evidence=Evidence(tuple(fact for session in ordered for fact in session.evidence.facts)),
        stretches=tuple(sorted(stretch for session in ordered for stretch in session.stretches)),
        slots=tuple(sorted(slot for session in ordered for slot in session.slots)),
    )


def _bounds(sessions: Sequence[Session]) -> tuple[float, float] | None:
    """Return the bounds of the total energy; None if one energy is unknown or all are exact."""
    energies = [session.energy_added_kwh for session in sessions]
    if None in energies or all(session.energy_bounds_kwh is None for session in sessions):
        return None
    bounds = [each.energy_bounds_kwh or (each.energy_added_kwh or 0, each.energy_added_kwh or 0) for each in sessions]
    return sum(low for low, _ in bounds), sum(high for _, high in bounds)


def _sum(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _total_cost(costs: Sequence[Cost | None]) -> Cost | None:
    """Return the sum of costs; None where one is unknown, or of another currency."""
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs) or len({cost.currency for cost in known}) != 1:
        return None
    others = [cost.otherAmount for cost in known if cost.otherAmount is not None]
    amount = _sum([cost.energyAmount for cost in known])
    return Cost(
        currency=known[0].currency,
        energyAmount=None if amount is None else round(amount, 6),
        otherAmount=round(sum(others), 6) if others else None,
    )
