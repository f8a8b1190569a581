"""What TeslaMate's topics mean (sources 5). Its cars have numbers of their own, which are aliases to us."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.forms import by_topic, flag, number
from chargeport.dialects.positions import whole
from chargeport.dialects.table import DC_ABOVE_W, Decoded, Gate, combined, dialect, limit, quantity, row, value
from chargeport.dialects.tesla_rest import POWER_STEP_W
from chargeport.dialects.tesla_words import (
    CHARGING,
    NO_SUPPLY_V,
    STATUS,
    flag_of,
    known_number,
    minutes,
    phases,
    plugged,
    ranges,
)


def _power_w(known: Mapping[str, Any]) -> float | None:
    power = known_number(known.get("charger_power"))
    return None if power is None else power * 1000


def _is_dc(known: Mapping[str, Any]) -> bool | None:
    """It is not published: DC is more than any charger on board takes, without phases (sources 5). None: not told."""
    if not CHARGING.get(str(known.get("charging_state")).strip().casefold()):
        return False if plugged(known.get("charging_state")) is False else None
    if known.get("charger_phases"):
        return False
    power = _power_w(known)
    return True if power is not None and power > DC_ABOVE_W else None


def _amperage(known: Mapping[str, Any]) -> Decoded:
    """The current of the line, which reads 0 while charging with DC."""
    if "charger_actual_current" not in known or _is_dc(known):
        return None
    return quantity(number(known["charger_actual_current"]), "A")


def _phases(known: Mapping[str, Any]) -> Decoded:
    if "charger_phases" not in known:
        return None
    volts, amps = (known_number(known.get(name)) for name in ("charger_voltage", "charger_actual_current"))
    count = phases(known["charger_phases"], _power_w(known), volts, amps, POWER_STEP_W)
    return None if count is None else value(count)


def _cable(known: Mapping[str, Any]) -> Decoded:
    """plugged_in is made of latch and door; without it the charge state tells."""
    return flag_of(flag(known["plugged_in"]) if "plugged_in" in known else plugged(known.get("charging_state")))


# The instant of the next start, in UTC: the car's zone is not told, so it gives no time of day; and where none is planned
# TeslaMate says the same as where it does not know.
_SCHEDULE: Final = "scheduled_charging_start_time"
# The car's name, software, place, route, climate, doors and tyres; TeslaMate's own state; what the cold keeps back.
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
_CHARGER: Final = ("charging_state", "charger_phases", "charger_power")

TESLAMATE: Final = dialect(
    "teslamate",
    row("charging_state", "charge-detailedchargingstatus", words=STATUS, note="1.4"),
    # A word that is not known is an issue of the row above, once.
    row("charging_state", "charge-ischarging", decode=lambda said: flag_of(CHARGING.get(str(said).strip().casefold()))),
    combined(("plugged_in", "charging_state"), "charge-ischargingcableconnected", _cable),
    row("charge_port_door_open", "charge-ischargingportflapopen"),
    combined(("charger_actual_current", *_CHARGER), "charge-amperage", _amperage, gate=Gate.LIVE),
    row("charge_current_request_max", "charge-amperagemax", "A"),
    row("charge_current_request", "charge-amperagerequested", "A"),
    row("charge_limit_soc", "charge-chargelimits", decode=lambda said: limit(number(said))),
    combined(
        ("charger_phases", "charger_power", "charger_voltage", "charger_actual_current"), "charge-chargerphases", _phases
    ),
    row("charge_energy_added", "charge-energyadded", "kWh"),
    combined(_CHARGER, "charge-isfastchargerpresent", lambda known: flag_of(_is_dc(known))),
    row("time_to_full_charge", "charge-timetocomplete", decode=minutes, gate=Gate.CHARGING),
    row("charger_voltage", "charge-voltage", "V", floor=NO_SUPPLY_V, gate=Gate.LIVE),
    row("charger_power", "charge-wattage", "kW", gate=Gate.LIVE, note="whole kW"),
    row("battery_level", "tractionbattery-stateofcharge", "%"),
    combined(
        ("rated_battery_range_km", "est_battery_range_km", "ideal_battery_range_km"), "tractionbattery-range",
        lambda known: ranges(known, ("rated_battery_range_km", "est_battery_range_km", "ideal_battery_range_km"), "km"),
    ),
    whole("location"),
    ignored=frozenset(f"{_SCHEDULE} {_OTHER}".split()),
    topics=("teslamate/cars/{vehicle}/{field}", "teslamate/{}/cars/{vehicle}/{field}"),
    read=by_topic,
)  # fmt: skip
