"""The schemas of the OpenAPI document: bodies from the catalogue and its types, the envelope around them by hand."""

import copy
from typing import Any, Final

import msgspec

from chargeport.signals.bodies import MAX_TEXT, body_type
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind, Permission, Signal

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
INSTANT: Final[Schema] = {"type": "string", "format": "date-time"}
_REF: Final = "#/components/schemas/"


def ref(name: str) -> Schema:
    """A reference to a schema."""
    return {"$ref": _REF + name}


def record(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these members."""
    return {"type": "object", "required": sorted(required), "properties": required | (optional or {})}


def listed(item: Schema) -> Schema:
    """An array of these."""
    return {"type": "array", "items": item}


def nullable(kind: str) -> Schema:
    """A text or number that may be null."""
    return {"type": [kind, "null"]}


def body_name(signal: Signal) -> str:
    """What a signal's body is called among the schemas."""
    return f"{signal.name}Body"


def body_schema(signal: Signal) -> Schema:
    """What a signal's body looks like on the wire."""
    about = {"description": f"{signal.summary} {signal.caution}".strip(), "examples": [signal.example]}
    unit = {"unit": {"const": signal.unit}} if signal.unit else {}
    match signal.kind:
        case Kind.QUANTITY | Kind.COUNT:
            number = {"type": "number" if signal.kind is Kind.QUANTITY else "integer"}
            bounds = {"minimum": signal.minimum, "maximum": signal.maximum}
            return record({"value": number | bounds} | unit) | about
        case Kind.TEXT:
            known = {"examples": list(signal.known)} if signal.known else {}
            return record({"value": {"type": "string", "minLength": 1, "maxLength": MAX_TEXT} | known}) | about
        case Kind.FLAG:
            return record({"value": {"type": "boolean"}}) | about
    return ref(body_type(signal).__name__) | about


def _document_schemas() -> dict[str, Schema]:
    """The types of the structured bodies and their parts."""
    types = [body_type(signal) for signal in CATALOGUE if signal.kind is Kind.DOCUMENT]
    _, components = msgspec.json.schema_components(types, ref_template=_REF + "{name}")
    return copy.deepcopy(components)


def _resource(kind: str, attributes: Schema, **more: Schema) -> Schema:
    return record({"id": TEXT, "type": {"const": kind}, "attributes": attributes, **more})


_URI: Final[Schema] = {"type": "string", "format": "uri"}
_SELF: Final = record({"self": _URI})
_COUNTS: Final = {"totalCount": {"type": "integer"}, "pageSize": {"type": "integer"}, "pageNumber": {"type": "integer"}}
_VEHICLE_ATTRIBUTES: Final = record(
    {
        "make": nullable("string"),
        "model": nullable("string"),
        "year": nullable("integer"),
        "powertrainType": nullable("string"),
        "mode": {"enum": ["live", "simulated"]},
    }
)
_RESOLUTION: Final = record({"type": nullable("string")})
_STATUS_ERROR: Final = record(
    {"type": TEXT, "code": nullable("string"), "title": TEXT, "detail": TEXT, "description": TEXT, "resolution": _RESOLUTION}
)


def _status() -> Schema:
    return {
        "oneOf": [
            record({"value": {"const": "SUCCESS"}}),
            record({"value": {"const": "ERROR"}, "error": _STATUS_ERROR}),
        ]
    }


def _signal_resource() -> Schema:
    attributes = record(
        {
            "code": {"enum": sorted(signal.code for signal in CATALOGUE)},
            "name": TEXT,
            "group": TEXT,
            "status": _status(),
        },
        {"body": {"anyOf": [ref(body_name(signal)) for signal in CATALOGUE]}},
    )
    meta = record(
        {},
        {
            "ingestedAt": INSTANT,
            "retrievedAt": INSTANT,
            "oemUpdatedAt": INSTANT,
            "staleAt": INSTANT,
            "source": TEXT,
            "derivedFrom": listed(TEXT),
        },
    )
    return _resource("signal", attributes, meta=meta, links=record({"self": _URI, "values": _URI}))


def _value_list() -> Schema:
    """History: changes, or what stretches of time were like."""
    known = {"anyOf": [ref(body_name(signal)) for signal in CATALOGUE]}
    times = record({"oemUpdatedAt": INSTANT, "retrievedAt": INSTANT, "source": TEXT})
    share: Schema = {"type": "object", "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1}}
    numbers = {name: {"type": "number"} for name in ("min", "max", "mean")}
    bounds: dict[str, Schema] = {
        "from": INSTANT,
        "to": INSTANT,
        "count": {"type": "integer"},
        "heldSeconds": {"type": "number"},
    }
    kinds = [
        record({"body": known, "meta": times}),
        record({"status": _status(), "meta": times}),
        record(bounds | {"last": {}}, {"fractions": share} | numbers),
    ]
    meta = record({"count": {"type": "integer"}, "pageSize": {"type": "integer"}}, {"unit": TEXT, "rawFrom": INSTANT})
    links = record({"self": TEXT, "next": nullable("string")}, {"hourly": TEXT})
    return record({"data": listed({"oneOf": kinds}), "meta": meta, "links": links})


def _error() -> Schema:
    element = record(
        {
            "status": TEXT,
            "type": TEXT,
            "code": nullable("string"),
            "title": TEXT,
            "detail": TEXT,
            "resolution": _RESOLUTION,
            "meta": record({"debug": record({"requestId": TEXT})}),
        }
    )
    return record(
        {
            "errors": listed(element) | {"minItems": 1},
            "type": TEXT,
            "code": nullable("string"),
            "description": TEXT,
            "docURL": TEXT,
            "statusCode": {"type": "integer"},
            "requestId": TEXT,
            "resolution": _RESOLUTION,
            "suggestedUserMessage": {"type": "string"},
        }
    )


def _connection() -> Schema:
    attributes = record(
        {
            "permissions": listed({"enum": sorted(Permission)}),
            "vehicle": _VEHICLE_ATTRIBUTES,
            "user": record({"id": TEXT}),
        }
    )
    related = record({"data": record({"id": TEXT, "type": TEXT})}, {"links": record({"related": TEXT})})
    return _resource(
        "connection",
        attributes,
        relationships=record({"vehicle": related, "user": related}),
        meta=record({"createdAt": INSTANT, "updatedAt": INSTANT}),
        links=_SELF,
    )


def _item() -> Schema:
    """One item of an ingest; the bodies are those of the wire, with other units allowed."""
    body: Schema = {
        "type": "object",
        "description": "As the signal's body, in any unit of its kind; a missing unit is the wire's.",
    }
    about: dict[str, Schema] = {
        "vehicle": {"type": "string", "minLength": 1, "maxLength": 128, "description": "Id, VIN or alias."},
        "observedAt": {"type": ["string", "integer"], "description": "ISO 8601 or epoch milliseconds; now if missing."},
    }
    status = record({"value": {"const": "ERROR"}, "error": record({"type": TEXT}, {"code": nullable("string")})})
    return record(
        {"vehicle": about["vehicle"]},
        {
            "signal": {"enum": sorted(signal.code for signal in CATALOGUE)},
            "body": body,
            "status": status,
            "observedAt": about["observedAt"],
            "signals": {"type": "object", "additionalProperties": body, "minProperties": 1},
        },
    )


def _rejection() -> Schema:
    return record({"index": {"type": "integer"}, "code": TEXT, "detail": TEXT, "path": TEXT}, {"signal": TEXT})


def _token_request() -> Schema:
    secret = {"type": "string", "minLength": 1}
    return record({"grant_type": {"const": "client_credentials"}}, {"client_id": secret, "client_secret": secret})


def schemas() -> dict[str, Schema]:
    """Every schema by its name."""
    included = record({"vehicle": ref("Vehicle")})
    links = record({"self": TEXT}, {name: nullable("string") for name in ("first", "last", "next", "prev")})
    counts = {name: {"type": "integer", "minimum": 0} for name in ("accepted", "superseded", "unchanged")}
    covered = record({"code": TEXT, "name": TEXT, "group": TEXT, "status": TEXT}, {
        "reason": TEXT, "oemUpdatedAt": INSTANT, "ageSeconds": {"type": "integer"}, "source": nullable("string"),
    })  # fmt: skip

    def pages(item: str) -> Schema:
        return record({"data": listed(ref(item)), "meta": record(_COUNTS), "links": links})

    return _document_schemas() | {body_name(signal): body_schema(signal) for signal in CATALOGUE} | {
        "AnyObject": {"type": "object"},
        "Connection": _connection(),
        "ConnectionDocument": record({"data": ref("Connection")}),
        "ConnectionList": pages("Connection"),
        "Coverage": record({"data": listed(covered), "meta": record({"totalCount": {"type": "integer"}})}),
        "Error": _error(),
        "Health": record({"status": TEXT}),
        "IngestResult": record(counts | {"rejected": listed(_rejection())}),
        "OAuthError": {"allOf": [ref("Error"), record({"error": TEXT, "error_description": TEXT})]},
        "Item": _item(),
        "Readings": {"anyOf": [listed(ref("Item")) | {"minItems": 1}, ref("Item")]},
        "Signal": _signal_resource(),
        "SignalDocument": record({"data": ref("Signal"), "included": included}),
        "SignalList": record(
            {"data": listed(ref("Signal")), "meta": record(_COUNTS), "links": links, "included": included}
        ),
        "Token": record(
            {"access_token": TEXT, "token_type": {"const": "Bearer"}, "expires_in": {"type": "integer"}}
        ),
        "TokenRequest": _token_request(),
        "ValueList": _value_list(),
        "Vehicle": _resource("vehicle", _VEHICLE_ATTRIBUTES, links=_SELF),
        "VehicleDocument": record({"data": ref("Vehicle")}),
        "VehicleList": pages("Vehicle"),
    }  # fmt: skip
