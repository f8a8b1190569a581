"""Home Assistant: entities of a car's integration, known by how their ids end (sources 6).

`sensor.model_3_charger_power` is the charger power of the car `model_3`. Presets are here for the integrations of Tesla, Volvo
and Hyundai/Kia; any other entity gets a row of the user's own, under its whole id. A number counts only with its unit.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chargeport.dialects.amounts import amount, word
from chargeport.dialects.home_assistant_form import UNIT_OF, measured_in, read
from chargeport.dialects.table import (
    Decoded,
    Decoder,
    Gate,
    Row,
    battery_range,
    capacity,
    combined,
    dialect,
    limit,
    quantity,
    row,
    value,
)

_TESLA: Final = {
    "starting": "STARTING", "charging": "CHARGING", "stopped": "STOPPED", "complete": "FULLY_CHARGED",
    "disconnected": "DISCONNECTED", "no_power": "NO_POWER", "nopower": "NO_POWER",
}  # fmt: skip
_VOLVO: Final = {
    "charging": "CHARGING", "discharging": "DISCHARGING", "done": "FULLY_CHARGED", "error": "ERROR", "scheduled": "SCHEDULED",
    "idle": "NOT_CHARGING",
}  # fmt: skip
_VOLVO_POWER: Final = {
    "no_power_available": "NO_POWER", "power_available_but_not_activated": "CONNECTED", "initialization": "STARTING",
    "providing_power": None, "fault": "ERROR",
}  # fmt: skip
_VOLVO_PLUG: Final = {"connected": True, "disconnected": False, "fault": None}

_STATUS: Final = "sensor.charging_status"
_SUPPLY: Final = "sensor.charging_power_status"
_PLUG: Final = "sensor.charging_connection_status"
_AC: Final = "number.ac_charging_limit"
_DC: Final = "number.dc_charging_limit"

Body = Callable[[float, str], dict[str, Any]]


def measured(fields: tuple[str, ...], code: str, body: Body = quantity, gate: Gate = Gate.ALWAYS) -> tuple[Row, ...]:
    """Rows of a number that has its unit with it, or beside it: each change of an entity brings only what changed."""

    def of(field: str) -> Row:
        def combine(known: Mapping[str, Any]) -> Decoded:
            if field not in known:
                return None
            return body(amount(known[field]), measured_in(known, field))

        return combined((field, field + UNIT_OF), code, combine, gate=gate)

    return tuple(of(field) for field in fields)


def each_of(fields: tuple[str, ...], code: str, **more: Any) -> tuple[Row, ...]:
    """A row for each of these fields."""
    return tuple(row(field, code, **more) for field in fields)


def charging_among(words: Mapping[str, str]) -> Decoder:
    """A decoder of a state that is one of these words; the row of the status tells of a new one."""

    def decoded(content: Any) -> Decoded:
        return value(word(content) == "charging") if word(content) in words else None

    return decoded


def one_limit(percent: float, unit: str) -> dict[str, Any]:
    """The limit in force, in its unit."""
    return limit(percent) | {"unit": unit}


def nominal(size: float, unit: str) -> dict[str, Any]:
    """The capacity, in its unit."""
    return capacity(size, "Home Assistant") | {"unit": unit}


def volvo_status(known: Mapping[str, Any]) -> Decoded:
    """Volvo's status; where it is idle, the supply and the plug tell more."""
    said = word(known.get(_STATUS))
    if not said:
        return None
    if said not in _VOLVO:
        raise ValueError(f"{said[:40]!r} is none of the words known here: {', '.join(_VOLVO)}")
    if said != "idle":
        return value(_VOLVO[said])
    plugged = _VOLVO_PLUG.get(word(known.get(_PLUG)))
    if plugged is False:
        return value("DISCONNECTED")
    supply = _VOLVO_POWER.get(word(known.get(_SUPPLY)))
    return value(supply or ("CONNECTED" if plugged else "NOT_CHARGING"))


def limits_by_type(known: Mapping[str, Any]) -> Decoded:
    """The limits for AC and DC (Hyundai/Kia); which one is in force hangs on the plug, so none is said to be."""
    values = [
        {"type": "CHARGING_TYPE", "condition": {"chargingType": kind}, "limit": amount(known[field])}
        for kind, field in (("AC", _AC), ("DC", _DC))
        if field in known
    ]
    return {"values": values, "unit": "percent"}


_CHARGING_STATES: Final = ("sensor.charging", "sensor.charging_state")
_LIVE: Final = Gate.LIVE

