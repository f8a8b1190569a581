"""The energy of charging that began, or ended, at an unknown instant between two reports.

Any part of such an interval may have been charging: half of it is the best estimate by power alone. The state of charge before,
during and after charging says more where its steps are small against the interval. The estimate weighs both by their variances,
and never leaves what the intervals allow. The evidence is in docs/evidence/charging.md, Energy.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import gcd
from typing import Final, NamedTuple, Self

SCALE_ERROR: Final = 0.045
"""Standard deviation of the ratio of the two energies: a capacity is nominal (4 %), an efficiency is usual (2 %)."""
STEPS_PER_PERCENT: Final = 10
"""States of charge are distinguished to this part of a percent."""


class SocRise(NamedTuple):
    """The energy by the rise of the state of charge: as charging began, during charging, and as it ended.

    They are the differences of the last report before charging, the first and the last one during it, and the first one after.
    `step_kwh` is the energy of one step of the reports.
    """

    before_kwh: float
    inner_kwh: float
    after_kwh: float
    step_kwh: float

    @classmethod
    def of(cls, charge: tuple[float, float, float, float], step: float, percent_kwh: float) -> Self:
        """Return the energies of these four reports, in percent, at the energy of one percent."""
        before, first, last, after = (each * percent_kwh for each in charge)
        return cls(first - before, last - first, after - last, step * percent_kwh)


class EdgeEnergy(NamedTuple):
    """The most likely energy, and its bounds, in kWh."""

    kwh: float
    low_kwh: float
    high_kwh: float


def with_edges(inner_kwh: float, edges_kwh: tuple[float, float], soc: SocRise | None) -> EdgeEnergy:
    """Return the energy of charging whose power is known from its first report to its last: that of `inner_kwh`, and edges.

    `edges_kwh` is what flowed before and after if charging took all of the intervals in which it began and ended.

    >>> with_edges(10.0, (1.0, 1.0), None)
    EdgeEnergy(kwh=11.0, low_kwh=10.0, high_kwh=12.0)
    """
    before_kwh, after_kwh = edges_kwh
    if soc is not None and soc.step_kwh > 0:
        # The best linear estimate: evenly distributed edges, a relative error of the scale, and rounded states of charge. Each
        # of these is in two differences, with opposite signs.
        variances = [before_kwh**2 / 12, (SCALE_ERROR * inner_kwh) ** 2, after_kwh**2 / 12]
        expected = [before_kwh / 2, inner_kwh, after_kwh / 2]
        found = [soc.before_kwh, soc.inner_kwh, soc.after_kwh]
        rounding = soc.step_kwh**2 / 12
        gains = _solved(
            [each + 2 * rounding for each in variances], -rounding, [a - b for a, b in zip(found, expected, strict=True)]
        )
        before_kwh = 2 * min(max(expected[0] + variances[0] * gains[0], 0.0), before_kwh)
        after_kwh = 2 * min(max(expected[2] + variances[2] * gains[2], 0.0), after_kwh)
    return EdgeEnergy(inner_kwh + (before_kwh + after_kwh) / 2, inner_kwh, inner_kwh + sum(edges_kwh))


def _solved(diagonal: Sequence[float], beside: float, right: Sequence[float]) -> list[float]:
    """Solve the equations of a symmetric matrix with these numbers on its diagonal, and one number beside it."""
    pivots, values = [diagonal[0]], [right[0]]
    for here, value in zip(diagonal[1:], right[1:], strict=True):
        share = beside / pivots[-1]
        pivots.append(here - share * beside)
        values.append(value - share * values[-1])
    solution = [values[-1] / pivots[-1]]
    for pivot, value in zip(pivots[-2::-1], values[-2::-1], strict=True):
        solution.insert(0, (value - beside * solution[0]) / pivot)
    return solution


def step_percent(charge: Iterable[float]) -> float:
    """Return the step of a state of charge in percent, by its reports: the greatest that all of their differences are made of.

    >>> step_percent([57, 58, 60]), step_percent([56.5, 57, 58]), step_percent([56.94, 57.31])
    (1.0, 0.5, 0.4)
    """
    tenths = [round(value * STEPS_PER_PERCENT) for value in charge]
    step = gcd(*(after - before for before, after in pairwise(tenths)))
    return min(step or STEPS_PER_PERCENT, STEPS_PER_PERCENT) / STEPS_PER_PERCENT
