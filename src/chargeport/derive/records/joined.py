"""Sessions of our own and those that sources reported, as one list without doubles."""

from collections.abc import Sequence

import msgspec

from chargeport.derive.records.believed import unlike_ours
from chargeport.derive.records.reported import in_groups, is_one
from chargeport.derive.sessions.session import Evidence, Session
from chargeport.signals.records import Cost


def all_joined(own: Sequence[Session], theirs: Sequence[Session]) -> list[Session]:
    """Return all sessions, by time, each once. Only those that lie together in time are compared: the lists may be long."""
    if not theirs:
        return sorted(own, key=lambda each: (each.started_at, each.ended_at))
    reported = {id(each) for each in theirs}
    found: list[Session] = []
    for group in in_groups(sorted([*own, *theirs], key=lambda each: (each.started_at, each.ended_at))):
        found += joined([each for each in group if id(each) not in reported], [each for each in group if id(each) in reported])
    return found


def joined(own: Sequence[Session], theirs: Sequence[Session]) -> list[Session]:
    """Return our own sessions and the reported ones, each once, by time: reported numbers win, ours fill in what is missing."""
    clusters: list[tuple[list[Session], list[Session]]] = [([one], []) for one in own] + [([], [one]) for one in theirs]
    clusters.sort(key=lambda cluster: (_first(cluster).started_at, _first(cluster).ended_at, bool(cluster[1])))
    united: list[tuple[list[Session], list[Session]]] = []
    for cluster in clusters:
        partners = [other for other in united if _are_one(other, cluster)]
        for other in partners:
            united.remove(other)
            cluster = (other[0] + cluster[0], other[1] + cluster[1])  # noqa: PLW2901  (grows by each)
        united.append(cluster)
    return sorted((_one(mine, theirs) for mine, theirs in united), key=lambda one: (one.started_at, one.ended_at))


def _first(cluster: tuple[list[Session], list[Session]]) -> Session:
    return (cluster[0] + cluster[1])[0]


def _are_one(cluster: tuple[list[Session], list[Session]], other: tuple[list[Session], list[Session]]) -> bool:
    """Return whether a reported one of either overlaps with one of the other; our own sessions are separate already."""
    return any(
        is_one(one, two)
        for one in cluster[0] + cluster[1]
        for two in other[0] + other[1]
        if not (one in cluster[0] and two in other[0])
    )


def _one(mine: list[Session], theirs: list[Session]) -> Session:
    """Return one session from all reports of it."""
    base = united(mine) if mine else None
    theirs = theirs if base is None else unlike_ours(theirs, base)
    by_source: dict[str, list[Session]] = {}
    for one in theirs:
        by_source.setdefault(one.sources[0], []).append(one)
    for source in sorted(by_source, reverse=True):  # the first by name wins, since it comes last
        reported = united(by_source[source])
        base = reported if base is None else over(reported, base)
    assert base is not None, "a cluster has a session"  # noqa: S101
    return base


def over(reported: Session, base: Session) -> Session:
    """Return what was reported, and from `base` what is missing in it."""
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
    if reported.is_open:  # its end is not known
        known["ended_at"] = base.ended_at
    return msgspec.structs.replace(base, **known)


def united(found: Sequence[Session]) -> Session:
    """Return sessions that follow each other as one, from the first start to the last end; what one lacks, it lacks.

    The energy of a sum with an unknown part is not known either.
    """
    if len(found) == 1:
        return found[0]
    ordered = sorted(found, key=lambda one: (one.started_at, one.ended_at))
    first, last = ordered[0], max(ordered, key=lambda one: one.ended_at)
    kinds = {one.charging_type for one in ordered}
    return msgspec.structs.replace(
        first,
        ended_at=last.ended_at,
        is_open=any(one.is_open for one in ordered),
        unplugged_at=last.unplugged_at,
        end_soc=last.end_soc,
        energy_added_kwh=_sum([one.energy_added_kwh for one in ordered]),
        energy_drawn_kwh=_sum([one.energy_drawn_kwh for one in ordered]),
        energy_bounds_kwh=_bounds(ordered),
        estimated=any(one.estimated for one in ordered),
        meter_end_kwh=last.meter_end_kwh,
        charging_type=first.charging_type if len(kinds) == 1 else None,
        max_power_w=max((one.max_power_w for one in ordered if one.max_power_w is not None), default=None),
        cost=_costs([one.cost for one in ordered]),
        sources=tuple(sorted({source for one in ordered for source in one.sources})),
        evidence=Evidence(tuple(fact for one in ordered for fact in one.evidence.facts)),
        stretches=tuple(sorted(stretch for one in ordered for stretch in one.stretches)),
        slots=tuple(sorted(slot for one in ordered for slot in one.slots)),
    )


def _bounds(ordered: Sequence[Session]) -> tuple[float, float] | None:
    """Return the bounds of the sum of the energies, exact ones counted as they are; None if one is unknown or all are exact."""
    energies = [one.energy_added_kwh for one in ordered]
    if None in energies or all(one.energy_bounds_kwh is None for one in ordered):
        return None
    bounds = [one.energy_bounds_kwh or (one.energy_added_kwh or 0, one.energy_added_kwh or 0) for one in ordered]
    return sum(low for low, _ in bounds), sum(high for _, high in bounds)


def _sum(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _costs(costs: Sequence[Cost | None]) -> Cost | None:
    """Return the sum of costs in one currency; None where a part is not known."""
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
