"""The schemas of the OpenAPI document: of documents from their types, of bodies from the catalogue."""

from typing import Any, Final

import msgspec

from chargeport.api import (
    administration_documents,
    command_documents,
    fleet_documents,
    record_documents,
    simulator_documents,
    webhook_documents,
)
from chargeport.api.administration import ApplicationWish
from chargeport.api.commands import Daily, Limit, Weekly, Workweek
from chargeport.api.reading_schemas import item_schemas
from chargeport.api.records import Wish
from chargeport.api.request_body import Body
from chargeport.api.session import Credentials, TokenWish
from chargeport.api.simulator import ClockWish, ExpiryWish, ScenarioWish
from chargeport.api.smartcar import VERIFY
from chargeport.api.webhook_documents import NewWebhook, WebhookChange
from chargeport.api.webhooks import NewSubscription, Overlap, Span
from chargeport.derive.records.edits import Change
from chargeport.dialects.smartcar import EVENTS
from chargeport.signals.bodies import MAX_TEXT, body_type
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind, Signal
from chargeport.simulation.actions import ACTIONS
from chargeport.simulation.faults import BELONGS, OF_ANSWERS, OF_EVENTS, Fault
from chargeport.taxonomy import SMARTCAR_KINDS
from chargeport.wire import access, documents, errors

Schema = dict[str, Any]
_NULL: Final[Schema] = {"type": "null"}


def ref(name: str) -> Schema:
    """Return a reference to a schema."""
    return {"$ref": documents.REF + name}


def body_schema(signal: Signal) -> Schema:
    """Return the schema of a signal's body on the wire."""
    about = {"description": f"{signal.summary} {signal.caution}".strip(), "examples": [signal.example]}
    if signal.kind is Kind.DOCUMENT:
        return ref(body_type(signal).__name__) | about
    members = {"value": _value(signal)} | ({"unit": {"const": signal.unit}} if signal.unit else {})
    return {"type": "object", "required": sorted(members), "properties": members} | about


def _value(signal: Signal) -> Schema:
    match signal.kind:
        case Kind.QUANTITY | Kind.COUNT:
            kind = "number" if signal.kind is Kind.QUANTITY else "integer"
            return {"type": kind, "minimum": signal.minimum, "maximum": signal.maximum}
        case Kind.TEXT:
            known = {"examples": list(signal.known)} if signal.known else {}
            return {"type": "string", "minLength": 1, "maxLength": MAX_TEXT} | known
    return {"type": "boolean"}


_OTHERS: Final[dict[str, Schema]] = {
    "Payload": {
        "type": "object",
        "description": "A payload in the format of the other system, which its documentation describes.",
    },
    "SmartcarEvent": {
        "type": "object",
        "description": "A webhook of Smartcar, whose documentation describes it.",
        "properties": {"eventType": {"type": "string", "examples": [*EVENTS, VERIFY]}},
        "additionalProperties": True,
    },
    "OpenApiDocument": {
        "type": "object",
        "description": "OpenAPI 3.1.",
        "required": ["openapi", "info", "paths", "components"],
        "properties": {
            "openapi": {"const": "3.1.0"}, "info": {"type": "object"}, "paths": {"type": "object"},
            "components": {"type": "object"}, "security": {"type": "array", "items": {"type": "object"}},
        },
    },
    "SmartcarAnswer": {"anyOf": [ref("Challenge"), ref("IngestResult")]},
    "Records": {"anyOf": [ref("RecordList"), ref("RecordsByVehicle")]},
    "Readings": {"anyOf": [{"type": "array", "items": ref("Item"), "minItems": 1}, ref("Item")]},
}  # fmt: skip

_ANSWERS: Final = (
    *documents.ANSWERS, *access.ANSWERS, *errors.ANSWERS,
    *administration_documents.ANSWERS, *command_documents.ANSWERS, *fleet_documents.ANSWERS, *record_documents.ANSWERS,
    *simulator_documents.ANSWERS, *webhook_documents.ANSWERS,
)  # fmt: skip

