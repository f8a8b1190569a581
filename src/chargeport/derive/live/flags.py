"""Derive whether a car charges, has a cable connected and is at a fast charger (docs/evidence/charging.md, Flags)."""

from itertools import pairwise
from typing import Final

from chargeport.derive import status
from chargeport.derive.live import electrics
from chargeport.derive.live.view import AMPERAGE, CABLE, CHARGING, FAST, PHASES, SOC, STATUS, VOLTAGE, WATTAGE, View
from chargeport.derive.series import CHARGING_W, HOUR_MS, MINUTE_MS, energy

NO_POWER_W: Final = 50.0  # a meter may show this without a flow

MAX_AC_W: Final = 25_000.0
"""22 kW of AC are 24.3 kW at the highest mains voltage, 253 V. More is DC, except for one car with 43 kW on three phases."""
MAX_43_KW_AC_W: Final = 45_000.0
MAX_AC_A: Final = 100.0  # per phase; the largest on-board chargers take 80 A
MAX_AC_V: Final = 420.0
"""The highest AC voltage that a car is charged with, line to line."""

RISE_PERCENT: Final = 2.0
RISE_WITHIN_MS: Final = HOUR_MS
RISING_UNTIL_MS: Final = 15 * MINUTE_MS
EXPECTED_RISE_PERCENT: Final = 3.0


def charging_by_status(view: View) -> bool | None:
    """Return the meaning of the detailed status."""
    text = view.text(STATUS)
    if text is None:
        return None
    power_w = view.number(WATTAGE) if text.upper() in status.CHARGING_WITH_POWER else None
    return status.is_charging(text, power_w)


def charging_by_power(view: View) -> bool | None:
    """Return True with power while plugged in, False without; None where the power may be heating."""
    power_w = view.number(WATTAGE)
    if power_w is None or view.flag(CABLE) is not True:
        return None
    if power_w <= NO_POWER_W:
        return False
    if power_w <= CHARGING_W or _is_full(view) or _is_soc_unchanged(view):
        return None
    return True


def _is_full(view: View) -> bool:
    """Return whether the car is at its limit, where power is as likely to be preconditioning."""
    soc_percent, limit_percent = view.number(SOC), view.limit_percent()
    return soc_percent is not None and soc_percent >= (100.0 if limit_percent is None else limit_percent)


def _is_soc_unchanged(view: View) -> bool:
    """Return whether the state of charge has not risen although the energy was enough for a rise."""
    soc, capacity_kwh = view.samples(SOC), view.capacity_kwh()
    if view.session is None or len(soc) < 2 or capacity_kwh is None or soc[-1].value > soc[0].value:  # noqa: PLR2004
        return False
    drawn = energy([each for each in view.samples(WATTAGE) if soc[0].at <= each.at <= soc[-1].at], soc[0].at)
    return drawn is not None and drawn.kwh / capacity_kwh * 100 >= EXPECTED_RISE_PERCENT


def charging_by_soc(view: View) -> bool | None:
    """Return True where the state of charge rises with a cable connected; it rises when driving downhill, too."""
    soc = view.samples(SOC)
    if view.flag(CABLE) is not True or not soc:
        return None
    recent = [sample for sample in soc if soc[-1].at - sample.at <= RISE_WITHIN_MS]
    steps = [(before, after) for before, after in pairwise(recent) if after.value != before.value]
    if not steps or any(after.value < before.value for before, after in steps):
        return None
    has_risen = recent[-1].value - recent[0].value >= RISE_PERCENT
    return True if has_risen and soc[-1].at - steps[-1][1].at <= RISING_UNTIL_MS else None


def charging_by_cable(view: View) -> bool | None:
    """Return False with a disconnected cable; None where power or current was reported since: that station reports no cable."""
    if view.flag(CABLE) is not False:
        return None
    unplugged_at = view.at(CABLE) or 0
    flows = ((WATTAGE, NO_POWER_W), (AMPERAGE, electrics.MIN_A))
    if any((view.at(signal) or 0) > unplugged_at and (view.number(signal) or 0) > limit for signal, limit in flows):
        return None
    return False


def cable_by_status(view: View) -> bool | None:
    """Return the meaning of the detailed status."""
    text = view.text(STATUS)
    return None if text is None else status.is_cable_connected(text)


def cable_by_charging(view: View) -> bool | None:
    """Return True while charging; a car that does not charge may be plugged in or not."""
    return True if view.flag(CHARGING) is True else None


def cable_by_fast_charger(view: View) -> bool | None:
    """Return True at a fast charger."""
    return True if view.flag(FAST) is True else None


def fast_by_cable(view: View) -> bool | None:
    """Return False with a disconnected cable."""
    return False if view.flag(CABLE) is False else None


def fast_by_voltage(view: View) -> bool | None:
    """Return False at a mains voltage, True above any AC voltage; None in between, which both AC and DC have."""
    voltage_v = view.number(VOLTAGE)
    if voltage_v is None:
        return None
    if voltage_v > MAX_AC_V:
        return True if view.flag(CABLE) is True else None
    low, high = electrics.AC_V
    power_w = view.number(WATTAGE)
    is_ac_power = (
        power_w is None or power_w <= MAX_AC_W or (power_w <= MAX_43_KW_AC_W and view.number(PHASES) == electrics.MAX_PHASES)
    )
    return False if low <= voltage_v <= high and is_ac_power else None


def fast_by_amperage(view: View) -> bool | None:
    """Return True at a current above any AC current per phase."""
    current_a = view.number(AMPERAGE)
    return True if current_a is not None and current_a > MAX_AC_A and view.flag(CABLE) is True else None


def fast_by_wattage(view: View) -> bool | None:
    """Return True at a power above any AC power; None below, because DC may be slow."""
    power_w = view.number(WATTAGE)
    if power_w is None or view.flag(CABLE) is not True or power_w <= MAX_AC_W:
        return None
    is_43_kw_ac = power_w <= MAX_43_KW_AC_W and view.number(PHASES) == electrics.MAX_PHASES
    return None if is_43_kw_ac else True
