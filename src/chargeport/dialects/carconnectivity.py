"""CarConnectivity: its tree of attributes, as MQTT topics in plain text, as {val, upd, uni}, or whole.

Plain text has no units; then the units are those that the library uses unless a locale changes them: kW, km/h, km, kWh, A, %.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from chargeport.dialects.amounts import amount, amount_beside, bare, folded_value, unit_of
from chargeport.dialects.field_values import by_folded, folded, unknown_value
from chargeport.dialects.forms import at_ms, by_topic, items, joined_name, vehicle_of
from chargeport.dialects.instants import by_instant, minutes_until
from chargeport.dialects.positions import halves
from chargeport.dialects.statuses import full_or
from chargeport.dialects.table import (
    NOT_KNOWN,
    Decoded,
    Dialect,
    Gate,
    Known,
    Row,
    Unreadable,
    battery_range,
    capacity,
    combined,
    dialect,
    limit,
    row,
    value,
)
from chargeport.sources.base import Delivery, RawMessage

_STATE: Final = "charging/state"
_PLUG: Final = "charging/connector/connection_state"
_SUPPLY: Final = "charging/connector/external_power"
_POWER: Final = "charging/power"
_REACHED: Final = "charging/estimated_date_reached"
_NO_SUPPLY: Final = "nosupply"  # the library's "unavailable", which is a value here: anywhere else it means "no value"
_READY: Final = folded("ready_for_charging")
_WORDS: Final = {
    "charging": "CHARGING",
    "conservation": "CONSERVING",
    "discharging": "DISCHARGING",
    "error": "ERROR",
    "off": "NOT_CHARGING",  # refined by the plug
    _READY: "CONNECTED",
}
# Texts of the library for "not known".
_UNKNOWN: Final = (
    "invalid", "unsupported", "unknown charging state", "unknown charge type", "unknown unlock plug state",
    "unknown lock state", "unknown external power",
)  # fmt: skip
_NOTHING: Final = by_folded(dict.fromkeys(_UNKNOWN, NOT_KNOWN))
_DRIVES: Final = ("primary", "secondary")
_TARGET: Final = "charging/settings/target_level"


def _is_nothing(content: Any) -> bool:
    return folded_value(content) in _NOTHING


def _state(known: Known) -> str | None:
    """Return the state; None where it is not known, or older than the report that the cable is out."""
    if folded_value(known.get(_PLUG)) == "disconnected" and known.reported_at(_PLUG) > known.reported_at(_STATE):
        return "off"
    found = folded_value(known.get(_STATE))
    return None if not found or found in _NOTHING else found


def status(known: Known) -> Decoded:
    """Return the state, refined by the plug, by the supply, and by whether the battery has reached its target."""
    state, plug = _state(known), folded_value(known.get(_PLUG))
    if state is None:
        return NOT_KNOWN
    if state not in _WORDS:
        raise unknown_value(state, _WORDS)
    if state in (_READY, "off") and plug == "disconnected":  # without a cable, some cars are ready, too
        return value("DISCONNECTED")
    if state == _READY and folded_value(known.get(_SUPPLY)) == _NO_SUPPLY:
        return value("NO_POWER")
    found = _WORDS[state]
    if state == "off":
        found = "CONNECTED" if plug == "connected" else found
    if found != "CONNECTED":
        return value(found)
    return value(full_or(found, _charge(known), amount_beside(known, _TARGET)))


def _charge(known: Known) -> float | None:
    """Return the state of charge, by the electric drive."""
    electric = (drive for drive in _DRIVES if folded_value(known.get(f"drives/{drive}/type")) == "electric")
    level = next((f"drives/{drive}/level" for drive in electric), "")
    return amount_beside(known, level)


def is_charging(known: Known) -> Decoded:
    """Return whether the battery receives energy: keeping it at its limit counts only while power flows."""
    state = _state(known)
    if state is None:
        return NOT_KNOWN
    if state not in _WORDS:
        return None  # the issue of an unknown state comes from the row of the status
    return value(state == "charging" or (state == "conservation" and (amount_beside(known, _POWER) or 0) > 0))


def target(content: Any) -> Decoded:
    """Return the limit in force, in percent."""
    return limit(amount(content))


def _drive(name: str) -> tuple[Row, ...]:
    """Return the rows of one drive of a car; those of an engine that burns fuel give no value."""
    kind, level, reach = (f"drives/{name}/{each}" for each in ("type", "level", "range"))
    total, available = (f"drives/{name}/battery/{each}_capacity" for each in ("total", "available"))

    def is_electric(known: Known) -> bool:
        return folded_value(known.get(kind)) == "electric"

    def charge(known: Known) -> Decoded:
        return {"value": amount(known[level]), "unit": "%"} if level in known and is_electric(known) else NOT_KNOWN

    def distance(known: Known) -> Decoded:
        if reach not in known or not is_electric(known):
            return NOT_KNOWN
        return battery_range(amount(known[reach]), unit_of(known[reach], "km"))

    def nominal(known: Known) -> Decoded:
        field = known.best(total, available)
        if field is None:
            return NOT_KNOWN
        return capacity(amount(known[field]), "CarConnectivity") | {"unit": unit_of(known[field], "kWh")}

    return (
        combined((level, kind), "tractionbattery-stateofcharge", charge),
        combined((reach, kind), "tractionbattery-range", distance),
        combined((total, available), "tractionbattery-nominalcapacity", nominal),
    )


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read topics with their values, or the tree. A value with a time of update has that instant. Raises Unreadable."""
    if delivery.topic.endswith("/full_json") or (not delivery.topic and delivery.payload.lstrip()[:1] == b"{"):
        [tree] = items(delivery.payload)[:1]
        if not isinstance(tree, dict):
            raise Unreadable("the tree is an object")
        if isinstance(tree.get("garage"), dict):
            return [raw for name, car in tree["garage"].items() if isinstance(car, dict) for raw in _car(delivery, name, car)]
        if "charging" in tree or "drives" in tree:
            return _car(delivery, folded_value(bare(_leaf(tree.get("vin")))).upper() or None, tree)
    messages: list[RawMessage] = []
    for topic in by_topic(dialect, delivery):
        updates = [update for name, content in topic.fields.items() for update in _fields_at(delivery, name, content)]
        own = msgspec.structs.replace(delivery, retained=topic.retained, observed_at=topic.observed_at)
        messages += by_instant(own, topic.vehicle, updates)
    return messages


