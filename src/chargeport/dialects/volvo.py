"""Volvo in Home Assistant, by its integration and by the one in HACS."""

from typing import Any, Final

from chargeport.dialects.amounts import folded_value
from chargeport.dialects.field_values import by_folded, unknown_value
from chargeport.dialects.home_assistant_form import UNIT_OF
from chargeport.dialects.home_assistant_rows import each_of, measure, measured
from chargeport.dialects.statuses import full_or
from chargeport.dialects.table import NOT_KNOWN, Decoded, Known, combined, limit, row, value
from chargeport.signals.definition import Dimension

# The integration in HACS writes each value after the name of its field.
_STATUS: Final = by_folded({
    f"{prefix}{name}": meaning
    for prefix in ("", "charging_system_")
    for name, meaning in {
        "charging": "CHARGING", "discharging": "DISCHARGING", "done": "FULLY_CHARGED", "error": "ERROR", "fault": "ERROR",
        "scheduled": "SCHEDULED", "idle": "NOT_CHARGING", "unspecified": None,
    }.items()
})  # fmt: skip
_SUPPLIES: Final = by_folded({
    f"{prefix}{name}": meaning
    for prefix in ("", "charger_power_status_", "charging_power_status_")
    for name, meaning in {
        "no_power_available": "NO_POWER", "power_available_but_not_activated": "CONNECTED", "initialization": "STARTING",
        "providing_power": None, "fault": "ERROR", "unspecified": None,
    }.items()
})  # fmt: skip
_PLUGGED: Final = by_folded({
    f"{prefix}{name}": meaning
    for prefix in ("", "connection_status_", "charging_connection_status_")
    for name, meaning in {
        "connected": True, "connected_ac": True, "connected_dc": True, "disconnected": False, "fault": None,
        "unspecified": NOT_KNOWN,
    }.items()
})  # fmt: skip

_STATES: Final = ("sensor.charging_status", "sensor.charging_system_status")
_SUPPLY: Final = "sensor.charging_power_status"
_PLUGS: Final = ("sensor.charging_connection_status", "sensor.charger_connection_status")
CHARGE: Final = "sensor.battery_charge_level"
_TARGET: Final = "sensor.target_battery_charge_level"


def _volvo_state(known: Known) -> str | None:
    """Return Volvo's status; None where it is not known. Raises Violation."""
    for field in known.newest_first(_STATES):
        content = folded_value(known[field])
        if content not in _STATUS:
            raise unknown_value(content, _STATUS)
        if _STATUS[content] is not None:
            return _STATUS[content]
    return None


def status(known: Known) -> Decoded:
    """Return Volvo's status; where it is idle, the plug, the supply and the target decide."""
    found = _volvo_state(known)
    if found != "NOT_CHARGING":
        return NOT_KNOWN if found is None else value(found)
    plugs = [_PLUGGED.get(folded_value(known[field])) for field in known.newest_first(_PLUGS)]
    plugged = next((each for each in plugs if isinstance(each, bool)), None)
    if plugged is False:
        return value("DISCONNECTED")
    supply = _SUPPLIES.get(folded_value(known.get(_SUPPLY)))
    found = supply or ("CONNECTED" if plugged else found)
    soc, target = (measure(known, field, Dimension.RATIO) for field in (CHARGE, _TARGET))
    return value(full_or(found, soc, target))


def is_charging(known: Known) -> Decoded:
    """Return whether the battery receives energy; an unknown value is an issue of the row of the status."""
    try:
        found = _volvo_state(known)
    except ValueError:
        return None
    return NOT_KNOWN if found is None else value(found == "CHARGING")


def is_fast(content: Any) -> Decoded:
    """Return whether a fast charger is connected, where the plug's value shows it; other values are handled by another row."""
    found = folded_value(content)
    return value(found.endswith("dc")) if found.endswith(("connectedac", "connecteddc")) else NOT_KNOWN


VOLVO: Final = (
    combined(
        (*_STATES, _SUPPLY, *_PLUGS, CHARGE, CHARGE + UNIT_OF, _TARGET, _TARGET + UNIT_OF),
        "charge-detailedchargingstatus", status,
    ),
    combined(_STATES, "charge-ischarging", is_charging),
    *each_of(_PLUGS, "charge-ischargingcableconnected", words=_PLUGGED),
    *each_of(_PLUGS, "charge-isfastchargerpresent", decode=is_fast),
    row("sensor.charging_type", "charge-isfastchargerpresent", words={"dc": True, "ac": False}),
    *measured((_TARGET,), "charge-chargelimits", limit),
)  # fmt: skip
