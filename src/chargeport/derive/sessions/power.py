"""Integrate power over time: the energy that a session drew from the grid, by quarters of an hour.

In: the samples of power of all sources and the stretches of a session. Out: an `Integral`, of the source with most samples.
Between two samples power is a straight line; at both ends of a stretch it is extrapolated. A gap is left out where it is too
long, and the energy of the remaining time is scaled to the whole.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.series import BRIDGED_GAP_MS, HOUR_MS, MAX_GAP_MS, MINUTE_MS, RAMP_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import Sample, between, by_source, number

SLOT_MS: Final = 15 * MINUTE_MS
"""Drawn energy is stored by quarters of an hour. Within one it is divided by the time of charging."""
MIN_COVERAGE: Final = 0.5
"""With a smaller share of the time known, the energy can't be estimated from power."""
FULL_COVERAGE: Final = 0.98
MAX_EXTRAPOLATION: Final = 0.2
"""Power is extrapolated beyond the last sample, as on a DC curve, by this share at most."""

MAX_DC_GAP_MS: Final = 5 * MINUTE_MS
"""Between samples further apart a DC curve may bend: its energy is an estimate."""

Point = tuple[int, float]
"""An instant, and power in W."""


class Slot(NamedTuple):
    """Energy drawn from the grid in the quarter of an hour that begins at `at`."""

    at: int
    kwh: float


class Integral(msgspec.Struct, frozen=True):
    """Energy by power over time: `measured_kwh` in the time in which power is known, `kwh` in all of the time.

    `coverage` is the share of the time in which power is known; `samples` are those that were used. Where it is unknown when
    charging began and ended, the energy may be wrong by `edge_kwh`.
    """

    kwh: float
    measured_kwh: float
    coverage: float
    slots: tuple[Slot, ...]
    estimated: bool
    samples: Sequence[Sample]
    edge_kwh: float = 0.0


def integral(power: Sequence[Sample], stretches: Sequence[Stretch], rules: Rules) -> Integral | None:
    """Return the integral over the stretches, by the source with most samples; None where it covers less than half of them."""
    own = next(iter(_most_samples_first(power, stretches)), [])
    slots: dict[int, float] = {}
    used: list[Sample] = []
    covered_ms = 0
    is_bridged = False
    for stretch in stretches:
        within = between(own, stretch.start, stretch.end)
        used += within
        for (at, start_w), (next_at, end_w) in pairwise(_points(within, stretch, rules)):
            is_edge = min(start_w, end_w) <= rules.power_from_w < max(start_w, end_w)
            if next_at - at > (MAX_GAP_MS if is_edge else BRIDGED_GAP_MS):
                continue
            is_dc = max(start_w, end_w) > rules.dc_from_w
            is_bridged = is_bridged or next_at - at > (MAX_DC_GAP_MS if is_dc else MAX_GAP_MS)
            covered_ms += next_at - at
            _add_line(slots, (at, start_w), (next_at, end_w))
    total_ms = sum(stretch.end - stretch.start for stretch in stretches)
    if not total_ms or covered_ms < MIN_COVERAGE * total_ms:
        return None
    is_full = covered_ms >= FULL_COVERAGE * total_ms
    measured_kwh = sum(slots.values())
    found = tuple(Slot(at, kwh) for at, kwh in sorted(slots.items()))
    if not is_full:
        found = scaled(found, measured_kwh * total_ms / covered_ms, stretches)
    return Integral(
        kwh=sum(slot.kwh for slot in found),
        measured_kwh=measured_kwh,
        coverage=covered_ms / total_ms,
        slots=found,
        estimated=is_bridged or not is_full,
        samples=used,
    )


def held(power: Sequence[Sample], stretches: Sequence[Stretch], rules: Rules) -> Integral | None:
    """Return the integral of power that holds from each report to the next, as of a source that reports changes only.

    None where power was not reported as each stretch began. Where reports are missing, the true energy may be anything up to
    twice as much.
    """
    own = next(iter(_most_samples_first(power, stretches)), [])
    slots: dict[int, float] = {}
    used: list[Sample] = []
    for stretch in stretches:
        within = between(own, stretch.start, stretch.end)
        is_held = bool(within) and within[0].at - stretch.start <= MINUTE_MS and number(within[0]) > rules.power_from_w
        if not is_held:
            return None
        used += within
        for sample, until in zip(within, [*(each.at for each in within[1:]), stretch.end], strict=True):
            if until - sample.at > rules.state_holds_ms:
                return None
            _add_line(slots, (sample.at, number(sample)), (until, number(sample)))
    found = tuple(Slot(at, kwh) for at, kwh in sorted(slots.items()))
    kwh = sum(slot.kwh for slot in found)
    return Integral(kwh, kwh, coverage=1.0, slots=found, estimated=True, samples=used, edge_kwh=kwh) if used else None


