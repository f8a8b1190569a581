"""Home Assistant: entities of a car's integration, recognized by the end of their ids.

`sensor.model_3_charger_power` is the charger power of the car `model_3`. Presets are here for the integrations of Tesla, Volvo
and Hyundai/Kia; any other entity needs a row of the user's own, with its whole id. A number counts only with its unit.
"""

from collections.abc import Callable
from typing import Any, Final

from chargeport.dialects.amounts import LOADED_ABOVE_A, amount, bare, flag_beside, folded_value, is_cut_to_zero
from chargeport.dialects.field_values import flag
from chargeport.dialects.home_assistant_form import UNIT_OF, measured_in, read
from chargeport.dialects.home_assistant_rows import each_of, measure, measured
from chargeport.dialects.statuses import unless_unplugged
from chargeport.dialects.table import (
    DC_ABOVE_W,
    NOT_KNOWN,
    Decoded,
    Gate,
    Known,
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
from chargeport.dialects.tesla_values import (
    CABLE,
    FAST_PRESENT,
    FAST_TYPE,
    LATCH,
    NO_SUPPLY_V,
    PLUGGED,
    STATUS,
    fast_present,
    is_charging,
    is_fast,
)
from chargeport.dialects.volvo import CHARGE, VOLVO
from chargeport.dialects.volvo import STATES as VOLVO_STATES
from chargeport.dialects.volvo import charges as volvo_charges
from chargeport.signals.definition import Dimension

_AC: Final = "number.ac_charging_limit"
_DC: Final = "number.dc_charging_limit"

_TESLA_STATES: Final = ("sensor.charging", "sensor.charging_state")
_CABLES: Final = ("binary_sensor.charge_cable", "binary_sensor.conn_charge_cable")
_CABLE_TYPES: Final = ("sensor.charge_cable", "sensor.charging_cable_type")
_POWERS: Final = (
    "sensor.charger_power", "sensor.charging_power", "sensor.ev_charging_power", "sensor.ac_charging_power",
    "sensor.dc_charging_power",
)  # fmt: skip
_CURRENTS: Final = ("sensor.charger_current", "sensor.charger_actual_current")
_POLL_MS: Final = 500  # between the entities that an integration updates by one poll
_VOLTS: Final = "sensor.charger_voltage"
_PRESENT: Final = "binary_sensor.fast_charger_present"
_KIND: Final = "sensor.fast_charger_type"


def _largest(known: Known, fields: tuple[str, ...], dimension: Dimension) -> float | None:
    found = [each for field in fields if (each := measure(known, field, dimension)) is not None]
    return max(found, default=None)


def _is_dc(known: Known) -> bool | None:
    """Return whether the car charges with DC: by the fast charger, else by the power; None where neither is known."""
    found = is_fast(known, _PRESENT, _KIND)
    watts = _largest(known, _POWERS, Dimension.POWER)
    return True if found is None and watts is not None and watts > DC_ABOVE_W else found


def power(known: Known, field: str) -> Decoded:
    """Return the power of the side that charges; a whole number of kW truncated to 0 is no value while a current flows."""
    if field not in known:
        return NOT_KNOWN
    if amount(known[field]) <= 0 < (_largest(known, _POWERS, Dimension.POWER) or 0):
        return NOT_KNOWN
    if amount(known[field]) == 0 and volvo_charges(known):
        return None  # so write the cars that do not report it
    found, amps = amount(known[field]), _largest(known, _CURRENTS, Dimension.CURRENT)
    is_cut = is_cut_to_zero(found, amps, measure(known, _VOLTS, Dimension.VOLTAGE)) and _tesla_charges(known) is not False
    return None if is_cut else quantity(found, measured_in(known, field))


def current(known: Known, field: str) -> Decoded:
    """Return the current of the line: with DC, and with a power that needs more, the on-board charger reports 0."""
    if field not in known:
        return NOT_KNOWN
    found, watts = amount(known[field]), _largest(known, _POWERS, Dimension.POWER) or 0
    is_none = _is_dc(known) or (found <= LOADED_ABOVE_A and watts >= 1000)  # noqa: PLR2004  (a kW)
    return None if is_none and _tesla_charges(known) is not False else quantity(found, measured_in(known, field))


def voltage(known: Known, field: str) -> Decoded:
    """Return the voltage of the supply; with DC, and with nothing connected, the on-board charger reports noise."""
    if field not in known:
        return NOT_KNOWN
    found = amount(known[field])
    return None if _is_dc(known) or found < NO_SUPPLY_V else quantity(found, measured_in(known, field))


def _tesla_charges(known: Known) -> bool | None:
    state = _tesla_state(known)
    found = None if state is None else is_charging(known[state])
    return found["value"] if isinstance(found, dict) else None


def _live(fields: tuple[str, ...], code: str, of: Callable[[Known, str], Decoded]) -> tuple[Row, ...]:
    """Return a row for each of these fields of the charger, read together with its other fields."""
    charger = tuple(each for field in (*_POWERS, *_CURRENTS) for each in (field, field + UNIT_OF))
    beside = (*_TESLA_STATES, *VOLVO_STATES, _VOLTS, _VOLTS + UNIT_OF)

    def reading(field: str) -> Row:
        own = tuple(dict.fromkeys((field, field + UNIT_OF, *charger, _PRESENT, _KIND)))
        return combined(own, code, lambda known: of(known, field), beside=beside, gate=Gate.LIVE)

    return tuple(map(reading, fields))


def tesla_cable(known: Known) -> Decoded:
    """Return whether a cable is in, by the sensor, the kind of cable and the charge state: the newest one decides.

    Of one poll the charge state decides: the sensor may be off as soon as the car has stopped.
    """
    state = _tesla_state(known)
    newest = max(map(known.reported_at, known), default=0)
    is_current = state is not None and newest - known.reported_at(state) <= _POLL_MS
    if is_current and state is not None and PLUGGED.get(folded_value(known[state])) is True:
        return value(True)
    for field in known.newest_first((*_CABLES, *_CABLE_TYPES, *_TESLA_STATES)):
        if field in _CABLES:
            return value(flag(known[field]))
        found = (CABLE if field in _CABLE_TYPES else PLUGGED).get(folded_value(known[field]))
        if isinstance(found, bool):
            return value(found)
    return NOT_KNOWN


def _tesla_state(known: Known) -> str | None:
    return next(iter(known.newest_first(_TESLA_STATES)), None)


def kia_charging(charging: str, plug: str) -> Row:
    """Return the row of a flag of charging, which an integration does not repeat after the plug was out for a moment."""

    def combine(known: Known) -> Decoded:
        found = value(flag(bare(known[charging]))) if charging in known else NOT_KNOWN
        return unless_unplugged(found, known, charging, plug, plugged=flag_beside(known, plug))

    return combined((charging, plug), "charge-ischarging", combine)


def nominal(size: float, unit: str) -> dict[str, Any]:
    """Return the capacity, in its unit."""
    return capacity(size, "Home Assistant") | {"unit": unit}


def limits_by_type(known: Known) -> Decoded:
    """Return the limits for AC and DC (Hyundai/Kia); which one is in force depends on the plug, so none is marked active."""
    values = [
        {"type": "CHARGING_TYPE", "condition": {"chargingType": kind}, "limit": amount(known[field])}
        for kind, field in (("AC", _AC), ("DC", _DC))
        if field in known
    ]
    return {"values": values, "unit": "percent"}


_ROWS: Final = (
    # Tesla: Tesla Fleet, Teslemetry, Tessie.
    *each_of(_TESLA_STATES, "charge-detailedchargingstatus", words=STATUS),
    *each_of(_TESLA_STATES, "charge-ischarging", decode=is_charging),
    *_live(_POWERS, "charge-wattage", power),
    *_live(_CURRENTS, "charge-amperage", current),
    *_live((_VOLTS,), "charge-voltage", voltage),
    *measured(("sensor.charge_rate", "sensor.charging_rate"), "charge-chargerate", gate=Gate.LIVE),
    *measured(("sensor.charge_energy_added", "sensor.energy_added"), "charge-energyadded"),
    *measured(("number.charge_current", "number.charge_current_request", "number.charging_amps"), "charge-amperagerequested"),
    *measured(("sensor.charge_current_request_max", "sensor.charging_current_limit"), "charge-amperagemax"),
    *measured(("number.charge_limit", "number.charge_limit_soc", "sensor.charge_limit_soc"), "charge-chargelimits", limit),
    *measured(
        (
            "sensor.time_to_full_charge", "sensor.minutes_to_full_charge", "sensor.time_charge_complete",
            "sensor.estimated_charging_time", "sensor.estimated_charge_duration", "sensor.estimated_current_charge_duration",
            "sensor.ev_estimated_current_charge_duration",
        ),
        "charge-timetocomplete", gate=Gate.CHARGING,
    ),
    *each_of(("sensor.charger_phases", "sensor.charge_phases"), "charge-chargerphases"),
    row(_KIND, "charge-fastchargertype", words=FAST_TYPE),
    combined(
        (_PRESENT, _KIND), "charge-isfastchargerpresent", lambda known: fast_present(known, _PRESENT, _KIND),
        words=FAST_PRESENT,
    ),
    combined((*_CABLES, *_CABLE_TYPES, *_TESLA_STATES), "charge-ischargingcableconnected", tesla_cable, words=CABLE),
    *each_of(
        ("lock.charge_cable_lock", "lock.charge_port_latch"), "charge-ischargingcablelatched",
        words={"locked": True, "unlocked": False, "locking": NOT_KNOWN, "unlocking": NOT_KNOWN, "jammed": NOT_KNOWN},
    ),
    row("sensor.charge_port_latch", "charge-ischargingcablelatched", words=LATCH),
    *each_of(
        ("cover.charge_port_door", "cover.charge_port"), "charge-ischargingportflapopen",
        words={"open": True, "closed": False, "opening": NOT_KNOWN, "closing": NOT_KNOWN},
    ),
    *each_of(
        ("binary_sensor.charge_port_door", "binary_sensor.ev_charge_port", "binary_sensor.ev_charge_port_door_is_open"),
        "charge-ischargingportflapopen",
    ),
    *VOLVO,
    # Hyundai and Kia.
    *each_of(("binary_sensor.ev_battery_plug", "binary_sensor.ev_battery_is_plugged_in"), "charge-ischargingcableconnected"),
    kia_charging("binary_sensor.ev_battery_charge", "binary_sensor.ev_battery_plug"),
    kia_charging("binary_sensor.ev_battery_is_charging", "binary_sensor.ev_battery_is_plugged_in"),
    combined((_AC, _DC), "charge-chargelimits", limits_by_type),
    # The battery, with the names of each integration.
    *measured(
        ("sensor.battery_level", CHARGE, "sensor.ev_battery_level", "sensor.ev_battery_percentage",
         "sensor.ev_battery"),
        "tractionbattery-stateofcharge",
    ),
    *measured(
        ("sensor.battery_range", "sensor.distance_to_empty_battery", "sensor.ev_range", "sensor.ev_driving_range"),
        "tractionbattery-range", battery_range,
    ),
    *measured(("sensor.battery_capacity", "sensor.ev_battery_capacity"), "tractionbattery-nominalcapacity", nominal),
)  # fmt: skip

HOME_ASSISTANT: Final = dialect(
    "home_assistant",
    *_ROWS,
    lasting=frozenset(field for each in _ROWS for field in each.fields if field.endswith(UNIT_OF)),
    topics=("homeassistant/{field...}",),
    read=read,
)
