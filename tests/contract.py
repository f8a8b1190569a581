"""Answers against the description of the API: a status that it names, and a body of its schema without any other member."""

import re
from functools import cache
from typing import Any, Final

import httpx
import jsonschema_rs

from chargeport.api.openapi import document
from chargeport.api.routes import ROUTES

JSON: Final = "application/json"


@cache
def described() -> dict[str, Any]:
    """The document, with every object closed: clients may meet more members one day, tests may not."""
    made = document(ROUTES)
    _close(made["components"])
    return made


def _close(part: Any) -> None:
    """Allow no member of an object but those that its schema names."""
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _close(each)
    if isinstance(part, dict) and isinstance(part.get("properties"), dict) and part.get("type") == "object":
        part.setdefault("additionalProperties", False)


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Every path of the document as a pattern; those with fewer parameters come first, as in the router."""
    paths = sorted(described()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "/?"), path) for path in paths]


def template_of(path: str) -> str | None:
    """The path of the document that a request's path is one of."""
    return next((template for pattern, template in _templates() if pattern.fullmatch(path)), None)


@cache
def _validator(template: str, method: str, status: str) -> jsonschema_rs.Draft202012Validator:
    schema = described()["paths"][template][method]["responses"][status]["content"][JSON]["schema"]
    return jsonschema_rs.Draft202012Validator(schema | {"components": described()["components"]}, validate_formats=True)


def misfits(response: httpx.Response) -> list[str]:
    """What is in an answer and not in the description of its operation; nothing where there is no such operation."""
    request = response.request
    template, method, status = template_of(request.url.path), request.method.lower(), str(response.status_code)
    if template is None or method not in described()["paths"][template]:
        return []
    where = f"{method} {template} {status}"
    answers = described()["paths"][template][method]["responses"]
    if status not in answers:
        return [f"{where}: no such status is described"]
    kind = response.headers.get("content-type", "").partition(";")[0]
    if response.headers.get("content-length") == "0":
        return []
    if kind and kind not in answers[status].get("content", {}):
        return [f"{where}: no {kind} is described"]
    if kind != JSON or request.method == "HEAD":
        return []
    errors = _validator(template, method, status).iter_errors(response.json())
    return [f"{where} {'.'.join(map(str, error.instance_path))}: {error.message}"[:400] for error in errors]


async def check(response: httpx.Response) -> None:
    """Fail where an answer is not as the description says: a hook of the tests' client."""
    if response.headers.get("content-type") == JSON:  # others are read as they come
        await response.aread()
    found = misfits(response)
    assert not found, "\n".join(found)


async def check_successes(response: httpx.Response) -> None:
    """The same of successes alone: where faults are simulated, any error comes on demand."""
    if response.is_success:
        await check(response)
