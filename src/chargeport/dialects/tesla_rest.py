"""Tesla's REST API, also by Tessie, Teslemetry and TeslaFi, which use the same names."""

import re
from typing import Any, Final

from chargeport.dialects.field_values import flag, number
from chargeport.dialects.positions import halves
from chargeport.dialects.table import NOT_KNOWN, Decoded, Gate, Known, combined, dialect, limit, quantity, row, value
from chargeport.dialects.tesla_rest_fields import IGNORED
from chargeport.dialects.tesla_rest_form import read
from chargeport.dialects.tesla_timers import after_midnight, days, timers
from chargeport.dialects.tesla_values import (
    CABLE,
    FAST_PRESENT,
    FAST_TYPE,
    INLET,
    MODE,
    POWER_STEP_W,
    STATUS,
    Names,
    amperage,
    fast_present,
    flag_of,
    is_charging,
    is_plugged,
    latched,
    meant,
    minutes,
    phases,
    plain_amount,
    ranges,
    voltage,
    whole_kilowatts,
)

_STATE, _CABLE, _PRESENT, _KIND = "charging_state", "conn_charge_cable", "fast_charger_present", "fast_charger_type"
_NAMES: Final = Names(
    amount=plain_amount, state=_STATE, power="charger_power", volts="charger_voltage", amps="charger_actual_current",
    phases="charger_phases", present=_PRESENT, kind=_KIND, pack_volts="pack_voltage", pack_amps="pack_current",
)  # fmt: skip


def _fast_type(known: Known) -> Decoded:
    """Return the standard; `Tesla` alone is the Supercharger's only if the brand agrees, as far as it is known."""
    if _KIND not in known:
        return NOT_KNOWN
    found = meant(FAST_TYPE, known[_KIND])
    if not isinstance(found, str):
        return NOT_KNOWN if found is NOT_KNOWN else None
    is_other = found == "SUPERCHARGER" and str(known.get("fast_charger_brand", "Tesla")).strip().casefold() != "tesla"
    return value("OTHER" if is_other else found)


def _remaining(known: Known) -> Decoded:
    field = known.best("minutes_to_full_charge", "time_to_full_charge")
    if field != "minutes_to_full_charge":
        return NOT_KNOWN if field is None else minutes(known[field])
    left = number(known[field])
    return None if left < 0 else quantity(left, "min")


def _timers(known: Known) -> Decoded:
    """Return the timers. Times of day are minutes after midnight; the instants next to them need a zone that is not known."""
    mode = meant(MODE, known["scheduled_charging_mode"]) if "scheduled_charging_mode" in known else NOT_KNOWN
    if mode is NOT_KNOWN:
        return NOT_KNOWN
    start = known.get("scheduled_charging_start_time_minutes", known.get("scheduled_charging_start_time_app"))
    window: dict[str, Any] | None = None
    if flag(known.get("off_peak_charging_enabled", False)) and "off_peak_hours_end_time" in known:
        window = {"end": after_midnight(known["off_peak_hours_end_time"])}
        if (window_days := days(known.get("off_peak_charging_times"))) is not None:
            window["days"] = window_days
    return timers(
        mode,
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
    row(_STATE, "charge-detailedchargingstatus", words=STATUS),
    # An unknown value is an issue of the row above, once.
    row(_STATE, "charge-ischarging", decode=is_charging),
    combined(
        (_STATE, _CABLE), "charge-ischargingcableconnected", lambda known: flag_of(is_plugged(known, _STATE, _CABLE)),
        words=CABLE,
    ),
    combined(
        ("charge_port_latch", _STATE, _CABLE), "charge-ischargingcablelatched",
        lambda known: latched(known, "charge_port_latch", _STATE, _CABLE),
    ),
    row("charge_port_door_open", "charge-ischargingportflapopen", decode=lambda content: value(flag(content))),
    row("charge_port_color", "charge-chargeportstatuscolor"),
    combined(
        _NAMES.fields("charger_actual_current", "pack_current"), "charge-amperage", lambda known: amperage(known, _NAMES),
        beside=_NAMES.beside, gate=Gate.LIVE,
    ),
    row("charge_current_request_max", "charge-amperagemax", "A"),
    row("charge_current_request", "charge-amperagerequested", "A"),
    row("charge_limit_soc", "charge-chargelimits", decode=lambda content: limit(number(content))),
    row("charge_rate", "charge-chargerate", "mi/h", gate=Gate.LIVE),
    combined(
        _NAMES.fields("charger_phases", "charger_voltage", "charger_actual_current"), "charge-chargerphases",
        lambda known: phases(known, _NAMES, POWER_STEP_W), beside=_NAMES.beside,
    ),
    combined(_TIMERS, "charge-chargetimers", _timers),
    row("charge_port_type", "charge-chargingconnectortype", words=INLET, note="of vehicle_config"),
    row("charge_energy_added", "charge-energyadded", "kWh"),
    combined((_KIND, "fast_charger_brand"), "charge-fastchargertype", _fast_type),
    combined(
        (_PRESENT, _KIND), "charge-isfastchargerpresent", lambda known: fast_present(known, _PRESENT, _KIND),
        words=FAST_PRESENT,
    ),
    combined(("minutes_to_full_charge", "time_to_full_charge"), "charge-timetocomplete", _remaining, gate=Gate.CHARGING),
    combined(
        _NAMES.fields("charger_voltage", "pack_voltage"), "charge-voltage", lambda known: voltage(known, _NAMES),
        beside=_NAMES.beside, gate=Gate.LIVE,
    ),
    combined(
        ("charger_power", "charger_actual_current"), "charge-wattage", lambda known: whole_kilowatts(known, _NAMES),
        beside=_NAMES.beside, gate=Gate.LIVE, note="whole kW",
    ),
    row("battery_level", "tractionbattery-stateofcharge", "%"),
    combined(
        ("battery_range", "est_battery_range", "ideal_battery_range"), "tractionbattery-range",
        lambda known: ranges(known, ("battery_range", "est_battery_range", "ideal_battery_range"), "mi"),
    ),
    halves("latitude", "longitude", note="drive_state"),
    ignored=IGNORED,
    relevant=re.compile("charg|battery|pack|soc|energy", re.IGNORECASE),
    read=read,
)  # fmt: skip
