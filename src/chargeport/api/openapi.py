"""The OpenAPI 3.1 document, generated from the routes and the catalogue."""

from collections.abc import Sequence
from typing import Any, Final

from chargeport import __version__
from chargeport.api import examples, operator_examples
from chargeport.api.operation_links import links_of
from chargeport.api.route import VEHICLE_ID, Parameter, Route
from chargeport.api.schemas import Schema, ref, schemas
from chargeport.dialects.all import ALL
from chargeport.errors import (
    INTERNAL,
    MALFORMED,
    NOTHING_ACCEPTED,
    OVERLOADED,
    RATE_LIMITED,
    TOO_LARGE,
    TOO_SLOW,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNSUPPORTED_MEDIA,
    ErrorKind,
)
from chargeport.signals.catalogue import CATALOGUE
from chargeport.simulation.actions import ACTIONS


def _id(description: str, example: str) -> Schema:
    return {"description": description, "schema": {"type": "string", "minLength": 1}, "example": example}


_PATH_PARAMETERS: Final[dict[str, Schema]] = {
    "dialect": {
        "description": "The dialect of the payload; your own dialects can be used, too.",
        "schema": {"enum": sorted(name for name, dialect in ALL.items() if dialect.read is not None)},
        "example": "tesla",
    },
    "vehicle_id": _id("The vehicle's id.", VEHICLE_ID),
    "module": _id("Its name.", "app.js"),
    "client_id": _id("The application's id.", operator_examples.CLIENT_ID),
    "connection_id": _id("The connection's id.", operator_examples.CONNECTION_ID),
    "webhook_id": _id("The webhook's id.", operator_examples.WEBHOOK_ID),
    "subscription_id": _id("The subscription's id.", operator_examples.SUBSCRIPTION_ID),
    "delivery_id": _id("The event's id.", operator_examples.EVENT_ID),
    "user_id": _id("The id of the user.", operator_examples.USER_ID),
    "schedule_id": _id("The schedule's id.", operator_examples.SCHEDULE_ID),
    "fault_id": _id("The fault's id.", "1"),
    "action": {"description": "What to do.", "schema": {"enum": list(ACTIONS)}, "example": "plug"},
    "code": {
        "description": "The signal's code.",
        "schema": {"enum": sorted(signal.code for signal in CATALOGUE)},
        "example": "charge-voltage",
    },
}
_SHOWN: Final = frozenset({MALFORMED, UNAUTHORIZED, RATE_LIMITED})
"""Errors that a page shows to a person whose request or password is wrong."""
_REDIRECT: Final = {
    "description": "The person is redirected to the application, or to the page.",
    "headers": {"Location": {"description": "Where to.", "schema": {"type": "string", "format": "uri"}}},
}
_OPTIONAL: Final = frozenset({"ClockWish", "ExpiryWish", "SimulatorAction", "TokenWish"})
"""Bodies that may be empty: an empty body is an object without members."""
_FORM: Final = "application/x-www-form-urlencoded"
_LINES: Final = "application/x-ndjson"
_RATE_HEADERS: Final = {
    name: {"description": summary, "schema": {"type": kind}}
    for name, summary, kind in (
        ("Retry-After", "After how many seconds to ask again.", "integer"),
        ("RateLimit-Policy", "The application's limit, if there is one: `q` requests within `w` seconds.", "string"),
        (
            "RateLimit",
            "The number of requests left now (`r`), and in how many seconds all are available (`t`).",
            "string",
        ),
    )
}


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        for path, suffix in ((f"/v3{route.path}", ""), (route.path, "Unprefixed")) if route.v3 else ((route.path, ""),):
            operation = _operation(route, suffix)
            if links := links_of(route, routes, suffix):
                operation["responses"][str(route.status)]["links"] = links
            paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Chargeport",
            "version": __version__,
            "summary": "Charge signals of any car, from your own server, in the form of Smartcar's API.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, suffix: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name + suffix,
        "tags": [route.tag],
        "summary": route.summary,
        "parameters": [*_path_parameters(route.path), *map(_parameter, route.parameters)],
        "responses": _responses(route),
    }
    if route.detail:
        operation["description"] = route.detail
    if route.open:
        operation["security"] = []
    if route.body is not None:
        operation["requestBody"] = _request_body(route.body)
    return operation


