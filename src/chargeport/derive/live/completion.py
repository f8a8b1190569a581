"""How many minutes are left until the charge limit (docs/evidence/charging.md, Time to complete)."""

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
"""What the last five percent take longer than at full power."""
AC_TAPER_TO: Final = 0.3
"""Current falls evenly with the state of charge once the voltage is held: to about this share of full power."""

AC_LEVEL_MS: Final = 5 * MINUTE_MS
DC_LEVEL_MS: Final = MINUTE_MS
"""Over how long power is smoothed: on DC it falls too fast for more."""

MAX_APART_MS: Final = 5 * MINUTE_MS
"""How far power and state of charge may be apart where the energy between them is not known."""

STATION_LIMITED: Final = 0.9
"""Power below this share of the curve is held down: by the station, or by a cold battery."""
CURVE_FITS: Final = 1.25
"""A car that takes more than its curve by this factor has another curve."""


def minutes_ac(view: View) -> int | None:
    """The energy that is missing over the power there is, and some minutes for the last five percent.

    Power of AC's size counts as AC where nobody says what it is: a slow DC station makes little difference.
    """
    if view.flag(FAST) is True:
        return None
    full_w = _level_w(view, AC_LEVEL_MS)
    ends = _ends(view)
    if full_w is None or ends is None:
        return None
    if ends[0] > AC_TAPER_FROM_PERCENT:  # the present power is that of the taper already
        full_w = max(full_w, *(sample.value for sample in electrics.power(view)))
    even = _minutes(view, ends, lambda _soc: full_w)
    last = _minutes(view, (AC_TAPER_FROM_PERCENT, 100.0), lambda _soc: full_w)
    return None if even is None or last is None else math.ceil(even + _taper_min(ends, last))


def _taper_min(ends: tuple[float, float], even_min: float) -> float:
    """What the taper adds between two states of charge, where the whole of it takes `even_min` at full power."""
    whole = _delay(100.0)
    added_min = min(AC_TAPER_MIN[1], max(AC_TAPER_MIN[0], whole * even_min))
    return added_min * (_delay(ends[1]) - _delay(ends[0])) / whole


def _delay(soc_percent: float) -> float:
    """The integral of 1/share - 1 over the taper up to a state of charge, its whole length being 1."""
    done = max(0.0, soc_percent - AC_TAPER_FROM_PERCENT) / (100 - AC_TAPER_FROM_PERCENT)
    fall = 1 - AC_TAPER_TO
    return -math.log(1 - fall * done) / fall - done


def minutes_ac_learnt(view: View) -> int | None:
    """The same with the taper that the car's own sessions showed."""
    taper = None if view.car.taper is None else view.car.taper.ac
    if taper is None or view.flag(FAST) is True:
        return None
    now_w, ends = _level_w(view, AC_LEVEL_MS), _ends(view)
    if now_w is None or ends is None or not taper.covers(*ends):
        return None
    full_w = now_w / taper.share(ends[0])
    return _whole(_minutes(view, ends, lambda soc: full_w * taper.share(soc)))


def minutes_dc_curve(view: View) -> int | None:
    """Percent by percent, at what the model's curve and the station allow."""
    return None if view.car.curve is None else _minutes_dc(view, view.car.curve)


def minutes_dc_learnt(view: View) -> int | None:
    """The same with the curve that the car's own sessions showed."""
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
    if ratio > CURVE_FITS:
        return None
    if ratio < STATION_LIMITED:
        return _whole(_minutes(view, ends, lambda soc: min(now_w, curve.power_w(soc))))
    return _whole(_minutes(view, ends, lambda soc: ratio * curve.power_w(soc)))


def _whole(minutes: float | None) -> int | None:
    return None if minutes is None else math.ceil(minutes)


def _level_w(view: View, within_ms: int) -> float | None:
    """The power of late, once the ramp is over; None where it is too little to be charging."""
    if view.session is None or view.number(WATTAGE) is None:
        return None
    now_w = level(electrics.power(view), view.session.started_at + SETTLED_AFTER_MS, within_ms)
    return now_w if now_w is not None and now_w > CHARGING_W else None


def _ends(view: View) -> tuple[float, float] | None:
    """The state of charge at the instant of the power, and the limit; None while not charging."""
    limit_percent, soc_percent = view.limit_percent(), _present_soc(view)
    if limit_percent is None or soc_percent is None or view.flag(CHARGING) is not True:
        return None
    return min(soc_percent, limit_percent), limit_percent


def _present_soc(view: View) -> float | None:
    """The state of charge, carried on by the energy since it was reported."""
    soc_percent, soc_at, power_at = view.number(SOC), view.at(SOC), view.at(WATTAGE)
    if soc_percent is None or soc_at is None or power_at is None:
        return None
    since = [sample for sample in electrics.power(view) if sample.at >= soc_at]
    drawn = energy(since, soc_at) if power_at > soc_at else None
    capacity_kwh, share = view.capacity_kwh(), electrics.present_efficiency(view)
    if drawn is not None and capacity_kwh is not None:
        return soc_percent + drawn.kwh * share / capacity_kwh * 100
    return soc_percent if abs(power_at - soc_at) <= MAX_APART_MS else None


def _minutes(view: View, ends: tuple[float, float], power_w: Callable[[float], float]) -> float | None:
    """The minutes between two states of charge, summed percent by percent at the power of each middle."""
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