def energy_between(power: Sequence[Sample], start: int, end: int, rules: Rules) -> float | None:
    """Return the energy of power in kWh between two instants; None where it is unknown for most of that time, or negligible."""
    found = integral(power, [Stretch(start, end)], rules)
    return None if found is None or found.kwh <= rules.power_from_w / 1000 * (end - start) / HOUR_MS else found.kwh


def scaled(slots: tuple[Slot, ...], kwh: float, stretches: Sequence[Stretch]) -> tuple[Slot, ...]:
    """Return the slots scaled to another sum; without any, that energy evenly over the time of the stretches."""
    total_kwh = sum(slot.kwh for slot in slots)
    if total_kwh:
        return tuple(Slot(slot.at, slot.kwh * kwh / total_kwh) for slot in slots)
    total_ms = sum(stretch.end - stretch.start for stretch in stretches)
    if not total_ms:
        return ()
    even: dict[int, float] = {}
    mean_w = kwh * 1000 * HOUR_MS / total_ms
    for stretch in stretches:
        _add_line(even, (stretch.start, mean_w), (stretch.end, mean_w))
    return tuple(Slot(at, slot_kwh) for at, slot_kwh in sorted(even.items()))


def _add_line(slots: dict[int, float], start: Point, end: Point) -> None:
    """Add the energy under the line between two points to the slots that it crosses."""
    (start_at, start_w), (end_at, end_w) = start, end
    at = start_at
    while at < end_at:
        slot = at - at % SLOT_MS
        until = min(end_at, slot + SLOT_MS)
        middle = ((at + until) / 2 - start_at) / (end_at - start_at)
        mean_w = start_w + (end_w - start_w) * middle
        slots[slot] = slots.get(slot, 0.0) + mean_w / 1000 * (until - at) / HOUR_MS
        at = until


def _most_samples_first(power: Sequence[Sample], stretches: Sequence[Stretch]) -> Iterable[list[Sample]]:
    """Return the samples of each source, first those of the source with most of them in the stretches."""
    own = by_source(power)

    def count(source: str) -> int:
        return sum(len(between(own[source], stretch.start, stretch.end)) for stretch in stretches)

    return [own[source] for source in sorted(own, key=lambda source: (-count(source), source))]


def _points(samples: Sequence[Sample], stretch: Stretch, rules: Rules) -> list[Point]:
    """Return the points of power from the start to the end of a stretch, without samples of the ramp and of the end."""
    points = [(sample.at, number(sample)) for sample in samples]
    while points and points[-1][1] <= rules.power_from_w and points[-1][0] == stretch.end:
        points.pop()
    if len(points) > 1 and points[0][0] - stretch.start < RAMP_MS <= points[1][0] - points[0][0]:
        points.pop(0)
    if not points:
        return []
    second, last_but_one = points[min(1, len(points) - 1)], points[max(0, len(points) - 2)]
    start, end = _extrapolated(second, points[0], stretch.start), _extrapolated(last_but_one, points[-1], stretch.end)
    return [start, *points, end]


def _extrapolated(far: Point, near: Point, at: int) -> Point:
    """Return the point at an instant beyond `near`, on the line from `far` to `near`.

    It is extrapolated by no longer a time than these are apart: two that are close may be a step.
    """
    if far[0] == near[0] or abs(near[0] - at) > min(BRIDGED_GAP_MS, abs(near[0] - far[0])):
        return at, near[1]
    beyond = near[1] + (near[1] - far[1]) * (at - near[0]) / (near[0] - far[0])
    return at, min(max(beyond, (1 - MAX_EXTRAPOLATION) * near[1]), (1 + MAX_EXTRAPOLATION) * near[1])