def _path_parameters(path: str) -> list[Schema]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True} | _PATH_PARAMETERS[name] for name in names]


def _parameter(parameter: Parameter) -> Schema:
    schema: Schema = {"type": "string"}
    if parameter.pattern is not None:
        schema["pattern"] = parameter.pattern
    if parameter.longest is not None:
        schema["maxLength"] = parameter.longest
    if parameter.minimum is not None:
        schema = {"type": "integer", "minimum": parameter.minimum, "maximum": parameter.maximum}
    if parameter.values:
        schema = {"enum": list(parameter.values)}
    example = int(parameter.example) if parameter.minimum is not None else parameter.example
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.required,
        "description": parameter.summary,
        "schema": schema,
        "example": example,
    }


def _request_body(name: str) -> Schema:
    content: Schema = {"application/json": {"schema": ref(name), "examples": examples.of(name)}}
    if name == "TokenRequest":
        content[_FORM] = {"schema": ref(name)}
    if name == "Readings":
        content[_LINES] = {"schema": {"type": "string", "description": "One item a line."}}
    return {"required": name not in _OPTIONAL, "content": content}


def _responses(route: Route) -> dict[str, Any]:
    """Return the answers of a route: the successful one, then one for each status of its errors."""
    good: dict[str, Any] = {"description": "Done." if route.status != 200 else "The answer."}  # noqa: PLR2004
    if route.answer is not None:
        good["content"] = {route.kind: {"schema": ref(route.answer), "examples": examples.of(route.answer)}}
    elif route.status == 200:  # noqa: PLR2004
        good["content"] = {route.kind: {"schema": {"type": "string"}}}
    for kind in route.files:
        good["content"][kind] = {"schema": {"type": "string", "format": "binary"}}
    responses = {str(route.status): good}
    if route.or_accepted:
        responses["202"] = good | {"description": "Accepted."}
    if route.redirects:
        responses["303"] = _REDIRECT
    if any(parameter.name == "if-none-match" for parameter in route.parameters):
        responses["304"] = {"description": "The client's copy is still valid."}
    by_status: dict[int, list[ErrorKind]] = {}
    # A wrong token or secret may exceed the limit; a body without a token counts against the budget of such bodies.
    token = () if route.open else (UNAUTHORIZED,)
    body = (TOO_SLOW, TOO_LARGE, UNSUPPORTED_MEDIA) if route.body is not None else ()
    guessed = (RATE_LIMITED,) if UNAUTHORIZED in (*token, *route.errors) else ()
    for kind in dict.fromkeys((*route.errors, *token, *body, *guessed, INTERNAL, UNAVAILABLE, OVERLOADED)):
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in sorted(by_status.items()):
        responses[str(status)] = _error_response(kinds, route)
    return responses


def _error_response(kinds: list[ErrorKind], route: Route) -> dict[str, Any]:
    titles = dict.fromkeys(kind.title for kind in kinds)
    content: Schema = {"application/json": {"schema": _any_of(_error_bodies(kinds, route))}}
    if route.kind == "text/html" and not _SHOWN.isdisjoint(kinds):
        content["text/html"] = {"schema": {"type": "string"}}
    answer: dict[str, Any] = {"description": f"{', or '.join(titles)}.", "content": content}
    if RATE_LIMITED in kinds:
        answer["headers"] = _RATE_HEADERS
    return answer


def _error_bodies(kinds: list[ErrorKind], route: Route) -> list[str]:
    """Return the names of the schemas that the bodies of these errors have."""
    if NOTHING_ACCEPTED in kinds:
        return ["NothingAccepted"]
    if route.answer != "Token" or INTERNAL in kinds:
        return ["Error"]
    # Errors that are detected before the credentials are checked may also come from outside the route.
    return ["OAuthError"] if kinds[0].status in (400, 401) else ["OAuthError", "Error"]


def _any_of(names: list[str]) -> Schema:
    return ref(names[0]) if len(names) == 1 else {"anyOf": [ref(name) for name in names]}
