"""`POST /ingest/{dialect}`: what a system has to say in its own words, answered once it is on disk."""

from typing import Any, Final

from chargeport.api.problems import body as problem_body
from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Response, json_answer
from chargeport.errors import INVALID_PATH, MALFORMED, NOTHING_ACCEPTED, Problem
from chargeport.ingest.pipeline import STORED, Taken
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Issue
from chargeport.sources.base import Delivery

VEHICLE: Final = "vehicle"  # the query's parameter
MAX_NAME: Final = 128


async def ingest_dialect(request: Request) -> Response:
    """Take in a payload of a dialect: 200 when nothing was wrong or anything was stored, 422 when nothing was."""
    grant = await request.allowed(Permission.WRITE_READINGS)
    dialect = request.raw.path_params["dialect"]
    if (known := request.context.intake.dialects.get(dialect)) is None or known.read is None:
        names = ", ".join(sorted(name for name, each in request.context.intake.dialects.items() if each.read is not None))
        raise Problem(INVALID_PATH, f"{dialect[:40]!r} is no dialect: use readings, smartcar or one of {names}.")
    body = await read_body(request, request.context.settings.ingest.max_bytes)
    if not body.strip():
        raise Problem(MALFORMED, f"The body is empty: send what {dialect} says.")
    heard = delivery(request, dialect, body, _named(request))
    taken = await request.context.intake.take([heard], grant.client_id if grant.connected_only else None)
    return answer(request, taken)


def delivery(request: Request, dialect: str, body: bytes, vehicle: str | None = None) -> Delivery:
    """The request as a source would hand it over; the dialect's name is the source's."""
    kind = (request.header(b"content-type") or b"").decode("latin-1")
    return Delivery(
        source=dialect, dialect=dialect, payload=body, received_at=request.context.clock.now(), vehicle=vehicle,
        headers={"content-type": kind},
    )  # fmt: skip


def answer(request: Request, taken: Taken, *, kept_is_enough: bool = False) -> Response:
    """What became of it, as `POST /ingest/readings` says it; 422 when nothing was stored, unless to be kept is enough.

    `index` counts the messages in the body, as its dialect takes it apart: the items of an array, say.
    """
    result: dict[str, Any] = {outcome.value: taken.outcomes[outcome] for outcome in STORED}
    result["rejected"] = [_rejection(place, issue) for place, issue in zip(taken.places, taken.issues, strict=True)]
    if kept_is_enough or not taken.issues or taken.stored:
        return json_answer(200, result, request.request_id)
    first = taken.issues[0]
    detail = f"None of the readings was accepted; first: {first.subject}: {first.detail} ({first.rule})."
    body = problem_body(NOTHING_ACCEPTED, detail, request.request_id, request.base, **result)
    return json_answer(NOTHING_ACCEPTED.status, body, request.request_id)


def _rejection(place: int, issue: Issue) -> dict[str, Any]:
    return {"index": place, "code": issue.rule, "detail": issue.detail, "path": issue.subject}


def _named(request: Request) -> str | None:
    name = request.raw.query_params.get(VEHICLE)
    if name is not None and not 0 < len(name) <= MAX_NAME:
        raise Problem(MALFORMED, f"vehicle: an id, a VIN or an alias of 1 to {MAX_NAME} characters is wanted.")
    return name
