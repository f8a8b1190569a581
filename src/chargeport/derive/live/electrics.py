"""Derive voltage, current, power and phases from each other. On AC they are of the grid side, on DC of the battery side.

The evidence is in docs/evidence/charging.md, Power, voltage, current, phases.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Final

from chargeport.derive import efficiency
from chargeport.derive.live.view import AMPERAGE, CABLE, CONNECTOR, FAST, PHASES, VOLTAGE, WATTAGE, View
from chargeport.derive.series import MINUTE_MS, Measured, Point, paired

AC_V: Final = (85.0, 300.0)
"""All mains phases, from Japan's 100 V to the 277 V of American buildings, with tolerances."""
LINE_TO_LINE_V: Final = (380.0, 420.0)
DC_V: Final = (150.0, 1000.0)
DC_REPORTED_V: Final = (150.0, 1500.0)

MIN_A: Final = 3.0
MIN_W: Final = 700.0
MAX_RESIDUAL: Final = 0.15
MIN_SAMPLES: Final = 3
MAX_PHASES: Final = 3
SAMPLE_SPREAD_MS: Final = 2 * MINUTE_MS

SINGLE_PHASE_INLETS: Final = frozenset({"j1772", "ccs1", "nacs"})
"""These inlets have two conductors for AC, which is one phase."""


def phase_v(voltage_v: float) -> float | None:
    """Return the voltage of one phase, also of a line-to-line voltage; None where it is no mains voltage."""
    low, high = LINE_TO_LINE_V
    if low <= voltage_v <= high:
        return voltage_v / math.sqrt(3)
    low, high = AC_V
    return voltage_v if low <= voltage_v <= high else None


def _within(value: float, bounds: tuple[float, float]) -> float | None:
    return value if bounds[0] <= value <= bounds[1] else None


def _ac_v(view: View) -> float | None:
    voltage_v = view.number(VOLTAGE)
    return phase_v(voltage_v) if voltage_v is not None and view.flag(FAST) is False else None


def _dc_v(view: View) -> float | None:
    voltage_v = view.number(VOLTAGE)
    return _within(voltage_v, DC_REPORTED_V) if voltage_v is not None and view.flag(FAST) is True else None


def loaded_phases(view: View) -> int | None:
    """Return the number of phases that carry current: as reported, but at most those of the on-board charger.

    A Tesla reports 2 phases on three.
    """
    reported = view.number(PHASES)
    if reported is None:
        return None
    is_tesla = view.car.make is not None and view.car.make.casefold() == "tesla"
    count = 3 if is_tesla and reported == 2 else round(reported)  # noqa: PLR2004
    count = min(count, view.car.phases or MAX_PHASES)
    return count if 1 <= count <= MAX_PHASES else None


def is_dc(view: View) -> bool | None:
    """Return whether the session uses DC: by the flag, else by the voltage of the session; None if both are unknown."""
    fast = view.flag(FAST)
    if fast is not None:
        return fast
    volts = [sample.value for sample in view.samples(VOLTAGE, dated=False) if sample.value >= AC_V[0]]
    if not volts:
        return None
    middle_v = median(volts)
    return False if middle_v <= AC_V[1] else True if middle_v > LINE_TO_LINE_V[1] else None


def phases_by_make(view: View) -> int | None:
    """Return 1 where the inlet or the on-board charger has one phase only."""
    if view.flag(CABLE) is not True or is_dc(view) is not False:
        return None
    inlet = view.car.connector or view.text(CONNECTOR) or ""
    return 1 if view.car.phases == 1 or inlet.casefold() in SINGLE_PHASE_INLETS else None


def phases_by_power(view: View) -> int | None:
    """Compute P ÷ (V x I), the median over the samples of the session: a single one is useless if power is in whole kW."""
    if is_dc(view) is not False:
        return None
    voltage, amperage = view.samples(VOLTAGE), view.samples(AMPERAGE)
    power = view.samples(WATTAGE)
    with_v = {at: volts for at, _, volts in paired(power, voltage, SAMPLE_SPREAD_MS)}
    ratios = []
    for at, power_w, current_a in paired(power, amperage, SAMPLE_SPREAD_MS):
        volts = phase_v(with_v.get(at, 0.0))
        if volts is not None and current_a >= MIN_A and power_w >= MIN_W:
            ratios.append(power_w / (volts * current_a))
    if len(ratios) < MIN_SAMPLES:
        return None
    ratio = median(ratios)
    count = min(MAX_PHASES, max(1, round(ratio)))
    return count if abs(ratio - count) < MAX_RESIDUAL * count else None


