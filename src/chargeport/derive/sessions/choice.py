"""The choice between several measurements of the energy that a session added, which may contradict each other.

In: `Candidate`s, each with the bounds within which its measurement is right, the best measurement first. Out: the one that
counts, and those that are set aside.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from chargeport.derive.sessions.soc import Trend

ESTIMATED_POWER_SHARE: Final = 0.1
"""The most by which power with long gaps may differ from an up-to-date state of charge."""
DISAGREES_KWH: Final = 1.5
"""Two energies that differ by at most this do not contradict each other, whatever their bounds."""
NEARER: Final = 0.5
"""A measurement supports the one of two that agree with it which is nearer by this factor."""

Name = Literal["car", "station", "power", "soc"]


class Candidate(NamedTuple):
    """The added energy by one measurement, with its bounds.

    `is_estimated` where power has long gaps, or the state of charge is unknown at the start or the end.
    """

    name: Name
    kwh: float
    low: float
    high: float
    is_estimated: bool = False

    def agrees(self, other: "Candidate") -> bool:
        """Return whether both may be right."""
        gap = max(self.low - other.high, other.low - self.high)
        return gap <= 0 or abs(self.kwh - other.kwh) <= DISAGREES_KWH


class Choice(NamedTuple):
    """The candidate that counts, its bounds, those that are set aside, and whether any other disagrees."""

    best: Candidate | None
    bounds_kwh: tuple[float, float] | None
    set_aside: list[Candidate]
    is_disputed: bool


def choose(
    candidates: Sequence[Candidate], max_kwh: float, heating_kwh: float, soc_trend: Trend | None
) -> Choice:  # fmt: skip
    """Choose the best candidate that is possible and not outvoted.

    A counter stays at 0 while the car heats itself; by more power than that, which is `heating_kwh`, it is stuck.
    """
    is_charged = any(each.name == "power" and each.kwh > heating_kwh + DISAGREES_KWH for each in candidates)
    stuck = [each for each in candidates if is_charged and each.name in ("car", "station") and each.kwh <= 0]
    left = [each for each in candidates if each.kwh <= max_kwh and each not in stuck]
    soc = next((each for each in left if each.name == "soc" and soc_trend is not None), None)
    if soc is not None:  # it is more exact than power with long gaps
        max_difference = ESTIMATED_POWER_SHARE * soc.kwh + DISAGREES_KWH
        left = [each for each in left if not (each.is_estimated and abs(each.kwh - soc.kwh) > max_difference)]
    rejected = [each for each in candidates if each not in left]
    while left:
        best = left[0]
        agreeing = [each for each in left[1:] if best.agrees(each)]
        disagreeing = [each for each in left[1:] if not best.agrees(each)]
        if _is_chosen(best, agreeing, disagreeing, soc_trend):
            # Without a candidate that agrees, those that disagree may be right: the bounds include them.
            bounds_kwh = _bounds(best, agreeing, [] if agreeing else disagreeing, max_kwh)
            return Choice(best, bounds_kwh, rejected + (disagreeing if agreeing else []), bool(disagreeing))
        left.remove(best)
        rejected.append(best)
    return Choice(None, None, rejected, is_disputed=False)


def _bounds(
    best: Candidate, agreeing: Sequence[Candidate], disagreeing: Sequence[Candidate], max_kwh: float
) -> tuple[float, float]:
    """Return the bounds of the energy: those that all agreeing candidates share, widened to the disagreeing ones."""
    low, high = max(each.low for each in (best, *agreeing)), min(each.high for each in (best, *agreeing))
    energies = [best.kwh, *(each.kwh for each in disagreeing)]
    return max(0.0, min(low, *energies)), min(max(high, *energies), max_kwh)


def _is_chosen(
    best: Candidate, agreeing: Sequence[Candidate], disagreeing: Sequence[Candidate], soc_trend: Trend | None
) -> bool:
    """Return whether the best candidate is supported by another one, or at least not outvoted.

    One that agrees with it, and also with one that disagrees and is much nearer, supports that one, unless it is estimated.
    """
    if not disagreeing:
        return True
    supporting = [each for each in agreeing if each.is_estimated or not _is_nearer(each, best, disagreeing)]
    return bool(supporting) or not (agreeing or _is_outvoted(best, disagreeing, soc_trend))


def _is_nearer(each: Candidate, best: Candidate, others: Sequence[Candidate]) -> bool:
    """Return whether a candidate agrees with one of the others, and is much nearer to that than to the best one."""
    max_kwh = NEARER * abs(each.kwh - best.kwh)
    return any(each.agrees(other) and abs(each.kwh - other.kwh) < max_kwh for other in others)


def _is_outvoted(best: Candidate, disagreeing: Sequence[Candidate], soc_trend: Trend | None) -> bool:
    """Return whether a candidate that none agrees with is wrong: two others agree, or the state of charge denies it.

    The state of charge denies too small an energy; too large a one only where it has a trend, else it may be out of date.
    """
    if any(each.agrees(other) for each, other in pairwise(disagreeing)):
        return True
    soc = next((each for each in disagreeing if each.name == "soc"), None)
    return soc is not None and (soc.low > best.high or (soc_trend is not None and soc.high < best.low))