REQUESTS: Final[dict[str, Any]] = {
    "ApplicationWish": ApplicationWish, "ClockWish": ClockWish,
    "ChangedWebhook": Body[WebhookChange],  # type: ignore[valid-type]  # made from another type
    "NewChargeLimit": Body[Limit], "Credentials": Credentials, "DailySchedule": Body[Daily], "ExpiryWish": ExpiryWish,
    "NewFault": Fault, "NewSubscription": Body[NewSubscription], "NewWebhook": Body[NewWebhook], "Overlap": Body[Overlap],
    "RecordChange": Wish, "ScenarioWish": ScenarioWish, "Span": Body[Span], "TokenRequest": access.TokenRequest,
    "TokenWish": TokenWish, "WeeklySchedule": Body[Weekly], "WorkweekSchedule": Body[Workweek],
    **{f"Action.{name}": action for name, action in ACTIONS.items()},
}  # fmt: skip
"""The types of the bodies of requests, by the names of their schemas."""


def schemas() -> dict[str, Schema]:
    """Return every schema by its name."""
    types = [body_type(signal) for signal in CATALOGUE if signal.kind is Kind.DOCUMENT]
    bodies = {documents.BODIES[signal.code]: body_schema(signal) for signal in CATALOGUE}
    actions = {"SimulatorAction": {"anyOf": [ref(f"Action.{name}") for name in ACTIONS]}}
    _, answers = msgspec.json.schema_components([*_ANSWERS, *types], ref_template=f"{documents.REF}{{name}}")
    made = answers | bodies | item_schemas() | _OTHERS | actions | _requests() | _named({"StoredChange": Change}, "Stored")
    return msgspec.json.decode(msgspec.json.encode(made), type=dict[str, Schema])  # enums and defaults in JSON


def _requests() -> dict[str, Schema]:
    """Return the schemas of bodies, with constraints that types can't express: which members belong together."""
    made = _named(REQUESTS, "Request")
    made["NewFault"] = _fault_schema(made.pop("Request.Fault"))
    scenario = made.pop("Request.ScenarioWish")
    made["ScenarioWish"] = scenario | {"anyOf": [_alone(scenario, name) for name in ("name", "toml")]}
    for grant in made["TokenRequest"]["anyOf"]:
        made[grant["$ref"].removeprefix(documents.REF)]["additionalProperties"] = {"type": "string"}
    return made


def _alone(schema: Schema, name: str) -> Schema:
    """Return the constraint that this member is present, and the others are absent or null."""
    properties = dict.fromkeys(schema["properties"], _NULL) | {name: _non_null(schema, name)}
    return {"required": [name], "properties": properties}


def _named(types: dict[str, Any], prefix: str) -> dict[str, Schema]:
    """Return the schemas of these types by their names, and those that they refer to with a prefix."""
    found, parts = msgspec.json.schema_components(types.values(), ref_template=f"{documents.REF}{prefix}.{{name}}")
    return {f"{prefix}.{name}": part for name, part in parts.items()} | dict(zip(types, found, strict=True))


def _fault_schema(fault: Schema) -> Schema:
    """Return the schema of a fault, given that of all members: an error of a type, a late answer, or a fault of webhooks."""
    types = dict.fromkeys(type_ for type_, _ in SMARTCAR_KINDS)
    errors = [_variant(fault, {"type": {"const": type_}, "code": _codes(type_)}, OF_EVENTS) for type_ in types]
    late = _variant(fault, {"latencySeconds": _non_null(fault, "latencySeconds")}, ("type", *_beside("type"), *OF_EVENTS))
    event = _variant(fault, {"webhook": _non_null(fault, "webhook")}, (*OF_ANSWERS, *_beside("type")))
    return {"anyOf": [*errors, late, event], "description": fault["description"]}


def _codes(type_: str) -> Schema:
    """Return the schema of the codes of a type; the code is optional."""
    return {"enum": [code for known_type, code in SMARTCAR_KINDS if known_type == type_]}


def _non_null(fault: Schema, member: str) -> Schema:
    """Return the schema of a member that is not null."""
    return next(option for option in fault["properties"][member]["anyOf"] if option != _NULL)


def _beside(owner: str) -> tuple[str, ...]:
    return tuple(member for member, of in BELONGS.items() if of == owner)


def _variant(fault: Schema, own: dict[str, Schema], absent: tuple[str, ...]) -> Schema:
    """Return the schema with these members, all but `code` required; the `absent` members may only be null."""
    known = fault["properties"] | own
    members = {name: _NULL if name in absent else schema for name, schema in known.items()}
    members = {name: schema for name, schema in members.items() if name not in absent or _NULL in known[name].get("anyOf", ())}
    return {"type": "object", "required": sorted(own.keys() - {"code"}), "properties": members, "additionalProperties": False}
