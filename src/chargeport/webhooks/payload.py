"""The bodies of events: compact JSON with numbers as JavaScript writes them.

Receivers check the signature over `JSON.stringify` of the parsed body, so both must be equal byte by byte.

Members without a value are left out: receivers have a default for a missing member, but not for null.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from chargeport.signals import wire
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind, Permission, Signal
from chargeport.signals.effective import Effective
from chargeport.signals.reading import AbsenceReason
from chargeport.store.records import Vehicle
from chargeport.store.webhooks import Webhook
from chargeport.wire.encoding import encode, without_none
from chargeport.wire.envelope import place_free
from chargeport.wire.status import ERROR_STATUSES, MISSING_PERMISSION

VERSION: Final = "4.0"
VERIFY: Final = "VERIFY"
VEHICLE_STATE: Final = "VEHICLE_STATE"
VEHICLE_ERROR: Final = "VEHICLE_ERROR"
FIRST_DELIVERY: Final = "FIRST_DELIVERY"

_CONDITIONS: Final = frozenset({"charge-chargelimits", "charge-chargetimers"})


def new_id() -> str:
    """Return an id for an event or a delivery."""
    return str(uuid.uuid4())


def verify(webhook: Webhook, event_id: str, challenge: str) -> bytes:
    """Return the start of the body of a VERIFY; `finished` completes it."""
    return _start(event_id, VERIFY, {"data": {"challenge": challenge}}, _meta(webhook))


def finished(start: bytes, delivery_id: str, delivered_at: int) -> bytes:
    """Return a complete body: the start that `verify`, `state` or `error` returned, with the members of an attempt."""
    return start + b',"deliveryId":"%b","deliveredAt":%d}}' % (delivery_id.encode(), delivered_at)


def state(
    webhook: Webhook,
    event_id: str,
    vehicle: Vehicle,
    user: Mapping[str, str],
    *,
    known: Mapping[str, Effective | None],
    permissions: frozenset[Permission],
    triggers: Sequence[str],
) -> bytes:
    """Return the start of the body of a VEHICLE_STATE with all signals of the webhook. `triggers` are codes."""
    signals = [_signal(BY_CODE[code], known.get(code), permissions) for code in webhook.fields.data]
    data = {
        "user": user,
        "vehicle": _vehicle(vehicle),
        "signals": signals,
        "triggers": [_named(code) for code in triggers],
    }
    members = {"vehicleId": vehicle.id, "data": data, "triggers": [_trigger(code) for code in triggers]}
    return _start(event_id, VEHICLE_STATE, members, _meta(webhook, vehicle) | {"signalCount": len(signals)})


def error(
    webhook: Webhook, event_id: str, vehicle: Vehicle, user: Mapping[str, str], errors: Sequence[dict[str, Any]]
) -> bytes:
    """Return the start of the body of a VEHICLE_ERROR; `errors` come from `vehicle_error`."""
    data = {"user": user, "vehicle": _vehicle(vehicle), "errors": errors}
    return _start(event_id, VEHICLE_ERROR, {"vehicleId": vehicle.id, "data": data}, _meta(webhook, vehicle))


def vehicle_error(reason: AbsenceReason, codes: Sequence[str], docs: str, *, is_over: bool) -> dict[str, Any]:
    """Return one entry of a VEHICLE_ERROR: signals that have no value for a reason, or have one again."""
    status = ERROR_STATUSES[reason]
    return without_none(
        {
            "type": status.type,
            "code": status.code,
            "state": "RESOLVED" if is_over else "ERROR",
            "description": status.detail,
            "suggestedUserMessage": status.detail,
            "docURL": f"{docs}#{status.type.lower().replace('_', '-')}",
            "resolution": {"type": status.resolution},
            "signals": [_named(code) for code in codes],
        }
    )


def _start(event_id: str, kind: str, members: Mapping[str, Any], meta: Mapping[str, Any]) -> bytes:
    body = {"eventId": event_id, "eventType": kind, **members, "meta": meta}
    return encode(body).removesuffix(b"}}")


def _meta(webhook: Webhook, vehicle: Vehicle | None = None) -> dict[str, Any]:
    mode = {} if vehicle is None else {"mode": vehicle.mode.upper()}
    return {"version": VERSION, "webhookId": webhook.id, "webhookName": webhook.fields.name, **mode}


def _vehicle(vehicle: Vehicle) -> dict[str, Any]:
    return without_none(
        {
            "id": vehicle.id,
            "make": vehicle.make,
            "model": vehicle.model,
            "year": vehicle.year,
            "mode": vehicle.mode,
            "powertrainType": vehicle.powertrain,
        }
    )


def _named(code: str) -> dict[str, str]:
    signal = BY_CODE.get(code)
    if signal is None:
        return {"code": code, "name": code}
    return {"code": signal.code, "name": signal.name, "group": signal.group}


def _trigger(code: str) -> dict[str, Any]:
    if code == FIRST_DELIVERY:
        return {"type": FIRST_DELIVERY, "name": FIRST_DELIVERY}
    return {"type": "SIGNAL_UPDATED", "name": BY_CODE[code].name, "signal": _named(code)}


def _signal(signal: Signal, found: Effective | None, permissions: frozenset[Permission]) -> dict[str, Any]:
    """Return one signal: flat, unlike in the API. One that was never reported has the error of the API's 404."""
    element: dict[str, Any] = _named(signal.code)
    if signal.permission not in permissions:
        return element | {"status": _status(MISSING_PERMISSION.type, None)}
    if found is None:
        return element | {"status": _status("RESOURCE_NOT_FOUND", "SIGNAL_NOT_FOUND")}
    held, unavailability = found.state, found.unavailability
    error = None if unavailability is None else ERROR_STATUSES[unavailability.reason]
    if held.value is not None and (error is None or error.keeps_body):
        element["body"] = msgspec.Raw(_body(signal, wire.text(signal, held.value), permissions).encode())
        element["meta"] = {"oemUpdatedAt": held.observed_at, "retrievedAt": held.received_at}
    status = {"value": "SUCCESS"} if error is None else _status(error.type, error.code, error.resolution)
    return element | {"status": status}


def _status(kind: str, code: str | None, resolution: str | None = None) -> dict[str, Any]:
    more = {} if resolution is None else {"resolution": {"type": resolution}}
    return {"value": "ERROR", "error": without_none({"type": kind, "code": code}) | more}


def _body(signal: Signal, text: str, permissions: frozenset[Permission]) -> str:
    text = place_free(signal, text, permissions)
    if signal.code in _CONDITIONS:
        text = _with_conditions(text)
    if signal.kind is Kind.DOCUMENT:
        return text
    before, after = wire.frame(signal)
    return f"{before}{text}{after}"


def _with_conditions(text: str) -> str:
    """Return a document in which each entry has a `condition`, null if there is none: receivers read it without a check."""
    document = msgspec.json.decode(text)
    for entry in document.get("values", ()):
        entry.setdefault("condition", None)
    return encode(_javascript(document)).decode()


def _javascript(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _javascript(member) for name, member in part.items()}
    if isinstance(part, list):
        return [_javascript(element) for element in part]
    return msgspec.Raw(wire.number(part).encode()) if isinstance(part, float) else part