def _car(delivery: Delivery, name: str | None, tree: Mapping[str, Any]) -> list[RawMessage]:
    return by_instant(delivery, vehicle_of(delivery, name), _leaves(delivery, tree, ""))


def _leaves(delivery: Delivery, tree: Mapping[str, Any], path: str) -> Iterator[tuple[int | None, str, Any]]:
    for name, content in tree.items():
        if isinstance(content, dict) and "val" not in content:
            yield from _leaves(delivery, content, joined_name(path, name) + "/")
        else:
            yield from _fields_at(delivery, joined_name(path, name), content)


def _fields_at(delivery: Delivery, field: str, content: Any) -> Iterator[tuple[int | None, str, Any]]:
    """Yield an attribute with the instant of its update; the JSON form of a topic is the same attribute."""
    at = at_ms(content.get("upd")) if isinstance(content, dict) else None
    leaf = _leaf(content)
    field = field.removesuffix("_json")
    if field == _REACHED and leaf:
        leaf = minutes_until(leaf, at or delivery.observed_at or delivery.received_at)
    if field == _SUPPLY and folded_value(leaf) == "unavailable":
        leaf = _NO_SUPPLY
    yield at, field, None if isinstance(leaf, str) and _is_nothing(leaf) else leaf


def _leaf(content: Any) -> Any:
    """Return an attribute's value, with its unit if it has one; None where the unit is not known to the library."""
    if not isinstance(content, dict) or "val" not in content:
        return content
    unit = content.get("uni")
    if not isinstance(unit, str):
        return content["val"]
    return None if unit == "invalid" or unit.startswith("unknown") else {"value": content["val"], "unit": unit}


CARCONNECTIVITY: Final = dialect(
    "carconnectivity",
    combined((_STATE, _PLUG, _POWER), "charge-ischarging", is_charging),
    combined(
        (_STATE, _PLUG, _SUPPLY, _TARGET, *(f"drives/{each}/{field}" for each in _DRIVES for field in ("level", "type"))),
        "charge-detailedchargingstatus", status,
    ),
    row(
        _SUPPLY, "charge-detailedchargingstatus",
        words=dict.fromkeys(("available", "active", _NO_SUPPLY), NOT_KNOWN) | _NOTHING,
    ),
    row(_PLUG, "charge-ischargingcableconnected", words={"connected": True, "disconnected": False} | _NOTHING),
    row(
        "charging/connector/lock_state",
        "charge-ischargingcablelatched",
        words={"locked": True, "unlocked": False} | _NOTHING,
    ),
    row("charging/type", "charge-isfastchargerpresent", words={"dc": True, "ac": False, "off": False} | _NOTHING),
    row(_POWER, "charge-wattage", "kW", gate=Gate.LIVE),
    row("charging/rate", "charge-chargerate", "km/h", gate=Gate.LIVE),
    row(_REACHED, "charge-timetocomplete", "min", gate=Gate.CHARGING, note="an instant, read as the time until then"),
    row(_TARGET, "charge-chargelimits", decode=target),
    row("charging/settings/maximum_current", "charge-amperagemax", "A"),
    halves("position/latitude", "position/longitude"),
    *(row for name in _DRIVES for row in _drive(name)),
    topics=("carconnectivity/0/garage/{vehicle}/{field...}",),
    ignored=frozenset(
        {
            # Identity and position of the car.
            "vin", "name", "manufacturer", "model", "model_year", "type", "license_plate", "odometer", "state",
            "connection_state", "outside_temperature", "specification/*", "position/*", "images/*", "managing_connectors*",
            "id", "capabilities/*", "commands/*", "is_active", "online*", "last_*", "nickname", "brand", "vehicle_type",
            # Parts of the car that are unrelated to charging.
            "doors/*", "windows/*", "lights/*", "software/*", "climatization/*", "window_heatings/*", "maintenance/*",
            "active_ventilation/*", "window_heating/*", "parking/*", "parking_brake*", "trips/*", "tires/*", "statistics/*",
            # Of charging and the drives, without a signal.
            "charging/binarystate", "charging/commands/*", "charging/charging_station/*", "charging/settings/auto_unlock*",
            "charging/settings/target_level_writetopic", "charging/settings/maximum_current_writetopic", "charging/mode",
            "charging/settings/maximum_current_in_ampere", "charging/settings/max_current_in_ampere", "charging/profiles/*",
            "charging/settings/preferred_charge_mode", "charging/settings/battery_care*", "charging/settings/charging_care*",
            "charging/is_in_saved_location", "charging/is_in_safed_location", "charging/errors*",
            "charging/connector/led_color",
            "drives/total_range*", "drives/primary/*", "drives/secondary/*",
        }
    ),
    relevant=re.compile("^(charging|drives)/"),
    read=read,
)  # fmt: skip
