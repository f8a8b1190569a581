"""`POST /ingest/readings`: our own form of readings in, an answer once they are on disk."""

import asyncio
from collections import Counter
from typing import Any, Final

from chargeport.api.problems import body as problem_body
from chargeport.api.request import Request
from chargeport.api.request_body import read_body
from chargeport.api.response import Response, json_answer
from chargeport.errors import MALFORMED, NOTHING_ACCEPTED, TOO_LARGE, Problem
from chargeport.ingest import payload
from chargeport.ingest.items import Intake
from chargeport.ingest.vehicle_names import register
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Entry
from chargeport.signals.violation import Rule, Violation
from chargeport.store.records import Grant, Outcome

SOURCE: Final = "http"  # what `meta.source` says of readings that came this way
OFFLOAD_BYTES: Final = 262_144  # beyond, a body is read in a thread: it would hold up everybody for more than a few ms
LINES: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")

STORED: Final = (Outcome.ACCEPTED, Outcome.SUPERSEDED, Outcome.UNCHANGED)


async def ingest_readings(request: Request) -> Response:
    """Take readings in: 200 when anything was stored, 422 when nothing was."""
    grant = await request.allowed(Permission.WRITE_READINGS)
    settings = request.context.settings.ingest
    body = await read_body(request, settings.max_bytes)
    intake = Intake(SOURCE, request.context.clock.now(), settings.max_future_s)
    await _read(request, body, intake)
    outcomes = await _store(request, grant, intake.entries)
    for index, entry, outcome in zip(intake.indices, intake.entries, outcomes, strict=True):
        if outcome not in STORED:
            # Whoever writes to connected vehicles only is not told which others there are.
            refused = Outcome.NOT_PERMITTED if grant.connected_only else outcome
            intake.reject(index, refusal(refused), entry.signal.code)
    return _answer(request, intake, Counter(outcomes))


async def _read(request: Request, body: bytes, intake: Intake) -> None:
    """Fill the intake from the body. Raises Problem (400, 413)."""
    kind = (request.header(b"content-type") or b"").split(b";")[0].strip().lower().decode("latin-1")
    max_items = request.context.settings.ingest.max_items
    if not body.strip():
        raise Problem(MALFORMED, "The body is empty: send an array of items, one item, or one item a line.")
    try:
        if len(body) > OFFLOAD_BYTES:
            await asyncio.to_thread(payload.read, body, intake, max_items, lines=kind in LINES)
        else:
            payload.read(body, intake, max_items, lines=kind in LINES)
    except payload.TooManyItemsError as error:
        raise Problem(TOO_LARGE, f"{error.args[0]} items are more than the {max_items} taken at once.") from None
    except Violation as found:
        where = f"{found.path}: " if found.path else ""
        raise Problem(MALFORMED, f"The body can't be read ({found.rule.value}): {where}{found.detail}.") from None


async def _store(request: Request, grant: Grant, entries: list[Entry]) -> list[Outcome]:
    """Store the entries; make unknown vehicles known first where the settings say so."""
    if not entries:
        return []
    store = request.context.store
    only_for = grant.client_id if grant.connected_only else None
    outcomes = await store.readings.write(entries, only_for)
    if request.context.settings.ingest.auto_register and only_for is None and Outcome.UNKNOWN_VEHICLE in outcomes:
        missing = [index for index, outcome in enumerate(outcomes) if outcome is Outcome.UNKNOWN_VEHICLE]
        for name in dict.fromkeys(entries[index].vehicle for index in missing):
            await register(store.vehicles, name, request.context.clock.now())
        again = await store.readings.write([entries[index] for index in missing])
        for index, outcome in zip(missing, again, strict=True):
            outcomes[index] = outcome
    return outcomes


def refusal(outcome: Outcome) -> Violation:
    """Why the store did not take an entry."""
    if outcome is Outcome.NOT_PERMITTED:
        return Violation(Rule.NOT_PERMITTED, "the application has no writing connection to this vehicle", "vehicle")
    return Violation(Rule.UNKNOWN_VEHICLE, "no vehicle has this id, VIN or alias: add it first", "vehicle")


def _answer(request: Request, intake: Intake, counts: Counter[Outcome]) -> Response:
    result: dict[str, Any] = {outcome.value: counts[outcome] for outcome in STORED}
    result["rejected"] = sorted(intake.rejections, key=lambda rejection: rejection.index)
    if any(counts[outcome] for outcome in STORED):
        return json_answer(200, result, request.request_id)
    first = result["rejected"][0] if result["rejected"] else None
    why = f"first: {first.path}: {first.detail} ({first.code})" if first else "there are no items"
    detail = f"None of the readings was accepted; {why}."
    body = problem_body(NOTHING_ACCEPTED, detail, request.request_id, request.base, **result)
    return json_answer(NOTHING_ACCEPTED.status, body, request.request_id)
