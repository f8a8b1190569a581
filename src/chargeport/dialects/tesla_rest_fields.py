"""The ignored names of Tesla's REST responses, and of services that relay them."""

from typing import Final

# Other parts of vehicle_data, each a whole object; other facts of the car; additions of Tessie.
_PARTS: Final = """
    climate_state closures_state drive_state gui_settings location_data vehicle_config vehicle_state vehicle_data_combo
    charge_schedule_data preconditioning_schedule_data media_state media_info software_update speed_limit_mode
    id vehicle_id user_id id_s vin display_name option_codes color access_type granular_access tokens state in_service
    calendar_enabled api_version backseat_token backseat_token_updated_at ble_autopair_enrolled cached_data command_signing
    release_notes_supported mobile_access_disabled error error_description messages txid count pagination
    is_active plate last_state
    """
# Of charge_state: settings and counters without a signal. charge_amps is the setting; charger_pilot_current what the
# station offers; usable_battery_level excludes energy that is unavailable in the cold.
_CHARGE: Final = """
    battery_heater_on charge_amps charge_enable_request charge_limit_soc_max charge_limit_soc_min charge_limit_soc_std
    charge_limit_reason charge_miles_added_ideal charge_miles_added_rated charge_port_cold_weather_mode charge_to_max_range
    charger_pilot_current charge_cable_unlatched managed_charging_active managed_charging_start_time
    managed_charging_user_canceled max_range_charge_counter not_enough_power_to_heat preconditioning_enabled
    preconditioning_weekdays_only off_peak_charging_weekdays_only scheduled_charging_pending supercharger_session_trip_planner
    trip_charging usable_battery_level user_charge_enable_request timestamp battery_current energy_remaining
    lifetime_energy_used module_temp_min module_temp_max phantom_drain_percent pack_power outlet_state outlet_soc_limit
    outlet_time_remaining outlet_max_timer_minutes powershare_feature_allowed powershare_feature_enabled powershare_request
    powershare_soc_limit powershare_status powershare_stop_reason powershare_type powershare_instantaneous_load_kw
    powershare_vehicle_energy_left_hours
    """
# Instants (seconds since 1970) of the next start and departure: without the car's zone they give no time of day.
_INSTANTS: Final = "scheduled_charging_start_time scheduled_departure_time"
# TeslaFi has the other parts at the same level, and columns of its own.
_FLAT: Final = """
    Date data_id Maintenance Notes carState location tagged newVersion newVersionStatus rangeDisplay temperature pressure unit
    currency measure polling running rerunning idleNumber sleepNumber driveNumber chargeNumber idleTime maxRange elevation
    odometerF inside_tempF outside_tempF driver_temp_settingF passenger_temp_settingF efficiency version
    notifications_enabled notifications_supported calendar_supported parsed_calendar_supported remote_start
    remote_start_enabled remote_start_supported autopark_state autopark_state_v2 autopark_state_v3 autopark_style
    last_autopark_error battery_heater battery_heater_no_power car_special_type car_type car_version center_display_state
    climate_keeper_mode dark_rims defrost_mode df dr pf pr ft rt fd_window fp_window rd_window rp_window
    driver_temp_setting passenger_temp_setting max_avail_temp min_avail_temp inside_temp outside_temp fan_status
    left_temp_direction right_temp_direction is_auto_conditioning_on is_climate_on is_front_defroster_on
    is_rear_defroster_on is_preconditioning is_user_present smart_preconditioning remote_heater_control_enabled
    allow_cabin_overheat_protection cabin_overheat_protection cabin_overheat_protection_actively_cooling
    cop_activation_temperature cop_user_set_temp_supported eu_vehicle exterior_color exterior_trim gps_as_of
    gui_24_hour_time gui_charge_rate_units gui_distance_units gui_range_display gui_temperature_units
    gui_tirepressure_units has_air_suspension has_ludicrous_mode has_spoiler heading homelink_device_count homelink_nearby
    interior_trim_type key_version native_latitude native_longitude native_location_supported
    native_type corrected_latitude corrected_longitude locked motorized_charge_port odometer perf_config plg power
    rear_seat_heaters rear_seat_type rear_drive_unit rhd roof_color seat_heater_left seat_heater_right
    seat_heater_rear_left seat_heater_rear_right seat_heater_rear_center seat_heater_rear_left_back
    seat_heater_rear_right_back seat_type sentry_mode sentry_mode_available service_mode shift_state show_range_units
    side_mirror_heaters speed spoiler_type steering_wheel_heater steering_wheel_heat_level sun_roof_installed
    sun_roof_percent_open sun_roof_state supports_qr_pairing third_row_seats timestamp_ms tpms_front_left
    tpms_front_right tpms_rear_left tpms_rear_right tpms_pressure_fl tpms_pressure_fr tpms_pressure_rl tpms_pressure_rr
    trim_badging use_range_badging valet_mode valet_pin_needed vehicle_name webcam_available wheel_type wiper_blade_heater
    driver_assist aux_park_lamps active_route_destination active_route_energy_at_arrival active_route_latitude
    active_route_longitude active_route_miles_to_arrival active_route_minutes_to_arrival
    active_route_traffic_minutes_delay
    """

IGNORED: Final = frozenset(f"{_PARTS} {_CHARGE} {_INSTANTS} {_FLAT}".split())
