"""The energy of a session: into the battery (added) and out of the grid (drawn), by the best that is known (sources 15.2)."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec

from chargeport.derive.series import BRIDGED_GAP_MS, HOUR_MS, MAX_GAP_MS, MINUTE_MS, RAMP_MS
from chargeport.derive.sessions.rises import is_reset, without_glitches
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.stretches import LAG_MS, Stretch
from chargeport.derive.tracks import Sample, Track, between, by_source, number
from chargeport.signals.battery import NominalCapacity

EnergyMethod = Literal["counter", "lifetime", "integral", "state_of_charge", "reported"]

SLOT_MS: Final = 15 * MINUTE_MS
"""Every time zone's clock differs from UTC by a multiple of it, and no tariff changes its price more often."""
STILL_KWH: Final = 1.0
"""So much a car may draw to heat itself while its counter of charged energy stands still."""
LEAST_COVERED: Final = 0.5
"""With less of the time known, power says too little of the energy."""
WHOLLY_COVERED: Final = 0.98


MOST_BEYOND: Final = 0.2
"""Beyond the last sample the course of power goes on, as on a DC curve, by this share at the most."""

Point = tuple[int, float]
"""An instant, and watts."""


class Slot(NamedTuple):
    """Energy out of the grid within a quarter of an hour, which begins at `at`."""

    at: int
    kwh: float


class Drawn(NamedTuple):
    """Energy out of the grid, when it was drawn, and from how many samples that is known."""

    kwh: float
    slots: tuple[Slot, ...]
    estimated: bool
    samples: Sequence[Sample]


class Counted(NamedTuple):
    """What an energy counter says of a session."""

    kwh: float
    method: EnergyMethod
    samples: Sequence[Sample]


def capacity_kwh(track: Track | None) -> float | None:
    """The newest nominal capacity of tractionbattery-nominalcapacity, for `Rules.capacity_kwh`; None without any."""
    told = [] if track is None else track.samples()
    if not told:
        return None
    return msgspec.json.decode(str(told[-1].value), type=NominalCapacity).capacity or None


def drawn(power: Sequence[Sample], stretches: Sequence[Stretch], rules: Rules) -> Drawn | None:
    """Power over the time of the stretches; None where it is known for less than half of that."""
    slots: dict[int, float] = {}
    used: list[Sample] = []
    covered_ms = 0
    bridged = False
    for told in _richest_first(power, stretches):
        for stretch in stretches:
            course = _course(between(told, stretch.start, stretch.end), stretch, rules)
            used += between(told, stretch.start, stretch.end)
            for (at, one_w), (next_at, other_w) in pairwise(course):
                if next_at - at > BRIDGED_GAP_MS:
                    continue
                bridged = bridged or next_at - at > MAX_GAP_MS
                covered_ms += next_at - at
                _add(slots, (at, one_w), (next_at, other_w))
        break
    whole_ms = sum(stretch.end - stretch.start for stretch in stretches)
    if not whole_ms or covered_ms < LEAST_COVERED * whole_ms:
        return None
    is_whole = covered_ms >= WHOLLY_COVERED * whole_ms
    scale = 1.0 if is_whole else whole_ms / covered_ms
    found = tuple(Slot(at, kwh * scale) for at, kwh in sorted(slots.items()))
    return Drawn(sum(slot.kwh for slot in found), found, bridged or not is_whole, used)


def _richest_first(power: Sequence[Sample], stretches: Sequence[Stretch]) -> Iterable[list[Sample]]:
    """The samples by source, those of the source with most of them in the stretches first."""
    told = by_source(power)

    def within(source: str) -> int:
        return sum(len(between(told[source], stretch.start, stretch.end)) for stretch in stretches)

    return [told[source] for source in sorted(told, key=lambda source: (-within(source), source))]


def _course(told: Sequence[Sample], stretch: Stretch, rules: Rules) -> list[Point]:
    """Instants and watts from end to end of a stretch. Samples on the way up, or of the end, are left out."""
    points = [(sample.at, number(sample)) for sample in told]
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
    """The line through two points, which lie one behind the other, at an instant beyond the nearer."""
    if far[0] == near[0] or abs(near[0] - at) > BRIDGED_GAP_MS:
        return at, near[1]
    beyond = near[1] + (near[1] - far[1]) * (at - near[0]) / (near[0] - far[0])
    return at, min(max(beyond, (1 - MOST_BEYOND) * near[1]), (1 + MOST_BEYOND) * near[1])


def _add(slots: dict[int, float], one: Point, other: Point) -> None:
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


def spread(kwh: float, stretches: Sequence[Stretch]) -> tuple[Slot, ...]:
    """An energy of which only the sum is known, evenly over the time of the stretches."""
    slots: dict[int, float] = {}
    whole_ms = sum(stretch.end - stretch.start for stretch in stretches)
    if not whole_ms:
        return ()
    mean_w = kwh * 1000 * HOUR_MS / whole_ms
    for stretch in stretches:
        _add(slots, (stretch.start, mean_w), (stretch.end, mean_w))
    return tuple(Slot(at, each) for at, each in sorted(slots.items()))


def counted(told: Sequence[Sample], start: int, end: int, likely_kwh: float | None) -> Counted | None:
    """What one source's counter rose by from `start` to `end`. `told` begins before and goes on to the next session.

    A counter of sessions begins anew with each, which may have gone unseen; one that counts on does not. Where both can be, the
    one that is nearer to what is likely is meant, and else the first, for that is what charge-energyadded means.
    """
    told = without_glitches(told)
    before = [sample for sample in told if sample.at <= start]
    after = [sample for sample in told if sample.at > start]
    began_anew = any(is_reset(number(one), number(other)) for one, other in pairwise(before))
    base = number(before[-1]) if before and not began_anew else None
    shown, shown_at = base, start
    for index, sample in enumerate(after):
        if shown is not None and is_reset(shown, number(sample)):
            if sample.at > end or shown_at > start + LAG_MS:  # the next session's
                after = after[:index]
                break
            base = None
        shown, shown_at = number(sample), sample.at
    if not after:
        return None
    return _count(base, number(after[-1]), likely_kwh, [*before[-1:], *after])


def _count(base: float | None, last_kwh: float, likely_kwh: float | None, seen: list[Sample]) -> Counted | None:
    if not base:
        return Counted(last_kwh, "counter", seen)
    grown = max(0.0, last_kwh - base)
    if not grown:  # it stood still, which means something only where nothing else moved much
        return Counted(0.0, "lifetime", seen) if likely_kwh is not None and likely_kwh < STILL_KWH else None
    if likely_kwh is not None and abs(last_kwh - likely_kwh) <= abs(grown - likely_kwh):
        return Counted(last_kwh, "counter", seen)
    return Counted(grown, "lifetime", seen)


def best_counted(found: Mapping[str, Counted]) -> tuple[str, Counted] | None:
    """Of the sources' counters the one with most reports."""
    if not found:
        return None
    source = min(found, key=lambda name: (-len(found[name].samples), name))
    return source, found[source]
