"""The bodies of events: compact JSON with numbers as JavaScript writes them.

Receivers check the signature over `JSON.stringify` of what they parsed, so both must be equal to the letter.

Members without a value are left out; receivers read a missing member with a default, but not null.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from chargeport.signals import wire
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind, Permission, Signal
from chargeport.signals.effective import Effective
from chargeport.signals.places import without_places
from chargeport.signals.reading import AbsenceReason
from chargeport.store.records import Vehicle
from chargeport.store.webhooks import Webhook
from chargeport.wire.status import MISSING_PERMISSION, WORDINGS

VERSION: Final = "4.0"
VERIFY: Final = "VERIFY"
VEHICLE_STATE: Final = "VEHICLE_STATE"
VEHICLE_ERROR: Final = "VEHICLE_ERROR"
FIRST_DELIVERY: Final = "FIRST_DELIVERY"

_CONDITIONS: Final = frozenset({"charge-chargelimits", "charge-chargetimers"})
_encode = msgspec.json.Encoder().encode


def new_id() -> str:
    """Return an id for an event or a delivery."""
    return str(uuid.uuid4())


def verify(webhook: Webhook, event_id: str, challenge: str) -> bytes:
    """Return the start of the body of a VERIFY; `finished` completes it."""
    return _start(event_id, VERIFY, {"data": {"challenge": challenge}}, _meta(webhook))


def finished(start: bytes, delivery_id: str, delivered_at: int) -> bytes:
    """Return a whole body: what `verify`, `state` or `error` made, and what is new at each attempt."""
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
    wording = WORDINGS[reason]
    return _without_none(
        {
            "type": wording.type,
            "code": wording.code,
            "state": "RESOLVED" if is_over else "ERROR",
            "description": wording.detail,
            "suggestedUserMessage": wording.detail,
            "docURL": f"{docs}#{wording.type.lower().replace('_', '-')}",
            "resolution": {"type": wording.resolution},
            "signals": [_named(code) for code in codes],
        }
    )


def _start(event_id: str, kind: str, members: Mapping[str, Any], meta: Mapping[str, Any]) -> bytes:
    body = {"eventId": event_id, "eventType": kind, **members, "meta": meta}
    return _encode(body).removesuffix(b"}}")


def _meta(webhook: Webhook, vehicle: Vehicle | None = None) -> dict[str, Any]:
    mode = {} if vehicle is None else {"mode": vehicle.mode.upper()}
    return {"version": VERSION, "webhookId": webhook.id, "webhookName": webhook.fields.name, **mode}


def _vehicle(vehicle: Vehicle) -> dict[str, Any]:
    return _without_none(
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
    """Return one signal: flat, unlike in the API. One that was never reported is an error, as the API's 404 is."""
    element: dict[str, Any] = _named(signal.code)
    if signal.permission not in permissions:
        return element | {"status": _status(MISSING_PERMISSION.type, None)}
    if found is None:
        return element | {"status": _status("RESOURCE_NOT_FOUND", "SIGNAL_NOT_FOUND")}
    held, why = found.state, found.unavailability
    wording = None if why is None else WORDINGS[why.reason]
    if held.value is not None and (wording is None or wording.keeps_body):
        element["body"] = msgspec.Raw(_body(signal, wire.text(signal, held.value), permissions).encode())
        element["meta"] = {"oemUpdatedAt": held.observed_at, "retrievedAt": held.received_at}
    status = {"value": "SUCCESS"} if wording is None else _status(wording.type, wording.code, wording.resolution)
    return element | {"status": status}


def _status(kind: str, code: str | None, resolution: str | None = None) -> dict[str, Any]:
    more = {} if resolution is None else {"resolution": {"type": resolution}}
    return {"value": "ERROR", "error": _without_none({"type": kind, "code": code}) | more}


def _body(signal: Signal, text: str, permissions: frozenset[Permission]) -> str:
    if signal.has_places and Permission.READ_CHARGE_LOCATIONS not in permissions:
        text = without_places(text)
    if signal.code in _CONDITIONS:
        text = _with_conditions(text)
    if signal.kind is Kind.DOCUMENT:
        return text
    before, after = wire.frame(signal)
    return f"{before}{text}{after}"


def _with_conditions(text: str) -> str:
    """Return a document in which each entry has a `condition`, null where it has none: receivers index it."""
    document = msgspec.json.decode(text)
    for entry in document.get("values", ()):
        entry.setdefault("condition", None)
    return _encode(_javascript(document)).decode()


def _javascript(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _javascript(member) for name, member in part.items()}
    if isinstance(part, list):
        return [_javascript(each) for each in part]
    return msgspec.Raw(wire.number(part).encode()) if isinstance(part, float) else part


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: member for name, member in members.items() if member is not None}
