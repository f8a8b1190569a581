"""The signal reads as ordinary routes: what the fast path leaves, by the same function; and history."""

import msgspec

from chargeport.api import cursors, signal_filters
from chargeport.api.history import HistorySelection, document, page_of
from chargeport.api.reads import Ask, conditional
from chargeport.api.request import Request
from chargeport.api.response import Response
from chargeport.api.vehicles import permissions
from chargeport.store.effective_history import EffectiveHistory


async def read_signals(request: Request) -> Response:
    """Return all signals of a vehicle that have a value or a known error, sorted by code."""
    await request.grant()
    return await request.context.reads.answer(_ask(request, None))


async def read_signal(request: Request) -> Response:
    """Return one signal of a vehicle."""
    await request.grant()
    return await request.context.reads.answer(_ask(request, request.path("code")))


async def read_values(request: Request) -> Response:
    """Return a page of a signal's history."""
    allowed = await permissions(request)
    ask = _ask(request, request.path("code"))
    _, found = await request.context.reads.known(ask, allowed)
    signal, selection = found.state.signal, HistorySelection.of(request.query)
    now = request.context.clock.now()
    client_id, positions = (await request.grant()).client_id, request.context.positions
    await positions.load()
    if selection.cursor is not None:
        cursor = cursors.opened(selection.cursor, lambda text: positions.open(text, client_id))
        selection = msgspec.structs.replace(selection, cursor=cursor)
    history = EffectiveHistory(request.context.store, now, signal_filters.source(request.query))
    page = await page_of(history, ask.vehicle_id, signal, selection, allowed=allowed, now=now)
    if page.next_cursor is not None:
        cursor = cursors.sealed(page.next_cursor, lambda position: positions.seal(position, client_id, always_alike=True))
        page = msgspec.structs.replace(page, next_cursor=cursor)
    path = f"{request.base}/v3/vehicles/{ask.vehicle_id}/signals/{signal.code}/values"
    return conditional(document(page, signal, selection, path, request.query).encode(), ask)


def _ask(request: Request, code: str | None) -> Ask:
    return Ask(
        vehicle_id=request.path("vehicle_id"),
        code=code,
        base=request.base,
        request_id=request.request_id,
        authorization=request.header(b"authorization"),
        user_id=request.header(b"sc-user-id"),
        if_none_match=request.header(b"if-none-match"),
        query=request.query,
    )
