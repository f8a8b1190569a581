"""`POST /ingest/readings` and `POST /ingest/{dialect}`: store readings, and answer once they are on disk."""

import asyncio
from typing import Any, Final

from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Response, json_answer
from chargeport.errors import INVALID_PATH, MALFORMED, NOTHING_ACCEPTED, TOO_LARGE, Problem
from chargeport.ingest import payload
from chargeport.ingest.batch import STORED, Batch
from chargeport.ingest.items import ItemChecker
from chargeport.ingest.pipeline import OFFLOAD_BYTES
from chargeport.signals.definition import Permission
from chargeport.signals.violation import Violation
from chargeport.sources.base import Delivery
from chargeport.wire.errors import body as problem_body

SOURCE: Final = "http"  # `meta.source` of these readings
LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")

VEHICLE: Final = "vehicle"  # the query parameter
MAX_NAME: Final = 128


async def ingest_readings(request: Request) -> Response:
    """Store readings: answer 200 if any was stored, else 422."""
    grant = await request.allowed(Permission.WRITE_READINGS)
    body = await read_body(request, request.context.settings.ingest.max_bytes)
    batch = request.context.pipeline.batch(grant)
    await _check(request, body, batch)
    await request.context.pipeline.write(batch)
    return answer(request, batch, batch.stored > 0)


async def _check(request: Request, body: bytes, batch: Batch) -> None:
    """Fill the batch from the body. Raises Problem (400, 413)."""
    if not body.strip():
        raise Problem(MALFORMED, "The body is empty: send an array of items, one item, or one item a line.")
    settings = request.context.settings.ingest
    kind = (request.header(b"content-type") or b"").split(b";")[0].strip().lower().decode("latin-1")
    ahead = request.context.pipeline.ahead
    clock = request.context.clock
    checker = ItemChecker(batch, SOURCE, clock.now(), settings.max_future_s, ahead=ahead, compared=clock.compared)
    try:
        if len(body) > OFFLOAD_BYTES:
            await asyncio.to_thread(payload.read, body, checker, settings.max_items, lines=kind in LINES)
        else:
            payload.read(body, checker, settings.max_items, lines=kind in LINES)
    except payload.TooManyItemsError as error:
        raise Problem(TOO_LARGE, f"{error.args[0]} items are more than the {settings.max_items} taken at once.") from None
    except Violation as found:
        where = f"{found.path}: " if found.path else ""
        raise Problem(MALFORMED, f"The body can't be read ({found.rule.value}): {where}{found.detail}.") from None


def answer(request: Request, batch: Batch, is_accepted: bool) -> Response:
    """Return the outcome of a batch: 200 if it is accepted, else 422 with the first rejection.

    `index` counts the items of the body, or the messages into which its dialect divides it.
    """
    rejections = sorted(batch.rejections, key=lambda rejection: rejection.index)
    result: dict[str, Any] = {outcome.value: batch.outcomes[outcome] for outcome in STORED} | {"rejected": rejections}
    if is_accepted:
        return json_answer(200, result, request.request_id)
    first = rejections[0] if rejections else None
    why = f"first: {first.path}: {first.detail} ({first.code})" if first else "there are no items"
    detail = f"None of the readings was accepted; {why}."
    body = problem_body(NOTHING_ACCEPTED, detail, request.request_id, request.base, **result)
    return json_answer(NOTHING_ACCEPTED.status, body, request.request_id)


async def ingest_dialect(request: Request) -> Response:
    """Store a payload of a dialect: answer 200 if there was no error or anything was stored, else 422."""
    grant = await request.allowed(Permission.WRITE_READINGS)
    pipeline, dialect = request.context.pipeline, request.path("dialect")
    if (known := pipeline.dialects.get(dialect)) is None or known.read is None:
        names = ", ".join(sorted(name for name, dialect in pipeline.dialects.items() if dialect.read is not None))
        raise Problem(INVALID_PATH, f"{dialect[:40]!r} is no dialect: use readings, smartcar or one of {names}.")
    body = await read_body(request, request.context.settings.ingest.max_bytes)
    if not body.strip():
        raise Problem(MALFORMED, f"The body is empty: send a message of {dialect}.")
    vehicle = request.raw.query_params.get(VEHICLE)
    if vehicle is not None and not 0 < len(vehicle) <= MAX_NAME:
        raise Problem(MALFORMED, f"vehicle: an id, a VIN or an alias of 1 to {MAX_NAME} characters is wanted.")
    batch = pipeline.batch(grant)
    await pipeline.take([delivery(request, dialect, body, vehicle)], batch)
    return answer(request, batch, batch.stored > 0 or not batch.rejections)


def delivery(request: Request, dialect: str, body: bytes, vehicle: str | None = None) -> Delivery:
    """Return the request as a `Delivery`; the source has the dialect's name."""
    kind = (request.header(b"content-type") or b"").decode("latin-1")
    return Delivery(
        source=dialect, dialect=dialect, payload=body, received_at=request.context.clock.now(), vehicle=vehicle,
        headers={"content-type": kind},
    )  # fmt: skip
