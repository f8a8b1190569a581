"""The fields of the simulator. They are defined here, so the table is complete."""

from typing import Any

from chargeport.dialects.table import battery_range, capacity, dialect, row


def document(value: dict[str, Any]) -> dict[str, Any]:
    """Return a field that has the body's format already."""
    return value


def capacity_kwh(value: float) -> dict[str, Any]:
    """Return a capacity in kWh, in the form of tractionbattery-nominalcapacity."""
    return capacity(value, "Simulated")


def range_km(value: float) -> dict[str, Any]:
    """Return a range in km, in the form of tractionbattery-range."""
    return battery_range(value, "km")


SIMULATOR = dialect(
    "simulator",
    row("current_a", "charge-amperage", "A"),
    row("current_max_a", "charge-amperagemax", "A"),
    row("current_requested_a", "charge-amperagerequested", "A"),
    row("limits", "charge-chargelimits", decode=document),
    row("port_color", "charge-chargeportstatuscolor"),
    row("rate_km_h", "charge-chargerate", "km/h"),
    row("records", "charge-chargerecords", decode=document),
    row("phases", "charge-chargerphases"),
    row("timers", "charge-chargetimers", decode=document),
    row("inlet", "charge-chargingconnectortype"),
    row("status", "charge-detailedchargingstatus"),
    row("energy_added_kwh", "charge-energyadded", "kWh"),
    row("fast_charger", "charge-fastchargertype"),
    row("charging", "charge-ischarging"),
    row("plugged", "charge-ischargingcableconnected"),
    row("latched", "charge-ischargingcablelatched"),
    row("flap_open", "charge-ischargingportflapopen"),
    row("fast_charger_present", "charge-isfastchargerpresent"),
    row("minutes_to_limit", "charge-timetocomplete", "min"),
    row("voltage_v", "charge-voltage", "V"),
    row("power_w", "charge-wattage", "W"),
    row("soc_percent", "tractionbattery-stateofcharge", "%"),
    row("capacity_kwh", "tractionbattery-nominalcapacity", decode=capacity_kwh),
    row("range_km", "tractionbattery-range", decode=range_km),
    not_capable="not_capable",
)
