"""Smartcar v3: signals by their own codes, in webhooks and in answers of the API. The codes are ours: nothing is translated.

What has to be seen to is in the values (recorded payloads, sources 10.1): a car that is full still reports minutes and a rate;
an error may carry the last good body; a time may be 0, a number, or a text.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from chargeport.dialects.forms import at_ms, json_value, vehicle_of
from chargeport.dialects.instants import by_instant
from chargeport.dialects.statuses import reason_of
from chargeport.dialects.table import Decoded, Dialect, Gate, Row, Unreadable, dialect, row
from chargeport.signals.catalogue import CATALOGUE, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.sources.base import Delivery, RawMessage

_TIMES: Final = ("oemUpdatedAt", "retrievedAt", "ingestedAt")


def element(part: dict[str, Any]) -> Decoded:
    """A signal object: its body, or why there is none. The status comes first: beside an error the body is an old one."""
    status = part.get("status") or {}
    if status.get("value") == "ERROR":
        error = status.get("error") or {}
        return reason_of(str(error["type"]), error.get("code"))
    body = part.get("body")
    if not body or ("value" in body and body["value"] is None):
        return None
    return dict(body)


def _gate(signal: Signal) -> Gate:
    if signal.code == "charge-timetocomplete":
        return Gate.CHARGING
    return Gate.LIVE if signal.cadence is Cadence.LIVE and signal is not IS_CHARGING else Gate.ALWAYS


def _row(signal: Signal) -> Row:
    return row(signal.code, signal.code, decode=element, gate=_gate(signal))


def read(_: Dialect, delivery: Delivery) -> list[RawMessage]:
    """A webhook's event, a list of signals, or one signal: a message for each instant at which the car said something."""
    content = json_value(delivery.payload)
    if not isinstance(content, dict):
        raise Unreadable("an event of Smartcar or an answer of its API is an object")
    if content.get("eventType") == "VERIFY":
        return []  # says nothing of a car; whoever received it has answered it
    told = list(_told(content))
    return by_instant(delivery, vehicle_of(delivery, _vehicle(content)), told)


def _told(content: dict[str, Any]) -> Iterator[tuple[int | None, str, Any]]:
    data = content.get("data", content)
    delivered = at_ms((content.get("meta") or {}).get("deliveredAt"))
    if isinstance(data, dict) and "errors" in data:
        for error in data["errors"]:
            yield from ((delivered, code, failed) for code, failed in _failed(error))
        return
    if isinstance(data, dict):
        data = data.get("signals", [data])
    if not isinstance(data, list):
        raise Unreadable("there are no signals: data.signals, data[], or one signal is wanted")
    for index, part in enumerate(data):
        found = part | (part.get("attributes") or {}) if isinstance(part, dict) else {}
        if isinstance(code := found.get("code"), str):
            yield _at(found, delivered), code, {"status": found.get("status"), "body": found.get("body")}
        else:
            yield delivered, f"signals[{index}]", part  # no field of ours: an issue, and the others are read


def _at(found: Mapping[str, Any], delivered: int | None) -> int | None:
    """When the car said it; what the car never said (an error, a fact about the model) was known when it was sent."""
    meta = found.get("meta") or {}
    for name in _TIMES:
        try:
            at = at_ms(meta.get(name))
        except (ValueError, TypeError):  # not a time: the next one is as good as none
            continue
        if at:
            return at
    return delivered


def _failed(error: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The signals that an error names, each as the signal object that it makes; one that is RESOLVED says nothing."""
    if error.get("state") == "RESOLVED":
        return
    status = {"value": "ERROR", "error": {"type": error.get("type"), "code": error.get("code")}}
    for signal in error.get("signals") or ():
        yield _code(signal), {"status": status, "body": None}


def _code(signal: Any) -> str:
    """The code of a signal that an error names; the earliest events wrote `Charge.IsCharging`."""
    if isinstance(signal, str):
        return signal.replace(".", "-").lower()
    return str(signal["code"])


def _vehicle(content: dict[str, Any]) -> str | None:
    """The id of the vehicle, wherever this form has it."""
    data = content.get("data")
    places = (data if isinstance(data, dict) else {}, content.get("included") or {})
    found = next((place["vehicle"]["id"] for place in places if place.get("vehicle")), content.get("vehicleId"))
    return None if found is None else str(found)


SMARTCAR: Final = dialect(
    "smartcar",
    *(_row(signal) for signal in CATALOGUE if not signal.is_ours),
    ignored=frozenset(
        {
            # Groups that say nothing of charging.
            "closure-*", "connectivitysoftware-*", "connectivitystatus-*", "diagnostics-*", "hvac-*",
            "internalcombustionengine-*", "location-*", "lowvoltagebattery-*", "motion-*", "odometer-*", "service-*",
            "surveillance-*", "transmission-*", "vehicleidentification-*", "vehicleuseraccount-*", "wheel-*",
            # Of the battery, but neither charge nor range.
            "tractionbattery-isheateractive", "tractionbattery-maxrangechargecounter", "tractionbattery-nominalcapacities",
            "tractionbattery-estimatedrange", "tractionbattery-idealrange", "tractionbattery-ratedrange",
        }
    ),
    read=read,
)  # fmt: skip
