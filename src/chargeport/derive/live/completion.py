"""Derive the minutes until the charge limit is reached (docs/evidence/charging.md, Time to complete)."""

import math
from collections.abc import Callable
from typing import Final

from chargeport.derive.live import electrics
from chargeport.derive.live.curves import PowerCurve
from chargeport.derive.live.taper import SETTLED_AFTER_MS, TaperCurve
from chargeport.derive.live.view import CHARGING, FAST, SOC, WATTAGE, View
from chargeport.derive.series import CHARGING_W, MINUTE_MS, energy, level

AC_TAPER_FROM_PERCENT: Final = 95.0
AC_TAPER_MIN: Final = (10.0, 20.0)
"""The least and the most that the last five percent take longer than at full power."""
AC_TAPER_TO: Final = 0.3
"""At constant voltage the current falls linearly with the state of charge, to about this share of full power."""

AC_LEVEL_MS: Final = 5 * MINUTE_MS
DC_LEVEL_MS: Final = MINUTE_MS
"""The time over which power is smoothed: on DC it falls too fast for a longer one."""

MAX_DISTANCE_MS: Final = 5 * MINUTE_MS
"""The longest time between power and state of charge if the energy in between is unknown."""

LIMITED_SHARE: Final = 0.9
"""Power below this share of the curve is limited by the station, or by a cold battery."""
MAX_CURVE_SHARE: Final = 1.25
"""The curve is not that of the car if its power is higher by more than this factor."""


def minutes_ac(view: View) -> int | None:
    """Return the missing energy divided by the present power, and some minutes for the last five percent.

    Charging of an unknown type counts as AC: for a slow DC station the difference is small.
    """
    if view.flag(FAST) is True:
        return None
    full_w = _level_w(view, AC_LEVEL_MS)
    ends = _ends(view)
    if full_w is None or ends is None:
        return None
    if ends[0] > AC_TAPER_FROM_PERCENT:  # the present power is reduced by the taper already
        full_w = max(full_w, *(sample.value for sample in electrics.power(view)))
    at_full_power = _minutes(view, ends, lambda _soc: full_w)
    last = _minutes(view, (AC_TAPER_FROM_PERCENT, 100.0), lambda _soc: full_w)
    return None if at_full_power is None or last is None else math.ceil(at_full_power + _taper_min(ends, last))


def _taper_min(ends: tuple[float, float], full_power_min: float) -> float:
    """Return the minutes that the taper adds between two states of charge; all of it takes `full_power_min` at full power."""
    full_delay = _delay(100.0)
    added_min = min(AC_TAPER_MIN[1], max(AC_TAPER_MIN[0], full_delay * full_power_min))
    return added_min * (_delay(ends[1]) - _delay(ends[0])) / full_delay


def _delay(soc_percent: float) -> float:
    """Return the integral of 1/share - 1 over the taper up to a state of charge, in units of the length of the taper."""
    done = max(0.0, soc_percent - AC_TAPER_FROM_PERCENT) / (100 - AC_TAPER_FROM_PERCENT)
    fall = 1 - AC_TAPER_TO
    return -math.log(1 - fall * done) / fall - done


def minutes_ac_learned(view: View) -> int | None:
    """Return the missing energy divided by the power of the learned taper."""
    taper = None if view.car.taper is None else view.car.taper.ac
    if taper is None or view.flag(FAST) is True:
        return None
    now_w, ends = _level_w(view, AC_LEVEL_MS), _ends(view)
    if now_w is None or ends is None or not taper.covers(*ends):
        return None
    full_w = now_w / taper.share(ends[0])
    return _rounded_up(_minutes(view, ends, lambda soc: full_w * taper.share(soc)))


def minutes_dc_curve(view: View) -> int | None:
    """Return the sum of the minutes of each percent, at the power that the curve of the model and the station allow."""
    return None if view.car.curve is None else _minutes_dc(view, view.car.curve)


def minutes_dc_learned(view: View) -> int | None:
    """Return the sum of the minutes of each percent, at the power that the learned taper and the station allow."""
    taper: TaperCurve | None = None if view.car.taper is None else view.car.taper.dc
    ends = None if taper is None else _ends(view)
    if taper is None or ends is None or not taper.covers(*ends):
        return None
    return _minutes_dc(view, taper.curve())


def _minutes_dc(view: View, curve: PowerCurve) -> int | None:
    if view.flag(FAST) is not True:
        return None
    now_w, ends = _level_w(view, DC_LEVEL_MS), _ends(view)
    if now_w is None or ends is None:
        return None
    ratio = now_w / curve.power_w(ends[0])
    if ratio > MAX_CURVE_SHARE:
        return None
    if ratio < LIMITED_SHARE:
        return _rounded_up(_minutes(view, ends, lambda soc: min(now_w, curve.power_w(soc))))
    return _rounded_up(_minutes(view, ends, lambda soc: ratio * curve.power_w(soc)))


def _rounded_up(minutes: float | None) -> int | None:
    return None if minutes is None else math.ceil(minutes)


def _level_w(view: View, within_ms: int) -> float | None:
    """Return the recent power after the ramp; None where it is too little to be charging."""
    if view.session is None or view.number(WATTAGE) is None:
        return None
    now_w = level(electrics.power(view), view.session.started_at + SETTLED_AFTER_MS, within_ms)
    return now_w if now_w is not None and now_w > CHARGING_W else None


def _ends(view: View) -> tuple[float, float] | None:
    """Return the state of charge at the instant of the power, and the limit; None if one is unknown, or while not charging."""
    limit_percent, soc_percent = view.limit_percent(), _present_soc(view)
    if limit_percent is None or soc_percent is None or view.flag(CHARGING) is not True:
        return None
    return min(soc_percent, limit_percent), limit_percent


def _present_soc(view: View) -> float | None:
    """Return the state of charge, increased by the energy since its report."""
    soc_percent, soc_at, power_at = view.number(SOC), view.at(SOC), view.at(WATTAGE)
    if soc_percent is None or soc_at is None or power_at is None:
        return None
    since = [sample for sample in electrics.power(view) if sample.at >= soc_at]
    drawn = energy(since, soc_at) if power_at > soc_at else None
    capacity_kwh, share = view.capacity_kwh(), electrics.present_efficiency(view)
    if drawn is not None and capacity_kwh is not None:
        return soc_percent + drawn.kwh * share / capacity_kwh * 100
    return soc_percent if abs(power_at - soc_at) <= MAX_DISTANCE_MS else None


def _minutes(view: View, ends: tuple[float, float], power_w: Callable[[float], float]) -> float | None:
    """Return the minutes between two states of charge: the sum for each percent, at the power in its middle."""
    capacity_kwh, share = view.capacity_kwh(), electrics.present_efficiency(view)
    if capacity_kwh is None:
        return None
    soc_percent, limit_percent = ends
    hours = 0.0
    while soc_percent < limit_percent:
        step = min(1.0, limit_percent - soc_percent)
        hours += step * 10 * capacity_kwh / (power_w(soc_percent + step / 2) * share)
        soc_percent += step
    return hours * 60
