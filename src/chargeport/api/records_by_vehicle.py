"""`GET /records?order=vehicle`: the sessions of any number of vehicles, by vehicle and start, in pages by cursor or as a file.

A page continues after a session of a vehicle, and a file is generated while it is sent: only the sessions of a few vehicles are
in memory.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import BinaryIO, Final, NamedTuple, cast

from chargeport.api import cursors, instants, paging, record_rows
from chargeport.api.cursors import Begun
from chargeport.api.downloads import GrowingFile
from chargeport.api.history import url
from chargeport.api.record_rows import FORM, VEHICLE, Row, rows_of
from chargeport.api.request import Request
from chargeport.api.response import Response, file_answer, packed_answer
from chargeport.api.vehicles import AT_ONCE, visible_vehicles
from chargeport.errors import MALFORMED, Problem
from chargeport.store.audit import Act
from chargeport.wire.encoding import encode

MAX_LOOKED_AT: Final = 1_000  # vehicles for one page, if few have matching sessions

Parameters = dict[str, str]
Vehicles = AsyncGenerator[tuple[str, list[Row]], None]
"""The ids of vehicles, each with the matching sessions."""


class Page(NamedTuple):
    """Sessions, and the cursor after them; None if there are no more."""

    rows: list[Row]
    next_cursor: str | None


async def list_by_vehicle(request: Request, parameters: Parameters, size: int) -> Response:
    """Return the matching sessions of all vehicles: a page of them, or all as a file."""
    if paging.NUMBER in parameters:
        raise Problem(MALFORMED, f"{paging.NUMBER}: the order of vehicles has no numbered pages: follow links.next.")
    after = cursors.begun(parameters[cursors.NAME]) if cursors.NAME in parameters else None
    named = sorted(set(parameters[VEHICLE].split(","))) if VEHICLE in parameters else None
    for vehicle_id in named or ():
        await request.context.access.permissions(await request.grant(), vehicle_id, request.user_id)
        await request.context.reads.vehicle(vehicle_id)
    vehicles = _vehicles(request, parameters, named, after)
    form = parameters.get(FORM, "json")
    if form != "json":
        return await _file(request, vehicles, form)
    page, path = await page_of(vehicles, size), f"{request.base}/records"
    following = None if page.next_cursor is None else url(path, request.query, page.next_cursor)
    meta, links = {"count": len(page.rows), "pageSize": size}, {"self": url(path, request.query), "next": following}
    body = encode({"data": page.rows, "meta": meta, "links": links})
    return packed_answer(request.header(b"accept-encoding"), body, request.request_id)


async def _vehicles(request: Request, parameters: Parameters, named: list[str] | None, after: Begun | None) -> Vehicles:
    """Yield the vehicles after a session, first the rest of the sessions of its own vehicle."""
    if after is not None and (named is None or after.vehicle_id in named):
        rows = await rows_of(request, [after.vehicle_id], parameters)
        yield after.vehicle_id, [row for row in rows if _begun(row).started_at > after.started_at]
    async with aclosing(_ids(request, named, "" if after is None else after.vehicle_id)) as few:
        async for ids in few:
            rows = await rows_of(request, ids, parameters)
            for vehicle_id in ids:
                yield vehicle_id, [row for row in rows if row["vehicle_id"] == vehicle_id]


async def _ids(request: Request, named: list[str] | None, after: str) -> AsyncGenerator[list[str], None]:
    """Yield the ids of the selected vehicles after one, a few at a time."""
    if named is not None:
        rest = [vehicle_id for vehicle_id in named if vehicle_id > after]
        for start in range(0, len(rest), AT_ONCE):
            yield rest[start : start + AT_ONCE]
        return
    async with aclosing(visible_vehicles(request, after)) as few:
        async for vehicles in few:
            yield [vehicle.id for vehicle, _ in vehicles]


async def page_of(vehicles: Vehicles, size: int) -> Page:
    """Return a page. It exceeds its size if several sessions began at the instant at which it would end."""
    rows, looked_at, before = list[Row](), 0, ""
    async with aclosing(vehicles) as every:
        async for vehicle_id, found in every:
            if looked_at == MAX_LOOKED_AT:
                return Page(rows, cursors.of_begun(Begun(before, instants.LATEST_AT)))
            for row in found:
                if len(rows) >= size and _begun(row) != _begun(rows[-1]):
                    return Page(rows, cursors.of_begun(_begun(rows[-1])))
                rows.append(row)
            before, looked_at = vehicle_id, looked_at + 1
    return Page(rows, None)


def _begun(row: Row) -> Begun:
    return Begun(row["vehicle_id"], instants.instant("started_at", row["started_at"]))


async def _file(request: Request, vehicles: Vehicles, form: str) -> Response:
    """Return a file of all sessions that is generated while it is sent."""
    output, stack = GrowingFile(), ExitStack()
    sink = stack.enter_context(record_rows.opened_file(form, cast("BinaryIO", output)))
    if request.raw.method != "HEAD":
        await request.context.store.audit.add(Act.EXPORTED, "", f"records as {form}")

    async def parts() -> AsyncGenerator[bytes, None]:
        async with aclosing(vehicles) as every:
            async for _, rows in every:
                await asyncio.to_thread(sink, rows)
                if part := output.taken():
                    yield part
        stack.close()
        yield output.taken()

    accepted = None if form == "parquet" else request.header(b"accept-encoding")
    return file_answer(parts(), request.request_id, record_rows.FILE_NAME.format(form), record_rows.FILE_KINDS[form], accepted)
