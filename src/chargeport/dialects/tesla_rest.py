"""What Tesla's REST names mean (sources 1.5): also those of Tessie, Teslemetry and TeslaFi, which keep them."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.forms import flag, number
from chargeport.dialects.positions import halves
from chargeport.dialects.table import Decoded, Gate, combined, dialect, limit, quantity, row, value
from chargeport.dialects.tesla_rest_fields import IGNORED
from chargeport.dialects.tesla_rest_form import read
from chargeport.dialects.tesla_timers import after_midnight, days, timers
from chargeport.dialects.tesla_words import (
    CHARGING,
    FAST_TYPE,
    INLET,
    MODE,
    STATUS,
    current,
    fast,
    flag_of,
    known_number,
    latched,
    meant,
    minutes,
    phases,
    plugged,
    ranges,
    supply,
)

POWER_STEP_W: Final = 1000  # charger_power is a whole number of kW


def _is_dc(known: Mapping[str, Any]) -> bool | None:
    try:
        return fast(known.get("fast_charger_present"))
    except ValueError:
        return None


def _amperage(known: Mapping[str, Any]) -> Decoded:
    """AC: of the line. DC: there it reads 0; Tessie tells the pack's."""
    return current(known.get("pack_current" if _is_dc(known) else "charger_actual_current"), of_pack=bool(_is_dc(known)))


def _voltage(known: Mapping[str, Any]) -> Decoded:
    """AC: of the supply. DC: there it reads 2; Tessie tells the pack's."""
    return supply(known.get("pack_voltage" if _is_dc(known) else "charger_voltage"))


def _phases(known: Mapping[str, Any]) -> Decoded:
    if "charger_phases" not in known or _is_dc(known):
        return None
    power, volts, amps = (
        known_number(known.get(name)) for name in ("charger_power", "charger_voltage", "charger_actual_current")
    )
    count = phases(known["charger_phases"], None if power is None else power * 1000, volts, amps, POWER_STEP_W)
    return None if count is None else value(count)


def _fast_type(known: Mapping[str, Any]) -> Decoded:
    """The standard; `Tesla` alone is the Supercharger's only when the brand agrees, as far as it is told."""
    if "fast_charger_type" not in known:
        return None
    found = meant(FAST_TYPE, known["fast_charger_type"])
    is_other = found == "SUPERCHARGER" and str(known.get("fast_charger_brand", "Tesla")).strip().casefold() != "tesla"
    return None if found is None else value("OTHER" if is_other else found)


def _cable(known: Mapping[str, Any]) -> Decoded:
    return flag_of(plugged(known.get("charging_state"), known.get("conn_charge_cable")))


def _latched(known: Mapping[str, Any]) -> Decoded:
    if "charge_port_latch" not in known:
        return None
    return latched(known["charge_port_latch"], plugged(known.get("charging_state"), known.get("conn_charge_cable")))


def _remaining(known: Mapping[str, Any]) -> Decoded:
    if "minutes_to_full_charge" in known:
        left = number(known["minutes_to_full_charge"])
        return None if left < 0 else quantity(left, "min")
    return minutes(known["time_to_full_charge"]) if "time_to_full_charge" in known else None


def _timers(known: Mapping[str, Any]) -> Decoded:
    """Times of day are minutes after midnight; the instants beside them need a zone that nobody tells."""
    if "scheduled_charging_mode" not in known:
        return None
    start = known.get("scheduled_charging_start_time_minutes", known.get("scheduled_charging_start_time_app"))
    window: dict[str, Any] | None = None
    if flag(known.get("off_peak_charging_enabled", False)) and "off_peak_hours_end_time" in known:
        window = {"end": after_midnight(known["off_peak_hours_end_time"])}
        if (window_days := days(known.get("off_peak_charging_times"))) is not None:
            window["days"] = window_days
    return timers(
        meant(MODE, known["scheduled_charging_mode"]),
        after_midnight(start),
        after_midnight(known.get("scheduled_departure_time_minutes")),
        departure_days=days(known.get("preconditioning_times")),
        window=window,
    )


_TIMERS: Final = (
    "scheduled_charging_mode", "scheduled_charging_start_time_minutes", "scheduled_charging_start_time_app",
    "scheduled_departure_time_minutes", "preconditioning_times", "off_peak_charging_enabled", "off_peak_charging_times",
    "off_peak_hours_end_time",
)  # fmt: skip

TESLA_REST: Final = dialect(
    "tesla_rest",
    row("charging_state", "charge-detailedchargingstatus", words=STATUS, note="1.4"),
    # A word that is not known is an issue of the row above, once.
    row("charging_state", "charge-ischarging", decode=lambda said: flag_of(CHARGING.get(str(said).strip().casefold()))),
    combined(("charging_state", "conn_charge_cable"), "charge-ischargingcableconnected", _cable),
    combined(("charge_port_latch", "charging_state", "conn_charge_cable"), "charge-ischargingcablelatched", _latched),
    row("charge_port_door_open", "charge-ischargingportflapopen", decode=lambda said: value(flag(said))),
    row("charge_port_color", "charge-chargeportstatuscolor"),
    combined(
        ("charger_actual_current", "fast_charger_present", "pack_current"), "charge-amperage", _amperage, gate=Gate.LIVE
    ),
    row("charge_current_request_max", "charge-amperagemax", "A"),
    row("charge_current_request", "charge-amperagerequested", "A"),
    row("charge_limit_soc", "charge-chargelimits", decode=lambda said: limit(number(said))),
    row("charge_rate", "charge-chargerate", "mi/h", gate=Gate.LIVE),
    combined(
        ("charger_phases", "charger_power", "charger_voltage", "charger_actual_current", "fast_charger_present"),
        "charge-chargerphases",
        _phases,
    ),
    combined(_TIMERS, "charge-chargetimers", _timers),
    row("charge_port_type", "charge-chargingconnectortype", words=INLET, note="of vehicle_config"),
    row("charge_energy_added", "charge-energyadded", "kWh"),
    combined(("fast_charger_type", "fast_charger_brand"), "charge-fastchargertype", _fast_type),
    row("fast_charger_present", "charge-isfastchargerpresent", decode=lambda said: flag_of(fast(said))),
    combined(("minutes_to_full_charge", "time_to_full_charge"), "charge-timetocomplete", _remaining, gate=Gate.CHARGING),
    combined(("charger_voltage", "fast_charger_present", "pack_voltage"), "charge-voltage", _voltage, gate=Gate.LIVE),
    row("charger_power", "charge-wattage", "kW", gate=Gate.LIVE, note="whole kW"),
    row("battery_level", "tractionbattery-stateofcharge", "%"),
    combined(
        ("battery_range", "est_battery_range", "ideal_battery_range"), "tractionbattery-range",
        lambda known: ranges(known, ("battery_range", "est_battery_range", "ideal_battery_range"), "mi"),
    ),
    halves("latitude", "longitude", note="drive_state"),
    ignored=IGNORED,
    read=read,
)  # fmt: skip
