"""The energy that a session brought into the battery, and the range that the present power brings.

The evidence is in docs/evidence/charging.md, Energy and Charge rate.
"""

from typing import Final

from chargeport.derive.live import electrics
from chargeport.derive.live.view import SOC, WATTAGE, View
from chargeport.derive.series import Energy, energy

MIN_RISE_PERCENT: Final = 3.0
"""Each end may be off by one percent, so less says too little."""
MIN_PROOF_PERCENT: Final = 10.0
PROOF_SHARE: Final = 0.08
PROOF_PERCENT: Final = 1.0
"""A rise of so much tells the energy within a share, since a capacity may be nominal, and a percent, since it is rounded."""
MIN_SOC_PERCENT: Final = 20.0
"""Below, the range that a car shows is too coarse, and often held back, to compute the full range from."""


def energy_by_counter(view: View) -> float | None:
    """A counter that never falls, less what it showed at the start; nothing after it was reset."""
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
    """Power over time, as long as no gap was in it."""
    return _stored_kwh(view, _drawn(view), bridged=False)


def energy_by_bridged_integral(view: View) -> float | None:
    """Power over time, with gaps: estimated."""
    return _stored_kwh(view, _drawn(view), bridged=True)


def energy_by_product(view: View) -> float | None:
    """Voltage times current over time, as long as no gap was in it."""
    return _stored_kwh(view, _multiplied(view), bridged=False)


def energy_by_bridged_product(view: View) -> float | None:
    """Voltage times current over time, with gaps: estimated."""
    return _stored_kwh(view, _multiplied(view), bridged=True)


def _stored_kwh(view: View, drawn: Energy | None, *, bridged: bool) -> float | None:
    if drawn is None or drawn.bridged is not bridged:
        return None
    stored_kwh = drawn.kwh * electrics.session_efficiency(view)
    return None if _is_contradicted(view, stored_kwh) else stored_kwh


def _is_contradicted(view: View, stored_kwh: float) -> bool:
    """Whether the state of charge rose by clearly more, so that the power missed a part. An old one rises by less."""
    soc, capacity_kwh = view.samples(SOC, dated=False), view.capacity_kwh()
    if not soc or capacity_kwh is None or soc[-1].value - soc[0].value < MIN_PROOF_PERCENT:
        return False
    risen_kwh = (soc[-1].value - soc[0].value) / 100 * capacity_kwh
    return risen_kwh - stored_kwh > PROOF_SHARE * risen_kwh + PROOF_PERCENT / 100 * capacity_kwh


def _drawn(view: View) -> Energy | None:
    session = view.session
    return None if session is None else energy(view.samples(WATTAGE), session.started_at, session.idle_at)


def _multiplied(view: View) -> Energy | None:
    session = view.session
    if session is None or session.power:
        return None
    return energy(electrics.power_product(view), session.started_at, session.idle_at)


def energy_by_soc(view: View) -> float | None:
    """The rise of the state of charge times what the battery holds."""
    soc, capacity_kwh = view.samples(SOC), view.capacity_kwh()
    if not soc or capacity_kwh is None:
        return None
    risen_percent = soc[-1].value - soc[0].value
    return None if risen_percent < MIN_RISE_PERCENT else risen_percent / 100 * capacity_kwh


def charge_rate(view: View) -> float | None:
    """Power into the battery over consumption, which is what the battery holds over the full range."""
    soc_percent, range_km, capacity_kwh = view.number(SOC), view.range_km(), view.capacity_kwh()
    power_w, share = view.number(WATTAGE), electrics.present_efficiency(view)
    if soc_percent is None or soc_percent < MIN_SOC_PERCENT or not range_km:
        return None
    if capacity_kwh is None or power_w is None:
        return None
    full_range_km = range_km / soc_percent * 100
    return power_w / 1000 * share * full_range_km / capacity_kwh
