"""`GET /export`: the reported readings of an application's vehicles, as a file that is generated while it is sent.

Only a portion of the vehicles and of their sightings is in memory. A slow client holds open the snapshot of the portion that it
reads.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import BinaryIO, Final, NamedTuple, Self, cast

import msgspec

from chargeport.api import instants
from chargeport.api.downloads import GrowingFile
from chargeport.api.request import Request
from chargeport.api.response import Response, file_answer
from chargeport.api.vehicles import visible_vehicles
from chargeport.errors import MALFORMED, ChargeportError, Problem
from chargeport.ingest import export_forms
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission, Signal
from chargeport.signals.places import without_places
from chargeport.store.audit import Act
from chargeport.store.records import Selection, Sighting

VEHICLE, SIGNAL, FROM, TO, FORM, SIGHTINGS = "vehicle", "signal", "from", "to", "format", "sightings"
KINDS: Final = {
    "ndjson": "application/x-ndjson", "csv": "text/csv", "parquet": "application/vnd.apache.parquet",
}  # fmt: skip
PORTION: Final = 100  # vehicles that are read in one snapshot, or a few more

Allowed = dict[str, frozenset[Permission]]


async def export_readings(request: Request) -> Response:
    """Return a file of every change of the signals that the caller may see."""
    await request.grant()
    form, selection, named = _selection_of(request)
    for vehicle_id in sorted(named or ()):
        await request.context.access.permissions(await request.grant(), vehicle_id, request.user_id)
        await request.context.reads.vehicle(vehicle_id)
    try:
        export = _Export.begun(form)
    except ChargeportError as error:  # a package is missing
        raise Problem(MALFORMED, f"{FORM}: {error}") from None
    parts = _parts(request, selection, named, export)
    if request.raw.method != "HEAD":
        parts = request.context.downloads.begin((await request.grant()).client_id).sent(parts)
        whose = next(iter(named)) if named is not None and len(named) == 1 else ""
        await request.context.store.audit.add(Act.EXPORTED, whose, f"readings as {form}")
    accepted = None if form == "parquet" else request.header(b"accept-encoding")
    kind = KINDS[form] + ("; charset=utf-8" if form == "csv" else "")
    return file_answer(parts, request.request_id, f"readings.{form}", (b"content-type", kind.encode()), accepted)


def _selection_of(request: Request) -> tuple[str, Selection, frozenset[str] | None]:
    """Return the format, the selection without the vehicles, and the vehicles. Raises Problem (400)."""
    parameters = dict(request.query)
    for name, values in ((FORM, tuple(KINDS)), (SIGHTINGS, ("true", "false"))):
        if name in parameters and parameters[name] not in values:
            raise Problem(MALFORMED, f"{name} is one of {', '.join(values)}, not {parameters[name][:40]!r}.")
    start, end = (instants.instant(name, parameters[name]) if name in parameters else None for name in (FROM, TO))
    if start is not None and end is not None and start >= end:
        raise Problem(MALFORMED, f"{FROM} must be before {TO}: {FROM} is inclusive, {TO} is exclusive.")
    codes = _named(request, SIGNAL)
    for code in codes or ():
        if code not in BY_CODE:
            raise Problem(MALFORMED, f"{SIGNAL}: {code[:80]!r} is no signal of this server: /docs lists the codes.")
    signals: frozenset[Signal] | None = None if codes is None else frozenset(BY_CODE[code] for code in codes)
    selection = Selection(signals=signals, start=start, end=end, every=parameters.get(SIGHTINGS) == "true")
    return parameters.get(FORM, "ndjson"), selection, _named(request, VEHICLE)


def _named(request: Request, parameter: str) -> frozenset[str] | None:
    """Return the values of a parameter that is repeated or has commas; None if it is missing."""
    values = [value for name, value in request.query if name == parameter]
    return frozenset(name.strip() for value in values for name in value.split(",")) if values else None


class _Export(NamedTuple):
    """A partly written file in one of the formats."""

    sink: export_forms.Sink
    output: GrowingFile
    stack: ExitStack

    @classmethod
    def begun(cls, form: str) -> Self:
        """Begin a file. Raises ChargeportError if its format needs a package that is missing."""
        output, stack = GrowingFile(), ExitStack()
        return cls(stack.enter_context(export_forms.opened(form, cast("BinaryIO", output))), output, stack)


async def _parts(
    request: Request, selection: Selection, named: frozenset[str] | None, export: "_Export"
) -> AsyncGenerator[bytes, None]:
    """Yield the file, a portion of sightings at a time."""
    async with aclosing(_portions(request, named)) as portions:
        async for allowed in portions:
            readable = msgspec.structs.replace(selection, vehicle_ids=frozenset(allowed))
            async with aclosing(request.context.store.readings.sightings(readable)) as stretches:
                async for stretch in stretches:
                    shown = [_shown(sighting, allowed[sighting.vehicle_id]) for sighting in stretch.sightings]
                    await asyncio.to_thread(export.sink, [line for line in shown if line is not None])
                    if part := export.output.taken():
                        yield part
    export.stack.close()
    yield export.output.taken()


async def _portions(request: Request, named: frozenset[str] | None) -> AsyncGenerator[Allowed, None]:
    """Yield the selected vehicles that the caller may see, in portions, each with the caller's permissions."""
    portion: Allowed = {}
    async with aclosing(visible_vehicles(request)) as vehicles:
        async for few in vehicles:
            portion |= {vehicle.id: allowed for vehicle, allowed in few if named is None or vehicle.id in named}
            if len(portion) >= PORTION:
                yield portion
                portion = {}
    if portion:
        yield portion


def _shown(seen: Sighting, allowed: frozenset[Permission]) -> Sighting | None:
    """Return a sighting as a reader with these permissions may see it; None if the reader may not see it."""
    if seen.signal.permission not in allowed:
        return None
    if seen.signal.has_places and seen.value is not None and Permission.READ_CHARGE_LOCATIONS not in allowed:
        return msgspec.structs.replace(seen, value=without_places(str(seen.value)))
    return seen
