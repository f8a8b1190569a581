"""Measurements over time: the energy of power, its present level, pairs of two measurements, and interpolation."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple, Protocol

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS

CHARGING_W: Final = 300.0
"""More power is charging; up to this is drawn by the electronics of a parked car (docs/evidence/charging.md)."""

GAP_CADENCES: Final = 3
MIN_GAP_MS: Final = 5 * MINUTE_MS
MAX_GAP_MS: Final = 15 * MINUTE_MS
"""Three usual intervals, but at least 5 and at most 15 minutes: a longer one is a gap (docs/evidence/charging.md, Energy)."""
BRIDGED_GAP_MS: Final = 30 * MINUTE_MS
"""A gap up to this is bridged where the car charges at both ends; the energy is then estimated."""

RAMP_MS: Final = 20_000
"""Chargers raise their current over about 20 seconds: a sample in this time does not show the power that follows."""

REGULAR_INTERVAL: Final = (0.9, 2.0)
"""A report after this many usual intervals is a regular one; any other one was sent because of a change."""


class Measured(Protocol):
    """A number and its instant; `inputs.Sample` is one."""

    @property
    def at(self) -> int:
        """Return the instant."""
        ...

    @property
    def value(self) -> float:
        """Return the number."""
        ...


class Point(NamedTuple):
    """A number and its instant; a `Measured`."""

    at: int
    value: float


class Energy(NamedTuple):
    """The energy of power over time; `bridged` where a gap was bridged or left out.

    Charging began between two regular reports if `before_kwh` is not 0, which flowed if it charged all the time between them;
    `after_kwh` is the same of its end. Half of both is part of `kwh`.
    """

    kwh: float
    bridged: bool
    before_kwh: float = 0.0
    after_kwh: float = 0.0


def energy(power: Sequence[Measured], started_at: int, idle_at: int | None = None) -> Energy | None:
    """Return the energy of a session by trapezoids over its samples in W; None with fewer than two, or a gap that is too long.

    Where charging begins or ends between two regular reports, half of that time counts; `idle_at` is the instant of a report
    before the first sample. After a sample in the ramp, the power is that of the next sample.
    """
    points = _points(power, started_at, idle_at)
    if len(points) < 2:  # noqa: PLR2004  (a line)
        return None
    cadence_ms = _cadence_ms(power if len(power) > 1 else points)
    found = [_area(before, after, cadence_ms) for before, after in pairwise(points)]
    areas = [area for area in found if area is not None]
    total_wms, bridged = sum(area.wms for area in areas), any(area.bridged for area in areas)
    if len(areas) < len(found) or (bridged and not total_wms):
        return None
    before_wms = 2 * areas[0].wms if areas[0].is_edge and points[0].value <= CHARGING_W else 0.0
    after_wms = 2 * areas[-1].wms if areas[-1].is_edge and points[-1].value <= CHARGING_W else 0.0
    return Energy(_kwh(total_wms), bridged, _kwh(before_wms), _kwh(after_wms))


def _kwh(wms: float) -> float:
    return wms / HOUR_MS / 1000


class _Area(NamedTuple):
    """The energy between two samples, in W x ms; `is_edge` where charging began or ended at an unknown instant."""

    wms: float
    bridged: bool
    is_edge: bool = False


def _area(before: Point, after: Point, cadence_ms: float) -> _Area | None:
    """Return the energy between two samples; None for charging at both ends of a gap that is too long.

    An irregular report shows when charging began or ended: there was no power before it, or the former power up to it.
    """
    interval_ms = after.at - before.at
    trapezoid_wms = (before.value + after.value) / 2 * interval_ms
    is_gap = interval_ms > min(MAX_GAP_MS, max(MIN_GAP_MS, GAP_CADENCES * cadence_ms))
    charges_before, charges_after = before.value > CHARGING_W, after.value > CHARGING_W
    if charges_before and charges_after:
        return _Area(trapezoid_wms, is_gap) if interval_ms <= BRIDGED_GAP_MS else None
    if not charges_before and not charges_after:
        return _Area(0.0, bridged=False)  # a pause, however long
    if is_regular(interval_ms, cadence_ms):
        return _Area(trapezoid_wms, is_gap, is_edge=True)
    if charges_after:
        return _Area(0.0, bridged=False)
    if interval_ms < REGULAR_INTERVAL[0] * cadence_ms:
        return _Area(before.value * interval_ms, bridged=False)
    return _Area(0.0, bridged=True) if is_gap else _Area(trapezoid_wms, bridged=False)


def is_regular(interval_ms: int, cadence_ms: float) -> bool:
    """Return whether a report after this interval is a regular one; any other one was sent because of a change."""
    return REGULAR_INTERVAL[0] * cadence_ms <= interval_ms <= min(REGULAR_INTERVAL[1] * cadence_ms, BRIDGED_GAP_MS)


def _points(power: Sequence[Measured], started_at: int, idle_at: int | None) -> list[Point]:
    """Return the samples, with a point for the start of charging, and without ramps."""
    points = [Point(sample.at, sample.value) for sample in power]
    if not points:
        return []
    first = points[0]
    cadence_ms = _cadence_ms(points) if len(points) > 1 else 0.0
    is_edge = idle_at is not None and idle_at < first.at and (len(points) == 1 or is_regular(first.at - idle_at, cadence_ms))
    if idle_at is not None and is_edge:
        points.insert(0, Point(idle_at, 0.0))
    elif started_at < first.at:
        points.insert(0, Point(started_at, first.value))
    return _without_ramps(points, cadence_ms)


def _without_ramps(points: list[Point], cadence_ms: float) -> list[Point]:
    """Return the points, with the power of the sample after a ramp inserted at the end of the ramp.

    A ramp is an irregular sample as charging begins, with less power than the next sample, which comes much later.
    """
    result: list[Point] = []
    idle: Point | None = None
    ramp_until = points[0].at + RAMP_MS if points[0].value > CHARGING_W else 0
    for point, after in pairwise([*points, points[-1]]):
        result.append(point)
        if point.value <= CHARGING_W:
            idle = point
            continue
        if idle is not None:
            ramp_until, idle = (0 if is_regular(point.at - idle.at, cadence_ms) else point.at + RAMP_MS), None
        if point.at < ramp_until < after.at and after.value > point.value:
            result.append(Point(ramp_until, after.value))
    return result


def _cadence_ms(points: Sequence[Measured]) -> float:
    return median(after.at - before.at for before, after in pairwise(points))


def level(power: Sequence[Measured], after_at: int, within_ms: int) -> float | None:
    """Return the median of up to three last samples since `after_at`, at most `within_ms` before the last; None without any."""
    settled = [sample for sample in power[-3:] if sample.at >= after_at]
    recent = [sample.value for sample in settled if settled[-1].at - sample.at <= within_ms]
    return median(recent) if recent else None


def paired(samples: Sequence[Measured], others: Sequence[Measured], within_ms: int) -> list[tuple[int, float, float]]:
    """Pair each sample with the latest of `others` up to its instant, unless that is more than `within_ms` older."""
    pairs: list[tuple[int, float, float]] = []
    index = -1
    for sample in samples:
        while index + 1 < len(others) and others[index + 1].at <= sample.at:
            index += 1
        if index >= 0 and sample.at - others[index].at <= within_ms:
            pairs.append((sample.at, sample.value, others[index].value))
    return pairs


def interpolated(samples: Sequence[Measured], at: int) -> float | None:
    """Return the value at an instant, interpolated between two samples; None before the first and after the last."""
    for before, after in pairwise(samples):
        if before.at <= at <= after.at:
            share = (at - before.at) / (after.at - before.at) if after.at > before.at else 0.0
            return before.value + share * (after.value - before.value)
    return None
