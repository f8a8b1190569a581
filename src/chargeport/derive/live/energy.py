"""Derive the energy that a session added to the battery, and the charge rate.

The evidence is in docs/evidence/charging.md, Energy and Charge rate.
"""

import math
from typing import Final

from chargeport.derive.edges import SocRise, step_percent, with_edges
from chargeport.derive.live import electrics
from chargeport.derive.live.view import SOC, WATTAGE, View
from chargeport.derive.series import CHARGING_W, Energy, energy

MIN_RISE_PERCENT: Final = 3.0
"""Each end may be off by one percent: a smaller rise is too inexact."""
MIN_PROOF_PERCENT: Final = 10.0
PROOF_SHARE: Final = 0.08
PROOF_PERCENT: Final = 1.0
"""A rise of at least this shows the energy to within a share (the capacity is nominal) and a percent (it is rounded)."""
FULL_PERCENT: Final = 100.0
MIN_SOC_PERCENT: Final = 20.0
"""Below, the reported range is too coarse, or has a reserve, to compute the full range from."""


def energy_by_counter(view: View) -> float | None:
    """Return the rise of a register since the start of the session; None after a reset."""
    session = view.session
    if session is None or session.counter is None or session.energy_at_start_kwh is None:
        return None
    counted_kwh = session.counter.value - session.energy_at_start_kwh
    share = 1.0 if session.counter_side == "battery" else electrics.session_efficiency(view)
    if counted_kwh < 0:
        return None
    view.counted_at = session.counter.at
    return counted_kwh * share


def energy_by_integral(view: View) -> float | None:
    """Integrate power over time; None with a gap."""
    return _added_kwh(view, _drawn(view), bridged=False)


def energy_by_bridged_integral(view: View) -> float | None:
    """Integrate power over time with gaps: an estimate."""
    return _added_kwh(view, _drawn(view), bridged=True)


def energy_by_product(view: View) -> float | None:
    """Integrate voltage times current over time; None with a gap."""
    return _added_kwh(view, _drawn_by_product(view), bridged=False)


def energy_by_bridged_product(view: View) -> float | None:
    """Integrate voltage times current over time with gaps: an estimate."""
    return _added_kwh(view, _drawn_by_product(view), bridged=True)


def _added_kwh(view: View, drawn: Energy | None, *, bridged: bool) -> float | None:
    if drawn is None or drawn.bridged is not bridged:
        return None
    share = electrics.session_efficiency(view)
    before_kwh, after_kwh = share * drawn.before_kwh, share * drawn.after_kwh
    added_kwh = share * drawn.kwh
    if before_kwh or after_kwh:
        inner_kwh = added_kwh - (before_kwh + after_kwh) / 2
        soc = _soc_rise(view)
        if soc is not None and after_kwh:
            after_kwh = min(after_kwh, _max_after_kwh(view, soc))
        added_kwh = with_edges(inner_kwh, (before_kwh, after_kwh), soc).kwh
    return None if _is_contradicted(view, added_kwh) else added_kwh


def _max_after_kwh(view: View, soc: SocRise) -> float:
    """Return the most that can be added after the last report of charging: half a step once the limit is shown.

    At 100 % a car goes on: it balances its battery.
    """
    limit_percent, charge = view.limit_percent(), view.samples(SOC, dated=False)
    is_reached = limit_percent is not None and limit_percent < FULL_PERCENT and charge[-1].value == limit_percent
    return soc.step_kwh / 2 if is_reached and not soc.after_kwh else math.inf


def _soc_rise(view: View) -> SocRise | None:
    """Return the energy by the state of charge since before the session; None where it, or the capacity, is unknown."""
    soc, capacity_kwh, power = view.samples(SOC, dated=False), view.capacity_kwh(), electrics.power(view)
    before = None if view.session is None else view.session.soc_before
    if before is None or capacity_kwh is None or not soc or not power:
        return None
    ended_at = max((sample.at for sample in power if sample.value > CHARGING_W), default=power[-1].at)
    within = [sample.value for sample in soc if sample.at <= ended_at] or [soc[0].value]
    step = step_percent([before, *(sample.value for sample in soc)])
    return SocRise.of((before, within[0], within[-1], soc[-1].value), step, capacity_kwh / 100)


def _is_contradicted(view: View, added_kwh: float) -> bool:
    """Return whether the state of charge rose by clearly more: then samples of power are missing.

    A smaller rise is no contradiction, because the state of charge may be out of date.
    """
    soc, capacity_kwh = view.samples(SOC, dated=False), view.capacity_kwh()
    if not soc or capacity_kwh is None or soc[-1].value - soc[0].value < MIN_PROOF_PERCENT:
        return False
    risen_kwh = (soc[-1].value - soc[0].value) / 100 * capacity_kwh
    return risen_kwh - added_kwh > PROOF_SHARE * risen_kwh + PROOF_PERCENT / 100 * capacity_kwh


def _drawn(view: View) -> Energy | None:
    session = view.session
    return None if session is None else energy(view.samples(WATTAGE), session.started_at, session.idle_at)


def _drawn_by_product(view: View) -> Energy | None:
    session = view.session
    if session is None or session.power:
        return None
    return energy(electrics.power_product(view), session.started_at, session.idle_at)


def energy_by_soc(view: View) -> float | None:
    """Return the rise of the state of charge times the capacity."""
    soc, capacity_kwh = view.samples(SOC), view.capacity_kwh()
    if not soc or capacity_kwh is None:
        return None
    risen_percent = soc[-1].value - soc[0].value
    return None if risen_percent < MIN_RISE_PERCENT else risen_percent / 100 * capacity_kwh


def charge_rate(view: View) -> float | None:
    """Return the power into the battery divided by the consumption, which is the capacity divided by the full range."""
    soc_percent, range_km, capacity_kwh = view.number(SOC), view.range_km(), view.capacity_kwh()
    power_w, share = view.number(WATTAGE), electrics.present_efficiency(view)
    if soc_percent is None or soc_percent < MIN_SOC_PERCENT or not range_km:
        return None
    if capacity_kwh is None or power_w is None:
        return None
    full_range_km = range_km / soc_percent * 100
    return power_w / 1000 * share * full_range_km / capacity_kwh
