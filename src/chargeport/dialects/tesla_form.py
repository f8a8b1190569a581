"""The forms of Tesla's Fleet Telemetry: a topic for each field, decoded JSON, a flat object, and protobuf."""

import importlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from chargeport import installation
from chargeport.dialects.field_values import flag
from chargeport.dialects.forms import at_ms, items, json_value, message, text_value, vehicle_of
from chargeport.dialects.table import Dialect, Unreadable
from chargeport.dialects.tesla_fields import FIELDS
from chargeport.sources.base import Delivery, RawMessage

MISSING: Final = (
    f"this is Tesla's protobuf and the package that reads it is not installed: {installation.add_extra('tesla')}, "
    "or let fleet-telemetry send JSON with transmit_decoded_records"
)
# Types of records that are not about charging: connectivity, alerts, errors.
_OTHER_RECORDS: Final = ("alerts", "errors", "connectivity", "metrics")
_VIN: Final = ("vin", "Vin", "VIN", "vehicle")
_AT: Final = ("createdAt", "CreatedAt", "created_at", "timestamp")
_RESENT: Final = ("isResend", "IsResend", "is_resend")
_ENVELOPE: Final = frozenset((*_VIN, *_AT, *_RESENT))


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read the messages of a delivery in any of Tesla's forms. Raises Unreadable, ValueError or TypeError."""
    for pattern in dialect.topics:
        address = pattern.match(delivery.topic)
        if address is not None:
            if not address.field:
                return []
            fields = {address.field: _plain(_field_value(delivery.payload))}
            return [message(delivery, vehicle_of(delivery, address.vehicle), fields)]
    if delivery.headers.get("txtype", delivery.topic.rpartition("_")[2]) in _OTHER_RECORDS:
        return []
    return [_record(delivery, record) for record in _records(delivery.payload)]


def _field_value(payload: bytes) -> Any:
    """Return the value of a field's topic: always JSON, but an older bridge may write unquoted texts."""
    value = text_value(payload)
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json_value(payload)
    return value


def _records(payload: bytes) -> list[Any]:
    """Return the records as decoded JSON. A protobuf begins with a byte that no JSON begins with, except for leading spaces."""
    if payload.lstrip()[:1] in (b"{", b"["):
        try:
            found = items(payload)
        except Unreadable:
            if payload[:1] in (b"{", b"["):
                raise
        else:
            bare = found and all(isinstance(each, dict) and "key" in each for each in found)
            return [{"data": found}] if bare else found
    return [_decoded(payload)]


def _decoded(payload: bytes) -> Any:
    """Decode a protobuf Payload into the JSON that Tesla's own server makes of it. Raises Unreadable."""
    try:
        form = importlib.import_module("tesla_protocol.telemetry.vehicle_data_pb2")
        json_format = importlib.import_module("google.protobuf.json_format")
        protobuf = importlib.import_module("google.protobuf.message")
    except ImportError:
        raise Unreadable(MISSING) from None
    record = form.Payload()
    try:
        record.ParseFromString(payload)
        found = json_format.MessageToDict(record)
    except (protobuf.DecodeError, json_format.Error, ValueError):
        found = {}
    if not found:
        raise Unreadable("this is neither JSON nor Tesla's protobuf")
    return found


def _record(delivery: Delivery, record: Any) -> RawMessage:
    """Read one record: `data` with its fields, or the fields next to the envelope's own members. Raises Unreadable."""
    if not isinstance(record, dict):
        raise Unreadable(f"{record!r:.40}: an object is wanted: data with key and value, or fields")
    data = record.get("data")
    fields = {} if data is None else _data(data)
    fields |= {name: _plain(value) for name, value in record.items() if name not in _ENVELOPE and name != "data"}
    at = at_ms(_first(record, _AT) or delivery.headers.get("timestamp"))
    one = message(delivery, vehicle_of(delivery, _first(record, _VIN) or delivery.headers.get("vin")), fields, at)
    resent = _first(record, _RESENT)
    if one.observed_at is None and resent is not None and flag(resent):
        return msgspec.structs.replace(one, retained=True)  # late, by an unknown time
    return one


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((record[name] for name in names if record.get(name) is not None), None)


def _data(data: Any) -> dict[str, Any]:
    """Return the fields of a record, from Tesla's list of key and value or from a relay's object. Raises Unreadable."""
    if isinstance(data, dict):
        return {str(name): _plain(value) for name, value in data.items()}
    if not isinstance(data, list) or not all(isinstance(datum, dict) for datum in data):
        raise Unreadable("data is a list of objects with key and value, or an object of fields")
    return {_name(datum.get("key")): _plain(datum.get("value")) for datum in data}


def _name(key: Any) -> str:
    """Return the name of a field; a number is its number in the protobuf, no key is the first one, Unknown."""
    if key is None:
        return FIELDS[0]
    if isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(FIELDS):
        return FIELDS[key]
    return str(key)


def _plain(value: Any) -> Any:
    """Return a value without its type: {"stringValue": "62"} becomes 62 and {"invalid": true} None."""
    if isinstance(value, dict):
        if "invalid" in value:
            return None
        if len(value) == 1:
            return next(iter(value.values()))
    return value