def wattage_ac(view: View) -> float | None:
    """Compute V x I x phases."""
    volts, current_a, count = _ac_v(view), view.number(AMPERAGE), loaded_phases(view)
    return None if volts is None or current_a is None or count is None else volts * current_a * count


def wattage_dc(view: View) -> float | None:
    """Compute V x I."""
    volts, current_a = _dc_v(view), view.number(AMPERAGE)
    return None if volts is None or current_a is None else volts * current_a


def amperage_ac(view: View) -> float | None:
    """Compute P ÷ (V x phases): current per phase."""
    volts, power_w, count = _ac_v(view), view.number(WATTAGE), loaded_phases(view)
    return None if volts is None or power_w is None or count is None else power_w / (volts * count)


def amperage_dc(view: View) -> float | None:
    """Compute P ÷ V."""
    volts, power_w = _dc_v(view), view.number(WATTAGE)
    return None if volts is None or power_w is None else power_w / volts


def voltage_ac(view: View) -> float | None:
    """Compute P ÷ (I x phases), if that is a mains voltage. No battery has one, so that reported phases show AC."""
    power_w, current_a, count = view.number(WATTAGE), view.number(AMPERAGE), loaded_phases(view)
    if power_w is None or current_a is None or count is None or current_a < MIN_A or view.flag(FAST) is True:
        return None
    return _within(power_w / (current_a * count), AC_V)


def voltage_dc(view: View) -> float | None:
    """Compute P ÷ I, if that is the voltage of a battery."""
    power_w, current_a = view.number(WATTAGE), view.number(AMPERAGE)
    if power_w is None or current_a is None or current_a < MIN_A or view.flag(FAST) is not True:
        return None
    return _within(power_w / current_a, DC_V)


def present_efficiency(view: View) -> float:
    """Return the present efficiency; that of AC where the type is unknown, which is smaller than that of DC by a fortieth."""
    current_a = view.number(AMPERAGE)
    if is_dc(view) is True or current_a is None or view.flag(FAST) is True:
        return session_efficiency(view)
    if view.car.ac_efficiency is None:
        return efficiency.ac_efficiency_at(current_a)
    return view.car.ac_efficiency * (efficiency.LOW_CURRENT_FACTOR if 0 < current_a < efficiency.LOW_CURRENT_A else 1.0)


def session_efficiency(view: View) -> float:
    """Return the efficiency of the session; that of AC at its usual current where the type is unknown."""
    if is_dc(view) is True:
        return view.car.dc_efficiency or efficiency.DC_EFFICIENCY
    if view.car.ac_efficiency is not None:
        return view.car.ac_efficiency
    currents = [sample.value for sample in view.samples(AMPERAGE, dated=False) if sample.value > efficiency.MIN_CURRENT_A]
    return efficiency.ac_efficiency_at(median(currents) if currents else None)


def power(view: View) -> Sequence[Measured]:
    """Return the samples of power in W: as reported, else voltage times current."""
    return view.samples(WATTAGE) or power_product(view)


def power_product(view: View) -> Sequence[Measured]:
    """Compute voltage times current times phases over the session; empty where the number of phases is unknown."""
    voltage, amperage = view.samples(VOLTAGE), view.samples(AMPERAGE)
    dc = is_dc(view) is True
    count = 1 if dc else loaded_phases(view)
    if count is None:
        return []
    product = []
    for at, current_a, voltage_v in paired(amperage, voltage, SAMPLE_SPREAD_MS):
        volts = voltage_v if dc else phase_v(voltage_v)
        if volts is None and current_a > 0:
            return []
        product.append(Point(at, current_a * count * (volts or 0.0)))
    return product
