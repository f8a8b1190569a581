"""The schemas of the OpenAPI document: of documents from their types, of bodies from the catalogue."""

import copy
from typing import Any, Final

import msgspec

from chargeport.api.administration import ApplicationWish
from chargeport.api.attributes import Body
from chargeport.api.commands import Daily, Limit, Weekly, Workweek
from chargeport.api.records import Wish
from chargeport.api.session import Credentials, TokenWish
from chargeport.api.webhooks import NewSubscription, Overlap, Span
from chargeport.signals.bodies import MAX_TEXT, body_type
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind, Signal
from chargeport.wire import documents
from chargeport.wire.schemas import schemas as of_documents

Schema = dict[str, Any]


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
    "AnyObject": {"type": "object"},
    "Readings": {"anyOf": [{"type": "array", "items": ref("Item"), "minItems": 1}, ref("Item")]},
}


REQUESTS: Final[dict[str, Any]] = {
    "ApplicationWish": ApplicationWish, "NewChargeLimit": Body[Limit], "Credentials": Credentials, "DailySchedule": Body[Daily],
    "NewSubscription": Body[NewSubscription], "Overlap": Body[Overlap], "RecordChange": Wish, "Span": Body[Span],
    "TokenWish": TokenWish,
    "WeeklySchedule": Body[Weekly], "WorkweekSchedule": Body[Workweek],
}  # fmt: skip
"""The types that bodies of requests are decoded as, by the names of their schemas."""


def schemas() -> dict[str, Schema]:
    """Return every schema by its name."""
    types = [body_type(signal) for signal in CATALOGUE if signal.kind is Kind.DOCUMENT]
    bodies = {documents.BODIES[signal.code]: body_schema(signal) for signal in CATALOGUE}
    return copy.deepcopy(of_documents(*types)) | bodies | _OTHERS | _requests()


def _requests() -> dict[str, Schema]:
    found, parts = msgspec.json.schema_components(REQUESTS.values(), ref_template=f"{documents.REF}Request.{{name}}")
    made = {f"Request.{name}": part for name, part in parts.items()} | dict(zip(REQUESTS, found, strict=True))
    return msgspec.json.decode(msgspec.json.encode(made), type=dict[str, Schema])  # defaults as JSON has them
