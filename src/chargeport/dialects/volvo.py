"""Volvo in Home Assistant, by its integration and by the one in HACS."""

from contextlib import suppress
from typing import Any, Final

from chargeport.dialects.amounts import folded_value
from chargeport.dialects.field_values import by_folded, unknown_value
from chargeport.dialects.home_assistant_form import UNIT_OF
from chargeport.dialects.home_assistant_rows import each_of, measure, measured
from chargeport.dialects.statuses import full_or
from chargeport.dialects.table import NOT_KNOWN, Decoded, Known, combined, limit, row, value
from chargeport.signals.definition import Dimension

# The integration in HACS writes each value after the name of its field. The words for smart charging are Polestar's.
_STATUS: Final = by_folded({
    f"{prefix}{name}": meaning
    for prefix in ("", "charging_system_", "charging_status_")
    for name, meaning in {
        "charging": "CHARGING", "discharging": "DISCHARGING", "done": "FULLY_CHARGED", "error": "ERROR", "fault": "ERROR",
        "scheduled": "SCHEDULED", "idle": "NOT_CHARGING", "unspecified": None,
        "smart_charging": "CHARGING", "smart_charging_paused": "SCHEDULED",
    }.items()
})  # fmt: skip
_SUPPLIES: Final = by_folded({
    f"{prefix}{name}": meaning
    for prefix in ("", "charger_power_status_", "charging_power_status_")
    for name, meaning in {
        "no_power_available": "NO_POWER", "power_available_but_not_activated": "CONNECTED", "initialization": "STARTING",
        "providing_power": None, "unspecified": None,
        "fault": "NO_POWER",  # what some models report while a station has paused
    }.items()
})  # fmt: skip
_PLUGGED: Final = by_folded({
    f"{prefix}{name}": meaning
    for prefix in ("", "connection_status_", "charging_connection_status_", "charger_connection_status_")
    for name, meaning in {
        "connected": True, "connected_ac": True, "connected_dc": True, "disconnected": False, "fault": None,
        "unspecified": NOT_KNOWN,
    }.items()
})  # fmt: skip

STATES: Final = ("sensor.charging_status", "sensor.charging_system_status")
_SUPPLY: Final = "sensor.charging_power_status"
_PLUGS: Final = ("sensor.charging_connection_status", "sensor.charger_connection_status")
CHARGE: Final = "sensor.battery_charge_level"
_TARGET: Final = "sensor.target_battery_charge_level"


def _volvo_state(known: Known) -> str | None:
    """Return Volvo's status; None where it is not known. Raises Violation."""
    for field in known.newest_first(STATES):
        content = folded_value(known[field])
        if content not in _STATUS:
            raise unknown_value(content, _STATUS)
        if _STATUS[content] is not None:
            return _STATUS[content]
    return None


def status(known: Known) -> Decoded:
    """Return Volvo's status; a plug that is out overrules an older one. Where it is idle, plug, supply and target decide."""
    found, (plugged, plugged_at) = _volvo_state(known), _plug(known)
    state_at = max(map(known.reported_at, STATES))
    if plugged is False and (found in (None, "NOT_CHARGING") or plugged_at > state_at):
        return value("DISCONNECTED")
    if found != "NOT_CHARGING":
        return NOT_KNOWN if found is None else value(found)
    supply = _SUPPLIES.get(folded_value(known.get(_SUPPLY)))
    found = supply or ("CONNECTED" if plugged else found)
    soc, target = (measure(known, field, Dimension.RATIO) for field in (CHARGE, _TARGET))
    return value(full_or(found, soc, target))


def _plug(known: Known) -> tuple[bool | None, int]:
    """Return whether a cable is in, by the newest clear word, and the instant of its report; None where it is not known."""
    for field in known.newest_first(_PLUGS):
        plugged = _PLUGGED.get(folded_value(known[field]))
        if isinstance(plugged, bool):
            return plugged, known.reported_at(field)
    return None, 0


def charges(known: Known) -> bool | None:
    """Return whether the battery receives energy; None where it is not known.

    A plug that is reported as out later ends it; the status is not repeated after that was so for a moment.
    """
    with suppress(ValueError):
        if (found := _volvo_state(known)) is not None:
            plugged, plugged_at = _plug(known)
            return found == "CHARGING" and (plugged is not False or plugged_at <= max(map(known.reported_at, STATES)))
    return None


def is_charging(known: Known) -> Decoded:
    """Return whether the battery receives energy; an unknown value is an issue of the row of the status."""
    found = charges(known)
    return NOT_KNOWN if found is None and not known.keys() & set(STATES) else None if found is None else value(found)


def is_plugged(known: Known) -> Decoded:
    """Return whether a cable is in. Some cars always report none: a charge of the same time, or later, shows that one is."""
    plug = next(iter(known.newest_first(_PLUGS)), None)
    if charges(known):
        return value(True)
    if plug is None:
        return NOT_KNOWN
    content = folded_value(known[plug])
    if content not in _PLUGGED:
        raise unknown_value(content, _PLUGGED)
    found = _PLUGGED[content]
    return value(found) if isinstance(found, bool) else found


def is_fast(content: Any) -> Decoded:
    """Return whether a fast charger is connected, where the plug's value shows it; other values are handled by another row."""
    found = folded_value(content)
    return value(found.endswith("dc")) if found.endswith(("connectedac", "connecteddc")) else NOT_KNOWN


VOLVO: Final = (
    combined(
        (*STATES, _SUPPLY, *_PLUGS, CHARGE, CHARGE + UNIT_OF, _TARGET, _TARGET + UNIT_OF),
        "charge-detailedchargingstatus", status,
    ),
    row(_SUPPLY, "charge-detailedchargingstatus", words=dict.fromkeys(_SUPPLIES, NOT_KNOWN)),
    combined((*STATES, *_PLUGS), "charge-ischarging", is_charging),
    combined((*_PLUGS, *STATES), "charge-ischargingcableconnected", is_plugged),
    *each_of(_PLUGS, "charge-isfastchargerpresent", decode=is_fast),
    row("sensor.charging_type", "charge-isfastchargerpresent", words={"dc": True, "ac": False, "none": None}),
    *measured((_TARGET,), "charge-chargelimits", limit),
)  # fmt: skip
