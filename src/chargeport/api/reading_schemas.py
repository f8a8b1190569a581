"""The schema of the body of `POST /ingest/readings`, generated from the data of the checks: catalogue, units, reasons."""

import math
from typing import Any, Final

from chargeport.api.instants import LATEST_AT, STAMP_PATTERN
from chargeport.dialects.statuses import REASONS
from chargeport.ingest.items import MAX_REFERENCE
from chargeport.ingest.times import OLDEST_AT
from chargeport.signals import units
from chargeport.signals.bodies import MAX_TEXT, body_type
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind, Signal
from chargeport.wire.documents import REF

Schema = dict[str, Any]

_NULL: Final[Schema] = {"type": "null"}
_ABOUT: Final[Schema] = {
    "vehicle": {
        "type": "string", "minLength": 1, "maxLength": MAX_REFERENCE, "description": "Id, VIN or alias.",
    },
    "observedAt": {
        "description": "ISO 8601 or epoch milliseconds; now if missing.",
        "anyOf": [
            {"type": "integer", "minimum": OLDEST_AT, "maximum": LATEST_AT},
            {"type": "string", "pattern": STAMP_PATTERN},
            _NULL,
        ],
    },
}  # fmt: skip
_STATUS: Final[Schema] = {
    "type": "object",
    "description": "Why a source gives no value.",
    "required": ["value", "error"],
    "properties": {
        "value": {"const": "ERROR"},
        "error": {
            "type": "object",
            "required": ["type"],
            "properties": {
                "type": {"enum": sorted({type_ for type_, _ in REASONS})},
                "code": {"anyOf": [{"type": "string", "examples": sorted({code for _, code in REASONS if code})}, _NULL]},
            },
        },
    },
}


def item_schemas() -> dict[str, Schema]:
    """Return the schemas of items by name: of a reading, an absence and a bundle, and of all three."""
    bodies = {signal.code: _body(signal) for signal in CATALOGUE}
    readings = [_item({"signal": {"const": code}, "body": body}, "status", "signals") for code, body in bodies.items()]
    absence = _item({"signal": {"enum": sorted(bodies)}, "status": _STATUS}, "body", "signals")
    signals: Schema = {"type": "object", "minProperties": 1, "properties": bodies, "additionalProperties": False}
    bundle = _item({"signals": signals}, "signal", "body", "status")
    return {
        "Reading": {"description": "A signal with its body; a missing unit is the wire's.", "anyOf": readings},
        "Absence": {"description": "A signal without a value."} | absence,
        "Bundle": {"description": "Several signals with their bodies."} | bundle,
        "Item": {"anyOf": [{"$ref": REF + name} for name in ("Reading", "Absence", "Bundle")]},
    }


def _item(members: dict[str, Schema], *absent: str) -> Schema:
    return {
        "type": "object",
        "required": ["vehicle", *members],
        "properties": _ABOUT | members | dict.fromkeys(absent, _NULL),
        "additionalProperties": False,
    }


def _body(signal: Signal) -> Schema:
    """Return the schema of a signal's body as it may be sent."""
    match signal.kind:
        case Kind.DOCUMENT:
            return {"$ref": REF + body_type(signal).__name__}
        case Kind.QUANTITY if signal.dimension is not None:
            return {"anyOf": [_in_unit(signal, factor, names) for factor, names in units.factors(signal.dimension).items()]}
        case Kind.QUANTITY | Kind.COUNT:
            kind = "number" if signal.kind is Kind.QUANTITY else "integer"
            return _object({"value": {"type": kind, "minimum": signal.minimum, "maximum": signal.maximum}, "unit": _NULL})
        case Kind.TEXT:
            return _object({"value": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT}})
    return _object({"value": {"type": "boolean"}})


def _in_unit(signal: Signal, factor: float, names: tuple[str, ...]) -> Schema:
    """Return the schema of a body in one unit, by any of its names; the wire's may be left out."""
    assert signal.minimum is not None and signal.maximum is not None  # noqa: S101, PT018  (of every quantity)
    minimum, maximum = signal.minimum / factor, signal.maximum / factor
    if factor < units.ROUNDED_TO:  # the difference of one joule disappears in the rounding
        slack = units.ROUNDED_TO / 2 / factor
        minimum = math.floor(minimum - slack) + 1 if minimum else 0  # no number below zero is rounded to zero
        maximum = math.ceil(maximum + slack) - 1
    value = {"type": "number", "minimum": minimum, "maximum": maximum}
    if factor == 1:
        return _object({"value": value, "unit": {"anyOf": [{"enum": list(names)}, _NULL]}})
    return _object({"value": value, "unit": {"enum": list(names)}}, "unit")


def _object(members: dict[str, Schema], *required: str) -> Schema:
    return {"type": "object", "required": ["value", *required], "properties": members, "additionalProperties": False}
