"""TeslaMate's topics. It numbers the cars; the numbers are aliases of vehicles."""

import re
from typing import Final

from chargeport.dialects.amounts import flag_beside
from chargeport.dialects.field_values import flag, number
from chargeport.dialects.forms import by_topic
from chargeport.dialects.positions import whole
from chargeport.dialects.statuses import is_out, unless_unplugged
from chargeport.dialects.table import NOT_KNOWN, Decoded, Gate, Known, combined, dialect, limit, row, value
from chargeport.dialects.tesla_values import (
    POWER_STEP_W,
    STATUS,
    Names,
    amperage,
    flag_of,
    is_charging,
    is_plugged,
    meant,
    minutes,
    phases,
    plain_amount,
    ranges,
    voltage,
    whole_kilowatts,
)

_NAMES: Final = Names(
    amount=plain_amount, state="charging_state", power="charger_power", volts="charger_voltage",
    amps="charger_actual_current", phases="charger_phases",
)  # fmt: skip


def _fast_present(known: Known) -> Decoded:
    """Return whether a fast charger is present, from power and phases while the car charges: it is not published itself."""
    if _NAMES.is_charging(known):
        return flag_of(_NAMES.is_dc(known))
    return flag_of(False if is_plugged(known, _NAMES.state, "") is False else None)


def _status(known: Known) -> Decoded:
    """Return the charge state, which does not change at once when the cable is removed. Raises Violation."""
    if _NAMES.state not in known:
        return NOT_KNOWN
    found = meant(STATUS, known[_NAMES.state])
    if isinstance(found, str) and is_out(known, _NAMES.state, "plugged_in", plugged=flag_beside(known, "plugged_in")):
        found = "DISCONNECTED"
    return value(found) if isinstance(found, str) else found


def _charges(known: Known) -> Decoded:
    """Return whether the car charges. TeslaMate does not repeat the charge state after plugged_in was false for a moment."""
    found = is_charging(known[_NAMES.state]) if _NAMES.state in known else NOT_KNOWN
    return unless_unplugged(found, known, _NAMES.state, "plugged_in", plugged=flag_beside(known, "plugged_in"))


def _cable(known: Known) -> Decoded:
    """Return whether a cable is in, by the newer of plugged_in (made of latch and door) and the charge state."""
    for field in known.newest_first(("plugged_in", _NAMES.state)):
        found = flag(known[field]) if field == "plugged_in" else is_plugged(known, _NAMES.state, "")
        if found is not None:
            return flag_of(found)
    return flag_of(None)


# The instant of the next start, in UTC: the car's zone is not reported, so it gives no time of day; and TeslaMate reports
# an unplanned start and an unknown one alike.
_SCHEDULE: Final = "scheduled_charging_start_time"
# The car's name, software, place, route, climate, doors and tyres; TeslaMate's own state; charge unavailable in the cold.
_OTHER: Final = """
    display_name state since healthy latitude longitude heading usable_battery_level speed outside_temp inside_temp
    is_climate_on is_preconditioning locked sentry_mode windows_open doors_open odometer driver_front_window_open
    driver_rear_window_open passenger_front_window_open passenger_rear_window_open driver_front_door_open
    driver_rear_door_open passenger_front_door_open passenger_rear_door_open shift_state version update_available
    update_version update_status software_update is_user_present geofence model trim_badging exterior_color wheel_type
    spoiler_type trunk_open frunk_open elevation power tpms_pressure_fl tpms_pressure_fr tpms_pressure_rl tpms_pressure_rr
    tpms_soft_warning_fl tpms_soft_warning_fr tpms_soft_warning_rl tpms_soft_warning_rr climate_keeper_mode
    center_display_state service_mode sun_roof_state sun_roof_installed sun_roof_percent_open download_perc install_perc
    active_route active_route_destination active_route_latitude active_route_longitude
    """

TESLAMATE: Final = dialect(
    "teslamate",
    combined(("charging_state", "plugged_in"), "charge-detailedchargingstatus", _status, words=STATUS),
    # An unknown value is an issue of the row above, once.
    combined(("charging_state", "plugged_in"), "charge-ischarging", _charges),
    combined(("plugged_in", "charging_state"), "charge-ischargingcableconnected", _cable),
    row("charge_port_door_open", "charge-ischargingportflapopen"),
    combined(
        _NAMES.fields("charger_actual_current"), "charge-amperage", lambda known: amperage(known, _NAMES),
        beside=_NAMES.beside, gate=Gate.LIVE,
    ),
    row("charge_current_request_max", "charge-amperagemax", "A"),
    row("charge_current_request", "charge-amperagerequested", "A"),
    row("charge_limit_soc", "charge-chargelimits", decode=lambda content: limit(number(content))),
    combined(
        _NAMES.fields("charger_phases", "charger_voltage", "charger_actual_current"), "charge-chargerphases",
        lambda known: phases(known, _NAMES, POWER_STEP_W), beside=_NAMES.beside,
    ),
    row("charge_energy_added", "charge-energyadded", "kWh"),
    combined(("charging_state", "charger_phases", "charger_power"), "charge-isfastchargerpresent", _fast_present),
    row("time_to_full_charge", "charge-timetocomplete", decode=minutes, gate=Gate.CHARGING),
    combined(
        _NAMES.fields("charger_voltage"), "charge-voltage", lambda known: voltage(known, _NAMES), beside=_NAMES.beside,
        gate=Gate.LIVE,
    ),
    combined(
        ("charger_power", "charger_actual_current"), "charge-wattage", lambda known: whole_kilowatts(known, _NAMES),
        beside=_NAMES.beside, gate=Gate.LIVE, note="whole kW",
    ),
    row("battery_level", "tractionbattery-stateofcharge", "%"),
    combined(
        ("rated_battery_range_km", "est_battery_range_km", "ideal_battery_range_km"), "tractionbattery-range",
        lambda known: ranges(known, ("rated_battery_range_km", "est_battery_range_km", "ideal_battery_range_km"), "km"),
    ),
    whole("location"),
    ignored=frozenset(f"{_SCHEDULE} {_OTHER}".split()),
    relevant=re.compile("charg|battery|plugged|energy"),
    topics=("teslamate/cars/{vehicle}/{field}", "teslamate/{}/cars/{vehicle}/{field}"),
    heartbeats=("teslamate/cars/{vehicle}/healthy", "teslamate/{}/cars/{vehicle}/healthy"),
    read=by_topic,
)  # fmt: skip
