"""Smartcar v3: signals by their codes, in webhooks and in responses of the API. The codes are the same here.

The difficulties are in the values, as recorded payloads have them: a car that is full still reports minutes and a rate;
an error may carry the last good body; a time may be 0, a number, or a text.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from chargeport.dialects.forms import at_ms, json_value, vehicle_of
from chargeport.dialects.instants import by_instant
from chargeport.dialects.statuses import reason_of
from chargeport.dialects.table import NOT_KNOWN, Decoded, Dialect, Gate, Row, Unreadable, dialect, row
from chargeport.signals.catalogue import CATALOGUE, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.sources.base import Delivery, RawMessage

EVENTS: Final = ("VEHICLE_STATE", "VEHICLE_ERROR")
WHOLE_CAR: Final = "error"  # the field of an error that names no signals
_TIMES: Final = ("oemUpdatedAt", "retrievedAt", "ingestedAt")


def element(part: dict[str, Any]) -> Decoded:
    """Return a signal's body, or why there is none."""
    status = part.get("status") or {}
    if status.get("value") == "ERROR":
        error = status.get("error") or {}
        return reason_of(str(error["type"]), error.get("code"))
    body = part.get("body")
    return dict(body) if body else NOT_KNOWN


def _gate(signal: Signal) -> Gate:
    if signal.code == "charge-timetocomplete":
        return Gate.CHARGING
    return Gate.LIVE if signal.cadence is Cadence.LIVE and signal is not IS_CHARGING else Gate.ALWAYS


def _row(signal: Signal) -> Row:
    return row(signal.code, signal.code, decode=element, gate=_gate(signal), keeps_last=True)


def read(_: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read a webhook's event, a list of signals, or one signal; a message for each instant observed. Raises Unreadable."""
    content = json_value(delivery.payload)
    if not isinstance(content, dict):
        raise Unreadable("an event of Smartcar or an answer of its API is an object")
    event = content.get("eventType")
    if event == "VERIFY":
        return []  # it is not about a car, and the receiver has answered it
    if event is not None and event not in EVENTS:
        raise Unreadable(f"eventType {str(event)[:40]!r} is not known: there are VERIFY, {' and '.join(EVENTS)}")
    fields_at = list(_fields_at(content))
    return by_instant(delivery, vehicle_of(delivery, _vehicle(content)), fields_at)


def _fields_at(content: dict[str, Any]) -> Iterator[tuple[int | None, str, Any]]:
    data = content.get("data", content)
    delivered = _instant((content.get("meta") or {}).get("deliveredAt"))
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
            yield from ((at, code, each) for at, each in _element(found, delivered))
        else:
            yield delivered, f"signals[{index}]", part  # an unknown field: an issue, and the others are read


def _element(found: Mapping[str, Any], delivered: int | None) -> Iterator[tuple[int | None, dict[str, Any]]]:
    """Yield the values of a signal object, with their instants.

    The body next to an error is the last good one, as of its own time. The error is as of when it was detected.
    """
    meta, status, body = found.get("meta") or {}, found.get("status"), found.get("body")
    times = [at for name in _TIMES if (at := _instant(meta.get(name)))]
    if not isinstance(status, dict) or status.get("value") != "ERROR":
        yield times[0] if times else delivered, {"status": status, "body": body}
        return
    noticed = max([*times[1:], delivered or 0]) or None
    if body and times and noticed and times[0] < noticed:
        yield times[0], {"body": body}
    else:
        noticed = noticed or (times[0] if times else None)
    yield noticed, {"status": status}


def _instant(stamp: Any) -> int | None:
    """Return an instant; None for 0 and for anything else."""
    try:
        return at_ms(stamp) or None
    except (ValueError, TypeError):
        return None


def _failed(error: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the signals that an error names, each as a signal object; one that is RESOLVED gives none.

    An error that names no signals concerns the whole car.
    """
    if error.get("state") == "RESOLVED":
        return
    status = {"value": "ERROR", "error": {"type": error.get("type"), "code": error.get("code")}}
    for signal in error.get("signals") or ():
        yield _code(signal), {"status": status}
    if not error.get("signals"):
        try:
            yield WHOLE_CAR, reason_of(str(error.get("type")), error.get("code"))
        except ValueError as unknown:
            yield WHOLE_CAR, str(unknown)


def _code(signal: Any) -> str:
    """Return the code of a signal that an error names; the earliest events wrote `Charge.IsCharging`."""
    if isinstance(signal, str):
        return signal.replace(".", "-").lower()
    return str(signal["code"])


def _vehicle(content: dict[str, Any]) -> str | None:
    """Return the id of the vehicle, in any form; None where there is none."""
    data = content.get("data")
    places = (data if isinstance(data, dict) else {}, content.get("included") or {})
    found = next((place["vehicle"]["id"] for place in places if place.get("vehicle")), content.get("vehicleId"))
    return None if found is None else str(found)


SMARTCAR: Final = dialect(
    "smartcar",
    *(_row(signal) for signal in CATALOGUE if not signal.is_ours),
    ignored=frozenset(
        {
            # Of the battery, but neither charge nor range.
            "tractionbattery-isheateractive", "tractionbattery-maxrangechargecounter", "tractionbattery-nominalcapacities",
            "tractionbattery-estimatedrange", "tractionbattery-idealrange", "tractionbattery-ratedrange",
        }
    ),
    # No other group is about charging; a text that is not a code of a group is not a signal.
    relevant=re.compile(r"^(charge|tractionbattery)-|^[^-]*$|^signals\["),
    whole_car=WHOLE_CAR,
    read=read,
)  # fmt: skip
