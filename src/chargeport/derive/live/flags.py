"""Whether a car charges, has a cable in and is at a fast charger, from other signals (docs/evidence/charging.md, Flags)."""

from itertools import pairwise
from typing import Final

from chargeport.derive import status
from chargeport.derive.live import electrics
from chargeport.derive.live.view import AMPERAGE, CABLE, CHARGING, FAST, PHASES, SOC, STATUS, VOLTAGE, WATTAGE, View
from chargeport.derive.series import CHARGING_W, HOUR_MS, MINUTE_MS, energy

NO_POWER_W: Final = 50.0  # what a meter may show for nothing

AC_MOST_W: Final = 25_000.0
"""22 kW AC are 24.3 kW at the 253 V that a mains may have; more is DC, but for the car of 43 kW on three phases."""
AC_MOST_EVER_W: Final = 45_000.0
AC_MOST_A: Final = 100.0  # per phase; the largest on-board chargers take 80 A
AC_MOST_V: Final = 420.0
"""No phase has more, and no line-to-line voltage that a car is charged with."""

RISE_PERCENT: Final = 2.0
RISE_WITHIN_MS: Final = HOUR_MS
RISING_UNTIL_MS: Final = 15 * MINUTE_MS
EXPECTED_RISE_PERCENT: Final = 3.0


def charging_by_status(view: View) -> bool | None:
    """Return what the detailed status says."""
    text = view.text(STATUS)
    if text is None:
        return None
    power_w = view.number(WATTAGE) if text.upper() in status.CHARGING_WITH_POWER else None
    return status.is_charging(text, power_w)


def charging_by_power(view: View) -> bool | None:
    """Return True with power while plugged, False without; None where the power may heat the car and not fill it."""
    power_w = view.number(WATTAGE)
    if power_w is None or view.flag(CABLE) is not True:
        return None
    if power_w <= NO_POWER_W:
        return False
    if power_w <= CHARGING_W or _is_full(view) or _stands_still(view):
        return None
    return True


def _is_full(view: View) -> bool:
    """Return whether the car is at its limit: there power is preconditioning as likely as a last kilowatt-hour."""
    soc_percent, limit_percent = view.number(SOC), view.limit_percent()
    return soc_percent is not None and soc_percent >= (100.0 if limit_percent is None else limit_percent)


def _stands_still(view: View) -> bool:
    """Return whether the state of charge has not risen over energy that must have shown."""
    soc, capacity_kwh = view.samples(SOC), view.capacity_kwh()
    if view.session is None or len(soc) < 2 or capacity_kwh is None or soc[-1].value > soc[0].value:  # noqa: PLR2004
        return False
    drawn = energy([one for one in view.samples(WATTAGE) if soc[0].at <= one.at <= soc[-1].at], soc[0].at)
    return drawn is not None and drawn.kwh / capacity_kwh * 100 >= EXPECTED_RISE_PERCENT


def charging_by_soc(view: View) -> bool | None:
    """Return True where the battery fills while a cable is in: without one a car on its way down a hill does so too."""
    soc = view.samples(SOC)
    if view.flag(CABLE) is not True or not soc:
        return None
    recent = [one for one in soc if soc[-1].at - one.at <= RISE_WITHIN_MS]
    steps = [(one, other) for one, other in pairwise(recent) if other.value != one.value]
    if not steps or any(other.value < one.value for one, other in steps):
        return None
    risen = recent[-1].value - recent[0].value >= RISE_PERCENT
    return True if risen and soc[-1].at - steps[-1][1].at <= RISING_UNTIL_MS else None


def charging_by_cable(view: View) -> bool | None:
    """Return False once the cable is out; None where something flows since: at a station that tells of no cable."""
    if view.flag(CABLE) is not False:
        return None
    out_at = view.at(CABLE) or 0
    flows = ((WATTAGE, NO_POWER_W), (AMPERAGE, electrics.MIN_A))
    if any((view.at(signal) or 0) > out_at and (view.number(signal) or 0) > least for signal, least in flows):
        return None
    return False


def cable_by_status(view: View) -> bool | None:
    """Return what the detailed status says."""
    text = view.text(STATUS)
    return None if text is None else status.is_cable_connected(text)


def cable_by_charging(view: View) -> bool | None:
    """Return True for a car that charges; one that does not may have a cable in or not."""
    return True if view.flag(CHARGING) is True else None


def cable_by_fast_charger(view: View) -> bool | None:
    """Return True for a car at a fast charger."""
    return True if view.flag(FAST) is True else None


def fast_by_cable(view: View) -> bool | None:
    """Return False without a cable: there is no fast charger then."""
    return False if view.flag(CABLE) is False else None


def fast_by_voltage(view: View) -> bool | None:
    """Return False at a mains voltage, True above all that AC has; None between, where packs and three-phase AC meet."""
    voltage_v = view.number(VOLTAGE)
    if voltage_v is None:
        return None
    if voltage_v > AC_MOST_V:
        return True if view.flag(CABLE) is True else None
    low, high = electrics.AC_V
    power_w = view.number(WATTAGE)
    fits = (
        power_w is None or power_w <= AC_MOST_W or (power_w <= AC_MOST_EVER_W and view.number(PHASES) == electrics.MAX_PHASES)
    )
    return False if low <= voltage_v <= high and fits else None


def fast_by_amperage(view: View) -> bool | None:
    """Return True at a current that no car takes per phase."""
    current_a = view.number(AMPERAGE)
    return True if current_a is not None and current_a > AC_MOST_A and view.flag(CABLE) is True else None


def fast_by_wattage(view: View) -> bool | None:
    """Return True at more power than AC has; less says nothing, for DC may be slow."""
    power_w = view.number(WATTAGE)
    if power_w is None or view.flag(CABLE) is not True or power_w <= AC_MOST_W:
        return None
    zoe = power_w <= AC_MOST_EVER_W and view.number(PHASES) == electrics.MAX_PHASES
    return None if zoe else True
