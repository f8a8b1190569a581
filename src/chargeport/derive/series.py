"""Measured series: the energy of power over time, its latest level, and values that belong together."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple, Protocol

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS

CHARGING_W: Final = 300.0
"""More than this is charging; less is what a parked car's electronics draw (docs/evidence/charging.md)."""

GAP_CADENCES: Final = 3
MIN_GAP_MS: Final = 5 * MINUTE_MS
MAX_GAP_MS: Final = 15 * MINUTE_MS
"""A longer silence than three usual ones, which count as 5 to 15 minutes, is a gap (docs/evidence/charging.md, Energy)."""
BRIDGED_GAP_MS: Final = 30 * MINUTE_MS
"""So long a gap is bridged where the car charges at both ends, and what comes of it is estimated."""

RAMP_MS: Final = 20_000
"""Chargers raise their current over some twenty seconds, so a sample in it says nothing of the minutes after."""

IN_TURN: Final = (0.9, 2.0)
"""A report that comes after so many usual intervals was due anyway; one out of turn was sent because of a change."""


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
    """A number and its instant, made here."""

    at: int
    value: float


class Energy(NamedTuple):
    """The energy of power over time; `bridged` where a gap in it was bridged or left out."""

    kwh: float
    bridged: bool


def energy(power: Sequence[Measured], started_at: int, idle_at: int | None = None) -> Energy | None:
    """Return the energy of a session by trapezoids over its samples of W; None without two, or across too long a gap.

    Where charging begins or ends between two reports that were due anyway, half of that time counts; `idle_at` is such a
    report before the first sample. A first sample within the ramp is followed by the level of the next one.
    """
    points = _from_the_start(power, started_at, idle_at)
    if len(points) < 2:  # noqa: PLR2004  (a line)
        return None
    cadence_ms = _cadence_ms(power if len(power) > 1 else points)
    total_wms, bridged = 0.0, False
    for one, other in pairwise(points):
        part = _part(one, other, cadence_ms)
        if part is None:
            return None
        total_wms, bridged = total_wms + part.kwh, bridged or part.bridged
    return None if bridged and not total_wms else Energy(total_wms / HOUR_MS / 1000, bridged)


def _part(one: Point, other: Point, cadence_ms: float) -> Energy | None:
    """Return what lies between two samples, in W x ms; None where the car charged at both ends of too long a gap."""
    long_ms = other.at - one.at
    area_wms = (one.value + other.value) / 2 * long_ms
    gap = long_ms > min(MAX_GAP_MS, max(MIN_GAP_MS, GAP_CADENCES * cadence_ms))
    before, after = one.value > CHARGING_W, other.value > CHARGING_W
    if before and after:
        return Energy(area_wms, gap) if long_ms <= BRIDGED_GAP_MS else None
    if not before and not after:
        return Energy(0.0, bridged=False)  # a pause, however long
    if IN_TURN[0] * cadence_ms <= long_ms <= min(IN_TURN[1] * cadence_ms, BRIDGED_GAP_MS):
        return Energy(area_wms, gap)
    if after:
        return Energy(0.0, bridged=False)  # it says when charging began
    if long_ms < IN_TURN[0] * cadence_ms:
        return Energy(one.value * long_ms, bridged=False)  # it says when charging ended
    return Energy(0.0, bridged=True) if gap else Energy(area_wms, bridged=False)


def _from_the_start(power: Sequence[Measured], started_at: int, idle_at: int | None) -> list[Point]:
    """Return the samples, led in by what is known of the time before the first, with each ramp replaced by what followed it."""
    points = [Point(sample.at, sample.value) for sample in power]
    if not points:
        return []
    first = points[0]
    cadence_ms = _cadence_ms(points) if len(points) > 1 else 0.0
    if idle_at is not None and idle_at < first.at:
        points.insert(0, Point(idle_at, 0.0))
    elif started_at < first.at:
        points.insert(0, Point(started_at, first.value))
    return _without_ramps(points, cadence_ms)


def _without_ramps(points: list[Point], cadence_ms: float) -> list[Point]:
    """Return the points with the level that follows a ramp put right behind it.

    A ramp is what is reported out of turn as charging begins, and rises until the next sample, which comes much later.
    """
    levelled: list[Point] = []
    idle: Point | None = None
    ramp_until = points[0].at + RAMP_MS if points[0].value > CHARGING_W else 0
    for here, after in pairwise([*points, points[-1]]):
        levelled.append(here)
        if here.value <= CHARGING_W:
            idle = here
            continue
        if idle is not None:
            in_turn = IN_TURN[0] * cadence_ms <= here.at - idle.at <= IN_TURN[1] * cadence_ms
            ramp_until, idle = (0 if in_turn else here.at + RAMP_MS), None
        if here.at < ramp_until < after.at and after.value > here.value:
            levelled.append(Point(ramp_until, after.value))
    return levelled


def _cadence_ms(points: Sequence[Measured]) -> float:
    return median(other.at - one.at for one, other in pairwise(points))


def level(power: Sequence[Measured], after_at: int, within_ms: int) -> float | None:
    """Return the median of the last three samples from `after_at` on and within `within_ms` of the last; None without any."""
    settled = [sample for sample in power[-3:] if sample.at >= after_at]
    recent = [sample.value for sample in settled if settled[-1].at - sample.at <= within_ms]
    return median(recent) if recent else None


def paired(ones: Sequence[Measured], others: Sequence[Measured], within_ms: int) -> list[tuple[int, float, float]]:
    """Pair each of `ones` with the latest of `others` until then, where it is not more than `within_ms` older."""
    pairs: list[tuple[int, float, float]] = []
    index = -1
    for one in ones:
        while index + 1 < len(others) and others[index + 1].at <= one.at:
            index += 1
        if index >= 0 and one.at - others[index].at <= within_ms:
            pairs.append((one.at, one.value, others[index].value))
    return pairs


def interpolated(samples: Sequence[Measured], at: int) -> float | None:
    """Return the value at an instant on the line between two samples; None before the first and after the last."""
    for one, other in pairwise(samples):
        if one.at <= at <= other.at:
            share = (at - one.at) / (other.at - one.at) if other.at > one.at else 0.0
            return one.value + share * (other.value - one.value)
    return None
