"""Learn from a car's sessions how its charging power decreases as the battery fills (the taper)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final, Literal

import msgspec

from chargeport.derive.live.curves import PowerCurve
from chargeport.derive.series import CHARGING_W, MINUTE_MS, Measured, interpolated

BIN_PERCENT: Final = 2
MIN_SESSIONS: Final = 2
MIN_BINS: Final = 5  # bins of the state of charge that a taper needs

SETTLED_AFTER_MS: Final = 2 * MINUTE_MS
"""The first two minutes of a session are the ramp and the handshake."""

MIN_PEAK_SHARE: Final = 0.8
"""A session whose peak is below this share of the car's peak was limited by its station: it does not show the taper."""

CLOSE_PERCENT: Final = 5.0  # the taper applies up to this distance from its outermost bins


class TaperCurve(msgspec.Struct, frozen=True):
    """Points of (percent, share of the peak power); `peak_w` is the median of the peaks of the sessions."""

    shares: tuple[tuple[float, float], ...]
    peak_w: float

    def share(self, soc_percent: float) -> float:
        """Return the share of the peak power at a state of charge."""
        return PowerCurve(self.shares).power_w(soc_percent)

    def covers(self, from_percent: float, to_percent: float) -> bool:
        """Return whether the sessions covered the range between two states of charge."""
        return self.shares[0][0] - CLOSE_PERCENT <= from_percent and to_percent <= self.shares[-1][0] + CLOSE_PERCENT

    def curve(self) -> PowerCurve:
        """Return the taper in W."""
        return PowerCurve(tuple((soc, share * self.peak_w) for soc, share in self.shares))


class Taper(msgspec.Struct, frozen=True):
    """The learned taper on AC and on DC; None without enough sessions."""

    ac: TaperCurve | None = None
    dc: TaperCurve | None = None


class FinishedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A finished session: samples in W and in percent, ordered by time."""

    kind: Literal["AC", "DC"]
    started_at: int
    power: Sequence[Measured]
    soc: Sequence[Measured]


def learn(sessions: Iterable[FinishedSession]) -> Taper | None:
    """Return the taper of the sessions; None with fewer than two sessions of a type with about the same peak power."""
    found: dict[str, list[list[tuple[float, float]]]] = defaultdict(list)
    for session in sessions:
        if points := _points(session):
            found[session.kind].append(points)
    taper = Taper(ac=_taper_curve(found["AC"]), dc=_taper_curve(found["DC"]))
    return None if taper == Taper() else taper


def _points(session: FinishedSession) -> list[tuple[float, float]]:
    """Return (percent, W) of each settled sample."""
    settled_at = session.started_at + SETTLED_AFTER_MS
    points = []
    for sample in session.power:
        if sample.at >= settled_at and sample.value > CHARGING_W:
            soc_percent = interpolated(session.soc, sample.at)
            if soc_percent is not None:
                points.append((soc_percent, sample.value))
    return points


def _taper_curve(sessions: list[list[tuple[float, float]]]) -> TaperCurve | None:
    max_w = max((max(power_w for _, power_w in points) for points in sessions), default=0.0)
    peaks, shares = [], defaultdict(list)
    for points in sessions:
        peak_w = max(power_w for _, power_w in points)
        if peak_w < MIN_PEAK_SHARE * max_w:
            continue
        peaks.append(peak_w)
        for middle, share in _binned(points, peak_w).items():
            shares[middle].append(share)
    if len(peaks) < MIN_SESSIONS or len(shares) < MIN_BINS:
        return None
    return TaperCurve(tuple((middle, median(found)) for middle, found in sorted(shares.items())), median(peaks))


def _binned(points: list[tuple[float, float]], peak_w: float) -> dict[float, float]:
    """Return the median share of each bin, by the bin's middle."""
    bins: dict[float, list[float]] = defaultdict(list)
    for soc_percent, power_w in points:
        low = min(100 - BIN_PERCENT, soc_percent // BIN_PERCENT * BIN_PERCENT)
        bins[low + BIN_PERCENT / 2].append(power_w / peak_w)
    return {middle: median(found) for middle, found in bins.items()}
