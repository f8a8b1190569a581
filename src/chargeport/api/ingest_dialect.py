"""`POST /ingest/{dialect}`: a payload in another system's own form in, an answer once it is on disk."""

from typing import Final

from chargeport.api.ingest import answer
from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Response
from chargeport.errors import INVALID_PATH, MALFORMED, Problem
from chargeport.signals.definition import Permission
from chargeport.sources.base import Delivery

VEHICLE: Final = "vehicle"  # the query's parameter
MAX_NAME: Final = 128


async def ingest_dialect(request: Request) -> Response:
    """Store a payload of a dialect: 200 when nothing was wrong or anything was stored, 422 when nothing was."""
    grant = await request.allowed(Permission.WRITE_READINGS)
    pipeline, dialect = request.context.pipeline, request.path("dialect")
    if (known := pipeline.dialects.get(dialect)) is None or known.read is None:
        names = ", ".join(sorted(name for name, dialect in pipeline.dialects.items() if dialect.read is not None))
        raise Problem(INVALID_PATH, f"{dialect[:40]!r} is no dialect: use readings, smartcar or one of {names}.")
    body = await read_body(request, request.context.settings.ingest.max_bytes)
    if not body.strip():
        raise Problem(MALFORMED, f"The body is empty: send what {dialect} says.")
    vehicle = request.raw.query_params.get(VEHICLE)
    if vehicle is not None and not 0 < len(vehicle) <= MAX_NAME:
        raise Problem(MALFORMED, f"vehicle: an id, a VIN or an alias of 1 to {MAX_NAME} characters is wanted.")
    batch = pipeline.batch(grant)
    await pipeline.take([delivery(request, dialect, body, vehicle)], batch)
    return answer(request, batch, batch.stored > 0 or not batch.rejections)


def delivery(request: Request, dialect: str, body: bytes, vehicle: str | None = None) -> Delivery:
    """Return the request as a transport would deliver it; the source has the dialect's name."""
    kind = (request.header(b"content-type") or b"").decode("latin-1")
    return Delivery(
        source=dialect, dialect=dialect, payload=body, received_at=request.context.clock.now(), vehicle=vehicle,
        headers={"content-type": kind},
    )  # fmt: skip
