"""The schema of a new fault: which members go together, from the tables that the checks go by."""

from typing import Any, Final

from chargeport.simulation.faults import BELONGS, OF_ANSWERS, OF_EVENTS
from chargeport.taxonomy import SMARTCAR_KINDS

Schema = dict[str, Any]

_NULL: Final[Schema] = {"type": "null"}


def fault_schema(fault: Schema) -> Schema:
    """Return what a fault may be, given the schema of all its members: an error of a type, a late answer, or a lost event."""
    types = dict.fromkeys(type_ for type_, _ in SMARTCAR_KINDS)
    errors = [_variant(fault, {"type": {"const": type_}, "code": _codes(type_)}, OF_EVENTS) for type_ in types]
    late = _variant(fault, {"latencySeconds": _non_null(fault, "latencySeconds")}, ("type", *_beside("type"), *OF_EVENTS))
    event = _variant(fault, {"webhook": _non_null(fault, "webhook")}, (*OF_ANSWERS, *_beside("type")))
    return {"anyOf": [*errors, late, event], "description": fault["description"]}


def _codes(type_: str) -> Schema:
    """Return the codes of a type; one may be left out."""
    return {"enum": [code for known_type, code in SMARTCAR_KINDS if known_type == type_]}


def _non_null(fault: Schema, member: str) -> Schema:
    """Return the schema of a member that is not null."""
    return next(option for option in fault["properties"][member]["anyOf"] if option != _NULL)


def _beside(owner: str) -> tuple[str, ...]:
    return tuple(member for member, of in BELONGS.items() if of == owner)


def _variant(fault: Schema, own: dict[str, Schema], absent: tuple[str, ...]) -> Schema:
    """Return the schema with these members, all but a `code` required, and without the absent ones but as null."""
    known = fault["properties"] | own
    members = {name: _NULL if name in absent else schema for name, schema in known.items()}
    members = {name: schema for name, schema in members.items() if name not in absent or _NULL in known[name].get("anyOf", ())}
    return {"type": "object", "required": sorted(own.keys() - {"code"}), "properties": members, "additionalProperties": False}
