"""The energy of a session whose source is polled: charging began and ended at unknown instants between two reports.

In: the integral of power, which counts from the first report of charging to the first one without. Out: the integral with the
most likely energy, and how far that may be wrong. A source that reports changes has no such intervals.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.edges import SocRise, step_percent, with_edges
from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions.power import Integral, scaled
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import NEAR_END_MS
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import Sample, between, by_source, number

MIN_SAMPLES: Final = 3
EVEN_INTERVAL: Final = (0.8, 1.25)
"""A poll comes after this many usual intervals; after others, as charging begins or ends, a change may be reported."""
ESTIMATED_SHARE: Final = 0.1
"""Energy that may be wrong by more than this is an estimate."""


class PolledInputs(NamedTuple):
    """The stretches of a session, the instant before at which nothing charged, and its states of charge.

    `efficiency` is the share of the drawn energy that is added.
    """

    stretches: Sequence[Stretch]
    idle_at: int | None
    soc: Sequence[Sample]
    capacity_kwh: float | None
    efficiency: float


def between_polls(found: Integral, inputs: PolledInputs, rules: Rules) -> Integral:
    """Return the integral with the most likely energy of the intervals in which charging began and ended.

    It is unchanged unless the source reported evenly, also before the first and after the last report of charging.
    """
    flowing = [sample for sample in found.samples if number(sample) > rules.power_from_w]
    start, end = inputs.stretches[0].start, inputs.stretches[-1].end
    if len(flowing) < MIN_SAMPLES or inputs.idle_at is None or inputs.stretches[-1].estimated or flowing[0].at != start:
        return found
    usual_ms = median(after.at - before.at for before, after in pairwise(flowing))
    before_ms, after_ms = start - inputs.idle_at, end - flowing[-1].at
    if not all(EVEN_INTERVAL[0] * usual_ms <= each <= EVEN_INTERVAL[1] * usual_ms for each in (before_ms, after_ms)):
        return found
    before_kwh = number(flowing[0]) / 1000 * before_ms / HOUR_MS
    after_kwh = min(number(flowing[-1]) / 1000 * after_ms / HOUR_MS, found.kwh)
    soc = _soc_rise(inputs, flowing[-1].at)
    energy = with_edges(found.kwh - after_kwh, (before_kwh, after_kwh), soc)
    share = energy.kwh / found.kwh
    edge_kwh = (before_kwh + after_kwh) / 2
    return msgspec.structs.replace(
        found,
        kwh=energy.kwh,
        measured_kwh=share * found.measured_kwh,
        slots=scaled(found.slots, energy.kwh, inputs.stretches),
        estimated=found.estimated or edge_kwh > ESTIMATED_SHARE * energy.kwh,
        edge_kwh=edge_kwh,
    )


def _soc_rise(inputs: PolledInputs, last_at: int) -> SocRise | None:
    """Return the drawn energy by the state of charge of one source around and in the session; None where it is not known."""
    if inputs.capacity_kwh is None or inputs.idle_at is None:
        return None
    start, end = inputs.stretches[0].start, inputs.stretches[-1].end
    for samples in by_source(inputs.soc).values():
        before, within = between(samples, inputs.idle_at, start - 1), between(samples, start, last_at)
        after = between(samples, max(end, last_at + 1), end + NEAR_END_MS)
        if before and within and after:
            charge = number(before[-1]), number(within[0]), number(within[-1]), number(after[0])
            step = step_percent(number(sample) for sample in (*before, *within, *after))
            return SocRise.of(charge, step, inputs.capacity_kwh / 100 / inputs.efficiency)
    return None