HOME_ASSISTANT: Final = dialect(
    "home_assistant",
    # Tesla: Tesla Fleet, Teslemetry, Tessie.
    *each_of(_CHARGING_STATES, "charge-detailedchargingstatus", words=_TESLA),
    *each_of(_CHARGING_STATES, "charge-ischarging", decode=charging_among(_TESLA)),
    *measured(("sensor.charger_power", "sensor.charging_power", "sensor.ev_charging_power"), "charge-wattage", gate=_LIVE),
    *measured(("sensor.charger_current", "sensor.charger_actual_current"), "charge-amperage", gate=_LIVE),
    *measured(("sensor.charger_voltage",), "charge-voltage", gate=_LIVE),
    *measured(("sensor.charge_rate", "sensor.charging_rate"), "charge-chargerate", gate=_LIVE),
    *measured(("sensor.charge_energy_added", "sensor.energy_added"), "charge-energyadded"),
    *measured(("number.charge_current", "number.charge_current_request", "number.charging_amps"), "charge-amperagerequested"),
    *measured(("sensor.charge_current_request_max", "sensor.charging_current_limit"), "charge-amperagemax"),
    *measured(("number.charge_limit", "number.charge_limit_soc", "sensor.charge_limit_soc"), "charge-chargelimits", one_limit),
    *measured(
        (
            "sensor.time_to_full_charge", "sensor.minutes_to_full_charge", "sensor.time_charge_complete",
            "sensor.estimated_charging_time", "sensor.estimated_charge_duration", "sensor.estimated_current_charge_duration",
            "sensor.ev_estimated_current_charge_duration",
        ),
        "charge-timetocomplete", gate=Gate.CHARGING,
    ),
    *each_of(("sensor.charger_phases", "sensor.charge_phases"), "charge-chargerphases"),
    *each_of(("sensor.fast_charger_type",), "charge-fastchargertype"),
    *each_of(("binary_sensor.fast_charger_present",), "charge-isfastchargerpresent"),
    *each_of(
        ("binary_sensor.charge_cable", "binary_sensor.conn_charge_cable", "binary_sensor.ev_battery_plug",
         "binary_sensor.ev_battery_is_plugged_in"),
        "charge-ischargingcableconnected",
    ),
    *each_of(
        ("lock.charge_cable_lock", "lock.charge_port_latch"), "charge-ischargingcablelatched",
        words={"locked": True, "unlocked": False, "locking": None, "unlocking": None, "jammed": None},
    ),
    *each_of(
        ("cover.charge_port_door", "cover.charge_port"), "charge-ischargingportflapopen",
        words={"open": True, "closed": False, "opening": None, "closing": None},
    ),
    *each_of(
        ("binary_sensor.charge_port_door", "binary_sensor.ev_charge_port", "binary_sensor.ev_charge_port_door_is_open"),
        "charge-ischargingportflapopen",
    ),
    # Volvo.
    combined((_STATUS, _SUPPLY, _PLUG), "charge-detailedchargingstatus", volvo_status, note="sources 6"),
    row(_STATUS, "charge-ischarging", decode=charging_among(_VOLVO)),
    *each_of((_PLUG, "sensor.charger_connection_status"), "charge-ischargingcableconnected", words=_VOLVO_PLUG),
    row("sensor.charging_type", "charge-isfastchargerpresent", words={"dc": True, "ac": False}),
    *measured(("sensor.target_battery_charge_level",), "charge-chargelimits", one_limit),
    # Hyundai and Kia.
    *each_of(("binary_sensor.ev_battery_charge", "binary_sensor.ev_battery_is_charging"), "charge-ischarging"),
    combined((_AC, _DC), "charge-chargelimits", limits_by_type),
    # The battery, under the names of each.
    *measured(
        ("sensor.battery_level", "sensor.battery_charge_level", "sensor.ev_battery_level", "sensor.ev_battery_percentage",
         "sensor.ev_battery"),
        "tractionbattery-stateofcharge",
    ),
    *measured(
        ("sensor.battery_range", "sensor.distance_to_empty_battery", "sensor.ev_range", "sensor.ev_driving_range"),
        "tractionbattery-range", battery_range,
    ),
    *measured(("sensor.battery_capacity", "sensor.ev_battery_capacity"), "tractionbattery-nominalcapacity", nominal),
    topics=("homeassistant/{field...}",),
    read=read,
)  # fmt: skip
