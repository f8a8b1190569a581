"""`GET /signals` and the signals of a vehicle: the reads that the fast path does not answer, by the same function; and history.

A page of all vehicles continues after the id of a vehicle, so the last of a hundred thousand takes as long as the first.
"""

from contextlib import aclosing
from typing import Final, NamedTuple

import msgspec

from chargeport.api import cursors, paging, signal_filters
from chargeport.api.history import HistorySelection, document, page_of, url
from chargeport.api.reads import ReadRequest, conditional
from chargeport.api.request import Request
from chargeport.api.response import Response, packed_answer
from chargeport.api.signal_filters import Selection, selected
from chargeport.api.vehicles import AT_ONCE, permissions, visible_vehicles
from chargeport.derivation.provenance import PROVENANCE
from chargeport.errors import MALFORMED, Problem
from chargeport.store.effective_history import EffectiveHistory
from chargeport.wire.envelope import View, vehicle_resource, with_vehicle

DEFAULT_SIZE: Final = 100
MAX_SIZE: Final = 1000
MAX_TEXT: Final = 2_097_152  # characters on a page: it ends after the vehicle that exceeds this
MAX_LOOKED_AT: Final = 5_000  # vehicles for one page, if few have the selected signals


async def read_signals(request: Request) -> Response:
    """Return all signals of a vehicle that have a value or a known error, sorted by code."""
    await request.grant()
    return await request.context.reads.answer(_read_request(request, None))


async def read_signal(request: Request) -> Response:
    """Return one signal of a vehicle."""
    await request.grant()
    return await request.context.reads.answer(_read_request(request, request.path("code")))


async def read_values(request: Request) -> Response:
    """Return a page of a signal's history."""
    allowed = await permissions(request)
    read = _read_request(request, request.path("code"))
    _, found = await request.context.reads.known(read, allowed)
    signal, selection = found.state.signal, HistorySelection.of(request.query)
    now = request.context.clock.now()
    client_id, positions = (await request.grant()).client_id, request.context.positions
    await positions.load()
    if selection.cursor is not None:
        cursor = cursors.opened(selection.cursor, lambda text: positions.open(text, client_id))
        selection = msgspec.structs.replace(selection, cursor=cursor)
    history = EffectiveHistory(request.context.store, now, signal_filters.source(request.query))
    page = await page_of(history, read.vehicle_id, signal, selection, allowed=allowed, now=now)
    if page.next_cursor is not None:
        cursor = cursors.sealed(page.next_cursor, lambda position: positions.seal(position, client_id, always_alike=True))
        page = msgspec.structs.replace(page, next_cursor=cursor)
    path = f"{request.base}/v3/vehicles/{read.vehicle_id}/signals/{signal.code}/values"
    return conditional(document(page, signal, selection, path, request.query).encode(), read)


def _read_request(request: Request, code: str | None) -> ReadRequest:
    return ReadRequest(
        vehicle_id=request.path("vehicle_id"),
        code=code,
        base=request.base,
        request_id=request.request_id,
        authorization=request.header(b"authorization"),
        user_id=request.header(b"sc-user-id"),
        if_none_match=request.header(b"if-none-match"),
        query=request.query,
    )


class _Page(NamedTuple):
    """Elements and vehicles as JSON text, and the cursor of the next page."""

    elements: list[str]
    vehicles: list[str]
    next_cursor: str | None


async def list_fleet_signals(request: Request) -> Response:
    """Return a page of the vehicles' signals, by vehicle id and code; vehicles without any are left out."""
    await request.grant()
    request.context.reads.check_user(request.user_id)
    query, parameters = request.query, dict(request.query)
    if paging.NUMBER in parameters:
        raise Problem(MALFORMED, f"{paging.NUMBER}: this list has no numbered pages: follow links.next.")
    selection = selected(query)
    size = paging.requested_page(query, default_size=DEFAULT_SIZE, max_size=MAX_SIZE).size
    after = cursors.vehicle(parameters[cursors.NAME]) if cursors.NAME in parameters else ""
    found = await _gathered(request, selection, after, size)
    path = f"{request.base}/v3/signals"
    links = {"self": url(path, query), "next": None if found.next_cursor is None else url(path, query, found.next_cursor)}
    body = (
        f'{{"data":[{",".join(found.elements)}],"meta":{paging.text({"count": len(found.elements), "pageSize": size})},'
        f'"links":{paging.text(links)},"included":{{"vehicles":[{",".join(found.vehicles)}]}}}}'
    )
    return packed_answer(request.header(b"accept-encoding"), body.encode(), request.request_id)


async def _gathered(request: Request, selection: Selection, after: str, size: int) -> _Page:
    """Return the effective states of the selected signals of the vehicles after an id."""
    store, reads, now = request.context.store, request.context.reads, request.context.clock.now()
    elements, shown, text, looked_at = list[str](), list[str](), 0, 0
    async with aclosing(visible_vehicles(request, after, min(AT_ONCE, size + 1))) as few:
        async for vehicles in few:
            series = await store.readings.signals_of([vehicle.id for vehicle, _ in vehicles])
            for vehicle, allowed in vehicles:
                found = series.get(vehicle.id)
                chosen = [] if found is None else reads.chosen(found, selection, allowed, now)
                if looked_at == MAX_LOOKED_AT or (chosen and (len(shown) == size or text >= MAX_TEXT)):
                    return _Page(elements, shown, cursors.of_vehicle(after))
                after, looked_at = vehicle.id, looked_at + 1
                if chosen:
                    view = View(vehicle, allowed, request.base, PROVENANCE)
                    own = [with_vehicle(element, vehicle.id) for element in reads.elements(view, vehicle.id, chosen)]
                    elements += own
                    shown.append(vehicle_resource(vehicle, request.base))
                    text += sum(map(len, own))
    return _Page(elements, shown, None)
