"""The energy of power over time, by quarters of an hour."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.series import BRIDGED_GAP_MS, HOUR_MS, MAX_GAP_MS, MINUTE_MS, RAMP_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import Sample, between, by_source, number

SLOT_MS: Final = 15 * MINUTE_MS
"""Drawn energy is kept by quarters of an hour. Within one it goes by the time of charging."""
LEAST_COVERED: Final = 0.5
"""With less of the time known, power says too little of the energy."""
WHOLLY_COVERED: Final = 0.98
MOST_BEYOND: Final = 0.2
"""Beyond the last sample power goes on, as on a DC curve, by this share at the most."""

Point = tuple[int, float]
"""An instant, and watts."""


class Slot(NamedTuple):
    """Energy out of the grid within a quarter of an hour, which begins at `at`."""

    at: int
    kwh: float


class Drawn(msgspec.Struct, frozen=True):
    """Energy by power over time. `measured_kwh` is that of the time in which power is known; `kwh` of all the time."""

    kwh: float
    measured_kwh: float
    covered: float
    slots: tuple[Slot, ...]
    estimated: bool
    samples: Sequence[Sample]


def drawn(power: Sequence[Sample], stretches: Sequence[Stretch], rules: Rules) -> Drawn | None:
    """Return power over the time of the stretches by the source that tells most of it; None where that is less than half."""
    own = next(iter(_richest_first(power, stretches)), [])
    slots: dict[int, float] = {}
    used: list[Sample] = []
    covered_ms = 0
    bridged = False
    for stretch in stretches:
        points = _points(between(own, stretch.start, stretch.end), stretch, rules)
        used += between(own, stretch.start, stretch.end)
        for (at, one_w), (next_at, next_w) in pairwise(points):
            is_edge = min(one_w, next_w) <= rules.power_from_w < max(one_w, next_w)
            if next_at - at > (MAX_GAP_MS if is_edge else BRIDGED_GAP_MS):
                continue
            bridged = bridged or next_at - at > MAX_GAP_MS
            covered_ms += next_at - at
            add(slots, (at, one_w), (next_at, next_w))
    whole_ms = sum(stretch.end - stretch.start for stretch in stretches)
    if not whole_ms or covered_ms < LEAST_COVERED * whole_ms:
        return None
    is_whole = covered_ms >= WHOLLY_COVERED * whole_ms
    measured = sum(slots.values())
    found = tuple(Slot(at, kwh) for at, kwh in sorted(slots.items()))
    if not is_whole:
        found = scaled(found, measured * whole_ms / covered_ms, stretches)
    return Drawn(
        sum(slot.kwh for slot in found), measured, covered_ms / whole_ms, found, bridged or not is_whole, used
    )  # fmt: skip


def within(power: Sequence[Sample], start: int, end: int, rules: Rules) -> float | None:
    """Return the energy of the power between two instants; None where it is not known for most of that time, or is nothing."""
    found = drawn(power, [Stretch(start, end)], rules)
    return None if found is None or found.kwh <= rules.power_from_w / 1000 * (end - start) / HOUR_MS else found.kwh


def spread(kwh: float, stretches: Sequence[Stretch]) -> tuple[Slot, ...]:
    """Return an energy of which only the sum is known, evenly over the time of the stretches."""
    slots: dict[int, float] = {}
    whole_ms = sum(stretch.end - stretch.start for stretch in stretches)
    if not whole_ms:
        return ()
    mean_w = kwh * 1000 * HOUR_MS / whole_ms
    for stretch in stretches:
        add(slots, (stretch.start, mean_w), (stretch.end, mean_w))
    return tuple(Slot(at, each) for at, each in sorted(slots.items()))


def scaled(slots: tuple[Slot, ...], kwh: float, stretches: Sequence[Stretch]) -> tuple[Slot, ...]:
    """Return the slots so that their sum is another energy."""
    whole = sum(slot.kwh for slot in slots)
    return tuple(Slot(slot.at, slot.kwh * kwh / whole) for slot in slots) if whole else spread(kwh, stretches)


def add(slots: dict[int, float], one: Point, other: Point) -> None:
    """Add the energy under the line from one point to the other to the slots that it crosses."""
    (start, start_w), (end, end_w) = one, other
    at = start
    while at < end:
        slot = at - at % SLOT_MS
        until = min(end, slot + SLOT_MS)
        middle = ((at + until) / 2 - start) / (end - start)
        mean_w = start_w + (end_w - start_w) * middle
        slots[slot] = slots.get(slot, 0.0) + mean_w / 1000 * (until - at) / HOUR_MS
        at = until


def _richest_first(power: Sequence[Sample], stretches: Sequence[Stretch]) -> Iterable[list[Sample]]:
    """Return the samples by source, those of the source with most of them in the stretches first."""
    own = by_source(power)

    def count(source: str) -> int:
        return sum(len(between(own[source], stretch.start, stretch.end)) for stretch in stretches)

    return [own[source] for source in sorted(own, key=lambda source: (-count(source), source))]


def _points(own: Sequence[Sample], stretch: Stretch, rules: Rules) -> list[Point]:
    """Return instants and watts from end to end of a stretch. Samples on the way up, or of the end, are left out."""
    points = [(sample.at, number(sample)) for sample in own]
    if len(points) > 1 and points[0][0] - stretch.start < RAMP_MS <= points[1][0] - points[0][0]:
        points.pop(0)
    while points and points[-1][1] <= rules.power_from_w and points[-1][0] == stretch.end:
        points.pop()
    if not points:
        return []
    second, last_but_one = points[min(1, len(points) - 1)], points[max(0, len(points) - 2)]
    start, end = _onward(second, points[0], stretch.start), _onward(last_but_one, points[-1], stretch.end)
    return [start, *points, end]


def _onward(far: Point, near: Point, at: int) -> Point:
    """Return the line through two points, which lie one behind the other, at an instant beyond the nearer."""
    if far[0] == near[0] or abs(near[0] - at) > BRIDGED_GAP_MS:
        return at, near[1]
    beyond = near[1] + (near[1] - far[1]) * (at - near[0]) / (near[0] - far[0])
    return at, min(max(beyond, (1 - MOST_BEYOND) * near[1]), (1 + MOST_BEYOND) * near[1])
